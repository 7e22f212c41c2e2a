//! The schemas of the tables that stages write, each with its sort order.
//!
//! Names and types are fixed; other engines and SQL users rely on them.

use std::sync::Arc;

use arrow_schema::extension::Uuid as UuidExtension;
use arrow_schema::{DataType, Field, FieldRef, Schema, SchemaRef};

use crate::column;
use crate::event_schema::{dictionary_type, timestamp_type};
use crate::id::IdType;
use crate::money::{MoneyScale, SUM_PRECISION};
use crate::uuid::Uuid;

/// How the source writes its own session ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SessionIdType {
    /// UUIDs, kept as 16 bytes.
    Uuid,
    /// Any other text.
    Utf8,
}

impl SessionIdType {
    /// The Arrow type.
    pub fn data_type(self) -> DataType {
        match self {
            Self::Uuid => Uuid::DATA_TYPE,
            Self::Utf8 => DataType::Utf8,
        }
    }
}

/// `session_dictionary`: what source session each dense code stands for, and whose it is. Sorted by
/// source_session.
pub fn session_dictionary(sessions: SessionIdType, users: Option<IdType>) -> SchemaRef {
    let mut session = Field::new(column::USER_SESSION, sessions.data_type(), false);
    if sessions == SessionIdType::Uuid {
        session = session.with_extension_type(UuidExtension);
    }
    let mut fields = vec![Field::new(column::SOURCE_SESSION, DataType::UInt32, false), session];
    if let Some(users) = users {
        fields.push(Field::new(column::USER_ID, users.data_type(), true));
    }
    Arc::new(Schema::new(fields))
}

/// `aliases`: one row for each id under which a user is known as well, with the user that it was given, who may be an alias in
/// turn. Sorted by alias.
pub fn aliases(users: IdType) -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new(column::ALIAS, users.data_type(), false),
        Field::new(column::USER_ID, users.data_type(), false),
    ]))
}

/// `product_dictionary`: a dense code for every product id. Sorted by product_code, which is the rank of the id.
pub fn product_dictionary(products: IdType) -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("product_code", DataType::UInt32, false),
        Field::new(column::PRODUCT_ID, products.data_type(), false),
    ]))
}

/// `rejects`: the rows that did not become events. Sorted by source_file, byte_start.
pub fn rejects() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("source_file", dictionary_type(), false),
        Field::new("line", DataType::UInt64, false),
        Field::new("byte_start", DataType::UInt64, false),
        Field::new("byte_end", DataType::UInt64, false),
        Field::new("column", dictionary_type(), true),
        Field::new("reason", dictionary_type(), false),
        Field::new("detail", DataType::Utf8, false),
        Field::new("raw", DataType::Binary, false),
    ]))
}

/// `places`: where each event of a commit stands among the rejects of its source file. In the order of the events.
pub fn places() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new(column::REJECTS_BEFORE, DataType::UInt32, false)]))
}

/// `fact_sessions`: one row a session. Sorted by user_id, session_start.
///
/// `revenue` is null where the source has no prices.
pub fn fact_sessions(users: IdType, money: Option<MoneyScale>) -> SchemaRef {
    let count = |name| Field::new(name, DataType::Int64, false);
    Arc::new(Schema::new(vec![
        Field::new("session_key", DataType::UInt64, false),
        Field::new(column::USER_ID, users.data_type(), false),
        count("session_seq"),
        Field::new("session_start", timestamp_type(), false),
        Field::new("session_end", timestamp_type(), false),
        count("duration_seconds"),
        count("events"),
        count("views"),
        count("carts"),
        count("removes"),
        count("purchases"),
        count("products"),
        Field::new("revenue", sum_type(money), money.is_none()),
    ]))
}

/// `session_changes`: what became of `fact_sessions`, one row a session that is new, other than before or gone. Sorted by user_id,
/// session_start.
///
/// The columns of [`fact_sessions`], and `change`: `insert` and `update` with the session as it is now, `delete` with the session
/// as it was.
pub fn session_changes(users: IdType, money: Option<MoneyScale>) -> SchemaRef {
    let mut fields = fact_sessions(users, money).fields().to_vec();
    fields.push(Arc::new(Field::new("change", dictionary_type(), false)));
    Arc::new(Schema::new(fields))
}

