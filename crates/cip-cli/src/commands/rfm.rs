//! `cip rfm`: scores and segments, one row a customer.

use std::path::PathBuf;

use cip::core::{EventSchema, MoneyScale, Timestamp};
use cip::line::KeptRfm;
use cip::rfm::{
    Cuts, Keeping, Quantiles, Rfm, RfmError, RfmTable, ScoreBin, Scoring, SegmentMap, SegmentSummary, Ties,
};
use cip::store::EventStore;
use serde_json::json;

use crate::apart::check_outside;
use crate::args::{Common, RfmArgs, ScoringArg, ScoringArgs, TiesArg};
use crate::currency;
use crate::error::CliError;
use crate::number::{grouped, percent};
use crate::output::{Answer, table};
use crate::summary::usage;

pub(crate) fn run(args: &RfmArgs, common: &Common) -> Result<Answer, CliError> {
    let store = EventStore::open(&args.store)?;
    let rfm = args.window.of(Rfm::new(args.as_of, store.schema())?).map_err(usage)?;
    let rfm = match args.weights {
        Some(weights) => rfm.with_weights(weights),
        None => rfm,
    };
    let rfm = rfm
        .with_returns(args.scoring.returns.into())
        .with_scoring(scoring(&args.scoring, store.schema())?)
        .with_map(map(&args.scoring.map)?);
    rfm.check().map_err(usage)?;
    let line = currency::line(&store, &args.currency, common)?;
    let (scored, kept) = match &args.state {
        None => (line.write_rfm(&rfm, &args.out)?, None),
        Some(folder) => {
            check_outside(folder, &args.out)?;
            let kept = line.keep_rfm(&rfm, folder, &args.out)?;
            let told = (kept_text(&kept), kept_json(&kept));
            (kept.scored, Some(told))
        }
    };
    let summary = scored.summary()?;
    let (kept_text, kept_json) = kept.unwrap_or_default();
    let told = [
        text(&scored, &summary, args.as_of),
        before_text(&scored),
        actions_text(&summary),
        bins_text(&scored),
        kept_text,
        format!("written to {}", args.out.display()),
    ];
    let mut answer = Answer {
        text: told.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n"),
        json: to_json(&scored, &summary, args.as_of),
    };
    answer.json["from"] = json!(rfm.from().map(|from| from.to_string()));
    answer.json["weights"] = json!(args.weights.map(|weights| weights.to_string()));
    if !kept_json.is_null() {
        answer.json["state"] = kept_json;
    }
    currency::tell(&line, &args.currency, &mut answer);
    Ok(answer)
}

/// What a run over kept purchases did, in a line.
fn kept_text(kept: &KeptRfm) -> String {
    let what = match &kept.rebuilt {
        Some(why) => format!("made anew, as {why}"),
        None if kept.new_commits == 0 => {
            return "no commit since the run before: no event was read\n".to_owned();
        }
        None => format!("brought up to date with {} new commits", grouped(kept.new_commits)),
    };
    format!("{what}; {} of {} events read\n", grouped(kept.events_read), grouped(kept.events_stored))
}

fn kept_json(kept: &KeptRfm) -> serde_json::Value {
    let keeps = match kept.keeping {
        Keeping::Sums => "sums",
        Keeping::Times => "times",
    };
    json!({
        "run": kept.run, "rebuilt": kept.rebuilt.as_ref().map(ToString::to_string), "new_commits": kept.new_commits,
        "keeps": keeps, "events_read": kept.events_read, "events_stored": kept.events_stored,
    })
}

