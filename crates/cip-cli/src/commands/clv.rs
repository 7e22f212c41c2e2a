//! `cip clv`: a model of what customers buy and spend, and what each is worth.

mod customers;
mod fitted;
mod hold_out;

use cip::core::Timestamp;
use cip::rfm::RfmError;
use cip::rfm::lifetime::{
    BgNbd, DropOut, FirstPurchase, Forecaster, GammaGamma, HoldOutReport, Horizon, ParetoNbd, PurchaseDays,
    PurchaseModel, RepeatHistory, ShiftedBeta, TalliedCustomers, TimeUnit,
};
use cip::store::EventStore;
use serde_json::{Value, json};

use crate::args::{ClvArgs, Common, FirstPurchaseArg, ModelArg, SingleBuyersArg, UnitArg};
use crate::commands::clv::customers::{Customers, Foretold, MemoryPlan};
use crate::commands::clv::fitted::{Fitted, Spend};
use crate::currency;
use crate::error::CliError;
use crate::number::grouped;
use crate::output::Answer;
use crate::summary::{Summary, usage};

pub(crate) fn run(args: &ClvArgs, common: &Common) -> Result<Answer, CliError> {
    let horizon = Horizon::new(args.horizon).map_err(usage)?;
    let horizon = horizon.with_discount_rate(args.discount_rate).map_err(usage)?;
    if args.source.is_dir() { of_store(args, horizon, common) } else { of_summary(args, horizon, common) }
}

fn of_store(args: &ClvArgs, horizon: Horizon, common: &Common) -> Result<Answer, CliError> {
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
    let plan = MemoryPlan::of_store(common.memory)?;
    // One thread reads where there is not enough for more beside the histories.
    let half = Common { memory: plan.histories(), ..common.clone() };
    let line = currency::line(&store, &args.currency, &half)
        .or_else(|_| currency::line(&store, &args.currency, common))?;
    let days = days(args, &store)?;
    let customers = Customers::new(&args.source, plan, |consume| {
        Ok(line.each_customer_histories(&days, unit, first(args), consume)?)
    });
    let mut answer = purchases(args, &customers, unit.name(), horizon)?;
    currency::tell(&line, &args.currency, &mut answer);
    Ok(answer)
}

