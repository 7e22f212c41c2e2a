//! Data contracts: each kind and action by hand, with the edges.

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, UInt64Type};
use cip_ingest::{
    Contract, ExpectationReport, Ingest, IngestError, IngestReport, QualityReport, SourceMapping,
};
use cip_store::EventStore;

use crate::{HEADER, rees46};

/// A mapping with a column of every type; category and brand are what products share.
pub(crate) const MAPPING: &str = "name = 'm'\n[columns]\n\
    event_time = { from = 't', type = 'timestamp' }\n\
    event_type = { from = 'e', type = 'dictionary', rename = { nothing = '' } }\n\
    user_id = { from = 'u', type = 'int64', nullable = true }\n\
    price = { from = 'p', type = 'money', scale = 2, nullable = true }\n\
    category_id = { from = 'c', type = 'int64', nullable = true }\n\
    brand = { from = 'b', type = 'dictionary', nullable = true }\n\
    rate = { from = 'r', type = 'float64', nullable = true }\n\
    note = { from = 'n', type = 'utf8', nullable = true }\n";
pub(crate) const COLUMNS: &str = "t,e,u,p,c,b,r,n";

pub(crate) fn mapping() -> SourceMapping {
    SourceMapping::from_toml(MAPPING).unwrap()
}

/// A rejected row.
#[derive(Debug, PartialEq)]
pub(crate) struct Reject {
    pub(crate) line: u64,
    pub(crate) column: Option<String>,
    pub(crate) reason: String,
    pub(crate) detail: String,
}

pub(crate) fn rejects(store: &EventStore) -> Vec<Reject> {
    let mut found = Vec::new();
    for batch in store.rejects().unwrap().unwrap() {
        let batch = batch.unwrap();
        let text = |name: &str, row: usize| {
            let array = batch.column_by_name(name).unwrap().as_dictionary::<Int32Type>();
            let key = array.is_valid(row).then(|| array.keys().value(row) as usize)?;
            Some(array.values().as_string::<i32>().value(key).to_owned())
        };
        for row in 0..batch.num_rows() {
            found.push(Reject {
                line: batch.column_by_name("line").unwrap().as_primitive::<UInt64Type>().value(row),
                column: text("column", row),
                reason: text("reason", row).unwrap(),
                detail: batch.column_by_name("detail").unwrap().as_string::<i32>().value(row).to_owned(),
            });
        }
    }
    found
}

/// An ingest of rows under a contract of these expectations.
pub(crate) fn run(
    expectations: &str,
    rows: &[&str],
) -> Result<(tempfile::TempDir, EventStore, IngestReport), IngestError> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("events.csv");
    std::fs::write(&file, format!("{COLUMNS}\n{}\n", rows.join("\n"))).unwrap();
    let contract = Contract::from_toml(&format!("name = 'c'\n{expectations}"))?;
    let target = folder.path().join("store");
    let result = Ingest::new(mapping()).with_contract(contract).run(&[file], &target, &mut |_| ());
    if result.is_err() {
        assert!(!target.exists(), "nothing is written");
    }
    let (store, report) = result?;
    Ok((folder, store, report))
}

/// An expectation `x` of these keys.
fn expectation(keys: &str) -> String {
    format!("[[expectations]]\nname = 'x'\n{}\n", keys.replace("; ", "\n"))
}

/// What became of the rows under one expectation that quarantines: the lines that it refuses, and its report.
fn refused(keys: &str, rows: &[&str]) -> (Vec<u64>, ExpectationReport) {
    let (_folder, store, report) =
        run(&expectation(&format!("{keys}; action = 'quarantine'")), rows).unwrap();
    let found = report.quality.unwrap().expectations.remove(0);
    report.account.check().unwrap();
    let reason = keys.split('\'').nth(1).unwrap();
    let rejects = rejects(&store);
    assert!(rejects.iter().all(|reject| reject.reason == reason), "{rejects:?}");
    let lines: Vec<u64> = rejects.iter().map(|reject| reject.line).collect();
    let refused = lines.len() as u64;
    assert_eq!((found.checked, found.quarantined), (rows.len() as u64, refused));
    assert_eq!((found.violations, found.holds), (refused, refused == 0));
    (lines, found)
}

