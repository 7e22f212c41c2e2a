//! The `cip` command.
fn main() {}
