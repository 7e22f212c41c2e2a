//! Learning from tables and scoring them: who is on which side, what is written, what is refused.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use cip::arrow_array::cast::AsArray;
use cip::arrow_array::types::{Float64Type, Int64Type};
use cip::core::{Id, IdRef, MemoryBudget};
use cip::propensity::{
    Baseline, BoostedTrees, BoostedTreesParams, Calibration, CalibrationFallback, Finding, IdSplit,
    PropensityModel, Search, Shares, Side,
};
use cip::scoring::{ExplainedScores, RowSplit, ScoringError, ScoringTable, TrainingSet};

use crate::{batches, threads};

const MEMORY: MemoryBudget = MemoryBudget::from_mib(256);

fn params() -> BoostedTreesParams {
    BoostedTrees::params(7).with_trees(10).with_leaves(6)
}

/// Three rows for each of some users: whoever views much buys, mostly.
fn table(folder: &Path, users: u64) -> PathBuf {
    let mut text = String::from("user_id,views,carts,visit,bought\n");
    for user in 0..users {
        for visit in 0..3 {
            let mixed = (user * 31 + visit).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
            let (views, carts) = (mixed % 40, mixed / 40 % 5);
            let carts = if carts == 4 { String::new() } else { carts.to_string() };
            text.push_str(&format!("{user},{views},{carts},{visit},{}\n", u8::from(views + mixed % 7 > 35)));
        }
    }
    let path = folder.join("features.csv");
    fs::write(&path, text).unwrap();
    path
}

fn read(path: &Path, share: f64) -> Result<TrainingSet, ScoringError> {
    let table = ScoringTable::open(path)?;
    let features = table.columns_without(&["bought", "visit"]);
    TrainingSet::read(&table, &features, "bought", IdSplit::new(share, 7).unwrap(), MEMORY)
}

fn model(path: &Path) -> PropensityModel {
    let set = read(path, 0.3).unwrap();
    set.evaluate(set.fit(params()).unwrap(), Calibration::Platt).unwrap().model
}

#[test]
fn a_user_is_on_one_side_and_the_model_is_tested_on_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = table(folder.path(), 1_000);
    let set = read(&path, 0.3).unwrap();
    // Three rows a user: every side is a multiple of three.
    assert_eq!((set.train_rows() + set.held_out_rows(), set.train_rows() % 3), (3_000, 0));
    assert!((800..1_000).contains(&set.held_out_rows()), "{}", set.held_out_rows());
    let trained = set.evaluate(set.fit(params()).unwrap(), Calibration::Platt).unwrap();
    assert_eq!(trained.evaluation.rows, set.held_out_rows() as u64);
    assert_eq!(trained.model.training().rows, set.train_rows() as u64);
    assert_eq!(trained.model.evaluation(), Some(&trained.evaluation));
    assert!(trained.evaluation.auc.unwrap() > 0.95, "{:?}", trained.evaluation);
    let tree = trained.baseline(Baseline::Tree).unwrap();
    assert!(tree.auc.unwrap() > 0.9, "{tree:?}");

    // Nothing was kept to calibrate on, and that is no reason to fail.
    assert_eq!(set.calibration_rows(), 0);
    assert_eq!(trained.model.calibration().fallback(), Some(CalibrationFallback::FewRows));
    assert_eq!(trained.evaluation.uncalibrated.unwrap().brier, trained.evaluation.brier);

    // Half of the users, of which the same share is held out.
    let table = ScoringTable::open(&path).unwrap();
    let split = IdSplit::new(0.3, 7).unwrap().with_sample(0.5).unwrap();
    let half = TrainingSet::read(&table, &["views".to_owned()], "bought", split, MEMORY).unwrap();
    assert!((1_300..1_700).contains(&(half.train_rows() + half.held_out_rows())));
}