/// `funnel`: one row a user who reached the first of `steps` steps. Sorted by user_id.
///
/// `step_k_seconds`, for k from 2 on, is how long after the first step the k-th was reached; null where it was not.
pub fn funnel(users: IdType, steps: usize) -> SchemaRef {
    let own = [
        Field::new(column::USER_ID, users.data_type(), false),
        Field::new("steps_reached", DataType::Int64, false),
        Field::new("first_step_time", timestamp_type(), false),
    ];
    let later = (2..=steps).map(|step| Field::new(format!("step_{step}_seconds"), DataType::Int64, true));
    Arc::new(Schema::new(own.into_iter().chain(later).collect::<Vec<_>>()))
}

/// `paths`: one row a sequence of event types. Sorted by how often it is taken, descending, then by path.
pub fn paths() -> SchemaRef {
    let count = |name| Field::new(name, DataType::Int64, false);
    let ratio = |name| Field::new(name, DataType::Float64, false);
    Arc::new(Schema::new(vec![
        Field::new("path", DataType::List(path_step()), false),
        count("steps"),
        count("sessions"),
        count("users"),
        ratio("share"),
        count("conversions"),
        ratio("conversion_rate"),
    ]))
}

/// One step in the lists of [`paths`].
pub fn path_step() -> FieldRef {
    Arc::new(Field::new_list_field(DataType::Utf8, false))
}

/// `rfm_segments`: one row a customer. Sorted by user_id.
pub fn rfm_segments(users: IdType, money: MoneyScale) -> SchemaRef {
    let score = |name| Field::new(name, DataType::UInt8, false);
    Arc::new(Schema::new(vec![
        Field::new(column::USER_ID, users.data_type(), false),
        Field::new("recency_days", DataType::Int32, false),
        Field::new("frequency", DataType::Int64, false),
        Field::new("monetary", money.sum_type(), false),
        score("r"),
        score("f"),
        score("m"),
        Field::new("segment", dictionary_type(), false),
    ]))
}

/// `rfm_segments` of weighted scores: the columns of [`rfm_segments`], and `score`. Sorted by user_id.
pub fn weighted_rfm_segments(users: IdType, money: MoneyScale) -> SchemaRef {
    let scores = rfm_segments(users, money);
    let scores = scores.fields().iter().map(|field| field.as_ref().clone());
    let own = [Field::new("score", DataType::Float64, false)];
    Arc::new(Schema::new(scores.chain(own).collect::<Vec<_>>()))
}

/// `customer_rfm_kmeans_clustered`: the columns of [`rfm_segments`], and the cluster of each customer. Sorted by user_id.
pub fn clustered_customers(users: IdType, money: MoneyScale) -> SchemaRef {
    let own = [
        Field::new("cluster", DataType::Int32, false),
        Field::new("cluster_segment", dictionary_type(), false),
        Field::new("recommendation", dictionary_type(), false),
        Field::new("update_date", DataType::Date32, false),
    ];
    let scores = rfm_segments(users, money);
    let scores = scores.fields().iter().map(|field| field.as_ref().clone());
    Arc::new(Schema::new(scores.chain(own).collect::<Vec<_>>()))
}

/// `cluster_summary`: one row a cluster with a customer. Sorted by cluster: outliers are below 0.
pub fn cluster_summary(money: MoneyScale) -> SchemaRef {
    let number = |name| Field::new(name, DataType::Float64, false);
    Arc::new(Schema::new(vec![
        Field::new("cluster", DataType::Int32, false),
        Field::new("customers", DataType::Int64, false),
        number("share"),
        Field::new("revenue", money.sum_type(), false),
        number("median_recency_days"),
        number("median_frequency"),
        number("median_monetary"),
        number("average_recency_days"),
        number("average_frequency"),
        number("average_monetary"),
    ]))
}

/// `cluster_description_and_recommendation`: one row a cluster with a customer. Sorted by cluster.
pub fn cluster_descriptions() -> SchemaRef {
    let text = |name| Field::new(name, DataType::Utf8, false);
    Arc::new(Schema::new(vec![
        Field::new("cluster", DataType::Int32, false),
        text("cluster_segment"),
        text("description"),
        text("recommendation"),
    ]))
}

/// `cohorts`: one row a cohort and period since. Sorted by cohort, period.
///
/// What is said of a period is null where it is not over.
pub fn cohorts(money: MoneyScale) -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("cohort", DataType::Date32, false),
        Field::new("period", DataType::Int32, false),
        Field::new("customers", DataType::Int64, false),
        Field::new("active", DataType::Int64, true),
        Field::new("retention", DataType::Float64, true),
        Field::new("revenue", money.sum_type(), true),
        Field::new("cumulative_revenue", money.sum_type(), true),
        Field::new("value_per_customer", DataType::Float64, true),
    ]))
}

