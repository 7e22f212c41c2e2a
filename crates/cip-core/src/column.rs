//! The names of columns, each written once.

/// When the event happened, Timestamp(us, UTC).
pub const EVENT_TIME: &str = "event_time";
/// What happened, Dictionary(Int32, Utf8).
pub const EVENT_TYPE: &str = "event_type";
/// The product, Int64 or Utf8.
pub const PRODUCT_ID: &str = "product_id";
/// The product's category, Int64 or Utf8.
pub const CATEGORY_ID: &str = "category_id";
/// The category's dotted name, Dictionary(Int32, Utf8).
pub const CATEGORY_CODE: &str = "category_code";
/// The brand, Dictionary(Int32, Utf8).
pub const BRAND: &str = "brand";
/// The price of one piece, Decimal128(18, s).
pub const PRICE: &str = "price";
/// Pieces, Int64; 1 where the source does not say.
pub const QUANTITY: &str = "quantity";
/// The invoice or order, Int64 or Utf8.
pub const ORDER_ID: &str = "order_id";
/// The customer, Int64 or Utf8; null means unknown.
pub const USER_ID: &str = "user_id";
/// The dense code of the source's own session, UInt32.
pub const SOURCE_SESSION: &str = "source_session";
/// The source's own session id, FixedSizeBinary(16) or Utf8.
pub const USER_SESSION: &str = "user_session";
/// An id under which a user is known as well, Int64 or Utf8 as the users.
pub const ALIAS: &str = "alias";
/// The arm of an experiment, Dictionary(Int32, Utf8).
pub const EXPERIMENT_GROUP: &str = "experiment_group";
/// The name of the source file that the event comes from, Dictionary(Int32, Utf8); never null in a store.
pub const SOURCE_FILE: &str = "source_file";
/// How many rejected records of its source file stand before an event, UInt32; beside the events, not among their columns.
pub const REJECTS_BEFORE: &str = "rejects_before";

/// The currency of the event's amounts, Dictionary(Int32, Utf8); null where the source names none.
pub const CURRENCY: &str = "currency";

/// What the user watched on, Dictionary(Int32, Utf8) where features are made from it.
pub const DEVICE_TYPE: &str = "device_type";
/// How long the event lasted, in seconds; Int64 where features are made from it.
pub const DURATION_SECONDS: &str = "duration_seconds";
/// What the event brought in, Decimal128(18, s) where features are made from it.
pub const REVENUE: &str = "revenue";

/// Whether the user did, behind the cutoff, what a model is to foresee: UInt8, 1 or 0.
pub const LABEL: &str = "label";

/// The columns of an event that this project gives a meaning, in the order in which the store writes them.
///
/// The two that order the store come first.
pub const EVENT_COLUMNS: [&str; 13] = [
    USER_ID,
    EVENT_TIME,
    EVENT_TYPE,
    PRODUCT_ID,
    CATEGORY_ID,
    CATEGORY_CODE,
    BRAND,
    PRICE,
    QUANTITY,
    ORDER_ID,
    SOURCE_SESSION,
    EXPERIMENT_GROUP,
    SOURCE_FILE,
];

/// The columns of a subscription service that features are made from. A source may have columns of these names with other
/// types: they are kept as they are, and no feature is made from them.
pub const SERVICE_COLUMNS: [&str; 3] = [DEVICE_TYPE, DURATION_SECONDS, REVENUE];
