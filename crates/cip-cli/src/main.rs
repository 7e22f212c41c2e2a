//! The `cip` command: a thin shell over the `cip` crate, one subcommand a stage.

mod allocator;
mod apart;
mod args;
mod baskets;
mod chart;
mod commands;
mod currency;
mod error;
mod experiment;
mod number;
mod output;
mod progress;
mod quality;
mod report_table;
mod scatter;
mod stage;
mod summary;
mod units;

use std::process::ExitCode;

use clap::Parser;

#[global_allocator]
static ALLOCATOR: allocator::LargePages = allocator::LargePages;

fn main() -> ExitCode {
    let args = args::Args::parse();
    match commands::run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::error(&error);
            ExitCode::from(error.exit_code())
        }
    }
}
