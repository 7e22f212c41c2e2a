//! `cip rfm`: scores and segments, one row a customer.

use cip::core::{EventSchema, MoneyScale, Timestamp};
use cip::line::Line;
use cip::rfm::{Cuts, Rfm, RfmTable, Scoring, SegmentSummary};
use cip::store::EventStore;
use serde_json::json;

use crate::args::{Common, RfmArgs, ScoringArg, ScoringArgs};
use crate::error::CliError;
use crate::number::{grouped, percent};
use crate::output::{Answer, table};

pub(crate) fn run(args: &RfmArgs, common: &Common) -> Result<Answer, CliError> {
    let store = EventStore::open(&args.store)?;
    let rfm = Rfm::new(args.as_of, store.schema())?
        .with_returns(args.scoring.returns.into())
        .with_scoring(scoring(&args.scoring, store.schema())?);
    let scored = Line::new(&store)
        .with_threads(common.threads())
        .with_memory(common.memory)?
        .write_rfm(&rfm, &args.out)?;
    let summary = scored.summary()?;
    Ok(Answer {
        text: format!("{}written to {}", text(&scored, &summary, args.as_of), args.out.display()),
        json: to_json(&scored, &summary, args.as_of),
    })
}

fn scoring(args: &ScoringArgs, schema: &EventSchema) -> Result<Scoring, CliError> {
    let given = (&args.recency_cuts, &args.frequency_cuts, &args.monetary_cuts);
    match (args.scoring, given) {
        (ScoringArg::Default, (None, None, None)) => Ok(Scoring::Default),
        (ScoringArg::Ntile, (None, None, None)) => Ok(Scoring::Ntile),
        (ScoringArg::Cuts, (Some(recency), Some(frequency), Some(monetary))) => {
            let scale = schema.money_scale().ok_or(cip::rfm::RfmError::NoMoney)?;
            let monetary = monetary.iter().map(|text| amount(text, scale)).collect::<Result<Vec<_>, _>>()?;
            let cuts = Cuts::new(four(recency)?, four(frequency)?, four(&monetary)?)
                .map_err(|error| CliError::Usage(error.to_string()))?;
            Ok(Scoring::Cuts(cuts))
        }
        (ScoringArg::Cuts, _) => Err(CliError::Usage(
            "--scoring cuts needs --recency-cuts, --frequency-cuts and --monetary-cuts, four values each"
                .to_owned(),
        )),
        _ => Err(CliError::Usage("cuts go with --scoring cuts".to_owned())),
    }
}

fn amount(text: &str, scale: MoneyScale) -> Result<i128, CliError> {
    scale
        .parse(text.as_bytes())
        .map(i128::from)
        .map_err(|fault| CliError::Usage(format!("`{text}` in --monetary-cuts: {fault}")))
}

fn four<T: Copy>(values: &[T]) -> Result<[T; 4], CliError> {
    values.try_into().map_err(|_| CliError::Usage(format!("{} cuts are given, expected four", values.len())))
}

/// The segments as a table.
pub(crate) fn text(scored: &RfmTable, summary: &[SegmentSummary], as_of: Timestamp) -> String {
    let average = |value: Option<f64>, digits: usize| {
        value.map_or_else(|| "-".to_owned(), |value| grouped(format!("{value:.digits$}")))
    };
    let share = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| percent(value, 1.0));
    let rows: Vec<_> = summary
        .iter()
        .map(|segment| {
            vec![
                segment.segment.name().to_owned(),
                grouped(segment.customers),
                share(segment.share),
                grouped(segment.money.display(segment.revenue)),
                share(segment.revenue_share),
                average(segment.average_recency_days, 1),
                average(segment.average_frequency, 2),
                average(segment.average_monetary, 2),
            ]
        })
        .collect();
    let header = ["segment", "customers", "share", "revenue", "share", "days since", "orders", "spent each"];
    format!("{} customers as of {as_of}\n\n{}", grouped(scored.len()), table(&header, &rows))
}

pub(crate) fn to_json(scored: &RfmTable, summary: &[SegmentSummary], as_of: Timestamp) -> serde_json::Value {
    let segments: Vec<_> = summary
        .iter()
        .map(|segment| {
            json!({
                "segment": segment.segment.name(), "customers": segment.customers, "share": segment.share,
                "revenue": segment.money.display(segment.revenue).to_string(),
                "revenue_share": segment.revenue_share, "average_recency_days": segment.average_recency_days,
                "average_frequency": segment.average_frequency, "average_monetary": segment.average_monetary,
            })
        })
        .collect();
    json!({
        "as_of": as_of.to_string(), "customers": scored.len(), "skipped_events": scored.skipped_events(),
        "segments": segments,
    })
}
