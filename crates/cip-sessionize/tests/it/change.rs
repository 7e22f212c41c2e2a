//! Two tables told apart, and one made of the other.

use std::collections::BTreeMap;

use arrow_array::types::{Int32Type, UInt64Type};
use arrow_array::{RecordBatch, StringArray, cast::AsArray};
use cip_core::{EventBatch, table};
use cip_sessionize::{AbsentUsers, SessionChange, SessionChanges, apply_changes, diff_sessions, sessionize};
use proptest::prelude::*;

use crate::events::Shape;
use crate::laws::shape;
use crate::oracle::{Row, rows};
use crate::rules::{Marked, batch, campaigns, marked, plan};

/// What a diff says: what became of each key.
fn said(changes: &SessionChanges) -> BTreeMap<u64, (SessionChange, Row)> {
    let batch = changes.record_batch();
    let names = batch.column_by_name("change").unwrap().as_dictionary::<Int32Type>();
    let names = names.downcast_dict::<StringArray>().unwrap();
    let rows = rows(std::slice::from_ref(batch)).into_iter().zip(names);
    rows.map(|(row, name)| (row.key, (name.unwrap().parse().unwrap(), row))).collect()
}

/// The same by looking every key up.
fn oracle(before: &RecordBatch, after: &RecordBatch) -> BTreeMap<u64, (SessionChange, Row)> {
    let by_key = |table: &RecordBatch| -> BTreeMap<u64, Row> {
        rows(std::slice::from_ref(table)).into_iter().map(|row| (row.key, row)).collect()
    };
    let (before, after) = (by_key(before), by_key(after));
    let mut found = BTreeMap::new();
    for (key, row) in &before {
        match after.get(key) {
            None => drop(found.insert(*key, (SessionChange::Delete, row.clone()))),
            Some(now) if now != row => drop(found.insert(*key, (SessionChange::Update, now.clone()))),
            Some(_) => {}
        }
    }
    for (key, row) in after.iter().filter(|(key, _)| !before.contains_key(key)) {
        found.insert(*key, (SessionChange::Insert, row.clone()));
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_diff_names_each_key_once_and_makes_the_one_of_the_other(
        plan in plan(),
        (one, other) in (marked(), marked()),
        shared in 0usize..80,
        shape in shape(),
        campaigns in campaigns(),
    ) {
        let table = |events: &[Marked]| {
            let sorted = EventBatch::sorted(&[batch(shape, campaigns, events)]).unwrap();
            sessionize(plan.rule(), &[sorted]).unwrap()
        };
        // Two tables that have some sessions in common.
        let other = [&one[..shared.min(one.len())], &other].concat();
        let (before, after) = (table(&one), table(&other));
        let changes = diff_sessions(&before, &after, AbsentUsers::Gone).unwrap();
        let schema = one_schema(&before);
        prop_assert_eq!(changes.record_batch().schema(), schema);
        let said = said(&changes);
        prop_assert_eq!(said.len(), changes.record_batch().num_rows());
        prop_assert_eq!(&said, &oracle(&before, &after));
        for change in SessionChange::ALL {
            let count = said.values().filter(|(said, _)| *said == change).count();
            prop_assert_eq!(changes.count(change), count as u64);
        }
        prop_assert_eq!(apply_changes(&before, changes.record_batch()).unwrap(), after);
    }

    #[test]
    fn users_that_a_part_does_not_have_are_as_they_were(
        plan in plan(),
        (one, more) in (marked(), marked()),
        shape in shape(),
        campaigns in campaigns(),
    ) {
        let table = |events: &[Marked]| {
            let sorted = EventBatch::sorted(&[batch(shape, campaigns, events)]).unwrap();
            sessionize(plan.rule(), &[sorted]).unwrap()
        };
        let all = [one.clone(), more.clone()].concat();
        let touched = |marked: &Marked| more.iter().any(|more| more.0.user == marked.0.user);
        let part: Vec<Marked> = all.iter().filter(|marked| touched(marked)).cloned().collect();
        let (before, after) = (table(&one), table(&all));
        let changes = diff_sessions(&before, &table(&part), AbsentUsers::Untouched).unwrap();
        prop_assert_eq!(said(&changes), oracle(&before, &after));
        prop_assert_eq!(apply_changes(&before, changes.record_batch()).unwrap(), after);
    }
}

fn one_schema(sessions: &RecordBatch) -> arrow_schema::SchemaRef {
    let fields = sessions.schema();
    let user = fields.field_with_name("user_id").unwrap().data_type().clone();
    let users =
        if user == arrow_schema::DataType::Utf8 { cip_core::IdType::Utf8 } else { cip_core::IdType::Int64 };
    let priced = !fields.field_with_name("revenue").unwrap().is_nullable();
    table::session_changes(users, priced.then(|| cip_core::MoneyScale::new(2).unwrap()))
}

fn sessions(shape: Shape, times: &[i64]) -> RecordBatch {
    let event = |&time: &i64| crate::events::Event {
        user: Some(7),
        time: time * 3_600_000_000,
        kind: 1,
        product: None,
        price: None,
        quantity: None,
    };
    let events: Vec<_> = times.iter().map(event).collect();
    sessionize(cip_sessionize::SessionRule::default(), &[shape.sorted(&events)]).unwrap()
}

#[test]
fn changes_of_another_table_are_refused() {
    let table = |times: &[i64]| sessions(Shape::FULL, times);
    let key = |table: &RecordBatch, row| table.column(0).as_primitive::<UInt64Type>().value(row);
    let gone = AbsentUsers::Gone;
    let inserted = diff_sessions(&table(&[]), &table(&[1]), gone).unwrap();
    let again = apply_changes(&table(&[1]), inserted.record_batch()).unwrap_err().to_string();
    let expected = format!(
        "the insert of the session with the key {} does not fit the table, expected one that has no such session",
        key(&table(&[1]), 0)
    );
    assert!(again.starts_with(&expected), "{again}");
    let deleted = diff_sessions(&table(&[1]), &table(&[]), gone).unwrap();
    let absent = apply_changes(&table(&[2]), deleted.record_batch()).unwrap_err().to_string();
    assert!(absent.starts_with("the delete of") && absent.contains("expected one that has it"), "{absent}");
    let updated = diff_sessions(&table(&[1]), &table(&[0, 1]), gone).unwrap();
    assert_eq!(updated.count(SessionChange::Update), 1);
    assert!(apply_changes(&table(&[]), updated.record_batch()).is_err());
}

#[test]
fn what_is_no_table_of_sessions_is_refused() {
    let good = sessions(Shape::FULL, &[1, 2]);
    let texts = sessions(Shape { text_users: true, ..Shape::FULL }, &[1]);
    let free = sessions(Shape { prices: false, ..Shape::FULL }, &[1]);
    let refuse =
        |a: &RecordBatch, b: &RecordBatch| diff_sessions(a, b, AbsentUsers::Gone).unwrap_err().to_string();
    assert_eq!(
        refuse(&good, &texts),
        "the sessions have texts as users and prices of 2 decimals, expected integers as users and prices of 2 decimals: \
         compare those of one source"
    );
    assert!(refuse(&free, &good).contains("expected integers as users and no prices"));
    let backwards =
        arrow_select::take::take_record_batch(&good, &arrow_array::UInt32Array::from(vec![1, 0])).unwrap();
    assert!(refuse(&good, &backwards).starts_with("row 1 comes before the row above it"));
    let narrow = good.project(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12]).unwrap();
    assert!(refuse(&narrow, &good).starts_with("column `products` is missing"));
    let text = apply_changes(&good, &good).unwrap_err().to_string();
    assert!(text.starts_with("column `change` is missing"), "{text}");
    assert_eq!(
        "moved".parse::<SessionChange>().unwrap_err().to_string(),
        "`moved` is no change of a session, expected insert, update or delete"
    );
}
