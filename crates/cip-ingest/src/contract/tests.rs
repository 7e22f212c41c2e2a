//! Contracts that are right, and what is said of those that are wrong.

use std::path::PathBuf;

use cip_core::MemoryBudget;
use proptest::prelude::*;

use super::resolve::{Extent, Rule};
use super::*;
use crate::mapping::SourceMapping;

/// A column of every type.
const MAPPING: &str = "name = 'm'\n[columns]\n\
    event_time = { from = 't', type = 'timestamp' }\n\
    event_type = { from = 'e', type = 'dictionary' }\n\
    user_id = { from = 'u', type = 'int64', nullable = true }\n\
    price = { from = 'p', type = 'money', scale = 2 }\n\
    rate = { from = 'r', type = 'float64' }\n\
    note = { from = 'n', type = 'utf8' }\n\
    source_session = { from = 's', type = 'uuid' }\n";

fn resolved(contract: &Contract) -> Result<Vec<Rule>, ContractError> {
    let mapping = SourceMapping::from_toml(MAPPING).unwrap();
    contract.resolve(&mapping, &mapping.targets().unwrap(), MemoryBudget::from_mib(64), Extent::Whole)
}

/// What is said of a contract with one expectation `x`.
fn message(keys: &str) -> String {
    let text = format!("name = 'c'\n[[expectations]]\nname = 'x'\n{keys}\n");
    let failed = Contract::from_toml(&text).and_then(|contract| resolved(&contract)).map(|_| ());
    failed.unwrap_err().to_string()
}

#[test]
fn every_built_in_contract_fits_its_mapping_and_survives_toml() {
    for (name, mapping) in [("commerce", "rees46"), ("retail", "online-retail")] {
        let contract = Contract::built_in(name).unwrap();
        assert_eq!(contract.name(), name);
        assert_eq!(contract, Contract::from_toml(&toml::to_string(&contract).unwrap()).unwrap());
        let mapping = SourceMapping::built_in(mapping).unwrap();
        let budget = MemoryBudget::from_mib(64);
        let rules = contract.resolve(&mapping, &mapping.targets().unwrap(), budget, Extent::Whole).unwrap();
        assert_eq!(rules.len(), contract.expectations().len());
    }
    assert_eq!(Contract::BUILT_IN.map(|name| Contract::built_in(name).is_some()), [true, true]);
    assert!(Contract::built_in("nope").is_none());
}

#[test]
fn a_contract_of_every_kind_survives_toml_and_json() {
    let contract = Contract::builder("all")
        .with_expectation(Expectation::not_null("a", "user_id", Action::Warn))
        .with_expectation(Expectation::accepted_values("b", "user_id", [1, 2], Action::Drop))
        .with_expectation(
            Expectation::range("c", "price", Action::Quarantine).with_min("0.01").with_below("9.99"),
        )
        .with_expectation(Expectation::range("d", "rate", Action::Fail).with_above(0.0).with_max(1))
        .with_expectation(
            Expectation::length("e", "note", super::expectation::LengthUnit::Bytes, Action::Warn).with_max(9),
        )
        .with_expectation(Expectation::regex("f", "note", "[a-z]+", Action::Warn))
        .with_expectation(Expectation::unique("g", &["user_id", "event_time"], Action::Quarantine))
        .with_expectation(Expectation::referential("h", "note", Action::Warn).with_values(["a"]))
        .with_expectation(Expectation::freshness("i", "36h", Action::Fail))
        .with_expectation(Expectation::row_count("j", Action::Warn).with_min(1))
        .with_expectation(Expectation::null_rate("k", "user_id", Action::Fail).with_max(0.5))
        .build()
        .unwrap()
        .with_as_of("2019-11-01T06:00:00Z".parse().unwrap());
    assert_eq!(contract, Contract::from_toml(&toml::to_string(&contract).unwrap()).unwrap());
    let json = serde_json::to_string(&contract).unwrap();
    assert_eq!(serde_json::from_str::<ContractBuilder>(&json).unwrap().build().unwrap(), contract);
    let bounds: Vec<_> = resolved(&contract).unwrap().into_iter().map(|rule| rule.bound).collect();
    assert_eq!(
        bounds,
        [
            "not null",
            "one of 1, 2",
            ">= 0.01 and < 9.99",
            "> 0.0 and <= 1",
            "<= 9 bytes",
            "matching [a-z]+",
            "no earlier row has the same",
            "one of a",
            "newest event >= 2019-10-30T18:00:00Z",
            "events >= 1",
            "null rate <= 0.5",
        ]
    );
}

