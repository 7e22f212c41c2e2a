//! What holds for any two tables.

use cip_drift::{DriftOptions, DriftReport, Preset, TableProfile, Verdict};
use proptest::prelude::*;

use crate::{compare, numbers, table, texts, uniform};

/// A column of numbers, of which some are missing, and one of texts.
fn rows() -> impl Strategy<Value = Vec<(Option<f64>, Option<u8>)>> {
    let number = prop_oneof![
        Just(None),
        (-9i8..9).prop_map(|n| Some(f64::from(n) / 4.0)),
        any::<f64>().prop_map(Some)
    ];
    proptest::collection::vec((number, proptest::option::of(0u8..60)), 1..120)
}

fn batch(rows: &[(Option<f64>, Option<u8>)]) -> arrow_array::RecordBatch {
    let names: Vec<Option<String>> =
        rows.iter().map(|(_, text)| text.map(|text| format!("plan {text}"))).collect();
    table(vec![
        ("n", numbers(rows.iter().map(|(number, _)| *number))),
        ("t", texts(names.iter().map(Option::as_deref))),
    ])
}

proptest! {
    #[test]
    fn any_split_and_any_order_of_merges_make_the_same_report(
        reference in rows(), current in rows(), cut in 0usize..120, cells in 2usize..200,
    ) {
        let (reference, current) = (batch(&reference), batch(&current));
        let empty = TableProfile::new(&current.schema()).with_cells(cells);
        let of = |batches: &[arrow_array::RecordBatch]| {
            let mut profile = empty.clone();
            batches.iter().for_each(|batch| profile.push(batch).unwrap());
            profile
        };
        let cut = cut.min(current.num_rows());
        let (left, right) = (current.slice(0, cut), current.slice(cut, current.num_rows() - cut));
        let mut merged = of(std::slice::from_ref(&right));
        merged.merge(&of(std::slice::from_ref(&left))).unwrap();
        for preset in [Preset::Cip, Preset::Evidently, Preset::NannyMl] {
            let options = DriftOptions::new(preset).with_score("n");
            let report = |current: &TableProfile| {
                let report = DriftReport::compare(&of(std::slice::from_ref(&reference)), current, &options).unwrap();
                serde_json::to_string(&report).unwrap()
            };
            let whole = report(&of(std::slice::from_ref(&current)));
            prop_assert_eq!(&whole, &report(&of(&[left.clone(), right.clone()])));
            prop_assert_eq!(&whole, &report(&merged));
        }
    }

    #[test]
    fn a_table_has_not_drifted_from_itself(rows in rows()) {
        for preset in [Preset::Cip, Preset::Evidently, Preset::NannyMl] {
            let report = compare(preset, &batch(&rows), &batch(&rows)).unwrap();
            prop_assert_eq!(report.verdict, Verdict::Stable);
            for distances in report.features.iter().filter_map(|feature| feature.distances.as_ref()) {
                prop_assert_eq!((distances.psi, distances.jensen_shannon, distances.chi_square), (0.0, 0.0, 0.0));
                prop_assert!(distances.kolmogorov_smirnov.is_none_or(|ks| ks == 0.0));
                prop_assert!(distances.wasserstein.is_none_or(|distance| distance == 0.0));
            }
        }
    }

    #[test]
    fn no_number_of_a_report_is_lost(reference in rows(), current in rows()) {
        // Of what is no number JSON makes null; so what is always there has to be one.
        let report = compare(Preset::Cip, &batch(&reference), &batch(&current)).unwrap();
        for feature in serde_json::to_value(&report).unwrap()["features"].as_array().unwrap() {
            let distances = &feature["distances"];
            for name in ["psi", "psi_threshold", "psi_p_value", "jensen_shannon", "hellinger", "l_infinity", "chi_square"] {
                prop_assert!(distances.is_null() || distances[name].is_number(), "{}", feature);
            }
            prop_assert!(feature["missing"]["psi"].is_number() && feature["missing"]["p_value"].is_number());
        }
    }
}

#[test]
fn of_many_features_that_have_not_changed_few_are_said_to_have() {
    // 200 features of 400 rows: without the correction some ten would be found at a level of .05.
    let mut random = uniform(7);
    let mut column = || numbers(random.by_ref().take(400).map(Some).collect::<Vec<_>>());
    let names: Vec<String> = (0..200).map(|number| format!("f{number}")).collect();
    let mut wide = || table(names.iter().map(|name| (name.as_str(), column())).collect());
    let report = compare(Preset::Cip, &wide(), &wide()).unwrap();
    assert_eq!(report.verdict, Verdict::Stable);
    let below = report.features.iter().filter(|feature| feature.tests[0].p_value < Some(0.05)).count();
    assert!((4..20).contains(&below), "{below}");
}

#[test]
fn a_threshold_that_knows_the_rows_holds_where_a_fixed_one_fails() {
    // Fifty rows of one distribution: by Lewis' threshold alone they would often have drifted.
    let mut random = uniform(11);
    let mut column = || table(vec![("n", numbers(random.by_ref().take(50).map(Some).collect::<Vec<_>>()))]);
    let (mut fixed, mut knowing) = (0, 0);
    for _ in 0..200 {
        let report = compare(Preset::Cip, &column(), &column()).unwrap();
        let distances = report.features[0].distances.as_ref().unwrap();
        fixed += usize::from(distances.psi >= 0.25);
        knowing += usize::from(distances.psi > distances.psi_threshold);
    }
    assert!(fixed > 100 && (3..22).contains(&knowing), "{fixed} {knowing}");
}