#[test]
fn scores_are_calibrated_on_users_that_nothing_else_has_seen() {
    let folder = tempfile::tempdir().unwrap();
    let path = table(folder.path(), 2_000);
    let table = ScoringTable::open(&path).unwrap();
    let features = table.columns_without(&["bought", "visit"]);
    let split = IdSplit::new(0.3, 7).unwrap().with_calibration(0.25).unwrap();
    let set = TrainingSet::read(&table, &features, "bought", split, MEMORY).unwrap();
    let plain = read(&path, 0.3).unwrap();
    assert_eq!(set.held_out_rows(), plain.held_out_rows());
    assert_eq!(set.train_rows() + set.calibration_rows(), plain.train_rows());
    assert!((800..1_300).contains(&set.calibration_rows()), "{}", set.calibration_rows());

    let trees = set.fit(params()).unwrap();
    let none = set.evaluate(trees.clone(), Calibration::None).unwrap();
    for method in [Calibration::Platt, Calibration::Isotonic, Calibration::Beta] {
        let trained = set.evaluate(trees.clone(), method).unwrap();
        let (found, before) = (&trained.evaluation, trained.evaluation.uncalibrated.unwrap());
        assert_eq!(trained.model.calibration().rows(), set.calibration_rows() as u64);
        assert_eq!((found.auc, &found.lift), (none.evaluation.auc, &none.evaluation.lift), "{method}");
        assert_eq!((before.brier, before.ece), (none.evaluation.brier, none.evaluation.ece), "{method}");
        // Ten trees are not sure enough of themselves.
        assert!(found.brier < before.brier && found.ece < before.ece / 2.0, "{method}: {found:?}");
        // The model that is read again evaluates as it did.
        let mut file = Vec::new();
        trained.model.write_to(&mut file).unwrap();
        let read = PropensityModel::read_from(&file[..]).unwrap();
        assert_eq!(
            table.evaluate(&read, "bought", threads(2)).unwrap(),
            table.evaluate(&trained.model, "bought", threads(1)).unwrap()
        );
    }
}

#[test]
fn explained_scores_add_up_and_do_not_depend_on_the_threads() {
    let folder = tempfile::tempdir().unwrap();
    // More than one batch.
    let path = table(folder.path(), 3_500);
    let model = model(&path);
    let scored = ScoringTable::open(&path).unwrap().with_ids(&["visit", "user_id"]).unwrap();
    let plain = folder.path().join("plain.parquet");
    scored.write_scores(&model, &plain, threads(1)).unwrap();
    let written = [1, 2, 3].map(|n| {
        let out = folder.path().join(format!("explained-{n}.parquet"));
        let found = scored.write_explained_scores(&model, &out, threads(n)).unwrap();
        (found, fs::read(out).unwrap())
    });
    assert!(written[1..].iter().all(|other| other == &written[0]), "it depends on the threads");
    let found = &written[0].0;
    assert_eq!((found.rows, found.best.len()), (10_500, ExplainedScores::BEST_ROWS));

    let own = ["user_id", "visit", "score", "margin", "rank"];
    let all =
        ["user_id", "visit", "score", "margin", "rank", "base", "contribution_views", "contribution_carts"];
    let (mut rows, mut best) = (0, Vec::new());
    // The files are read in batches of the same rows.
    for (scores, explained) in batches(&plain).iter().zip(batches(&folder.path().join("explained-1.parquet")))
    {
        let names: Vec<_> = explained.schema().fields().iter().map(|field| field.name().clone()).collect();
        assert_eq!(names, all);
        for name in own {
            assert_eq!(scores.column_by_name(name), explained.column_by_name(name), "{name}");
        }
        let floats =
            |name: &str| explained.column_by_name(name).unwrap().as_primitive::<Float64Type>().clone();
        let ranks = explained.column_by_name("rank").unwrap().as_primitive::<Int64Type>();
        let [base, views, carts, margin] = ["base", all[6], all[7], "margin"].map(floats);
        for row in 0..explained.num_rows() {
            assert_eq!(base.value(row), found.base);
            let sum = base.value(row) + views.value(row) + carts.value(row);
            assert!((sum - margin.value(row)).abs() < 1e-9, "{sum} {}", margin.value(row));
            if ranks.value(row) <= 5 {
                best.push((ranks.value(row), rows + row, floats("score").value(row), views.value(row)));
            }
        }
        rows += explained.num_rows();
    }
    assert_eq!(rows, 10_500);
    best.sort_by_key(|(rank, ..)| *rank);
    for (best, explained) in best.iter().zip(&found.best) {
        assert_eq!((best.1 as u64, best.2), (explained.row, explained.score));
        // The first id that was named.
        assert_eq!(explained.id, Some(Id::Int64((explained.row % 3) as i64)));
        let views = explained.reasons.iter().find(|reason| reason.feature.as_ref() == "views").unwrap();
        assert_eq!(views.contribution, best.3);
    }

    // An id must not hide a column of the scores.
    let text = fs::read_to_string(&path).unwrap();
    for (name, explained) in [("score", false), ("base", true), ("contribution_carts", true)] {
        let at = folder.path().join("clash.csv");
        fs::write(&at, text.replacen("user_id", name, 1)).unwrap();
        let table = ScoringTable::open(&at).unwrap().with_ids(&[name]).unwrap();
        let out = folder.path().join("clash.parquet");
        let error = table.write_explained_scores(&model, &out, threads(1)).unwrap_err().to_string();
        assert!(error.contains(&format!("id `{name}` has the name of a column of the scores")), "{error}");
        assert_eq!(table.write_scores(&model, &out, threads(1)).is_ok(), explained, "{name}");
    }
}

