//! `cip clv`: a model of what customers buy and spend, and what each is worth.

use std::path::Path;

use cip::core::Timestamp;
use cip::line::{Line, write_table};
use cip::rfm::RfmError;
use cip::rfm::lifetime::{
    BgNbd, DropOut, Estimate, FirstPurchase, Fit, Forecast, GammaGamma, History, HistoryTable, HoldOutReport,
    Horizon, ParetoNbd, PurchaseDays, PurchaseModel, RepeatHistory, ShiftedBeta, TimeUnit,
};
use cip::store::EventStore;
use serde_json::{Map, Value, json};

use crate::args::{ClvArgs, Common, FirstPurchaseArg, ModelArg, SingleBuyersArg, UnitArg};
use crate::currency;
use crate::error::CliError;
use crate::number::grouped;
use crate::output::{Answer, table};
use crate::summary::{Summary, usage};

pub(crate) fn run(args: &ClvArgs, common: &Common) -> Result<Answer, CliError> {
    let horizon = Horizon::new(args.horizon).map_err(usage)?;
    let horizon = horizon.with_discount_rate(args.discount_rate).map_err(usage)?;
    if args.source.is_dir() {
        refuse(args.id.is_some() || args.weight.is_some(), "--id and --weight go with a summary")?;
        if args.model == ModelArg::Sbg {
            return Err(CliError::Usage(
                "--model sbg needs a summary with `frequency`, the renewals of a contract, and `T`, how many there could have \
                 been"
                    .to_owned(),
            ));
        }
        let unit = match args.unit.unwrap_or(UnitArg::Week) {
            UnitArg::Day => TimeUnit::Day,
            UnitArg::Week => TimeUnit::Week,
        };
        let store = EventStore::open(&args.source)?;
        let line = currency::line(&store, &args.currency, common)?;
        let customers = of_store(args, unit, &store, &line)?;
        let mut answer = purchases(args, &customers, unit.name(), horizon)?;
        currency::tell(&line, &args.currency, &mut answer);
        return Ok(answer);
    }
    let times = args.as_of.is_some() || args.calibrate_until.is_some() || args.unit.is_some();
    let of_stores = times || args.currency.currency.is_some();
    refuse(of_stores, "--as-of, --calibrate-until, --unit and --currency go with a store")?;
    let summary = Summary::open(&args.source, args.id.as_deref(), args.weight.as_deref())?;
    match args.model {
        ModelArg::Sbg => {
            let customers = summary.contracts()?;
            let fit = ShiftedBeta::fit(&customers.histories()?)?;
            let forecasts = customers.forecast(fit.model(), horizon);
            let said = Said { fitted: Fitted::of("sBG", &fit), spend: Spend::Unknown, hold_out: None };
            said.answer(args, &customers, &forecasts, "period")
        }
        ModelArg::Gammagamma => purchases(args, &summary.spend(first(args))?, "period", horizon),
        _ => purchases(args, &summary.repeats(first(args))?, "period", horizon),
    }
}

fn refuse(misplaced: bool, why: &str) -> Result<(), CliError> {
    if misplaced { Err(CliError::Usage(why.to_owned())) } else { Ok(()) }
}

fn first(args: &ClvArgs) -> FirstPurchase {
    match args.first_purchase {
        FirstPurchaseArg::Exclude => FirstPurchase::Exclude,
        FirstPurchaseArg::Include => FirstPurchase::Include,
    }
}

fn of_store(
    args: &ClvArgs,
    unit: TimeUnit,
    store: &EventStore,
    line: &Line<'_>,
) -> Result<HistoryTable<RepeatHistory>, CliError> {
    let last = store.manifest().time_span().map(|[_, last]| Timestamp::from_micros(last));
    let as_of = args.as_of.or(last.map(Timestamp::next_day)).ok_or(CliError::NoEvents)?;
    let mut days = PurchaseDays::new(args.calibrate_until.unwrap_or(as_of), store.schema())?;
    if args.calibrate_until.is_some() {
        days = days.with_hold_out(as_of).map_err(usage)?;
    }
    Ok(line.customer_histories(&days)?.table(unit, first(args))?)
}