fn scoring(args: &ScoringArgs, schema: &EventSchema) -> Result<Scoring, CliError> {
    let given = (&args.recency_cuts, &args.frequency_cuts, &args.monetary_cuts);
    if !matches!(args.scoring, ScoringArg::Quantiles) && (args.bins.is_some() || args.ties.is_some()) {
        return Err(CliError::Usage("--bins and --ties go with --scoring quantiles".to_owned()));
    }
    match (args.scoring, given) {
        (ScoringArg::Default, (None, None, None)) => Ok(Scoring::Default),
        (ScoringArg::Ntile, (None, None, None)) => Ok(Scoring::Ntile),
        (ScoringArg::Quantiles, (None, None, None)) => {
            let ties = match args.ties {
                Some(TiesArg::ByUser) => Ties::ByUser,
                Some(TiesArg::Together) | None => Ties::Together,
            };
            Ok(Scoring::Quantiles(Quantiles::new(args.bins.unwrap_or(5), ties).map_err(usage)?))
        }
        (ScoringArg::Cuts, (Some(recency), Some(frequency), Some(monetary))) => {
            let scale = schema.money_scale().ok_or(RfmError::NoMoney)?;
            let monetary = monetary.iter().map(|text| amount(text, scale)).collect::<Result<Vec<_>, _>>()?;
            let cuts = Cuts::new(recency.as_slice(), frequency.as_slice(), monetary).map_err(usage)?;
            Ok(Scoring::Cuts(cuts))
        }
        (ScoringArg::Cuts, _) => Err(CliError::Usage(
            "--scoring cuts needs --recency-cuts, --frequency-cuts and --monetary-cuts, four values each for scores of 1 to 5"
                .to_owned(),
        )),
        _ => Err(CliError::Usage("cuts go with --scoring cuts".to_owned())),
    }
}

/// The map of this name, or of a file.
fn map(name: &str) -> Result<SegmentMap, CliError> {
    match name {
        "eight" => Ok(SegmentMap::eight()),
        "five" => Ok(SegmentMap::five()),
        "eleven" => Ok(SegmentMap::eleven()),
        file if file.ends_with(".toml") => {
            let path = PathBuf::from(file);
            let text = std::fs::read_to_string(&path).map_err(|source| CliError::Io {
                action: "read",
                path: path.clone(),
                source,
            })?;
            SegmentMap::from_toml(&text)
                .map_err(|error| CliError::SegmentMap { path, source: Box::new(error) })
        }
        other => Err(CliError::Usage(format!(
            "no map of segments is called `{other}`: expected eight, five, eleven, or a file ending in .toml"
        ))),
    }
}

fn amount(text: &str, scale: MoneyScale) -> Result<i128, CliError> {
    scale
        .parse(text.as_bytes())
        .map(i128::from)
        .map_err(|fault| CliError::Usage(format!("`{text}` in --monetary-cuts: {fault}")))
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
                segment.segment.clone(),
                grouped(segment.customers),
                share(segment.share),
                grouped(segment.money.display(segment.revenue)),
                share(segment.revenue_share),
                average(segment.average_recency_days, 1),
                average(segment.average_frequency, 2),
                average(segment.average_monetary, 2),
                average(segment.average_score, 2),
            ]
        })
        .collect();
    let header =
        ["segment", "customers", "share", "revenue", "share", "days since", "orders", "spent each", "score"];
    // There is no last column without weights.
    let columns = header.len() - usize::from(scored.scores().is_none());
    format!("{} customers as of {as_of}\n\n{}", grouped(scored.len()), table(&header[..columns], &rows))
}

/// Who is left out by a window.
fn before_text(scored: &RfmTable) -> String {
    match scored.customers_before() {
        0 => String::new(),
        before => format!("{} more bought before the window and not in it\n", grouped(before)),
    }
}

/// What to do with the customers of each segment.
fn actions_text(summary: &[SegmentSummary]) -> String {
    let actions = summary.iter().filter(|segment| segment.customers > 0);
    let actions = actions
        .filter_map(|segment| Some(format!("  {}: {}\n", segment.segment, segment.action.as_deref()?)));
    actions.collect()
}