/// Rows that differ in one field only: its values, the first on line 2.
fn rows_of(place: usize, values: &[&str]) -> Vec<String> {
    let row = |value: &&str| {
        let mut fields = ["2019-10-01", "view", "1", "1.00", "1", "b", "0.5", "n"];
        fields[place] = value;
        fields.join(",")
    };
    values.iter().map(row).collect()
}

/// The values that an expectation of one column refuses, and how many nulls it let pass.
fn refused_values<'a>(keys: &str, place: usize, values: &[&'a str]) -> (Vec<&'a str>, u64) {
    let rows = rows_of(place, values);
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    let (lines, found) = refused(keys, &rows);
    (lines.iter().map(|line| values[*line as usize - 2]).collect(), found.nulls)
}

#[test]
fn values_are_there() {
    for (column, place) in
        [("user_id", 2), ("price", 3), ("category_id", 4), ("brand", 5), ("rate", 6), ("note", 7)]
    {
        let (refused, nulls) = refused_values(
            &format!("expect = 'not_null'; column = '{column}'"),
            place,
            &["1", "", "\"\"", "2"],
        );
        assert_eq!((refused, nulls), (vec!["", "\"\""], 2), "{column}");
    }
    // What the mapping lets not be null never comes to the contract.
    let (_folder, store, report) = run(
        &expectation("expect = 'not_null'; column = 'event_type'; action = 'quarantine'"),
        &["2019-10-01,,1,,,,,"],
    )
    .unwrap();
    assert_eq!(rejects(&store)[0].reason, "missing_value");
    let found = &report.quality.unwrap().expectations[0];
    assert_eq!((found.checked, found.null_rate, found.holds), (0, None, true));
    // An empty text by another name is a text.
    let (refused, nulls) =
        refused_values("expect = 'not_null'; column = 'event_type'", 1, &["nothing", "view"]);
    assert_eq!((refused, nulls), (vec![], 0));
}

#[test]
fn values_are_among_those_of_a_list() {
    let keys = |column, values| format!("expect = 'accepted_values'; column = '{column}'; values = {values}");
    let texts = ["a", "b", "A", "", "a ", "ab"];
    for (column, place) in [("event_type", 1), ("brand", 5), ("note", 7)] {
        let texts: Vec<&str> = texts.iter().copied().filter(|text| place > 1 || !text.is_empty()).collect();
        let (refused, nulls) = refused_values(&keys(column, "['a', 'b']"), place, &texts);
        assert_eq!((refused, nulls), (vec!["A", "a ", "ab"], u64::from(place > 1)), "{column}");
    }
    for (column, place) in [("user_id", 2), ("category_id", 4)] {
        let (refused, nulls) =
            refused_values(&keys(column, "[1, -7]"), place, &["1", "-7", "7", "", "1.0", "4294967297"]);
        assert_eq!((refused, nulls), (vec!["7", "4294967297"], 1), "{column}");
    }
    // Values are compared as the store has them: after they were renamed.
    let (refused, _) = refused_values(&keys("event_type", "['']"), 1, &["nothing", "view"]);
    assert_eq!(refused, ["view"]);
}

#[test]
fn ranges_have_ends_that_belong_and_ends_that_do_not() {
    let case = |column: &str, bounds: &str, place, values: &[&'static str]| {
        refused_values(&format!("expect = 'range'; column = '{column}'; {bounds}"), place, values).0
    };
    assert_eq!(case("user_id", "min = 1; max = 3", 2, &["0", "1", "3", "4", ""]), ["0", "4"]);
    assert_eq!(case("user_id", "above = 1; below = 3", 2, &["1", "2", "3"]), ["1", "3"]);
    assert_eq!(
        case("category_id", "above = 1", 4, &["1", "2", "-9223372036854775808", "9223372036854775807"]),
        ["1", "-9223372036854775808"]
    );
    assert_eq!(case("price", "min = 0", 3, &["-0.01", "0.00", "-0", "0.01", ""]), ["-0.01"]);
    assert_eq!(
        case("price", "above = '0.00'; max = '9.99'", 3, &["0", "0.01", "9.99", "10.00"]),
        ["0", "10.00"]
    );
    assert_eq!(case("price", "below = '-1.5'", 3, &["-1.5", "-1.51"]), ["-1.5"]);
    assert_eq!(
        case(
            "rate",
            "min = 0.1; below = 1",
            6,
            &["0.1", "0.09999999999999999", "1", "0.9999999999999999", ""]
        ),
        ["0.09999999999999999", "1"]
    );
    assert_eq!(case("rate", "above = 0.0", 6, &["0", "-0.0", "5e-324"]), ["0", "-0.0"]);
    assert_eq!(case("rate", "max = 1e308", 6, &["1e308", "1.1e308", "-1e308"]), ["1.1e308"]);
    let days = [
        "2019-09-30 23:59:59.999999",
        "2019-10-01",
        "2019-10-31T23:59:59Z",
        "2019-11-01 00:00:00 UTC",
        "2019-11-01T00:30:00+01:00",
    ];
    assert_eq!(
        case("event_time", "min = '2019-10-01'; below = '2019-11-01T00:00:00Z'", 0, &days),
        ["2019-09-30 23:59:59.999999", "2019-11-01 00:00:00 UTC"]
    );
    // No float is NaN or infinite: such rows are rejected before.
    let (_folder, store, report) = run(
        &expectation("expect = 'range'; column = 'rate'; min = 0; action = 'fail'"),
        &["2019-10-01,view,1,,,,NaN,", "2019-10-01,view,1,,,,inf,", "2019-10-01,view,1,,,,1,"],
    )
    .unwrap();
    assert_eq!((report.account.events, rejects(&store)[0].reason.as_str()), (1, "out_of_range"));
}