/// `segment_migration`: one row a segment before and a segment after that customers share. Null: they were, or are, not there.
pub fn segment_migration(money: MoneyScale) -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("from_segment", DataType::Utf8, true),
        Field::new("to_segment", DataType::Utf8, true),
        Field::new("customers", DataType::Int64, false),
        Field::new("share", DataType::Float64, false),
        Field::new("revenue_before", money.sum_type(), false),
        Field::new("revenue_after", money.sum_type(), false),
    ]))
}

/// `lifetime_values`: one row a customer, in the order of their source; from a store sorted by user_id.
///
/// With a hold-out, `holdout_frequency` is what came in it.
pub fn lifetime_values(users: IdType, hold_out: HoldOut) -> SchemaRef {
    let number = |name, nullable| Field::new(name, DataType::Float64, nullable);
    let mut fields = vec![
        Field::new(column::USER_ID, users.data_type(), false),
        Field::new("frequency", DataType::Int64, false),
        number("recency", true),
        number("T", false),
        number("p_alive", true),
        number("expected_purchases", true),
        number("expected_spend", true),
        number("clv", true),
        number("monetary_value", true),
    ];
    if hold_out == HoldOut::Known {
        fields.push(Field::new("holdout_frequency", DataType::Int64, false));
    }
    Arc::new(Schema::new(fields))
}

/// Whether a table says what came after the histories that it foretells from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HoldOut {
    /// It has a column of it.
    Known,
    /// It has not.
    Unknown,
}

/// `product_pairs`: one row for two products that share baskets. Sorted by product_a, product_b; product_a comes
/// before product_b as ids do.
pub fn product_pairs(products: IdType) -> SchemaRef {
    let count = |name| Field::new(name, DataType::Int64, false);
    let ratio = |name| Field::new(name, DataType::Float64, false);
    Arc::new(Schema::new(vec![
        Field::new("product_a", products.data_type(), false),
        Field::new("product_b", products.data_type(), false),
        count("together"),
        count("count_a"),
        count("count_b"),
        ratio("support"),
        ratio("confidence_ab"),
        ratio("confidence_ba"),
        ratio("lift"),
    ]))
}

/// `product_pairs` with the revenue of each pair, behind all other columns.
pub fn product_pairs_with_revenue(products: IdType, scale: MoneyScale) -> SchemaRef {
    let pairs = product_pairs(products);
    let revenue = Field::new(column::REVENUE, scale.sum_type(), false);
    let fields: Vec<_> = pairs.fields().iter().cloned().chain([Arc::new(revenue)]).collect();
    Arc::new(Schema::new(fields))
}

/// `itemsets`: one row a set of items that baskets hold together. Sorted by size, then by items.
pub fn itemsets() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("items", DataType::List(itemset_item()), false),
        Field::new("size", DataType::Int64, false),
        Field::new("count", DataType::Int64, false),
        Field::new("support", DataType::Float64, false),
    ]))
}

/// `rules`: one row an association rule. Sorted by the items of both sides together, as [`itemsets`] are, then by consequent, the
/// shorter first.
///
/// Null: 0 over 0. Infinity: a positive number over 0.
pub fn rules(later: LaterBaskets) -> SchemaRef {
    let items = |name| Field::new(name, DataType::List(itemset_item()), false);
    let count = |name| Field::new(name, DataType::Int64, false);
    let value = |name| Field::new(name, DataType::Float64, false);
    let known = |name| Field::new(name, DataType::Float64, true);
    let mut fields = vec![
        items("antecedent"),
        items("consequent"),
        count("count"),
        count("count_antecedent"),
        count("count_consequent"),
        value("support"),
        value("confidence"),
        value("lift"),
        value("leverage"),
        known("conviction"),
        known("zhang"),
        value("jaccard"),
        value("cosine"),
        value("kulczynski"),
        value("all_confidence"),
        value("imbalance"),
        known("certainty"),
        known("odds_ratio"),
        known("phi"),
        known("chi_square"),
        known("chi_square_p"),
        value("p_value"),
        value("hyper_lift"),
        value("q_value"),
        Field::new("redundant", DataType::Boolean, false),
    ];
    if later == LaterBaskets::Known {
        fields.push(count("later_count"));
        fields.push(known("later_lift"));
    }
    Arc::new(Schema::new(fields))
}

