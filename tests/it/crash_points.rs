//! Named points at which a test build can be made to die: the shipped one cannot, and the list is
//! the code's.

use std::collections::BTreeSet;
use std::path::Path;

use super::support::text::repository;

/// The environment variable, put together so that it does not stand in this test either.
fn variable() -> String {
    ["SCIM", "BRIDGE", "CRASH", "AT"].join("_")
}

fn holds(bytes: &[u8], word: &str) -> bool {
    bytes.windows(word.len()).any(|window| window == word.as_bytes())
}

#[cfg(not(feature = "crash-points"))]
#[test]
fn the_program_has_no_trace_of_the_mechanism() {
    let program = std::fs::read(env!("CARGO_BIN_EXE_scim-bridge")).unwrap();
    assert!(!holds(&program, &variable()), "the program reads {}", variable());
    // What is read from the environment can be found so.
    assert!(holds(&program, "SCIM_BRIDGE_READY_FILE"));
}

#[test]
fn no_feature_is_on_by_itself() {
    let manifest = std::fs::read_to_string(repository().join("Cargo.toml")).unwrap();
    assert!(manifest.contains("\ncrash-points = []"));
    assert!(!manifest.contains("\ndefault = ["), "a default feature could bring it along");
}

#[test]
fn the_list_of_points_is_that_of_the_code() {
    let list = std::fs::read_to_string(repository().join("src/observe/crash.rs")).unwrap();
    assert!(list.contains(&variable()));
    let (_, list) = list.split_once("CRASH_POINTS: &[&str] = &[").unwrap();
    let (list, _) = list.split_once("];").unwrap();
    let listed: BTreeSet<String> = quoted(list).collect();
    let mut used = BTreeSet::new();
    uses(&repository().join("src"), &mut used);
    assert_eq!(listed, used);
}

fn quoted(text: &str) -> impl Iterator<Item = String> {
    text.split('"').skip(1).step_by(2).map(str::to_owned)
}

/// The names that the sources give to `crash_point` and `crash_halfway`.
fn uses(folder: &Path, used: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            uses(&path, used);
        } else if path.extension().is_some_and(|end| end == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            for call in ["crash_point(\"", "crash_halfway(\""] {
                used.extend(
                    text.split(call).skip(1).map(|rest| rest[..rest.find('"').unwrap()].to_owned()),
                );
            }
        }
    }
}