/// What each score holds, the best first, and which measures are too skewed for it to hold equal numbers of customers.
fn bins_text(scored: &RfmTable) -> String {
    let days = |days: i128| grouped(days);
    let money = |units: i128| grouped(scored.money_scale().display(units));
    let measures = [
        ("days since", scored.recency_bins(), &days as &dyn Fn(i128) -> String),
        ("orders", scored.frequency_bins(), &days),
        ("spent each", scored.monetary_bins(), &money),
    ];
    let mut notes = String::new();
    for (name, bins, value) in &measures {
        let shared: Vec<_> = shared_values(bins).into_iter().map(value).collect();
        if !shared.is_empty() {
            notes.push_str(&format!(
                "equal customers have several scores by `{name}`: {}\n",
                shared.join(", ")
            ));
        }
        let empty = bins.iter().filter(|bin| bin.customers == 0).map(|bin| bin.score.to_string());
        let empty: Vec<_> = empty.collect();
        if !empty.is_empty() && !scored.is_empty() {
            notes.push_str(&format!("no customer has the score {} by `{name}`\n", empty.join(" or ")));
        }
    }
    let range = |bin: &ScoreBin, value: &dyn Fn(i128) -> String| match (bin.least, bin.greatest) {
        (Some(least), Some(greatest)) if least == greatest => value(least),
        (Some(least), Some(greatest)) => format!("{} to {}", value(least), value(greatest)),
        _ => "-".to_owned(),
    };
    let rows: Vec<_> = (0..usize::from(scored.map().bins()))
        .rev()
        .map(|at| {
            let cells = measures
                .iter()
                .flat_map(|(_, bins, value)| [range(&bins[at], value), grouped(bins[at].customers)]);
            [(at + 1).to_string()].into_iter().chain(cells).collect()
        })
        .collect();
    let header = ["score", "days since", "customers", "orders", "customers", "spent each", "customers"];
    format!("{}{notes}", table(&header, &rows))
}

/// The values that customers of several scores have.
fn shared_values(bins: &[ScoreBin]) -> Vec<i128> {
    let mut ends: Vec<(i128, i128)> = bins.iter().filter_map(|bin| bin.least.zip(bin.greatest)).collect();
    ends.sort_unstable();
    let mut shared: Vec<i128> =
        ends.windows(2).filter(|pair| pair[0].1 == pair[1].0).map(|pair| pair[0].1).collect();
    shared.dedup();
    shared
}

pub(crate) fn to_json(scored: &RfmTable, summary: &[SegmentSummary], as_of: Timestamp) -> serde_json::Value {
    let segments: Vec<_> = summary
        .iter()
        .map(|segment| {
            json!({
                "segment": segment.segment, "customers": segment.customers, "share": segment.share,
                "revenue": segment.money.display(segment.revenue).to_string(),
                "revenue_share": segment.revenue_share, "average_recency_days": segment.average_recency_days,
                "average_frequency": segment.average_frequency, "average_monetary": segment.average_monetary,
                "average_score": segment.average_score,
                "action": segment.action,
            })
        })
        .collect();
    json!({
        "as_of": as_of.to_string(), "customers": scored.len(), "skipped_events": scored.skipped_events(),
        "customers_before": scored.customers_before(), "segments": segments,
        "bins": {
            "recency_days": bins(&scored.recency_bins(), |days| days.to_string()),
            "frequency": bins(&scored.frequency_bins(), |orders| orders.to_string()),
            "monetary": bins(&scored.monetary_bins(), |units| scored.money_scale().display(units).to_string()),
        },
    })
}

/// What each score holds, from 1 on.
fn bins(bins: &[ScoreBin], value: impl Fn(i128) -> String) -> serde_json::Value {
    let bin = |bin: &ScoreBin| {
        json!({
            "score": bin.score, "customers": bin.customers, "least": bin.least.map(&value),
            "greatest": bin.greatest.map(&value),
        })
    };
    bins.iter().map(bin).collect()
}