/// `sequences`: one row a sequence of steps that users or sessions take. Sorted by steps, then by event type and product of each.
pub fn sequences() -> SchemaRef {
    let list = |name| Field::new(name, DataType::List(itemset_item()), false);
    let count = |name| Field::new(name, DataType::Int64, false);
    let ratio = |name| Field::new(name, DataType::Float64, false);
    Arc::new(Schema::new(vec![
        list("event_types"),
        list("products"),
        count("steps"),
        count("count"),
        ratio("support"),
        ratio("confidence"),
    ]))
}

/// Whether a table of rules says how they do in baskets that had no say in finding them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LaterBaskets {
    /// It has `later_count` and `later_lift`.
    Known,
    /// It has not.
    Unknown,
}

/// One item in the lists of [`itemsets`], [`rules`] and [`sequences`].
pub fn itemset_item() -> FieldRef {
    Arc::new(Field::new_list_field(DataType::Utf8, false))
}

/// `features`: one row a user with an event in the window. Sorted by user_id.
///
/// `features` are the columns between the user and, where the table is labelled, `label`.
pub fn features(users: IdType, features: impl IntoIterator<Item = Field>, label: Label<'_>) -> SchemaRef {
    let user = Field::new(column::USER_ID, users.data_type(), false);
    let labelled = |key: &str, of: &str| {
        let field = Field::new(column::LABEL, DataType::UInt8, false);
        field.with_metadata([(key.to_owned(), of.to_owned())].into())
    };
    let label = match label {
        Label::Known { event_type } => Some(labelled("event_type", event_type)),
        Label::Matching { events } => Some(labelled("events", events)),
        Label::Unknown => None,
    };
    Arc::new(Schema::new([user].into_iter().chain(features).chain(label).collect::<Vec<_>>()))
}

/// `cart_sessions`: one row for each session with a cart: who, when it started, what was known of it, for each experiment group whether
/// it was of that group (`group_` and its name), and the label: whether it had no purchase. Sorted by user_id, session_start.
pub fn cart_sessions<'a>(users: IdType, groups: impl IntoIterator<Item = &'a str>) -> SchemaRef {
    let count = |name| Field::new(name, DataType::Int64, false);
    let number = |name| Field::new(name, DataType::Float64, true);
    let own = vec![
        Field::new(column::USER_ID, users.data_type(), false),
        Field::new("session_start", timestamp_type(), false),
        count("views"),
        count("carts"),
        count("removes"),
        count("products"),
        count("duration_seconds"),
        count("hour"),
        count("weekday"),
        number("cart_value"),
        number("last_cart_price"),
        number("mean_viewed_price"),
        number("last_cart_price_ratio"),
        number("seconds_before_cart"),
        count("earlier_sessions"),
        count("earlier_carts"),
        count("earlier_purchases"),
        number("days_since_last_session"),
        number("days_since_last_purchase"),
    ];
    let groups =
        groups.into_iter().map(|group| Field::new(format!("group_{group}"), DataType::Boolean, false));
    let label = Field::new(column::LABEL, DataType::UInt8, false);
    Arc::new(Schema::new(own.into_iter().chain(groups).chain([label]).collect::<Vec<_>>()))
}

/// Whether a table of features says what came of the users.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Label<'a> {
    /// It has the column `label`: something to learn from.
    Known {
        /// The type of event that makes a label 1, which the field's metadata says under `event_type`.
        event_type: &'a str,
    },
    /// It has the column `label`, of a specification.
    Matching {
        /// Which events make a label 1, in words, which the field's metadata says under `events`.
        events: &'a str,
    },
    /// It has not: something to predict.
    Unknown,
}

/// `scores`: one row for each row that was scored, in their order: the id columns, then score, margin and rank.
pub fn scores(ids: impl IntoIterator<Item = Field>) -> SchemaRef {
    let own = [
        Field::new("score", DataType::Float64, false),
        Field::new("margin", DataType::Float64, false),
        Field::new("rank", DataType::Int64, false),
    ];
    Arc::new(Schema::new(ids.into_iter().chain(own).collect::<Vec<_>>()))
}

