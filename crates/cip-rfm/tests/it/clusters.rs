//! Clusters: fences, the choice of their number, models that are kept, and tables.

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Float64Type, Int32Type, Int64Type};
use cip_core::{MICROS_PER_DAY, Timestamp, table};
use cip_rfm::clusters::{ClusterChoice, ClusterModel, Clusters};
use cip_rfm::{Rfm, RfmError, RfmTable};
use linfa::traits::Predict;
use proptest::prelude::*;

use crate::events::{Event, PURCHASE, Shape};

const AS_OF: Timestamp = Timestamp::from_micros(400 * MICROS_PER_DAY);

/// Customers of so many days since, orders and cents.
fn scored(customers: &[(i64, i64, i64)]) -> RfmTable {
    let purchases = |(user, &(days, orders, cents)): (i64, &(i64, i64, i64))| {
        (0..orders).map(move |order| Event {
            price: Some(if order == 0 { cents } else { 0 }),
            order: Some(order),
            ..Event::on(400 - days, user, PURCHASE)
        })
    };
    let events: Vec<Event> = (0..).zip(customers).flat_map(purchases).collect();
    let sorted = Shape::FULL.sorted(&events);
    Rfm::new(AS_OF, sorted.schema()).unwrap().segment(&[sorted]).unwrap()
}

/// Three groups that lie apart, around 10 days and 2 orders, 100 and 5, 300 and 9.
fn three_groups() -> Vec<(i64, i64, i64)> {
    let group = |days: i64, orders: i64, cents: i64| {
        (0..30).map(move |at| (days + at % 5, orders, cents + 100 * (at % 7)))
    };
    group(10, 2, 5_000).chain(group(100, 5, 20_000)).chain(group(300, 9, 40_000)).collect()
}

/// The clusters of the table, which are those that the model predicts of a linfa data set.
fn labels(model: &ClusterModel, customers: &RfmTable) -> Vec<i32> {
    let assigned = model.assign(customers).unwrap();
    let column = assigned.customers().column_by_name("cluster").unwrap().clone();
    let labels = column.as_primitive::<Int32Type>().values().to_vec();
    assert_eq!(model.predict(&customers.dataset()).to_vec(), labels);
    labels
}

#[test]
fn groups_that_lie_apart_are_found_by_every_choice() {
    let customers = scored(&three_groups());
    for choice in [ClusterChoice::Both, ClusterChoice::Silhouette, ClusterChoice::Elbow] {
        let fit = Clusters::new(7).with_choice(choice).fit(&customers, AS_OF).unwrap();
        let labels = labels(&fit.model, &customers);
        // The dearest group has the first number.
        let expected: Vec<i32> = [2, 1, 0].into_iter().flat_map(|cluster| [cluster; 30]).collect();
        assert_eq!(labels, expected, "{choice:?}");
        assert_eq!(fit.model.clusters().iter().map(|of| of.customers).collect::<Vec<_>>(), [30, 30, 30]);
        assert!(fit.counts.windows(2).all(|pair| pair[0].inertia >= pair[1].inertia), "{:?}", fit.counts);
        assert!(fit.counts.iter().all(|of| of.silhouette_error == 0.0 && (0.0..=1.0).contains(&of.score)));
    }
}

#[test]
fn outliers_are_set_apart_and_fences_without_a_range_are_skipped() {
    let mut customers = three_groups();
    customers.extend([(12, 2, 900_000), (12, 80, 5_100), (12, 90, 900_000)]);
    let table = scored(&customers);
    let fit = Clusters::new(7).fit(&table, AS_OF).unwrap();
    assert_eq!(labels(&fit.model, &table)[90..], [-1, -2, -3]);
    let assigned = fit.model.assign(&table).unwrap();
    let descriptions = assigned.descriptions().unwrap();
    let names = descriptions.column(1).as_string::<i32>();
    assert!((0..3).all(|row| names.value(row).contains("VIP")), "{names:?}");
    assert!(descriptions.column(2).as_string::<i32>().value(0).starts_with("outliers of monetary and"));

    // One order each: no fence of frequency, and nobody beyond it.
    let equal: Vec<_> = customers.iter().map(|&(days, _, cents)| (days, 1, cents)).collect();
    let mut equal = equal;
    equal[0].1 = 50;
    let table = scored(&equal);
    let fit = Clusters::new(7).fit(&table, AS_OF).unwrap();
    assert!(fit.model.frequency_fence().is_none() && fit.model.monetary_fence().is_some());
    assert!(labels(&fit.model, &table).iter().all(|label| *label == -1 || *label >= 0));
}

#[test]
fn a_model_that_was_kept_assigns_the_customers_of_tomorrow() {
    let customers = scored(&three_groups());
    let fit = Clusters::new(7).fit(&customers, AS_OF).unwrap();
    let mut file = Vec::new();
    fit.model.write(&mut file).unwrap();
    let kept = ClusterModel::read(file.as_slice()).unwrap();
    assert_eq!((&kept, kept.update_date()), (&fit.model, AS_OF));
    // Fewer customers, others: each goes where it went.
    let tomorrow = scored(&[(11, 2, 5_200), (301, 10, 40_100), (12, 2, 5_000_000)]);
    let assigned = kept.assign(&tomorrow).unwrap();
    assert_eq!(labels(&kept, &tomorrow), [2, 0, -1]);
    let batch = assigned.customers();
    assert_eq!(batch.schema(), table::clustered_customers(cip_core::IdType::Int64, tomorrow.money_scale()));
    let dates = batch.column_by_name("update_date").unwrap().as_primitive::<Date32Type>();
    assert_eq!(dates.values(), &[400, 400, 400]);

    for (damage, by) in [
        ("\"version\": 1", "\"version\": 2"),
        ("cip-clusters", "cip-model"),
        ("\"monetary_fence\": {", "\"monetary_fence\": {\"low\": 9e18, \"high\": 1.0, \"x\": 1}, \"y\": {"),
        ("\"deviations\": [", "\"deviations\": [0.0, 1.0, 1.0], \"x\": ["),
    ] {
        let text = String::from_utf8(file.clone()).unwrap().replace(damage, by);
        assert!(matches!(ClusterModel::read(text.as_bytes()), Err(RfmError::ModelVersion { .. })), "{by}");
    }
    assert!(matches!(ClusterModel::read(&b"{}"[..]), Err(RfmError::ModelFile(_))));
}

