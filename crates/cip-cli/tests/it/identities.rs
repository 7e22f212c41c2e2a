//! `--aliases`: users under one id, from the ingest to the erasure.

use std::fs;

use serde_json::json;

use crate::{HEADER, args, cip};

#[test]
fn aliases_are_given_at_the_door_or_later_and_go_with_their_user() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let row = |minute: u32, user: u32| format!("2019-10-01 00:0{minute}:00 UTC,view,1,2,,,1.00,{user},\n");
    fs::write(at("a.csv"), format!("{HEADER}\n{}{}{}", row(0, 1), row(1, 7), row(2, 3))).unwrap();
    fs::write(at("b.csv"), format!("{HEADER}\n{}{}", row(5, 1), row(6, 3))).unwrap();
    fs::write(at("aliases.csv"), "alias,user_id\n1,7\n").unwrap();
    fs::write(at("more.csv"), "alias,user_id\n3,1\n").unwrap();
    let store = at("store");

    let said = cip(args![
        "ingest",
        at("a.csv"),
        "--mapping",
        "rees46",
        "--aliases",
        at("aliases.csv"),
        "--out",
        store
    ])
    .ok();
    assert!(said.stdout.contains("\n1 events are of users who were named by an alias\n"), "{said:?}");
    // The store knows them from then on.
    let said = cip(args!["ingest", at("b.csv"), "--mapping", "rees46", "--out", store, "--json"]).ok().json();
    assert_eq!(said["stitched"], 1);
    let info = cip(args!["info", store, "--json"]).ok().json();
    assert_eq!((&info["users"], &info["aliases"]), (&json!(2), &json!(1)));
    assert!(cip(args!["info", store]).ok().stdout.contains("\n  aliases                1\n"));
    let again =
        args!["ingest", at("b.csv"), "--mapping", "rees46", "--aliases", at("more.csv"), "--out", store];
    let said = cip(again).ok().stderr;
    assert!(
        said.contains("no file is new, so no aliases are kept: give them to `cip compact --aliases`"),
        "{said}"
    );

    let said = cip(args!["compact", store, "--aliases", at("more.csv"), "--json"]).ok().json();
    assert_eq!(
        (&said["stitched"], &said["commits_before"], &said["events"]),
        (&json!(2), &json!(2), &json!(5))
    );
    assert_eq!(cip(args!["info", store, "--json"]).ok().json()["users"], 1);
    let said = cip(args!["compact", store, "--aliases", at("more.csv")]).ok().stdout;
    assert!(said.contains("has one commit: nothing to merge"), "{said}");

    // Whichever id names the person, all of it goes.
    let said = cip(args!["forget", store, "--user", "3", "--json"]).ok().json();
    assert_eq!(
        (&said["erased"]["events"], &said["erased"]["aliases"], &said["found"]),
        (&json!(5), &json!(2), &json!(0))
    );
    assert_eq!(cip(args!["info", store, "--json"]).ok().json()["events"], 0);

    fs::write(at("cycle.csv"), "alias,user_id\n1,7\n7,1\n").unwrap();
    let cycle =
        args!["ingest", at("a.csv"), "--mapping", "rees46", "--aliases", at("cycle.csv"), "--out", at("c")];
    cip(cycle)
        .fails(1, "aliases lead back to where they start, so that nobody is the user: `1` -> `7` -> `1`");
    cip(args!["compact", store, "--aliases", at("a.csv")]).fails(1, "has no column `alias`");
}
