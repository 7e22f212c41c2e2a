//! A source of one's own: other column names, epoch seconds, text ids, a test account to leave out.

#![expect(clippy::print_stdout, reason = "an example shows what it found")]

use std::error::Error;

use cip::ingest::{ColumnRule, Condition, Ingest, SourceMapping, TimeFormat};
use cip::line::Line;
use cip::sessionize::SessionRule;

const LOG: &str = "\
ts;action;visitor;sku;amount
1569888000;open;v-81;;
1569888030;add;v-81;mug-blue;12.50
1569888090;buy;v-81;mug-blue;12.50
1569888100;buy;qa-robot;mug-blue;12.50
1569899000;open;v-81;;
156988;oops
";

fn main() -> Result<(), Box<dyn Error>> {
    let mapping = SourceMapping::builder("app-log")
        .with_delimiter(';')
        .with_column("event_time", ColumnRule::timestamp("ts").with_format(TimeFormat::EpochSeconds))
        .with_column(
            "event_type",
            // The store's words for what a shop's events mean.
            ColumnRule::dictionary("action")
                .with_rename("open", "view")
                .with_rename("add", "cart")
                .with_rename("buy", "purchase"),
        )
        .with_column("user_id", ColumnRule::utf8("visitor"))
        .with_column("product_id", ColumnRule::utf8("sku").nullable())
        .with_column("price", ColumnRule::money("amount", 2).nullable())
        .with_drop("test_account", "visitor", Condition::Equals("qa-robot".to_owned()))
        .build()?;

    let folder = tempfile::tempdir()?;
    let file = folder.path().join("app.csv");
    std::fs::write(&file, LOG)?;
    let (store, report) = Ingest::new(mapping).run(&[file], &folder.path().join("store"), &mut |_| ())?;
    let account = &report.account;
    println!(
        "{} rows = {} events + {:?} rejected + {:?} dropped",
        account.rows, account.events, account.rejects, account.drops
    );
    let sessions = Line::new(&store)
        .write_sessions(SessionRule::default(), &folder.path().join("fact_sessions.parquet"))?;
    let revenue = sessions.money.map(|money| money.display(sessions.revenue).to_string());
    println!("{} sessions, revenue {}", sessions.sessions, revenue.unwrap_or_default());
    Ok(())
}
