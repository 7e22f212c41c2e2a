//! Rows of two sources: a clickstream, and a till with invoices and guests.

use cip::ingest::SourceMapping;

/// One row; the sources write different columns of it.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) user: Option<u8>,
    /// Seconds since 2019-10-01.
    pub(crate) time: u32,
    pub(crate) kind: &'static str,
    pub(crate) product: u8,
    /// Hundredths.
    pub(crate) price: Option<u32>,
    pub(crate) quantity: i8,
    pub(crate) order: Option<u8>,
}

/// What a source has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Integer users, prices that may be missing, no quantities, no orders.
    Clicks,
    /// Users as text or unknown, quantities, orders that may be missing.
    Till,
}

const TILL: &str = r#"
name = "till"
[columns]
event_time = { from = "time", type = "timestamp" }
event_type = { from = "kind", type = "dictionary" }
product_id = { from = "product", type = "utf8" }
price = { from = "price", type = "money", scale = 2, nullable = true }
quantity = { from = "pieces", type = "int64" }
order_id = { from = "invoice", type = "utf8", nullable = true }
user_id = { from = "customer", type = "utf8", nullable = true }
"#;

impl Kind {
    pub(crate) fn mapping(self) -> SourceMapping {
        match self {
            Self::Clicks => SourceMapping::built_in("rees46").unwrap(),
            Self::Till => SourceMapping::from_toml(TILL).unwrap(),
        }
    }

    /// The row as this source can tell it.
    pub(crate) fn narrow(self, row: &Row) -> Row {
        match self {
            Self::Clicks => {
                Row { user: Some(row.user.unwrap_or(0)), quantity: 1, order: None, ..row.clone() }
            }
            Self::Till => row.clone(),
        }
    }

    pub(crate) fn csv(self, rows: &[Row]) -> String {
        let mut text = String::from(match self {
            Self::Clicks => {
                "event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session\n"
            }
            Self::Till => "invoice,customer,time,kind,product,price,pieces\n",
        });
        for row in rows.iter().map(|row| self.narrow(row)) {
            let price =
                row.price.map_or_else(String::new, |cents| format!("{}.{:02}", cents / 100, cents % 100));
            let (day, time) = (row.time / 86_400, row.time % 86_400);
            let (hour, minute, second) = (time / 3_600, time / 60 % 60, time % 60);
            let time = format!("2019-10-{:02} {hour:02}:{minute:02}:{second:02} UTC", day + 1);
            let (kind, product) = (row.kind, row.product);
            text.push_str(&match self {
                Self::Clicks => {
                    format!("{time},{kind},{product},1,,,{price},{},\n", row.user.unwrap_or_default())
                }
                Self::Till => {
                    let order = row.order.map_or_else(String::new, |order| format!("A{order}"));
                    let user = row.user.map_or_else(String::new, customer);
                    format!("{order},{user},{time},{kind},\"p,{product}\",{price},{}\n", row.quantity)
                }
            });
        }
        text
    }
}

/// The text of a customer's number, in the order of the numbers.
pub(crate) fn customer(user: u8) -> String {
    format!("Zoë {user:03}")
}