#[test]
fn texts_have_lengths_and_patterns() {
    let case = |column: &str, keys: &str, place, values: &[&'static str]| {
        refused_values(&format!("{keys}; column = '{column}'"), place, values).0
    };
    let values = ["é", "ab", "éé", "abc", ""];
    for (column, place) in [("brand", 5), ("note", 7)] {
        assert_eq!(
            case(column, "expect = 'length'; unit = 'characters'; min = 2; max = 2", place, &values),
            ["é", "abc"]
        );
        assert_eq!(
            case(column, "expect = 'length'; unit = 'bytes'; min = 2; max = 2", place, &values),
            ["éé", "abc"]
        );
        assert_eq!(case(column, "expect = 'regex'; pattern = '[a-z]+|é'", place, &values), ["éé"]);
    }
    assert_eq!(
        case("event_type", "expect = 'length'; unit = 'bytes'; min = 1", 1, &["nothing", "view"]),
        ["nothing"]
    );
    assert_eq!(case("event_type", "expect = 'regex'; pattern = '.+'", 1, &["nothing", "view"]), ["nothing"]);
}

#[test]
fn rows_are_unique_by_their_values_and_the_first_of_them_stays() {
    let case =
        |columns: &str, rows: &[&str]| refused(&format!("expect = 'unique'; columns = [{columns}]"), rows).0;
    let rows = [
        "2019-10-01,view,2,,,b,,x",
        "2019-10-01,view,1,,,b,,x",
        "2019-10-01,cart,1,,,,,x",
        "2019-10-01,view,1.0,,,b,,y",
    ];
    assert_eq!(case("'user_id'", &rows), [4, 5]);
    assert_eq!(case("'user_id', 'event_type'", &rows), [5]);
    assert_eq!(case("'user_id', 'note'", &rows), [4]);
    assert_eq!(case("'user_id', 'event_type', 'note'", &rows), [] as [u64; 0]);
    assert_eq!(case("'brand'", &rows), [3, 5], "nulls are never the same");
    assert_eq!(
        case(
            "'rate', 'event_time'",
            &["2019-10-01,a,,,,,0,", "2019-10-01,a,,,,,-0.0,", "2019-10-01,a,,,,,,", "2019-10-01,a,,,,,,"]
        ),
        [3]
    );
    // The ends of texts are told apart.
    assert_eq!(case("'brand', 'note'", &["2019-10-01,a,,,,ab,,c", "2019-10-01,a,,,,a,,bc"]), [] as [u64; 0]);
    // A row that is not kept is not one that others repeat.
    let (_folder, store, report) = run(
        &format!(
            "{}[[expectations]]\nname = 'y'\nexpect = 'range'\ncolumn = 'price'\nmin = 0\naction = 'drop'\n",
            expectation("expect = 'unique'; column = 'user_id'; action = 'quarantine'")
        ),
        &["2019-10-01,a,1,-1,,,,", "2019-10-01,a,1,2,,,,", "2019-10-01,a,1,3,,,,", "2019-10-01,a,,3,,,,"],
    )
    .unwrap();
    let expected = Reject {
        line: 4,
        column: Some("u".to_owned()),
        reason: "unique".to_owned(),
        detail: "x: `1` is not as expected: no earlier row has the same".to_owned(),
    };
    assert_eq!(rejects(&store), [expected]);
    assert_eq!((report.account.events, report.account.drops["y"]), (2, 1));
    let found = report.quality.unwrap();
    assert_eq!(
        (found.expectations[0].checked, found.expectations[0].nulls, found.expectations[0].passed),
        (3, 1, 1)
    );
    assert_eq!((found.expectations[1].checked, found.expectations[1].dropped), (4, 1));
}

