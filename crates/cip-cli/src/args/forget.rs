//! Arguments of `cip forget`.

use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(crate) struct ForgetArgs {
    pub(crate) store: PathBuf,
    /// Id of a user to erase; again for more
    #[arg(long, value_name = "ID", allow_hyphen_values = true, required_unless_present = "users")]
    pub(crate) user: Vec<String>,
    /// Users to erase: a file with an id a line, or a column of a table (Parquet, Arrow; CSV with --column)
    #[arg(long, value_name = "FILE")]
    pub(crate) users: Option<PathBuf>,
    /// The column of --users
    #[arg(long, value_name = "NAME", requires = "users")]
    pub(crate) column: Option<String>,
    /// Result tables, and folders of them, that hold the users as well; those of a `cip run` around the store are found
    #[arg(long, value_name = "PATH", num_args = 1..)]
    pub(crate) derived: Vec<PathBuf>,
}
