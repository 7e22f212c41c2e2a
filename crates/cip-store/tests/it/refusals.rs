//! What the writer refuses, and that a refusal leaves what was there.

use cip_core::{CoreError, IdType};
use cip_store::{Account, EventStore, StoreError, StoreWriter};
use serde_json::json;

use crate::{Event, Extras, batch, event, schema, write};

#[test]
fn unsorted_users_are_refused_with_the_row() {
    let folder = tempfile::tempdir().unwrap();
    for users in [IdType::Int64, IdType::Utf8] {
        for (order, row) in [
            (vec![Some(2), Some(1)], 1),
            (vec![Some(1), Some(1), Some(3), Some(2)], 3),
            // The unknown user comes last, and once.
            (vec![None, Some(1)], 1),
            (vec![Some(1), None, None, Some(1)], 3),
        ] {
            let events: Vec<Event> =
                order.iter().enumerate().map(|(row, &user)| event(user, row as i64, row as i64)).collect();
            let groups = [batch(users, &events)];
            let error = write(&folder.path().join("store"), users, &groups, &Extras::default()).unwrap_err();
            assert!(
                matches!(error, StoreError::Core(CoreError::NotSorted { row: found }) if found == row),
                "{order:?}: {error}"
            );
        }
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left");
}

#[test]
fn accounts_that_do_not_add_up_are_refused_and_the_old_store_stays() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("store");
    let groups = [batch(IdType::Int64, &[event(Some(1), 0, 0), event(Some(2), 0, 1)])];
    let old = write(&target, IdType::Int64, &groups, &Extras::default()).unwrap();

    let by = |count: u64| [("scale".to_owned(), count)].into();
    for account in [
        // A row was lost, or made.
        Account { rows: 3, events: 2, ..Account::default() },
        Account { rows: 1, events: 2, ..Account::default() },
        // It adds up, but not with what lies on disk.
        Account { rows: 1, events: 1, ..Account::default() },
        Account { rows: 3, events: 3, ..Account::default() },
        Account { rows: 3, events: 2, rejects: by(1), ..Account::default() },
        Account { rows: 4, events: 3, drops: by(1), ..Account::default() },
    ] {
        let extras = Extras { account: Some(account.clone()), ..Extras::default() };
        let error = write(&target, IdType::Int64, &groups, &extras).unwrap_err();
        assert!(matches!(error, StoreError::Account { .. }), "{account:?}: {error}");
        assert!(error.to_string().contains("nothing was written"), "{error}");
    }
    assert_eq!(EventStore::open(&target).unwrap().manifest(), old.manifest());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    // Declared drops are no loss.
    let account = Account { rows: 5, events: 2, drops: by(3), ..Account::default() };
    let store =
        write(&target, IdType::Int64, &groups, &Extras { account: Some(account), ..Extras::default() })
            .unwrap();
    assert_eq!(store.manifest().account().dropped(), 3);
}

#[test]
fn a_second_writer_of_the_same_store_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("store");
    let first = StoreWriter::create(&target, &schema(IdType::Int64), json!({})).unwrap();
    let second = StoreWriter::create(&target, &schema(IdType::Int64), json!({})).unwrap_err();
    assert!(matches!(second, StoreError::Busy { .. }), "{second}");
    drop(first);
    drop(StoreWriter::create(&target, &schema(IdType::Int64), json!({})).unwrap());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// A row group of another schema than its store's.
#[test]
fn events_of_another_schema_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let writer =
        StoreWriter::create(&folder.path().join("store"), &schema(IdType::Int64), json!({})).unwrap();
    let encoder = writer.events().unwrap().encoder();
    assert!(encoder.encode(&batch(IdType::Utf8, &[event(Some(1), 0, 0)])).is_err());
    let narrow = batch(IdType::Int64, &[event(Some(1), 0, 0)]).record_batch().project(&[0, 1]).unwrap();
    let narrow = cip_core::EventBatch::try_new(narrow).unwrap();
    assert!(encoder.encode(&narrow).is_err());
}