#[test]
fn a_model_of_one_currency_is_of_no_other() {
    let sorted = Shape::FULL.sorted(&[Event::on(1, 1, PURCHASE), Event::on(3, 2, PURCHASE)]);
    let rfm = Rfm::new(AS_OF, sorted.schema()).unwrap();
    let of = |rfm: &Rfm| rfm.segment(std::slice::from_ref(&sorted)).unwrap();
    let [unknown, pounds, euros] =
        [of(&rfm), of(&rfm.clone().with_currency("GBP")), of(&rfm.clone().with_currency("EUR"))];
    let kept = |customers: &RfmTable| {
        let mut file = Vec::new();
        Clusters::new(1).fit(customers, AS_OF).unwrap().model.write(&mut file).unwrap();
        ClusterModel::read(file.as_slice()).unwrap()
    };
    assert_eq!((kept(&pounds).currency(), kept(&unknown).currency()), (Some("GBP"), None));
    assert!(kept(&pounds).assign(&pounds).is_ok() && kept(&unknown).assign(&unknown).is_ok());
    let refused =
        |model: &RfmTable, customers: &RfmTable| kept(model).assign(customers).unwrap_err().to_string();
    assert_eq!(
        refused(&pounds, &euros),
        "the customers have money in `EUR`, but the model of clusters is of `GBP`: fit a model to them"
    );
    assert!(refused(&unknown, &euros).contains("is of a currency that is not known"));
    assert!(refused(&pounds, &unknown).contains("money in a currency that is not known"));
    // Parts of two currencies are never one table.
    let mut table = rfm.clone().with_currency("EUR").customers().finish().unwrap();
    assert!(matches!(table.append(rfm.customers().finish().unwrap()), Err(RfmError::PartsDiffer)));
}

#[test]
fn few_customers_are_their_own_clusters_and_none_are_refused() {
    let fit = |customers: &[(i64, i64, i64)]| {
        let table = scored(customers);
        Clusters::new(1).fit(&table, AS_OF).map(|fit| (labels(&fit.model, &table), fit.counts.len()))
    };
    assert!(matches!(fit(&[]), Err(RfmError::NoCustomers)));
    assert_eq!(fit(&[(3, 1, 100)]).unwrap(), (vec![0], 0));
    assert_eq!(fit(&[(3, 1, 100), (3, 1, 100), (9, 1, 50)]).unwrap(), (vec![0, 0, 1], 0));
    assert_eq!(fit(&[(3, 1, 100), (5, 2, 90), (9, 1, 50)]).unwrap().1, 1, "two clusters of three customers");
    assert!(Clusters::new(1).with_most(1).is_err() && Clusters::new(1).with_most(21).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Tables add up, medians are those of the members, and the same seed gives the same.
    #[test]
    fn tables_add_up_for_any_customers(
        customers in proptest::collection::vec((1i64..300, 1i64..12, -500i64..90_000), 1..80),
        seed in any::<u64>(),
    ) {
        let scored = scored(&customers);
        let clusters = Clusters::new(seed).with_most(5).unwrap();
        let fit = clusters.fit(&scored, AS_OF).unwrap();
        prop_assert_eq!(&fit.model, &clusters.fit(&scored, AS_OF).unwrap().model);
        let assigned = fit.model.assign(&scored).unwrap();
        let summary = assigned.summary().unwrap();
        prop_assert_eq!(summary.schema(), table::cluster_summary(scored.money_scale()));
        prop_assert_eq!(assigned.descriptions().unwrap().schema(), table::cluster_descriptions());
        let counts = summary.column(1).as_primitive::<Int64Type>().values();
        prop_assert_eq!(counts.iter().sum::<i64>(), customers.len() as i64);
        let known: Vec<i64> = fit.model.clusters().iter().map(|of| of.customers as i64).collect();
        prop_assert_eq!(counts.to_vec(), known);
        let shares: f64 = summary.column(2).as_primitive::<Float64Type>().values().iter().sum();
        prop_assert!((shares - 1.0).abs() < 1e-12);
        for row in 0..summary.num_rows() {
            let cluster = summary.column(0).as_primitive::<Int32Type>().value(row);
            let members: Vec<usize> = labels(&fit.model, &scored).iter().enumerate()
                .filter(|(_, label)| **label == cluster).map(|(at, _)| at).collect();
            let mut orders: Vec<f64> = members.iter().map(|&at| scored.frequency()[at] as f64).collect();
            orders.sort_by(f64::total_cmp);
            let median = (orders[(orders.len() - 1) / 2] + orders[orders.len() / 2]) / 2.0;
            prop_assert_eq!(summary.column(5).as_primitive::<Float64Type>().value(row), median);
        }
    }
}
