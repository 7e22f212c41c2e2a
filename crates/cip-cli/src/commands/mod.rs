//! One file a subcommand.

mod abtest;
mod assign;
mod card;
mod carts;
mod clv;
mod cohorts;
mod compact;
mod convert;
mod demo;
mod drift;
mod evaluate;
mod explain;
mod features;
mod findings;
mod forget;
mod funnel;
mod generate;
mod info;
mod ingest;
mod itemsets;
mod learned_text;
mod migrate;
mod pairs;
mod paths;
mod power;
mod prospects;
mod recommend;
mod rejects;
mod rfm;
mod rules;
mod run;
mod score;
mod segments;
mod sequences;
mod sessions;
mod srm;
mod train;
mod uplift;

use crate::apart::check_files;
use crate::args::{Args, Command};
use crate::error::CliError;

pub(crate) fn run(args: Args) -> Result<(), CliError> {
    let common = &args.common;
    check_files(&args.command)?;
    // What mines, counts and learns on its own threads has no more than those that were asked for.
    rayon::ThreadPoolBuilder::new().num_threads(common.threads().get()).build_global()?;
    let answer = match args.command {
        Command::Generate(args) => generate::run(&args, common)?,
        Command::Ingest(args) => ingest::run(&args, common)?,
        Command::Info { store, quality } => info::run(&store, quality.as_deref(), common)?,
        Command::Forget(args) => forget::run(&args, common)?,
        Command::Compact { store, aliases } => compact::run(&store, aliases.as_deref(), common)?,
        Command::Rejects { store, limit } => rejects::run(&store, limit)?,
        Command::Sessions(args) => sessions::run(&args, common)?,
        Command::Funnel(args) => funnel::run(&args, common)?,
        Command::Paths(args) => paths::run(&args, common)?,
        Command::Rfm(args) => rfm::run(&args, common)?,
        Command::Clv(args) => clv::run(&args, common)?,
        Command::Segments(args) => segments::run(&args, common)?,
        Command::Cohorts(args) => cohorts::run(&args, common)?,
        Command::Migrate(args) => migrate::run(&args)?,
        Command::Pairs(args) => pairs::run(&args, common)?,
        Command::Itemsets(args) => itemsets::run(&args, common)?,
        Command::Rules(args) => rules::run(&args, common)?,
        Command::Sequences(args) => sequences::run(&args, common)?,
        Command::Recommend(args) => recommend::run(&args, common)?,
        Command::Assign(args) => assign::run(&args)?,
        Command::Abtest(args) => abtest::run(&args, common)?,
        Command::Power(args) => power::run(&args)?,
        Command::Srm(args) => srm::run(&args)?,
        Command::Features(args) => features::run(&args, common)?,
        Command::Train(args) => train::run(&args, common)?,
        Command::Evaluate(args) => evaluate::run(&args, common)?,
        Command::Score(args) => score::run(&args, common)?,
        Command::Explain(args) => explain::run(&args, common)?,
        Command::Drift(args) => drift::run(&args, common)?,
        Command::Uplift(args) => uplift::run(&args, common)?,
        Command::Convert(args) => convert::run(&args)?,
        Command::Run(args) => run::run(&args, common)?,
        Command::Demo { events, seed, out } => demo::run(events, seed, &out, common)?,
    };
    answer.print(common.json)
}