/// Fits the model that was asked for, and that of spend where there is any.
fn purchases(
    args: &ClvArgs,
    customers: &HistoryTable<RepeatHistory>,
    unit: &'static str,
    horizon: Horizon,
) -> Result<Answer, CliError> {
    let all = customers.histories()?;
    let histories = if args.single_buyers == SingleBuyersArg::Drop { all.repeaters() } else { all };
    let spend = customers.spend_histories()?.map(|spend| GammaGamma::fit(&spend));
    let bg_nbd = |drop_out: DropOut| -> Result<(Fitted, Box<dyn PurchaseModel>), RfmError> {
        let fit = BgNbd::fit(drop_out, &histories)?;
        Ok((Fitted::of(fit.model().name(), &fit), Box::new(*fit.model())))
    };
    let model = match args.model {
        ModelArg::Bgnbd => Some(bg_nbd(DropOut::AfterRepeat)?),
        ModelArg::Mbgnbd => Some(bg_nbd(DropOut::AfterAny)?),
        ModelArg::Paretonbd => {
            let fit = ParetoNbd::fit(&histories)?;
            Some((Fitted::of(fit.model().name(), &fit), Box::new(*fit.model()) as Box<dyn PurchaseModel>))
        }
        ModelArg::Gammagamma | ModelArg::Sbg => None,
    };
    let Some((fitted, model)) = model else {
        let fit = spend.ok_or(RfmError::NoSpend)??;
        let forecasts = customers.forecast(None, Some(fit.model()), horizon)?;
        let said = Said { fitted: Fitted::of_spend(&fit), spend: Spend::Unknown, hold_out: None };
        return said.answer(args, customers, &forecasts, unit);
    };
    let (spend, spend_model) = match spend {
        Some(Ok(fit)) => (Spend::Fitted(Fitted::of_spend(&fit)), Some(*fit.model())),
        // How often customers come back is known without what they spend.
        Some(Err(error)) => (Spend::Failed(error), None),
        None => (Spend::Unknown, None),
    };
    let forecasts = customers.forecast(Some(model.as_ref()), spend_model.as_ref(), horizon)?;
    let hold_out = customers.hold_out(model.as_ref())?;
    Said { fitted, spend, hold_out }.answer(args, customers, &forecasts, unit)
}

/// A fitted model as it is told.
struct Fitted {
    name: &'static str,
    parameters: Vec<Estimate>,
    log_likelihood: f64,
    customers: f64,
    distinct: usize,
    /// The mean of a transaction of a customer of whom nothing is known.
    expected_spend: Option<f64>,
}

enum Spend {
    Fitted(Fitted),
    Failed(RfmError),
    Unknown,
}

/// All that is told.
struct Said {
    fitted: Fitted,
    spend: Spend,
    hold_out: Option<HoldOutReport>,
}

impl Fitted {
    fn of<M>(name: &'static str, fit: &Fit<M>) -> Self {
        Self {
            name,
            parameters: fit.parameters().to_vec(),
            log_likelihood: fit.log_likelihood(),
            customers: fit.customers(),
            distinct: fit.distinct(),
            expected_spend: None,
        }
    }

    fn of_spend(fit: &Fit<GammaGamma>) -> Self {
        Self { expected_spend: fit.model().expected_spend(), ..Self::of("Gamma-Gamma", fit) }
    }

    fn text(&self) -> String {
        let rows: Vec<_> = self
            .parameters
            .iter()
            .map(|estimate| {
                vec![estimate.name.to_owned(), number(estimate.value), number(estimate.standard_error)]
            })
            .collect();
        format!(
            "{} of {} customers with {} different histories\n\n{}\nlog-likelihood {:.4}\n",
            self.name,
            grouped(self.customers),
            grouped(self.distinct),
            table(&["parameter", "estimate", "standard error"], &rows),
            self.log_likelihood,
        )
    }

    fn to_json(&self) -> Map<String, Value> {
        let of = |of: fn(&Estimate) -> f64| -> Map<String, Value> {
            self.parameters.iter().map(|estimate| (estimate.name.to_owned(), of(estimate).into())).collect()
        };
        let mut json = Map::new();
        json.insert("params".to_owned(), of(|estimate| estimate.value).into());
        json.insert("standard_errors".to_owned(), of(|estimate| estimate.standard_error).into());
        json.insert("log_likelihood".to_owned(), self.log_likelihood.into());
        json.insert("customers".to_owned(), count(self.customers));
        json.insert("distinct".to_owned(), self.distinct.into());
        if let Some(spend) = self.expected_spend {
            json.insert("expected_spend".to_owned(), spend.into());
        }
        json
    }
}

