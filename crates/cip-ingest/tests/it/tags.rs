//! Events with the arm of their user.

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use cip_abtest::{Arm, Assignment, Experiment};
use cip_core::IdRef;
use cip_ingest::{Ingest, IngestError, SourceMapping};
use cip_store::EventStore;

use crate::{HEADER, rees46};

/// An experiment of two halves.
pub(crate) fn checkout() -> Experiment {
    Experiment::new("checkout", Assignment::Md5Parity).unwrap()
}

/// Users and arms of all events.
fn groups(store: &EventStore) -> Vec<(Option<String>, Option<String>)> {
    let mut found = Vec::new();
    for partition in store.scan(&["user_id", "experiment_group"]).partitions() {
        for events in partition.batches().unwrap() {
            let events = events.unwrap();
            let groups = events.record_batch().column_by_name("experiment_group").unwrap();
            let groups = groups.as_dictionary::<Int32Type>();
            let names = groups.values().as_string::<i32>();
            for row in 0..events.len() {
                let arm = groups.is_valid(row).then(|| names.value(groups.keys().value(row) as usize));
                let user = events.users().unwrap().get(row).map(|user| user.to_string());
                found.push((user, arm.map(str::to_owned)));
            }
        }
    }
    found
}

#[test]
fn every_event_has_the_arm_of_its_user() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("events.csv");
    let rows = (0..3_000).map(|row| format!("2019-10-01 00:00:00 UTC,view,1,2,,,1.00,{},\n", row % 700));
    std::fs::write(&file, format!("{HEADER}\n{}", rows.collect::<String>())).unwrap();
    let experiment = Experiment::new("price", Assignment::WeightedHash { seed: "price-1".into() })
        .unwrap()
        .with_arms(["as is", "low", "high"].map(|arm| Arm::new(arm, 1.0)))
        .unwrap();
    let (store, _) = Ingest::new(rees46())
        .with_experiment(experiment.clone())
        .run(&[file], &folder.path().join("store"), &mut |_| ())
        .unwrap();
    let names: Vec<_> = store.schema().arrow().fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(names[names.len() - 3..], ["source_session", "experiment_group", "source_file"]);
    let found = groups(&store);
    assert_eq!(found.len(), 3_000);
    for (user, arm) in &found {
        let id = user.as_ref().unwrap().parse().unwrap();
        assert_eq!(arm.as_deref(), experiment.assign(IdRef::Int64(id)));
    }
    assert!(
        ["as is", "low", "high"].iter().all(|name| found.iter().any(|(_, arm)| arm.as_deref() == Some(name)))
    );
    // The store says by what it was tagged.
    let store = EventStore::open(store.path()).unwrap();
    let kept = store.manifest().experiment.clone().unwrap();
    assert_eq!(serde_json::from_value::<Experiment>(kept).unwrap(), experiment);
}

const TEXT_USERS: &str = "name = 'app'\n[columns]\nevent_time = { from = 't', type = 'timestamp' }\n\
    event_type = { from = 'e', type = 'dictionary' }\nuser_id = { from = 'u', type = 'utf8', nullable = true }\n\
    note = { from = 'n', type = 'utf8', nullable = true }\n";

#[test]
fn unknown_users_have_no_arm_and_own_columns_stay_behind() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("events.csv");
    std::fs::write(
        &file,
        "t,e,u,n\n2019-10-01,view,a,x\n2019-10-01,view,,y\n2019-10-01,view,abc,\n2019-10-02,buy,a,\n",
    )
    .unwrap();
    let ingest = Ingest::new(SourceMapping::from_toml(TEXT_USERS).unwrap()).with_experiment(checkout());
    let (store, _) = ingest.run(&[file], &folder.path().join("store"), &mut |_| ()).unwrap();
    let names: Vec<_> = store.schema().arrow().fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(names, ["user_id", "event_time", "event_type", "experiment_group", "source_file", "note"]);
    let pair = |user: Option<&str>, arm: Option<&str>| (user.map(str::to_owned), arm.map(str::to_owned));
    // RFC 1321: MD5 of "a" ends in 1, of "abc" in 2.
    assert_eq!(
        groups(&store),
        [
            pair(Some("a"), Some("treatment")),
            pair(Some("a"), Some("treatment")),
            pair(Some("abc"), Some("control")),
            pair(None, None)
        ]
    );
}

#[test]
fn an_experiment_needs_users() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("events.csv");
    std::fs::write(&file, "t,e\n2019-10-01,view\n").unwrap();
    let text = TEXT_USERS.lines().take(4).collect::<Vec<_>>().join("\n");
    let ingest = Ingest::new(SourceMapping::from_toml(&text).unwrap()).with_experiment(checkout());
    let error = ingest.run(&[file], &folder.path().join("store"), &mut |_| ()).unwrap_err();
    assert!(matches!(error, IngestError::NoUsers { .. }));
    assert_eq!(
        error.to_string(),
        "experiment `checkout` assigns users, but mapping `app` has no `user_id`: map it, or ingest without the experiment"
    );
    assert!(!folder.path().join("store").exists());
}

#[test]
fn without_an_experiment_there_is_no_column() {
    let (_folder, store, _) =
        crate::ingest_text(format!("{HEADER}\n2019-10-01,view,1,2,,,1.00,7,\n")).unwrap();
    assert!(!store.schema().has("experiment_group"));
    assert_eq!(store.manifest().experiment, None);
}
