//! The columns that features are made from, and their types.

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Decimal128Array, DictionaryArray, Int64Array, UInt32Array};
use cip_core::{
    Amounts, CoreError, EventBatch, EventKind, EventSchema, IdColumn, IdType, MoneyScale, column,
};

use crate::feature::Feature;
use crate::service::ServiceKind;
use crate::set::FeatureSet;

/// The device that is one to carry about.
const MOBILE: &str = "mobile";

/// The types that every batch must have.
#[derive(Debug, Clone)]
pub(crate) struct InputSchema {
    /// The schema's part of the columns that are used.
    schema: EventSchema,
    pub(crate) users: IdType,
    pub(crate) products: Option<IdType>,
    pub(crate) category_ids: Option<IdType>,
    pub(crate) money: Option<MoneyScale>,
    pub(crate) revenue: Option<MoneyScale>,
    /// Whose words for event types are read.
    vocabularies: Vec<FeatureSet>,
}

impl InputSchema {
    pub(crate) fn try_new(
        schema: &EventSchema,
        features: &[Feature],
        label: Option<FeatureSet>,
    ) -> Result<Self, CoreError> {
        let users = user_type(schema)?;
        let mut used = vec![column::USER_ID, column::EVENT_TIME];
        if label.is_some() {
            used.push(column::EVENT_TYPE);
        }
        used.extend(features.iter().flat_map(|feature| feature.inputs(schema)));
        let schema = schema.project(&used);
        Ok(Self {
            users,
            products: schema.id_type(column::PRODUCT_ID),
            category_ids: schema.id_type(column::CATEGORY_ID),
            money: schema.money_scale(),
            revenue: schema.revenue_scale(),
            vocabularies: features.iter().filter_map(|feature| feature.vocabulary()).chain(label).collect(),
            schema,
        })
    }

    pub(crate) fn columns(&self) -> Vec<&'static str> {
        let all = column::EVENT_COLUMNS.into_iter().chain(column::SERVICE_COLUMNS);
        all.filter(|name| self.schema.has(name)).collect()
    }

    pub(crate) fn has(&self, column: &str) -> bool {
        self.schema.has(column)
    }

    /// Returns the columns of a batch; those that are not used are none.
    pub(crate) fn read<'a>(&self, events: &'a EventBatch) -> Result<Input<'a>, CoreError> {
        self.schema.require(events.schema())?;
        let has = |name| self.schema.has(name);
        let reads = |set| self.vocabularies.contains(&set);
        let devices = events.device_types().filter(|_| has(column::DEVICE_TYPE));
        Ok(Input {
            times: events.times()?.values(),
            kinds: if reads(FeatureSet::Commerce) { Some(events.kinds()?) } else { None },
            service_kinds: if reads(FeatureSet::StreamFlow) {
                Some(events.kinds_by(ServiceKind::from_event_type)?)
            } else {
                None
            },
            products: if has(column::PRODUCT_ID) { Some(events.products()?) } else { None },
            category_ids: events.categories().filter(|_| has(column::CATEGORY_ID)),
            category_codes: events.category_codes().filter(|_| has(column::CATEGORY_CODE)),
            brands: events.brands().filter(|_| has(column::BRAND)),
            prices: events.prices().filter(|_| has(column::PRICE)),
            amounts: events
                .amounts()
                .filter(|_| has(column::PRICE))
                .map(|amounts| if has(column::QUANTITY) { amounts } else { amounts.without_quantities() }),
            mobile: devices.map(are_mobile),
            devices,
            durations: events.durations().filter(|_| has(column::DURATION_SECONDS)),
            revenues: events.revenues().filter(|_| has(column::REVENUE)),
            source_sessions: events.source_sessions().filter(|_| has(column::SOURCE_SESSION)),
        })
    }
}

/// The type of `user_id` in events that have times as well.
pub(crate) fn user_type(schema: &EventSchema) -> Result<IdType, CoreError> {
    let users = schema.user_type()?;
    match schema.has(column::EVENT_TIME) {
        true => Ok(users),
        false => Err(CoreError::MissingColumn { column: column::EVENT_TIME }),
    }
}

/// Whether each event came from a mobile device.
fn are_mobile(devices: &DictionaryArray<Int32Type>) -> Vec<bool> {
    let names = devices.values().as_string::<i32>();
    let mobile: Vec<_> = names.iter().map(|name| name == Some(MOBILE)).collect();
    devices.keys().iter().map(|code| code.is_some_and(|code| mobile[code as usize])).collect()
}

/// The columns of one batch.
#[derive(Debug)]
pub(crate) struct Input<'a> {
    pub(crate) times: &'a [i64],
    pub(crate) kinds: Option<Vec<EventKind>>,
    pub(crate) service_kinds: Option<Vec<ServiceKind>>,
    pub(crate) devices: Option<&'a DictionaryArray<Int32Type>>,
    pub(crate) mobile: Option<Vec<bool>>,
    pub(crate) durations: Option<&'a Int64Array>,
    pub(crate) revenues: Option<&'a Decimal128Array>,
    pub(crate) products: Option<&'a IdColumn>,
    pub(crate) category_ids: Option<&'a IdColumn>,
    pub(crate) category_codes: Option<&'a DictionaryArray<Int32Type>>,
    pub(crate) brands: Option<&'a DictionaryArray<Int32Type>>,
    pub(crate) prices: Option<&'a Decimal128Array>,
    pub(crate) amounts: Option<Amounts<'a>>,
    pub(crate) source_sessions: Option<&'a UInt32Array>,
}