#[test]
fn what_is_wrong_is_named_with_the_mend() {
    let cases = [
        // Keys.
        ("expect = 'not_null'\naction = 'warn'", "`not_null` needs a `column`, and has no other key"),
        ("expect = 'not_null'\ncolumn = 'note'\nmin = 1\naction = 'warn'", "has no other key"),
        ("expect = 'not_null'\ncolumn = 'note'", "missing field `action`"),
        (
            "expect = 'not_null'\ncolumn = 'note'\naction = 'ignore'",
            "unknown variant `ignore`, expected one of `warn`",
        ),
        (
            "expect = 'not_empty'\ncolumn = 'note'\naction = 'warn'",
            "unknown variant `not_empty`, expected one of",
        ),
        ("expect = 'not_null'\ncolumn = 'note'\naction = 'warn'\ncolour = 'red'", "unknown field `colour`"),
        ("expect = 'accepted_values'\ncolumn = 'note'\naction = 'warn'", "needs a `column` and `values`"),
        ("expect = 'accepted_values'\ncolumn = 'note'\nvalues = []\naction = 'warn'", "at least one value"),
        (
            "expect = 'accepted_values'\ncolumn = 'note'\nvalues = [true]\naction = 'warn'",
            "expected an integer, a number or a text",
        ),
        (
            "expect = 'range'\ncolumn = 'price'\naction = 'warn'",
            "at least one of `min`, `above`, `max` and `below`",
        ),
        (
            "expect = 'range'\ncolumn = 'price'\nmin = 0\nabove = 0\naction = 'warn'",
            "has one lower bound (`min` or `above`)",
        ),
        (
            "expect = 'length'\ncolumn = 'note'\nmin = 1\naction = 'warn'",
            "a `unit` (`characters` or `bytes`)",
        ),
        (
            "expect = 'length'\ncolumn = 'note'\nunit = 'words'\nmin = 1\naction = 'warn'",
            "unknown variant `words`",
        ),
        ("expect = 'unique'\naction = 'warn'", "needs one of `column` and `columns`"),
        ("expect = 'unique'\ncolumns = []\naction = 'warn'", "at least one column"),
        (
            "expect = 'referential'\ncolumn = 'note'\nfile = 'x'\naction = 'warn'",
            "either `values` or `file` with `file_column`",
        ),
        (
            "expect = 'referential'\ncolumn = 'note'\nfile = 'x'\nfile_column = 'y'\nvalues = ['a']\naction = 'warn'",
            "either `values` or",
        ),
        ("expect = 'row_count'\naction = 'warn'", "needs at least one of `min` and `max`"),
        // Actions.
        (
            "expect = 'freshness'\nmax_age = '1d'\naction = 'drop'",
            "`freshness` speaks of the whole input and cannot `drop` a row: use `warn` or `fail`",
        ),
        ("expect = 'row_count'\nmin = 1\naction = 'quarantine'", "cannot `quarantine` a row"),
        ("expect = 'null_rate'\ncolumn = 'user_id'\nmax = 0.1\naction = 'drop'", "cannot `drop` a row"),
        // Bounds.
        (
            "expect = 'length'\ncolumn = 'note'\nunit = 'bytes'\nmin = -1\naction = 'warn'",
            "`min = -1` is not a whole number of 0 or more",
        ),
        (
            "expect = 'length'\ncolumn = 'note'\nunit = 'bytes'\nmin = 3\nmax = 2\naction = 'warn'",
            "no value is >= 3 and <= 2: the lower bound must not lie above the upper one",
        ),
        ("expect = 'row_count'\nmin = 1.5\naction = 'warn'", "`min = 1.5` is not a whole number"),
        ("expect = 'row_count'\nmin = 2\nmax = 1\naction = 'warn'", "no value is >= 2 and <= 1"),
        (
            "expect = 'null_rate'\ncolumn = 'user_id'\nmax = 2\naction = 'warn'",
            "`max = 2` is not a share from 0 to 1",
        ),
        (
            "expect = 'null_rate'\ncolumn = 'user_id'\nmax = nan\naction = 'warn'",
            "`max = NaN` is not a share from 0 to 1",
        ),
        (
            "expect = 'null_rate'\ncolumn = 'user_id'\nmin = 0.2\nmax = 0.1\naction = 'warn'",
            "no value is >= 0.2 and <= 0.1",
        ),
        ("expect = 'freshness'\nmax_age = 'soon'\naction = 'warn'", "`max_age = soon` is not a duration"),
        (
            "expect = 'freshness'\nmax_age = '1d'\naction = 'warn'",
            "give `as_of` in the contract, or --contract-as-of",
        ),
        ("expect = 'range'\ncolumn = 'user_id'\nmin = 0.5\naction = 'warn'", "`min = 0.5` is not an integer"),
        (
            "expect = 'range'\ncolumn = 'user_id'\nabove = 9223372036854775807\naction = 'warn'",
            "no value is > 9223372036854775807",
        ),
        (
            "expect = 'range'\ncolumn = 'user_id'\nabove = 1\nbelow = 2\naction = 'warn'",
            "no value is > 1 and < 2",
        ),
        (
            "expect = 'range'\ncolumn = 'price'\nmin = 0.01\naction = 'warn'",
            "`min = 0.01` is not an exact amount: write it in quotes",
        ),
        (
            "expect = 'range'\ncolumn = 'price'\nmin = '0.001'\naction = 'warn'",
            "`min = 0.001` is not an amount with at most the column's decimals",
        ),
        (
            "expect = 'range'\ncolumn = 'price'\nmin = '2'\nmax = '1.99'\naction = 'warn'",
            "no value is >= 2 and <= 1.99",
        ),
        (
            "expect = 'range'\ncolumn = 'rate'\nmin = nan\naction = 'warn'",
            "`min = NaN` is not a finite number",
        ),
        (
            "expect = 'range'\ncolumn = 'rate'\nmax = inf\naction = 'warn'",
            "`max = inf` is not a finite number",
        ),
        (
            "expect = 'range'\ncolumn = 'rate'\nabove = 1\nbelow = 1\naction = 'warn'",
            "no value is > 1 and < 1",
        ),
        (
            "expect = 'range'\ncolumn = 'event_time'\nmin = 2019\naction = 'warn'",
            "`min = 2019` is not a date or a time of RFC 3339 in quotes",
        ),
        (
            "expect = 'range'\ncolumn = 'event_time'\nmin = 'today'\naction = 'warn'",
            "`min = today` is not a date",
        ),
        (
            "expect = 'regex'\ncolumn = 'note'\npattern = '('\naction = 'warn'",
            "the pattern cannot be used: regex parse error",
        ),
        // Columns.
        (
            "expect = 'not_null'\ncolumn = 'colour'\naction = 'warn'",
            "mapping `m` has no column `colour`, but user_id, event_time, event_type, price, source_session, rate, note: an expectation names a column of the store",
        ),
        ("expect = 'unique'\ncolumns = ['note', 'colour']\naction = 'warn'", "has no column `colour`"),
        (
            "expect = 'range'\ncolumn = 'note'\nmin = 1\naction = 'warn'",
            "`range` needs integers, numbers, amounts or times, but `note` is Utf8",
        ),
        (
            "expect = 'length'\ncolumn = 'price'\nunit = 'bytes'\nmin = 1\naction = 'warn'",
            "`length` needs a text (utf8 or dictionary), but `price` is Decimal128(18, 2)",
        ),
        (
            "expect = 'regex'\ncolumn = 'source_session'\npattern = 'a'\naction = 'warn'",
            "`regex` needs a text",
        ),
        (
            "expect = 'accepted_values'\ncolumn = 'note'\nvalues = [1]\naction = 'warn'",
            "`values = 1` is not a text, as the column's values are",
        ),
        (
            "expect = 'accepted_values'\ncolumn = 'user_id'\nvalues = ['1']\naction = 'warn'",
            "`values = 1` is not an integer, as the column's values are",
        ),
        (
            "expect = 'accepted_values'\ncolumn = 'price'\nvalues = [1]\naction = 'warn'",
            "give the others a `range`",
        ),
        (
            "expect = 'referential'\ncolumn = 'rate'\nfile = 'x.csv'\nfile_column = 'y'\naction = 'warn'",
            "needs integers or texts, but `rate` is Float64",
        ),
        (
            "expect = 'referential'\ncolumn = 'note'\nfile = 'nowhere.csv'\nfile_column = 'y'\naction = 'warn'",
            "nowhere.csv",
        ),
    ];
    for (keys, expected) in cases {
        let error = message(keys);
        assert!(error.contains(expected), "{keys}\n→ {error}");
        assert!(error.contains("`x`") || error.contains("TOML"), "{error}");
    }
    let named = |names: &[&str]| {
        let parts = names.iter().fold(Contract::builder("c"), |parts, name| {
            parts.with_expectation(Expectation::not_null(name, "note", Action::Warn))
        });
        parts.build().unwrap_err().to_string()
    };
    assert_eq!(named(&["a", "b", "a"]), "expectation `a`: the name stands twice: choose another");
    assert_eq!(named(&[""]), "expectation ``: every expectation needs a `name`");
    assert!(named(&["blank_line"]).contains("empty lines"));
    let many: Vec<String> = (0..64).map(|n| n.to_string()).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(named(&many), "the contract has 64 expectations, at most 63 are possible: leave some out");
    assert!(
        Contract::from_toml("as_of = '2019-11-01'").unwrap_err().to_string().contains("missing field `name`")
    );
    assert!(Contract::from_toml("name = 'c'\nas_of = 'now'").unwrap_err().to_string().contains("now"));
    assert!(matches!(Contract::read(&PathBuf::from("/nowhere.toml")), Err(ContractError::Io { .. })));
}