#[test]
fn ids_are_in_a_list_that_lies_beside_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("users.csv"), "id\n1\n2\n").unwrap();
    std::fs::write(at("brands.csv"), "brand,x\na,1\n\"b,c\",1\n").unwrap();
    let text = "name = 'c'\n[[expectations]]\nname = 'users'\nexpect = 'referential'\ncolumn = 'user_id'\n\
        file = 'users.csv'\nfile_column = 'id'\naction = 'quarantine'\n[[expectations]]\nname = 'brands'\n\
        expect = 'referential'\ncolumn = 'brand'\nfile = 'brands.csv'\nfile_column = 'brand'\naction = 'drop'\n";
    std::fs::write(at("c.toml"), text).unwrap();
    std::fs::write(at("e.csv"), format!("{COLUMNS}\n2019-10-01,a,1,,,a,,\n2019-10-01,a,3,,,z,,\n2019-10-01,a,,,,\"b,c\",,\n2019-10-01,a,2,,,z,,\n")).unwrap();
    let ingest = Ingest::new(mapping()).with_contract(Contract::read(&at("c.toml")).unwrap());
    let (store, report) = ingest.run(&[at("e.csv")], &at("store"), &mut |_| ()).unwrap();
    assert_eq!(
        (report.account.events, report.account.drops["brands"], report.account.rejects["referential"]),
        (2, 1, 1)
    );
    assert_eq!(rejects(&store)[0].detail, "users: `3` is not as expected: in users.csv column id");
    let found = report.quality.unwrap();
    assert_eq!((found.expectations[1].violations, found.expectations[1].dropped), (2, 1));
    let (refused, _) =
        refused_values("expect = 'referential'; column = 'note'; values = ['n']", 7, &["n", "m", ""]);
    assert_eq!(refused, ["m"]);
}

const ONE_DAY: [&str; 3] = ["2019-10-01,a,1,,,,,", "2019-10-03,a,,,,,,", "2019-10-02,a,,,,,,"];

