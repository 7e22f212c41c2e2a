//! What will a customer buy yet, and what is that worth?
//!
//! Customers of a shop leave without a word. A model of how they buy and when they leave, fitted to all of them by maximum
//! likelihood, tells of each from three numbers (see [`RepeatHistory`]) whether he is still there and how often he comes back. A
//! second model tells what he spends each time.
//!
//! | model | customers | parameters |
//! |---|---|---|
//! | [`BgNbd`] with [`DropOut::AfterRepeat`]: BG/NBD | leave after a repeat purchase | r, α, a, b |
//! | [`BgNbd`] with [`DropOut::AfterAny`]: MBG/NBD | leave after any purchase | r, α, a, b |
//! | [`ParetoNbd`] | leave at any time | r, α, s, β |
//! | [`GammaGamma`] | spend about the same each time | p, q, v |
//! | [`ShiftedBeta`]: sBG | have a contract, and are seen to leave | α, β |
//!
//! [`PurchaseDays`] makes the histories from events, a [`HistoryTable`] holds those of all customers and gives `lifetime_values`:
//! [`cip_core::table::lifetime_values`]. Of more customers than fit in memory a [`HistoryTally`] collects what differs, table by table, and a
//! [`Forecaster`] foretells them in the same way.
//!
//! ```
//! use cip_rfm::lifetime::{BgNbd, DropOut, Histories, Horizon, PurchaseModel, RepeatHistory};
//!
//! // Frequency, recency and T in weeks, and how many customers have them.
//! let customers = [
//!     (0, 0.0, 30.0, 60.0), (1, 3.0, 30.0, 9.0), (1, 24.0, 30.0, 6.0), (2, 6.0, 30.0, 4.0), (2, 27.0, 30.0, 4.0),
//!     (3, 28.0, 30.0, 3.0), (4, 7.0, 30.0, 2.0), (6, 29.0, 30.0, 3.0), (9, 12.0, 30.0, 1.0), (12, 29.5, 30.0, 2.0),
//! ];
//! let histories = Histories::weighted(
//!     customers
//!         .into_iter()
//!         .map(|(x, recency, age, weight)| Ok((RepeatHistory::new(x, recency, age)?, weight)))
//!         .collect::<Result<Vec<_>, cip_rfm::RfmError>>()?,
//! )?;
//! let fit = BgNbd::fit(DropOut::AfterAny, &histories)?;
//! assert_eq!((fit.customers(), fit.parameters()[0].name), (94.0, "r"));
//!
//! // Of two with four repeats, the one who came last week is there, the one who is silent for 20 weeks hardly.
//! let (here, silent) = (RepeatHistory::new(4, 29.0, 30.0)?, RepeatHistory::new(4, 10.0, 30.0)?);
//! assert!(fit.model().p_alive(&here) > 0.8 && fit.model().p_alive(&silent) < 0.2);
//! let year = Horizon::new(52)?.with_discount_rate(0.002)?;
//! assert!(fit.model().discounted_purchases(&here, year)? > fit.model().discounted_purchases(&silent, year)?);
//! # Ok::<(), cip_rfm::RfmError>(())
//! ```

mod bg_nbd;
mod dual;
mod fit;
mod forecast;
mod gamma_gamma;
mod history;
mod history_table;
mod history_tally;
mod hold_out;
mod hypergeometric;
mod maximum;
mod pareto_nbd;
mod purchase_days;
mod purchase_model;
mod shifted_beta;

pub use bg_nbd::{BgNbd, DropOut};
pub use fit::{Estimate, Fit};
pub use forecast::{Forecast, Forecaster};
pub use gamma_gamma::GammaGamma;
pub use history::{ContractHistory, Histories, History, RepeatHistory, SpendHistory};
pub use history_table::HistoryTable;
pub use history_tally::{HistoryTally, TalliedCustomers};
pub use hold_out::{HoldOutGroup, HoldOutReport};
pub use pareto_nbd::ParetoNbd;
pub use purchase_days::{CustomerHistories, FirstPurchase, PurchaseDays, PurchaseDaysBuilder, TimeUnit};
pub use purchase_model::{Horizon, PurchaseModel};
pub use shifted_beta::ShiftedBeta;