fn of_summary(args: &ClvArgs, horizon: Horizon, common: &Common) -> Result<Answer, CliError> {
    let times = args.as_of.is_some() || args.calibrate_until.is_some() || args.unit.is_some();
    let of_stores = times || args.currency.currency.is_some();
    refuse(of_stores, "--as-of, --calibrate-until, --unit and --currency go with a store")?;
    let plan = MemoryPlan::of_table(common.memory)?;
    let summary = Summary::open(&args.source, args.id.as_deref(), args.weight.as_deref())?;
    match args.model {
        ModelArg::Sbg => {
            let customers = Customers::new(&args.source, plan, |consume| summary.contracts(consume));
            let tallied = customers.tally(TalliedCustomers::All)?;
            let fit = ShiftedBeta::fit(&tallied.histories)?;
            let foretold = customers
                .foretell(&tallied, args.out.as_deref(), |table| Ok(table.forecast(fit.model(), horizon)))?;
            let said =
                Said { fitted: Fitted::of("sBG", &fit), spend: Spend::Unknown, foretold, hold_out: None };
            Ok(said.answer(args, "period"))
        }
        ModelArg::Gammagamma => {
            let customers = Customers::new(&args.source, plan, |consume| summary.spend(first(args), consume));
            purchases(args, &customers, "period", horizon)
        }
        ModelArg::Bgnbd | ModelArg::Mbgnbd | ModelArg::Paretonbd => {
            let customers =
                Customers::new(&args.source, plan, |consume| summary.repeats(first(args), consume));
            purchases(args, &customers, "period", horizon)
        }
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

/// Which purchases count, and which are held out.
fn days(args: &ClvArgs, store: &EventStore) -> Result<PurchaseDays, CliError> {
    let last = store.manifest().time_span().map(|[_, last]| Timestamp::from_micros(last));
    let as_of = args.as_of.or(last.map(Timestamp::next_day)).ok_or(CliError::NoEvents)?;
    let days = PurchaseDays::new(args.calibrate_until.unwrap_or(as_of), store.schema())?;
    if args.calibrate_until.is_some() { days.with_hold_out(as_of).map_err(usage) } else { Ok(days) }
}

/// Fits the model that was asked for, and that of spend where there is any.
fn purchases(
    args: &ClvArgs,
    customers: &Customers<'_, RepeatHistory>,
    unit: &'static str,
    horizon: Horizon,
) -> Result<Answer, CliError> {
    let tallied = customers.tally(match (args.model, args.single_buyers) {
        (ModelArg::Gammagamma, _) => TalliedCustomers::Nobody,
        (_, SingleBuyersArg::Drop) => TalliedCustomers::Repeaters,
        (_, SingleBuyersArg::Keep) => TalliedCustomers::All,
    })?;
    let histories = &tallied.histories;
    let spend = tallied.spend.as_ref().map(GammaGamma::fit);
    let bg_nbd = |drop_out: DropOut| -> Result<(Fitted, Box<dyn PurchaseModel>), RfmError> {
        let fit = BgNbd::fit(drop_out, histories)?;
        Ok((Fitted::of(fit.model().name(), &fit), Box::new(*fit.model())))
    };
    let model = match args.model {
        ModelArg::Bgnbd => Some(bg_nbd(DropOut::AfterRepeat)?),
        ModelArg::Mbgnbd => Some(bg_nbd(DropOut::AfterAny)?),
        ModelArg::Paretonbd => {
            let fit = ParetoNbd::fit(histories)?;
            Some((Fitted::of(fit.model().name(), &fit), Box::new(*fit.model()) as Box<dyn PurchaseModel>))
        }
        ModelArg::Gammagamma | ModelArg::Sbg => None,
    };
    let Some((fitted, model)) = model else {
        let fit = spend.ok_or(RfmError::NoSpend)??;
        let mut forecaster = Forecaster::new(None, Some(fit.model()), horizon);
        let foretold =
            customers.foretell(&tallied, args.out.as_deref(), |table| forecaster.forecast(table))?;
        let said = Said { fitted: Fitted::of_spend(&fit), spend: Spend::Unknown, foretold, hold_out: None };
        return Ok(said.answer(args, unit));
    };
    let (spend, spend_model) = match spend {
        Some(Ok(fit)) => (Spend::Fitted(Fitted::of_spend(&fit)), Some(*fit.model())),
        // How often customers come back is known without what they spend.
        Some(Err(error)) => (Spend::Failed(error), None),
        None => (Spend::Unknown, None),
    };
    let mut forecaster = Forecaster::new(Some(model.as_ref()), spend_model.as_ref(), horizon);
    let mut hold_out = None;
    let foretold = customers.foretell(&tallied, args.out.as_deref(), |table| {
        hold_out = table.hold_out(model.as_ref(), hold_out.take())?;
        forecaster.forecast(table)
    })?;
    Ok(Said { fitted, spend, foretold, hold_out }.answer(args, unit))
}

/// All that is told.
struct Said {
    fitted: Fitted,
    spend: Spend,
    foretold: Foretold,
    hold_out: Option<HoldOutReport>,
}

impl Said {
    fn answer(&self, args: &ClvArgs, unit: &str) -> Answer {
        let Foretold { alive, purchases: expected, value } = self.foretold;
        let mut text = self.fitted.text();
        let mut json = json!({ "model": args.model.name(), "unit": unit });
        let fields = [
            ("horizon", args.horizon.into()),
            ("discount_rate", args.discount_rate.into()),
            ("alive", alive.into()),
            ("expected_purchases", expected.into()),
            ("clv", value.into()),
            ("spend", Value::Null),
            ("hold_out", self.hold_out.as_ref().map_or(Value::Null, hold_out::to_json)),
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
        let mean = self.fitted.expected_spend.or(self.spend.expected());
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
            text.push_str(&format!("\n{}", hold_out::text(report, unit)));
        }
        if let Some(out) = &args.out {
            text.push_str(&format!("\nwritten to {}", out.display()));
        }
        Answer { text, json }
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

fn amount(value: f64) -> String {
    grouped(format!("{value:.2}"))
}