#[test]
fn the_effects_are_those_of_the_explained_scores() {
    let folder = tempfile::tempdir().unwrap();
    let path = table(folder.path(), 3_500);
    let model = model(&path);
    let scored = ScoringTable::open(&path).unwrap();
    let found = scored.explain(&model, &["3400", "7"], threads(2)).unwrap();
    assert_eq!(scored.explain(&model, &["3400", "7"], threads(1)).unwrap(), found);

    let out = folder.path().join("explained.parquet");
    let explained = scored.write_explained_scores(&model, &out, threads(1)).unwrap();
    assert_eq!((found.rows, found.base), (10_500, explained.base));
    for effect in &found.effects {
        let name = format!("contribution_{}", effect.feature);
        let values: Vec<f64> = (batches(&out).iter())
            .flat_map(|batch| {
                batch.column_by_name(&name).unwrap().as_primitive::<Float64Type>().values().to_vec()
            })
            .collect();
        let mean = values.iter().map(|value| value.abs()).sum::<f64>() / values.len() as f64;
        assert!((mean - effect.mean_magnitude).abs() < 1e-12, "{effect:?} {mean}");
        assert_eq!(effect.lowest, values.iter().copied().fold(f64::INFINITY, f64::min));
        assert_eq!(effect.highest, values.iter().copied().fold(f64::NEG_INFINITY, f64::max));
    }
    assert!(found.effects.windows(2).all(|pair| pair[0].mean_magnitude >= pair[1].mean_magnitude));

    // The first of their rows, with everything that moved it.
    let rows: Vec<_> = found.customers.iter().map(|row| (row.id.clone(), row.row)).collect();
    assert_eq!(rows, [(Some(Id::Int64(3_400)), 10_200), (Some(Id::Int64(7)), 21)]);
    for customer in &found.customers {
        let sum: f64 = customer.reasons.iter().map(|reason| reason.contribution).sum();
        assert!((found.base + sum - customer.margin).abs() < 1e-9, "{customer:?}");
        assert_eq!(customer.score, model.score(customer.margin));
    }
    let error = scored.explain(&model, &["7", "nobody"], threads(2)).unwrap_err().to_string();
    assert!(error.starts_with("no row has the id `nobody`"), "{error}");

    // What is no feature is named with its row in the table, not in a batch.
    let text = fs::read_to_string(&path).unwrap();
    let at = folder.path().join("changed.csv");
    fs::write(&at, format!("{text}7,inf,1,0,1\n")).unwrap();
    let none: [&str; 0] = [];
    let error = ScoringTable::open(&at).unwrap().explain(&model, &none, threads(2)).unwrap_err().to_string();
    assert!(error.contains("feature `views` is inf in row 10500 (from 0)"), "{error}");

    // Without ids rows go by their numbers; of no rows there are no effects.
    let text = text.replacen("user_id", "customer", 1);
    fs::write(&path, &text).unwrap();
    let rows = ScoringTable::open(&path).unwrap().explain(&model, &["21"], threads(1)).unwrap();
    assert_eq!((rows.customers[0].row, &rows.customers[0].id), (21, &None));
    assert_eq!(rows.customers[0].reasons, found.customers[1].reasons);
    fs::write(&path, "user_id,views,carts\n").unwrap();
    let empty = ScoringTable::open(&path).unwrap();
    let found = empty.explain(&model, &none, threads(1)).unwrap();
    assert_eq!((found.rows, found.effects.len()), (0, 0));
    let found = empty.write_explained_scores(&model, &out, threads(1)).unwrap();
    assert_eq!((found.rows, found.best.len()), (0, 0));
}