/// Runs an expectation over the whole input of [`ONE_DAY`]; what is found, or what stops it.
fn whole(keys: &str, action: &str) -> Result<ExpectationReport, String> {
    let text = format!("as_of = '2019-10-05'\n{}", expectation(&format!("{keys}; action = '{action}'")));
    match run(&text, &ONE_DAY) {
        Ok((_, _, report)) => {
            assert_eq!(report.account.events, 3);
            let mut found = report.quality.unwrap();
            assert_eq!(found.gold, 3, "what speaks of the whole input takes no gold");
            Ok(found.expectations.remove(0))
        }
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn the_whole_input_is_fresh_large_and_full_enough() {
    let holds = |keys| {
        let warned = whole(keys, "warn").unwrap();
        assert_eq!(whole(keys, "fail").is_ok(), warned.holds, "{keys}");
        warned.holds
    };
    // The newest event lies exactly two days before.
    assert!(holds("expect = 'freshness'; max_age = '2d'") && holds("expect = 'freshness'; max_age = '48h'"));
    assert!(!holds("expect = 'freshness'; max_age = '47h'"));
    assert!(holds("expect = 'row_count'; min = 3; max = 3") && holds("expect = 'row_count'; max = 4"));
    assert!(!holds("expect = 'row_count'; min = 4") && !holds("expect = 'row_count'; max = 2"));
    assert!(holds("expect = 'null_rate'; column = 'user_id'; min = 0.6; max = 0.67"));
    assert!(!holds("expect = 'null_rate'; column = 'user_id'; max = 0.66"));
    assert!(holds("expect = 'null_rate'; column = 'event_type'; max = 0"));
    assert!(
        holds("expect = 'null_rate'; column = 'brand'; min = 1")
            && !holds("expect = 'null_rate'; column = 'brand'; max = 0.99")
    );
    let found = whole("expect = 'null_rate'; column = 'user_id'; max = 0.5", "warn").unwrap();
    assert_eq!((found.checked, found.nulls, found.null_rate), (3, 2, Some(2.0 / 3.0)));
    assert_eq!(
        whole("expect = 'freshness'; max_age = '1h'", "fail").unwrap_err(),
        "contract `c` expects newest event >= 2019-10-04T23:00:00Z (`x`), found 2019-10-03: check the source, or give the \
         expectation another bound or action"
    );
    assert!(
        whole("expect = 'null_rate'; column = 'user_id'; max = 0.5", "fail")
            .unwrap_err()
            .contains("null rate <= 0.5 of user_id")
    );
}

#[test]
fn what_is_refused_is_no_part_of_the_whole() {
    let text = format!(
        "as_of = '2019-10-05'\n{}{}",
        expectation("expect = 'range'; column = 'user_id'; max = 1; action = 'drop'"),
        "[[expectations]]\nname = 'rate'\nexpect = 'null_rate'\ncolumn = 'brand'\nmax = 0\naction = 'warn'\n\
         [[expectations]]\nname = 'fresh'\nexpect = 'freshness'\nmax_age = '1d'\naction = 'warn'\n\
         [[expectations]]\nname = 'rows'\nexpect = 'row_count'\nmax = 1\naction = 'warn'\n",
    );
    let rows = ["2019-10-01,a,1,,,b,,", "2019-10-05,a,2,,,,,"];
    let found = run(&text, &rows).unwrap().2.quality.unwrap();
    let holds: Vec<_> =
        found.expectations.iter().map(|found| (found.holds, found.observed.as_deref())).collect();
    assert_eq!(holds, [(false, None), (true, Some("0")), (false, Some("2019-10-01")), (true, Some("1"))]);
    // Of no events, none is fresh.
    let found = run(&text, &rows[1..]).unwrap().2.quality.unwrap();
    let holds: Vec<_> =
        found.expectations.iter().map(|found| (found.holds, found.observed.as_deref())).collect();
    assert_eq!(holds, [(false, None), (true, None), (false, None), (true, Some("0"))]);
}

#[test]
fn the_first_expectation_that_does_more_than_warn_decides() {
    let keys = |name, bounds, action| {
        format!(
            "[[expectations]]\nname = '{name}'\nexpect = 'range'\ncolumn = 'user_id'\n{bounds}\naction = '{action}'\n"
        )
    };
    let rows = ["2019-10-01,a,1,,,,,", "2019-10-01,a,5,,,,,", "2019-10-01,a,9,,,,,"];
    let (small, odd) = ("max = 1", "max = 5");
    let outcome = |text: &str| {
        let (_folder, _, report) = run(text, &rows).map_err(|error| error.to_string())?;
        report.account.check().unwrap();
        let found = report.quality.unwrap();
        let counts: Vec<_> = (found.expectations.iter())
            .map(|found| [found.violations, found.warned, found.dropped, found.quarantined])
            .collect();
        Ok::<_, String>((counts, found.silver, found.gold))
    };
    let text = keys("w", small, "warn") + &keys("d", odd, "drop") + &keys("q", odd, "quarantine");
    assert_eq!(outcome(&text), Ok((vec![[2, 1, 0, 0], [1, 0, 1, 0], [1, 0, 0, 0]], 2, 1)));
    let text = keys("q", odd, "quarantine") + &keys("d", small, "drop") + &keys("f", odd, "fail");
    assert_eq!(outcome(&text), Ok((vec![[1, 0, 0, 1], [2, 0, 1, 0], [1, 0, 0, 0]], 1, 1)));
    let text = keys("w", small, "warn") + &keys("f", odd, "fail") + &keys("d", odd, "drop");
    assert_eq!(
        outcome(&text).unwrap_err(),
        "events.csv line 4: f: `9` is not as expected: <= 5; contract `c` stops the ingest there: mend the row, or give `f` \
         another action"
    );
}

#[test]
fn a_failing_row_is_the_first_in_the_order_of_files_and_lines() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let text = |bad: usize| {
        let rows =
            (0..400).map(|row| format!("2019-10-01,a,{row},{},,,,\n", if row >= bad { "-1" } else { "1" }));
        format!("{COLUMNS}\n{}", rows.collect::<String>())
    };
    std::fs::write(at("b.csv"), text(100)).unwrap();
    std::fs::write(at("a.csv"), text(390)).unwrap();
    let contract = |extra: &str| {
        let price = expectation("expect = 'range'; column = 'price'; min = 0; action = 'fail'");
        Contract::from_toml(&format!("name = 'c'\n{price}{extra}")).unwrap()
    };
    let unique = "[[expectations]]\nname = 'y'\nexpect = 'unique'\ncolumn = 'user_id'\naction = 'fail'\n";
    for (extra, workers, chunk) in [("", 1, 1 << 20), ("", 2, 64), ("", 3, 3_000), (unique, 2, 500)] {
        let ingest = Ingest::new(mapping())
            .with_contract(contract(extra))
            .with_threads(crate::threads(workers))
            .with_chunk_bytes(crate::threads(chunk));
        let error = ingest.run(&[at("b.csv"), at("a.csv")], &at("store"), &mut |_| ()).unwrap_err();
        match &error {
            IngestError::Expectation { contract, expectation, file, line, .. } => {
                assert_eq!((contract.as_str(), expectation.as_str()), ("c", "x"));
                assert_eq!((file.as_str(), *line), ("a.csv", 392));
            }
            other => panic!("{other}"),
        }
        assert!(error.to_string().contains("`-1.00`"), "{error}");
        assert!(!at("store").exists());
    }
    // The rows of the second file are those of the first: where prices are left out of it, that is what stops.
    let only_unique = Contract::from_toml(&format!("name = 'c'\n{unique}")).unwrap();
    let ingest = Ingest::new(mapping()).with_contract(only_unique);
    let error = ingest.run(&[at("b.csv"), at("a.csv")], &at("store"), &mut |_| ()).unwrap_err();
    assert!(error.to_string().starts_with("b.csv line 2: y: `0` is not as expected"), "{error}");
}

#[test]
fn details_name_the_expectation_and_the_value() {
    let contract = |column: &str, keys: &str| {
        format!(
            "[[expectations]]\nname = 'of {column}'\ncolumn = '{column}'\n{}\naction = 'quarantine'\n",
            keys.replace("; ", "\n")
        )
    };
    let text = contract("price", "expect = 'range'; min = 1")
        + &contract("event_time", "expect = 'range'; below = '2019-10-02'")
        + &contract("category_id", "expect = 'accepted_values'; values = [7]")
        + &contract("brand", "expect = 'regex'; pattern = 'b'")
        + &contract("rate", "expect = 'range'; max = 1")
        + &contract("note", "expect = 'length'; unit = 'bytes'; max = 100")
        + &contract("user_id", "expect = 'not_null'");
    let long = format!("2019-10-01,a,1,1,7,b,1,{}", "é".repeat(60));
    let rows = [
        "2019-10-01,a,1,0.5,8,x,2,",
        "2019-10-02 00:00:00.5,a,1,1,7,b,1,",
        "2019-10-01,a,1,1,8,b,1,",
        "2019-10-01,a,1,1,7,\"c,\"\"\",1,",
        "2019-10-01,a,1,1,7,b,1.25,",
        &long,
        "2019-10-01,a,,1,7,b,1,",
    ];
    let (_folder, store, _) = run(&text, &rows).unwrap();
    let found: Vec<_> = rejects(&store)
        .into_iter()
        .map(|reject| (reject.column.unwrap(), reject.reason, reject.detail))
        .collect();
    let of =
        |column: &str, reason: &str, detail: &str| (column.to_owned(), reason.to_owned(), detail.to_owned());
    assert_eq!(
        found,
        [
            of("p", "range", "of price: `0.50` is not as expected: >= 1"),
            of("t", "range", "of event_time: `2019-10-02T00:00:00.5Z` is not as expected: < 2019-10-02"),
            of("c", "accepted_values", "of category_id: `8` is not as expected: one of 7"),
            of("b", "regex", "of brand: `c,\"` is not as expected: matching b"),
            of("r", "range", "of rate: `1.25` is not as expected: <= 1"),
            of("n", "length", &format!("of note: `{}…` is not as expected: <= 100 bytes", "é".repeat(30))),
            of("u", "not_null", "of user_id: null is not as expected: not null"),
        ]
    );
}

#[test]
fn a_preview_counts_what_would_stop_an_ingest() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("events.csv");
    std::fs::write(
        &file,
        format!("{HEADER}\n2019-10-01,view,1,2,,,-1.00,7,\n2019-10-01,look,1,2,,,1.00,7,\n"),
    )
    .unwrap();
    let text = "name = 'c'\n[[expectations]]\nname = 'x'\nexpect = 'range'\ncolumn = 'price'\nmin = 0\naction = 'fail'\n\
        [[expectations]]\nname = 'y'\nexpect = 'row_count'\nmin = 9\naction = 'fail'\n\
        [[expectations]]\nname = 'z'\nexpect = 'accepted_values'\ncolumn = 'event_type'\nvalues = ['view']\naction = 'quarantine'\n";
    let ingest = Ingest::new(rees46()).with_contract(Contract::from_toml(text).unwrap());
    let preview = ingest.preview(std::slice::from_ref(&file)).unwrap();
    assert_eq!((preview.account.events, preview.account.rejects["accepted_values"]), (1, 1));
    let found = preview.quality.unwrap();
    let of: Vec<_> = (found.expectations.iter())
        .map(|found| (found.action.as_str(), found.holds, found.violations))
        .collect();
    assert_eq!(of, [("fail", false, 1), ("fail", false, 0), ("quarantine", false, 1)]);
    assert!(ingest.run(&[file], &folder.path().join("store"), &mut |_| ()).is_err());
}