#[test]
fn drops_of_a_contract_are_not_those_of_the_mapping() {
    let text = format!("{MAPPING}[[drop]]\nrule = 'test'\ncolumn = 'n'\nequals = 'x'\n");
    let mapping = SourceMapping::from_toml(&text).unwrap();
    let contract = |action| {
        let parts = Contract::builder("c").with_expectation(Expectation::not_null("test", "user_id", action));
        let contract = parts.build().unwrap();
        let budget = MemoryBudget::from_mib(64);
        contract.resolve(&mapping, &mapping.targets().unwrap(), budget, Extent::Whole).map(|_| ())
    };
    assert!(
        contract(Action::Drop).unwrap_err().to_string().contains("a drop rule of the mapping has this name")
    );
    contract(Action::Quarantine).unwrap();
}

#[test]
fn lists_are_of_the_columns_type_and_fit_the_memory() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ids.csv"), "id,name\n1,a\n2,b\n,\n2,b\n").unwrap();
    let many: String = (0..200_000).map(|n| format!("{n}\n")).collect();
    std::fs::write(folder.path().join("many.csv"), format!("id\n{many}")).unwrap();
    let run = |column: &str, file: &str, file_column: &str| {
        let expectation = Expectation::referential("x", column, Action::Warn).with_file(file, file_column);
        let parts = Contract::builder("c").with_folder(folder.path()).with_expectation(expectation);
        resolved(&parts.build().unwrap()).map(|_| ()).map_err(|error| error.to_string())
    };
    assert_eq!(run("user_id", "ids.csv", "id"), Ok(()));
    assert_eq!(run("note", "ids.csv", "name"), Ok(()));
    assert_eq!(run("note", "ids.csv", "id"), Ok(()), "integers are texts by their digits");
    let error = run("user_id", "ids.csv", "name").unwrap_err();
    assert!(error.contains("`user_id` holds integers") && error.contains("`name` holds Utf8"), "{error}");
    assert!(run("user_id", "ids.csv", "nope").unwrap_err().contains("nope"));
    let error = run("user_id", "many.csv", "id").unwrap_err();
    assert!(error.contains("more values than fit in an eighth of 64MiB"), "{error}");
}

