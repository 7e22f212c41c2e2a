//! `cip power`: how many units an experiment takes, what it can find, and how long it lasts.

use cip::abtest::{Design, GroupSequential, Plan, PlannedMetric, Spending};
use serde_json::{Value, json};

use crate::args::{DesignArg, PowerArgs};
use crate::error::CliError;
use crate::number::{grouped, percent_of, significant};
use crate::output::{Answer, table};

pub(crate) fn run(args: &PowerArgs) -> Result<Answer, CliError> {
    let usage = |error: cip::abtest::AbTestError| CliError::Usage(error.to_string());
    let metric = match (args.baseline, args.deviation) {
        (Some(rate), _) => PlannedMetric::Rate(rate),
        (None, Some(deviation)) => PlannedMetric::Mean(deviation),
        (None, None) => return Err(CliError::Usage("give --baseline or --deviation".to_owned())),
    };
    let design = match args.design {
        DesignArg::Fixed => Design::Fixed,
        DesignArg::ObrienFleming => Design::Group(Spending::ObrienFleming, args.looks),
        DesignArg::Pocock => Design::Group(Spending::Pocock, args.looks),
        DesignArg::Sequential => Design::Sequential,
    };
    let plan = Plan::new(args.alpha, args.power)
        .and_then(|plan| plan.with_arms(args.arms))
        .and_then(|plan| plan.with_variance_explained(args.variance_explained))
        .map_err(usage)?
        .with_design(design);
    let effect = args.effect.or(args.lift.zip(args.baseline).map(|(lift, baseline)| lift * baseline));
    let (effect, per_arm, power) = match (effect, args.units) {
        (Some(effect), None) => (effect, plan.units(metric, effect).map_err(usage)?.per_arm, args.power),
        (Some(effect), Some(n)) => (effect, n, plan.power(metric, effect, n as f64).map_err(usage)?),
        (None, Some(n)) => (plan.detectable(metric, n as f64).map_err(usage)?, n, args.power),
        (None, None) => {
            let asked =
                "give --effect or --lift for the units it takes, or --units for the effect that is found";
            return Err(CliError::Usage(asked.to_owned()));
        }
    };
    let total = per_arm.saturating_mul(u64::from(args.arms));
    let days = match args.traffic {
        None => None,
        Some(0.0) => return Err(CliError::Usage("--traffic is 0: the units never come".to_owned())),
        Some(a_day) => Some((total as f64 / a_day).ceil() as u64),
    };
    let looks = match design {
        Design::Group(spending, looks) => {
            let group = GroupSequential::equally_spaced(looks, spending, plan.comparison_alpha());
            group.map_err(usage)?.looks().to_vec()
        }
        _ => Vec::new(),
    };
    let named = args.baseline.map_or("mean", |_| "rate");
    let json = json!({
        "metric": named,
        "baseline": args.baseline,
        "deviation": args.deviation,
        "effect": effect,
        "lift": args.baseline.map(|baseline| effect / baseline),
        "alpha": args.alpha,
        "comparison_alpha": plan.comparison_alpha(),
        "power": power,
        "arms": args.arms,
        "design": design_name(args.design),
        "per_arm": per_arm,
        "total": total,
        "days": days,
        "tuning": (design == Design::Sequential).then_some(total),
        "looks": looks.iter().map(|look| json!({
            "units": units_at(look.share, total), "share": look.share, "boundary": look.boundary,
            "nominal_p": look.nominal_p, "spent": look.spent,
        })).collect::<Value>(),
    });
    let mut text = format!(
        "{} units in each of {} arms, {} in all{}\n\nfind {} with a power of {}, at alpha {} {}\n",
        grouped(per_arm),
        args.arms,
        grouped(total),
        days.map_or_else(String::new, |days| format!(", {} days", grouped(days))),
        told(effect, args),
        percent_of(100.0 * power),
        significant(args.alpha),
        match args.design {
            DesignArg::Fixed => "in one look at the end".to_owned(),
            DesignArg::ObrienFleming | DesignArg::Pocock =>
                format!("in {} looks ({} boundaries)", args.looks, design_name(args.design)),
            DesignArg::Sequential => format!("at any time (cip abtest --sequential --tuning {total})"),
        }
    );
    if !looks.is_empty() {
        let rows: Vec<_> = looks
            .iter()
            .map(|look| {
                vec![
                    grouped(units_at(look.share, total)),
                    format!("{:.4}", look.boundary),
                    significant(look.nominal_p),
                    significant(look.spent),
                ]
            })
            .collect();
        text.push_str(&format!(
            "\n{}",
            table(&["units of all arms", "boundary", "p below", "alpha spent"], &rows)
        ));
    }
    Ok(Answer { text, json })
}

fn units_at(share: f64, total: u64) -> u64 {
    (share * total as f64).ceil() as u64
}

fn design_name(design: DesignArg) -> &'static str {
    match design {
        DesignArg::Fixed => "fixed",
        DesignArg::ObrienFleming => "obrien-fleming",
        DesignArg::Pocock => "pocock",
        DesignArg::Sequential => "sequential",
    }
}

fn told(effect: f64, args: &PowerArgs) -> String {
    match args.baseline {
        Some(rate) => format!(
            "{} against {} ({:+.2} percentage points, {:+.1}%)",
            percent_of(100.0 * (rate + effect)),
            percent_of(100.0 * rate),
            100.0 * effect,
            100.0 * effect / rate
        ),
        None => format!("a difference of {}", significant(effect)),
    }
}