#[test]
fn a_contract_is_held_against_the_mapping_before_any_file_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let text =
        "name = 'c'\n[[expectations]]\nname = 'x'\nexpect = 'not_null'\ncolumn = 'colour'\naction = 'warn'\n";
    let ingest = Ingest::new(rees46()).with_contract(Contract::from_toml(text).unwrap());
    let error = ingest
        .run(&[folder.path().join("nowhere.csv")], &folder.path().join("store"), &mut |_| ())
        .unwrap_err();
    assert!(matches!(error, IngestError::Contract(_)), "{error}");
}

#[test]
fn telling_rows_apart_stays_inside_the_memory() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("events.csv");
    let rows = |rows: usize| {
        let rows = (0..rows).map(|row| format!("2019-10-01,view,1,2,,,1.00,{row},\n"));
        std::fs::write(&file, format!("{HEADER}\n{}", rows.collect::<String>())).unwrap();
    };
    let text =
        "name = 'c'\n[[expectations]]\nname = 'x'\nexpect = 'unique'\ncolumn = 'user_id'\naction = 'warn'\n";
    let run = |mebibytes| {
        let ingest = Ingest::new(rees46())
            .with_contract(Contract::from_toml(text).unwrap())
            .with_threads(crate::threads(1))
            .with_memory(cip_core::MemoryBudget::from_mib(mebibytes));
        ingest.run(std::slice::from_ref(&file), &folder.path().join("store"), &mut |_| ()).map(|done| done.1)
    };
    rows(10);
    let error = run(200).unwrap_err().to_string();
    assert_eq!(
        error,
        "ingest needs at least 216MiB of memory, but the budget is 200MiB: give it 216MiB or more"
    );
    assert!(run(216).unwrap().quality.unwrap().expectations[0].holds);
}

#[test]
fn a_store_keeps_the_contract_and_what_it_found() {
    let (_folder, store, report) = run(
        &expectation("expect = 'range'; column = 'price'; min = 0; action = 'drop'"),
        &["2019-10-01,a,1,-1,,,,", "2019-10-01,a,1,1,,,,"],
    )
    .unwrap();
    let store = EventStore::open(store.path()).unwrap();
    let kept = store.manifest().commits[0].quality[0].clone();
    assert_eq!(
        serde_json::from_value::<QualityReport>(kept["report"].clone()).unwrap(),
        report.quality.unwrap()
    );
    assert_eq!(kept["contract"]["expectations"][0]["min"], 0);
    assert_eq!((&kept["report"]["bronze"], &kept["report"]["silver"]), (&2.into(), &1.into()));
    let (_folder, store, report) =
        crate::ingest_text(format!("{HEADER}\n2019-10-01,view,1,2,,,1.00,7,\n")).unwrap();
    assert!(store.manifest().commits[0].quality.is_empty() && report.quality.is_none());
}
