//! `cip features --task cart-abandonment`: one row a session with a cart.

use cip::features::{CartSessions, Moment};
use cip::store::EventStore;
use serde_json::json;

use crate::args::{Common, FeaturesArgs};
use crate::commands::features::{failure, window};
use crate::currency;
use crate::error::CliError;
use crate::number::{grouped, percent};
use crate::output::Answer;

pub(crate) fn run(args: &FeaturesArgs, common: &Common) -> Result<Answer, CliError> {
    let store = EventStore::open(&args.store)?;
    let window = window(args, &store)?;
    let line = currency::line(&store, &args.currency, common)?;
    let moment = Moment::from(args.moment);
    let mut carts = CartSessions::new(window, moment, store.schema()).map_err(failure)?;
    let groups = line.experiment_groups()?;
    if !groups.is_empty() {
        carts = carts.with_groups(&groups, store.schema()).map_err(failure)?;
    }
    let totals = line.write_cart_sessions(&carts, &args.out)?;
    let named = match moment {
        Moment::FirstCart => "first-cart",
        Moment::End => "end",
    };
    let mut answer = Answer {
        text: format!(
            "{} sessions with a cart that start from {} up to {}, known up to {}; {} ({}) are abandoned\nwritten to {}",
            grouped(totals.sessions),
            window.start(),
            window.end(),
            match moment {
                Moment::FirstCart => "their first cart",
                Moment::End => "their end",
            },
            grouped(totals.abandoned),
            percent(totals.abandoned as f64, totals.sessions as f64),
            args.out.display(),
        ),
        json: json!({
            "task": "cart-abandonment", "moment": named, "sessions": totals.sessions, "positives": totals.abandoned,
            "window": [window.start().to_string(), window.end().to_string()], "groups": groups,
            "columns": carts.schema().fields().iter().map(|field| field.name()).collect::<Vec<_>>(),
        }),
    };
    currency::tell(&line, &args.currency, &mut answer);
    Ok(answer)
}