#[test]
fn scores_are_in_the_order_of_the_rows_and_say_what_the_model_says() {
    let folder = tempfile::tempdir().unwrap();
    let path = table(folder.path(), 7_000);
    let model = model(&path);
    let scored = ScoringTable::open(&path).unwrap().with_ids(&["user_id", "visit"]).unwrap();
    let bytes = [1, 3].map(|n| {
        let out = folder.path().join(format!("scores-{n}.parquet"));
        assert_eq!(scored.write_scores(&model, &out, threads(n)).unwrap(), 21_000);
        fs::read(out).unwrap()
    });
    assert!(bytes[0] == bytes[1], "the bytes depend on the threads");

    let written = batches(&folder.path().join("scores-1.parquet"));
    let names: Vec<_> = written[0].schema().fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(names, ["user_id", "visit", "score", "margin", "rank"]);
    let mut seen = (BTreeSet::new(), 0, f64::INFINITY);
    let mut by_rank = Vec::new();
    for batch in &written {
        let ints = |name| batch.column_by_name(name).unwrap().as_primitive::<Int64Type>().values().to_vec();
        let floats =
            |name| batch.column_by_name(name).unwrap().as_primitive::<Float64Type>().values().to_vec();
        for ((user, visit), rank) in ints("user_id").into_iter().zip(ints("visit")).zip(ints("rank")) {
            assert_eq!(user * 3 + visit, seen.1);
            seen.1 += 1;
            assert!(seen.0.insert(rank));
        }
        for (score, margin) in floats("score").into_iter().zip(floats("margin")) {
            assert_eq!(score, model.score(margin));
        }
        by_rank.extend(ints("rank").into_iter().zip(floats("margin")));
    }
    assert_eq!((seen.0.first(), seen.0.last()), (Some(&1), Some(&21_000)));
    by_rank.sort_by_key(|(rank, _)| *rank);
    assert!(by_rank.windows(2).all(|pair| pair[0].1 >= pair[1].1));

    let [one, three] = [1, 3].map(|n| scored.evaluate(&model, "bought", threads(n)).unwrap());
    assert_eq!(one, three);
    assert_eq!(one.rows, 21_000);
}