impl Said {
    fn answer<H: History>(
        &self,
        args: &ClvArgs,
        customers: &HistoryTable<H>,
        forecasts: &[Forecast],
        unit: &str,
    ) -> Result<Answer, CliError> {
        if let Some(out) = &args.out {
            write(out, &args.source, customers, forecasts)?;
        }
        let sum = |of: fn(&Forecast) -> Option<f64>| {
            let mut known = customers
                .weighted()
                .zip(forecasts)
                .filter_map(|((_, weight), forecast)| Some(weight * of(forecast)?))
                .peekable();
            known.peek().is_some().then(|| known.sum::<f64>())
        };
        let (alive, expected) = (sum(|forecast| forecast.p_alive), sum(|forecast| forecast.purchases));
        let value = sum(|forecast| forecast.value);
        let mut text = self.fitted.text();
        let mut json = json!({ "model": args.model.name(), "unit": unit });
        let fields = [
            ("horizon", args.horizon.into()),
            ("discount_rate", args.discount_rate.into()),
            ("alive", alive.into()),
            ("expected_purchases", expected.into()),
            ("clv", value.into()),
            ("spend", Value::Null),
            ("hold_out", self.hold_out.as_ref().map_or(Value::Null, hold_out_json)),
        ];
        if let Value::Object(json) = &mut json {
            json.extend(self.fitted.to_json());
            json.extend(fields.map(|(name, value)| (name.to_owned(), value)));
        }
        match &self.spend {
            Spend::Fitted(fitted) => {
                text.push_str(&format!("\n{}", fitted.text()));
                json["spend"] = fitted.to_json().into();
            }
            Spend::Failed(error) => {
                text.push_str(&format!("\nwhat they spend is not known: {error}\n"));
                json["spend"] = json!({ "absent": error.to_string() });
            }
            Spend::Unknown => {}
        }
        let mean = self.fitted.expected_spend.or(match &self.spend {
            Spend::Fitted(fitted) => fitted.expected_spend,
            _ => None,
        });
        if let Some(mean) = mean {
            text.push_str(&format!("a customer spends {} a purchase on average\n", amount(mean)));
        }
        if let (Some(alive), Some(expected)) = (alive, expected) {
            let periods = format!("{} {unit}{}", args.horizon, if args.horizon == 1 { "" } else { "s" });
            text.push_str(&format!(
                "\n{} are expected to be customers still, and to {} {} times within {periods}",
                amount(alive),
                if args.model == ModelArg::Sbg { "renew" } else { "buy" },
                amount(expected)
            ));
            text.push_str(&value.map_or("\n".to_owned(), |value| format!(", worth {}\n", amount(value))));
        }
        if let Some(report) = &self.hold_out {
            text.push_str(&format!("\n{}", hold_out_text(report, unit)));
        }
        if let Some(out) = &args.out {
            text.push_str(&format!("\nwritten to {}", out.display()));
        }
        Ok(Answer { text, json })
    }
}

impl ModelArg {
    fn name(self) -> &'static str {
        match self {
            Self::Bgnbd => "bgnbd",
            Self::Mbgnbd => "mbgnbd",
            Self::Paretonbd => "paretonbd",
            Self::Gammagamma => "gammagamma",
            Self::Sbg => "sbg",
        }
    }
}

fn write<H: History>(
    out: &Path,
    source: &Path,
    customers: &HistoryTable<H>,
    forecasts: &[Forecast],
) -> Result<(), CliError> {
    let same = |out: &Path| source.canonicalize().is_ok_and(|source| source == out);
    if out.canonicalize().is_ok_and(|out| same(&out)) {
        return Err(CliError::Usage(format!(
            "{} would replace the table that it is made of: choose another --out",
            out.display()
        )));
    }
    write_table(out, "lifetime_values", customers.record_batch(forecasts)?)?;
    Ok(())
}

fn hold_out_text(report: &HoldOutReport, unit: &str) -> String {
    let last = report.by_frequency().len() - 1;
    let mean = |sum: f64, customers: f64| {
        if customers > 0.0 { format!("{:.3}", sum / customers) } else { "-".to_owned() }
    };
    let all = report.total();
    let groups = report.by_frequency().iter().enumerate().map(|(frequency, group)| {
        (if frequency == last { format!("{frequency} and more") } else { frequency.to_string() }, *group)
    });
    let rows: Vec<_> = groups
        .chain([("all".to_owned(), all)])
        .map(|(name, group)| {
            vec![
                name,
                grouped(group.customers),
                mean(group.purchases, group.customers),
                mean(group.expected, group.customers),
            ]
        })
        .collect();
    let header = ["repeats before", "customers", "purchases each", "expected"];
    format!(
        "held out: {} {unit}s, {} purchases, {} expected; the mean absolute error is {} a customer\n\n{}",
        amount(report.time()),
        grouped(all.purchases),
        amount(all.expected),
        report.mean_absolute_error().map_or("-".to_owned(), |error| format!("{error:.3}")),
        table(&header, &rows),
    )
}

fn hold_out_json(report: &HoldOutReport) -> Value {
    let groups: Vec<_> = (report.by_frequency().iter().enumerate())
        .map(|(frequency, group)| {
            json!({
                "frequency": frequency, "customers": count(group.customers), "purchases": count(group.purchases),
                "expected": group.expected,
            })
        })
        .collect();
    let all = report.total();
    json!({
        "time": report.time(), "purchases": count(all.purchases), "expected": all.expected,
        "mean_absolute_error": report.mean_absolute_error(),
        "root_mean_squared_error": report.root_mean_squared_error(), "by_frequency": groups,
    })
}

/// A whole number where it is one: weights need not be.
fn count(value: f64) -> Value {
    /// Whole numbers up to here are exact as floating-point numbers.
    const MOST: f64 = 9_007_199_254_740_992.0;
    if (0.0..=MOST).contains(&value) && value.fract() == 0.0 { (value as u64).into() } else { value.into() }
}

/// Four digits that say something, or more.
fn number(value: f64) -> String {
    let decimals = if value >= 1_000.0 { 1 } else { 4 };
    grouped(format!("{value:.decimals$}"))
}

fn amount(value: f64) -> String {
    grouped(format!("{value:.2}"))
}