/// `uplift`: what a treatment adds to the probability of an outcome, one row for each row of the two arms. In their order.
pub fn uplift(ids: impl IntoIterator<Item = Field>) -> SchemaRef {
    let own = [
        Field::new("row", DataType::Int64, false),
        Field::new("uplift", DataType::Float64, false),
        Field::new("rank", DataType::Int64, false),
    ];
    Arc::new(Schema::new(ids.into_iter().chain(own).collect::<Vec<_>>()))
}

/// `scores` with explanations: behind the columns of [`scores`] the margin of a row of which nothing is known, `base`, and what
/// each of `features` adds to it, `contribution_` and its name.
pub fn explained_scores<'a>(
    ids: impl IntoIterator<Item = Field>,
    features: impl IntoIterator<Item = &'a str>,
) -> SchemaRef {
    let scores = scores(ids);
    let base = Field::new("base", DataType::Float64, false);
    let contributions = (features.into_iter())
        .map(|feature| Field::new(format!("contribution_{feature}"), DataType::Float64, false));
    let own = scores.fields().iter().map(|field| field.as_ref().clone());
    Arc::new(Schema::new(own.chain([base]).chain(contributions).collect::<Vec<_>>()))
}

/// `feature_effects`: one row a feature of a model. Sorted by mean_magnitude, the greatest first.
pub fn feature_effects() -> SchemaRef {
    let number = |name| Field::new(name, DataType::Float64, false);
    Arc::new(Schema::new(vec![
        Field::new("feature", DataType::Utf8, false),
        number("mean_magnitude"),
        number("share"),
        number("lowest"),
        number("highest"),
    ]))
}

/// `feature_points`: what each feature adds to the margin of some rows, one row for each of both. Sorted by the features, the greatest
/// effect first, then by the row.
pub fn feature_points() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("feature", DataType::Utf8, false),
        Field::new("row", DataType::Int64, false),
        Field::new("value", DataType::Float64, true),
        Field::new("category", DataType::Utf8, true),
        Field::new("contribution", DataType::Float64, false),
    ]))
}

/// `pair_effects`: one row for each pair of features that do something together. Sorted by mean_magnitude, the greatest first.
pub fn pair_effects() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("feature_a", DataType::Utf8, false),
        Field::new("feature_b", DataType::Utf8, false),
        Field::new("mean_magnitude", DataType::Float64, false),
    ]))
}

/// `assignments`: the id of every row of a table, under its own name, and the arm of an experiment, null where the id takes no
/// part. In the order of the table.
pub fn assignments(id: &str, ids: IdType) -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new(id, ids.data_type(), false),
        Field::new(column::EXPERIMENT_GROUP, dictionary_type(), true),
    ]))
}

/// `experiment_effects`: the effects of an experiment, each of an arm against the control. `kind` is `all`, `relative`,
/// `sequential`, `segment` or `until_day`, and `of` names the segment or the day. Sorted by arm, then in this order.
pub fn experiment_effects() -> SchemaRef {
    let text = |name| Field::new(name, DataType::Utf8, false);
    let number = |name, nullable| Field::new(name, DataType::Float64, nullable);
    Arc::new(Schema::new(vec![
        text("arm"),
        text("kind"),
        text("of"),
        number("effect", false),
        number("ci_low", false),
        number("ci_high", false),
        number("p_value", true),
        number("adjusted_p_value", true),
    ]))
}

/// `quality`: one row for each expectation of a data contract in each quality report that a store keeps. Sorted by commit and
/// report; those of one report stand in the contract's order.
pub fn quality() -> SchemaRef {
    let number = |name| Field::new(name, DataType::UInt32, false);
    let count = |name| Field::new(name, DataType::Int64, false);
    let word = |name| Field::new(name, dictionary_type(), false);
    Arc::new(Schema::new(vec![
        number("commit"),
        number("report"),
        word("contract"),
        count("bronze"),
        count("silver"),
        count("gold"),
        Field::new("expectation", DataType::Utf8, false),
        word("expect"),
        Field::new("column", DataType::Utf8, true),
        word("action"),
        count("checked"),
        count("nulls"),
        count("passed"),
        count("failed"),
        count("warned"),
        count("dropped"),
        count("quarantined"),
        Field::new("share", DataType::Float64, true),
        Field::new("observed", DataType::Utf8, true),
        word("status"),
    ]))
}

/// The type of a sum of money; where no scale is known it holds only nulls.
fn sum_type(money: Option<MoneyScale>) -> DataType {
    money.map_or(DataType::Decimal128(SUM_PRECISION, 0), MoneyScale::sum_type)
}