#[test]
fn what_a_table_cannot_give_is_said_with_its_column_and_row() {
    let folder = tempfile::tempdir().unwrap();
    let path = table(folder.path(), 100);
    let model = model(&path);
    let text = fs::read_to_string(&path).unwrap();
    let at = folder.path().join("changed.csv");
    let write = |text: &str| fs::write(&at, text).unwrap();
    let error = |result: Result<TrainingSet, ScoringError>| result.unwrap_err().to_string();

    write(&text.replace("\n98,", "\n,"));
    assert!(error(read(&at, 0.3)).starts_with("id `user_id` is null in row 294 (from 0)"));
    write(&text.replacen("\n50,", "\n50.5,", 1));
    assert!(error(read(&at, 0.3)).contains("column `user_id` is Float64, expected integers or text"));
    write(&format!("{text}7,inf,1,0,1\n"));
    assert!(error(read(&at, 0.3)).contains("feature `views` is inf in row 300 (from 0)"));
    let scored = ScoringTable::open(&at).unwrap().write_scores(&model, &folder.path().join("s"), threads(2));
    assert!(scored.unwrap_err().to_string().contains("feature `views` is inf in row 300 (from 0)"));
    assert!(!folder.path().join("s").exists());
    write(&format!("{text}7,1,1,0,\n"));
    assert!(error(read(&at, 0.3)).contains("label `bought` is null in row 300 (from 0)"));
    write(&format!("{text}7,1,1,0,2\n"));
    assert!(error(read(&at, 0.3)).contains("label `bought` is 2 in row 300 (from 0)"));
    write(&format!("{text}7,many,1,0,1\n"));
    // Text is learned from, but not by a model that knows numbers.
    assert!(read(&at, 0.3).is_ok());
    let text_for_numbers = ScoringTable::open(&at).unwrap().evaluate(&model, "bought", threads(1));
    assert!(text_for_numbers.unwrap_err().to_string().contains("feature `views` is Utf8, expected numbers"));
    write(&text.replace("carts", "baskets"));
    let scored = ScoringTable::open(&at).unwrap().evaluate(&model, "bought", threads(1));
    assert!(scored.unwrap_err().to_string().contains("has no column `carts`"));

    // Two users: whether any is held out is chance, and said.
    write(&text.lines().take(4).collect::<Vec<_>>().join("\n"));
    assert!(error(read(&at, 0.01)).starts_with("none of the 3 rows is left to test on"));
    assert!(error(read(&at, 0.99)).starts_with("none of the 3 rows is left to train on"));
    write("user_id,views,bought\n");
    assert!(error(read(&at, 0.3)).starts_with("none of the 0 rows"));

    let table = ScoringTable::open(&path).unwrap();
    let split = IdSplit::new(0.3, 7).unwrap();
    let views = ["views".to_owned()];
    let refuse = |features: &[String], label: &str, memory| {
        TrainingSet::read(&table, features, label, split, memory).unwrap_err().to_string()
    };
    assert!(refuse(&views, "user_id", MEMORY).contains("`user_id` is an id and the label"));
    assert!(refuse(&[], "bought", MEMORY).contains("no column is left"));
    assert!(refuse(&views, "sold", MEMORY).contains("has no column `sold`"));
    assert!(refuse(&views, "bought", MemoryBudget::from_mib(32)).contains("training needs at least"));
    assert!(table.clone().with_ids(&["customer"]).is_err());
    // A null is an id like any other where nothing is split by it.
    write(&text.replace("\n98,", "\n,"));
    let scored = ScoringTable::open(&at).unwrap();
    assert_eq!(scored.write_scores(&model, &folder.path().join("s"), threads(1)).unwrap(), 300);
}

#[test]
fn without_ids_rows_are_told_apart_by_their_number() {
    let folder = tempfile::tempdir().unwrap();
    let path = table(folder.path(), 500);
    let text = fs::read_to_string(&path).unwrap().replacen("user_id", "customer", 1);
    fs::write(&path, text).unwrap();
    let table = ScoringTable::open(&path).unwrap();
    assert!(table.ids().is_empty());
    let set = read(&path, 0.2).unwrap();
    let split = IdSplit::new(0.2, 7).unwrap();
    let train = (0..1_500).filter(|&row| split.side(IdRef::Int64(row)) == Side::Train).count();
    assert_eq!((set.train_rows(), set.held_out_rows()), (train, 1_500 - train));
    let out = folder.path().join("s.parquet");
    table.write_scores(&model(&path), &out, threads(1)).unwrap();
    assert_eq!(batches(&out)[0].num_columns(), 3);
}

