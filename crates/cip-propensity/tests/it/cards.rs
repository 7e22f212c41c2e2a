//! Model cards: what stands in them, and that they are the same every time.

use cip_propensity::{
    Baseline, BoostedTrees, Calibration, ClassWeight, Finding, ModelCard, Monotone, ParamGuard,
    PropensityModel,
};

use crate::data::learnable;

#[test]
fn a_card_tells_what_one_must_know_and_no_clock_is_in_it() {
    let ((features, labels), (others, outcomes)) = (learnable(2_000, 1), learnable(2_000, 2));
    let params = BoostedTrees::params(7)
        .with_trees(20)
        .with_class_weight(ClassWeight::Balanced)
        .with_monotone("a", Monotone::Increasing);
    let trees = params.check().unwrap().fit_matrix(&features, &labels).unwrap();
    let margins = trees.margins(&others.view()).unwrap().to_vec();
    let calibration = Calibration::Platt.fit(&margins, &outcomes).unwrap();
    let model = PropensityModel::new(trees, "bought", &labels).with_calibration(calibration);
    let evaluation = model.evaluate(&margins, &outcomes).unwrap();
    let model = model.with_evaluation(evaluation.clone());
    let baselines: Vec<_> = Baseline::ALL
        .into_iter()
        .filter_map(|baseline| {
            let fitted = baseline.fit(&features, &labels).unwrap()?;
            Some((baseline, fitted.evaluate(&others, &outcomes).unwrap()))
        })
        .collect();
    let findings = [Finding::Duplicates { rows: 40, of: 2_000 }];
    let card = ModelCard::new(&model)
        .with_fact("cutoff", "2019-11-01")
        .with_baselines(&baselines)
        .with_findings(&findings);
    let (markdown, html) = (card.to_markdown(), card.to_html());
    let auc = format!("{:.4}", evaluation.auc.unwrap());
    for text in [
        "Intended use and limits",
        "2019-11-01",
        "bought",
        "2000, of which",
        "balanced",
        "monotone: a",
        &auc,
        "logistic",
        "constant",
        "best 10.0%",
        "came true",
        "Before calibration",
        "40 of 2000 rows to test on",
        "noise",
        "platt",
    ] {
        assert!(markdown.contains(text), "{text}: {markdown}");
        assert!(html.contains(text), "{text}: {html}");
    }
    assert!(html.contains("<polyline") && !html.contains("src=") && !html.contains("NaN"));
    assert!([&markdown, &html].iter().all(|card| card.starts_with(ModelCard::MARK)));
    assert_eq!((card.clone().to_markdown(), card.to_html()), (markdown, html));
    // No fact is invented.
    let bare = PropensityModel::new(model.trees().clone(), "bought", &labels);
    let bare = ModelCard::new(&bare).to_markdown();
    assert!(
        bare.contains("Nobody has looked") && !bare.contains("cutoff") && !bare.contains("AUC"),
        "{bare}"
    );
    assert!(ModelCard::new(&model).with_findings(&[]).to_markdown().contains("None found"));
}