proptest! {
    #[test]
    fn no_text_is_a_panic(text in "\\PC{0,200}") {
        let _ = Contract::from_toml(&text).map(|contract| resolved(&contract).map(|_| ()));
    }

    /// Keys that contracts have, with values of any kind.
    #[test]
    fn no_expectation_is_a_panic(
        expect in prop_oneof![
            "not_null", "accepted_values", "range", "length", "regex", "unique", "referential", "freshness", "row_count", "null_rate"
        ],
        action in prop_oneof!["warn", "drop", "quarantine", "fail"],
        keys in proptest::collection::btree_map(
            prop_oneof![
                "column", "columns", "values", "file", "file_column", "min", "above", "max", "below", "unit", "pattern", "max_age"
            ],
            prop_oneof![
                prop_oneof!["event_time", "event_type", "user_id", "price", "rate", "note"].prop_map(|name| format!("'{name}'")),
                any::<i64>().prop_map(|value| value.to_string()),
                any::<f64>().prop_map(|value| format!("{value:?}").replace("NaN", "nan")),
                "[\"a-z0-9.()\\[\\]*+{}|-]{0,9}".prop_map(|text| format!("'{text}'")),
                Just("['note', 1, 2.5]".to_owned()),
                Just("['note']".to_owned()),
                Just("'bytes'".to_owned()),
                Just("'9d'".to_owned()),
            ],
            0..5,
        ),
    ) {
        let keys: String = keys.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
        let text = format!(
            "name = 'c'\nas_of = '2019-11-01'\n[[expectations]]\nname = 'x'\nexpect = '{expect}'\naction = '{action}'\n{keys}"
        );
        if let Ok(contract) = Contract::from_toml(&text) {
            let again = Contract::from_toml(&toml::to_string(&contract).unwrap()).unwrap();
            prop_assert_eq!(&contract, &again);
            let _ = resolved(&contract);
        }
    }
}