/// Users who are known on each of ten days, the later the more.
fn days(folder: &Path) -> PathBuf {
    let mut text = String::from("user_id,day,views,bought\n");
    for row in 0u64..3_000 {
        let (user, day) = (row % 300, row / 300 + 1);
        let mixed = (row + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        let views = mixed % 40;
        text.push_str(&format!("{user},2019-10-{day:02},{views},{}\n", u8::from(views + mixed % 9 > 38)));
    }
    let path = folder.join("days.csv");
    fs::write(&path, text).unwrap();
    path
}

#[test]
fn the_latest_days_are_tested_on_and_a_gap_keeps_labels_apart() {
    let folder = tempfile::tempdir().unwrap();
    let table = ScoringTable::open(&days(folder.path())).unwrap();
    let read = |split: RowSplit| TrainingSet::read(&table, &["views".to_owned()], "bought", split, MEMORY);
    let shares = Shares { held_out: 0.2, calibrate: 0.25, validate: 0.125 };
    let rows = |set: &TrainingSet| {
        [set.train_rows(), set.validation_rows(), set.calibration_rows(), set.held_out_rows()]
    };
    // Days of 300 rows: 2 are tested on, 2 calibrated on, 1 validated on. The first, 2019-10-01, is day 18,170.
    let set = read(RowSplit::by_time("day", shares, 1)).unwrap();
    assert_eq!(rows(&set), [1_500, 300, 600, 600]);
    let begins: Vec<_> = set.begins().unwrap().iter().map(|&(day, side)| (day - 18_169, side)).collect();
    assert_eq!(begins, [(6, Side::Validate), (7, Side::Calibrate), (9, Side::HeldOut)]);
    let overlap = |set: &TrainingSet| {
        set.lint().unwrap().into_iter().find(|finding| matches!(finding, Finding::LabelOverlap { .. }))
    };
    assert_eq!(overlap(&set), None);
    // Labels that look two days ahead take the day before each side, or overlap it.
    let gap = read(RowSplit::by_time("day", shares, 2)).unwrap();
    assert_eq!(rows(&gap), [1_200, 0, 300, 600]);
    assert_eq!(overlap(&gap), None);
    let none = read(RowSplit::by_time("day", shares, 2).with_gap_days(1)).unwrap();
    assert_eq!(rows(&none), [1_500, 300, 600, 600]);
    assert_eq!(overlap(&none), Some(Finding::LabelOverlap { rows: 900, of: 2_400 }));

    // With ids as well, nobody is on two sides, and the others are left out.
    let ids = IdSplit::new(0.5, 7).unwrap();
    let both =
        read(RowSplit::by_time("day", Shares { calibrate: 0.0, validate: 0.0, ..shares }, 1).with_ids(ids));
    let both = both.unwrap();
    let held_out = (0..300).filter(|&user| ids.side(IdRef::Int64(user)) == Side::HeldOut).count();
    assert_eq!((both.held_out_rows(), both.train_rows()), (2 * held_out, 8 * (300 - held_out)));

    // Parameters are tried on later days; the same seed finds the same.
    let search = Search::new(3, 5).unwrap();
    let found = set.search(search, &params(), 2).unwrap();
    assert_eq!((found.trials.len(), found.trials[0].aucs.len()), (3, 2));
    assert_eq!(set.search(search, &params(), 2).unwrap(), found);
    assert!(set.fit(found.best.with_early_stopping(3.try_into().unwrap())).is_ok());
    let by_ids = read(ids.into()).unwrap();
    assert_eq!(by_ids.search(search, &params(), 4).unwrap().trials[0].aucs.len(), 4);
    assert!(by_ids.fit(params().with_early_stopping(3.try_into().unwrap())).is_err());
    let with = by_ids.with_validation(&table).unwrap().with_calibration(&table).unwrap();
    assert_eq!((with.validation_rows(), with.calibration_rows()), (3_000, 3_000));

    fs::write(folder.path().join("null.csv"), "user_id,day,views,bought\n1,2019-10-01,3,1\n2,,4,0\n")
        .unwrap();
    let table = ScoringTable::open(&folder.path().join("null.csv")).unwrap();
    let split = RowSplit::by_time("day", shares, 1);
    let error = TrainingSet::read(&table, &["views".to_owned()], "bought", split, MEMORY).unwrap_err();
    assert!(error.to_string().contains("`day` is null in row 1 (from 0)"), "{error}");
}
