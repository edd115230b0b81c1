//! Every requirement of the guides is named above a test that shows it, and docs/requirements.md
//! says which. `requirements.tsv` has them: id, tab, what is asked for.
//!
//! A test names what it shows in its doc comment, one line each: `/// COM-5: what it shows.`
//! `UPDATE=1` writes the page anew; `.ci/suites/requirements --write` fills its results in.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::support::text::repository;

/// Ids that begin so are not asked for yet: their tests are still being made.
const AWAITED: &[&str] = &[];

/// The systems in the order of the page, with the prefix of their ids.
const SYSTEMS: [(&str, &str); 6] = [
    ("COM-", "All five"),
    ("ALTR-", "ALTR"),
    ("ALLOY-", "Alloy"),
    ("ACT-", "ActivTrak"),
    ("ALPHA-", "AlphaSense"),
    ("ATLAN-", "Atlan"),
];

/// What a result says of which nothing is known.
const NOT_RUN: &str = "not run";

const HEAD: &str = "\
# Requirements and the tests that show them

What the guides of five systems ask for, each with the tests that show it. The tests use real HTTP: a client that speaks as Okta does, the
bridge with the mapping of this repository, and a stand-in of the system's admin API. Those of *All five* run against every system.

This page is made from `tests/it/requirements.tsv` and from the comments above the tests; a test fails when it is not up to date
(`UPDATE=1 cargo test --test it requirements` writes it). The results are those of `.ci/suites/requirements --write`, which runs exactly these
tests; `not run` stands where that has not happened since the row last changed.
";

fn page() -> PathBuf {
    repository().join("docs/requirements.md")
}

fn is_awaited(id: &str) -> bool {
    AWAITED.iter().any(|prefix| id.starts_with(prefix))
}

/// Id and text of each requirement, in order.
fn asked_for() -> Vec<(String, String)> {
    let text = std::fs::read_to_string(repository().join("tests/it/requirements.tsv")).unwrap();
    let row = |line: &str| {
        let (id, words) = line.split_once('\t').unwrap_or_else(|| panic!("no tab: {line}"));
        assert!(!words.contains('|'), "a bar would end the cell: {line}");
        (id.to_owned(), words.to_owned())
    };
    text.lines().map(row).collect()
}

/// The ids that sources name, with the tests below them.
fn named() -> BTreeMap<String, Vec<String>> {
    let mut found = BTreeMap::new();
    read_folder(&repository().join("tests/it"), &mut Vec::new(), &mut found);
    found
}

fn read_folder(
    folder: &Path,
    modules: &mut Vec<String>,
    found: &mut BTreeMap<String, Vec<String>>,
) {
    let mut entries: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let is_own = !["mod", "main"].contains(&name.as_str());
        if is_own {
            modules.push(name);
        }
        if path.is_dir() {
            read_folder(&path, modules, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let said = read_source(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            for (id, function) in said {
                let test = [modules.as_slice(), &[function]].concat().join("::");
                found.entry(id).or_default().push(test);
            }
        }
        if is_own {
            modules.pop();
        }
    }
}

/// The ids of a source text with the test function below each.
fn read_source(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut said = Vec::new();
    let mut above: Vec<String> = Vec::new();
    let mut is_test = false;
    for line in text.lines().map(str::trim) {
        if let Some(comment) = line.strip_prefix("///") {
            above.extend(id_of(comment));
        } else if line.starts_with("#[") {
            is_test |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
        } else {
            let words = line.trim_start_matches("async ");
            let function = words.strip_prefix("fn ").and_then(|rest| rest.split('(').next());
            match function {
                Some(function) if is_test => {
                    said.extend(above.drain(..).map(|id| (id, function.to_owned())));
                }
                _ if !above.is_empty() => return Err(format!("{above:?} stand above no test")),
                _ => {}
            }
            is_test = false;
        }
    }
    match above.is_empty() {
        true => Ok(said),
        false => Err(format!("{above:?} stand above no test")),
    }
}

/// The id that a comment begins with: ` COM-5: looks first`.
fn id_of(comment: &str) -> Option<String> {
    let (id, _) = comment.strip_prefix(' ')?.split_once(": ")?;
    let (prefix, number) = id.split_once('-')?;
    let is_id = !prefix.is_empty()
        && prefix.bytes().all(|byte| byte.is_ascii_uppercase())
        && number.parse::<u32>().is_ok();
    is_id.then(|| id.to_owned())
}

/// The page; rows that stay as they are keep the result that `old` has.
fn written(old: &str) -> String {
    let named = named();
    let mut page = HEAD.to_owned();
    for (prefix, system) in SYSTEMS {
        write!(page, "\n## {system}\n\n| id | requirement | tests | result |\n").unwrap();
        page += "| --- | --- | --- | --- |\n";
        for (id, words) in asked_for().iter().filter(|(id, _)| id.starts_with(prefix)) {
            let tests = named.get(id).map(|tests| {
                tests.iter().map(|test| format!("`{test}`")).collect::<Vec<_>>().join(" ")
            });
            let row = format!("| {id} | {words} | {} | ", tests.unwrap_or_default());
            let known = old.lines().find_map(|line| line.strip_prefix(&row)?.strip_suffix(" |"));
            writeln!(page, "{row}{} |", known.unwrap_or(NOT_RUN)).unwrap();
        }
    }
    page
}

#[test]
fn every_requirement_is_named_above_a_test_and_nothing_else_is() {
    let (asked_for, named) = (asked_for(), named());
    let known = |id: &String| asked_for.iter().any(|(asked, _)| asked == id);
    let strange: Vec<_> = named.keys().filter(|id| !known(id)).collect();
    assert!(strange.is_empty(), "named by tests, but not in requirements.tsv: {strange:?}");
    let missing: Vec<_> = asked_for
        .iter()
        .map(|(id, _)| id)
        .filter(|id| !named.contains_key(*id) && !is_awaited(id))
        .collect();
    assert!(missing.is_empty(), "no test names {missing:?}");
    for prefix in AWAITED {
        let is_whole =
            asked_for.iter().all(|(id, _)| !id.starts_with(prefix) || named.contains_key(id));
        assert!(!is_whole, "{prefix} is not awaited any more");
    }
}

#[test]
fn the_requirements_are_counted_through() {
    let asked_for = asked_for();
    let mut rest = asked_for.as_slice();
    for (prefix, _) in SYSTEMS {
        let count = rest.iter().take_while(|(id, _)| id.starts_with(prefix)).count();
        for (number, (id, words)) in rest[..count].iter().enumerate() {
            assert_eq!(*id, format!("{prefix}{}", number + 1));
            assert!(words.len() > 10, "{id}: {words}");
        }
        rest = &rest[count..];
    }
    assert!(rest.is_empty(), "of no system: {:?}", rest[0]);
    assert_eq!(asked_for.len(), 159);
}

#[test]
fn the_page_of_requirements_is_up_to_date() {
    let old = std::fs::read_to_string(page()).unwrap_or_default();
    let new = written(&old);
    #[expect(clippy::disallowed_methods, reason = "a switch of this test for developers")]
    let update = std::env::var_os("UPDATE").is_some();
    if update {
        std::fs::write(page(), new).unwrap();
    } else {
        let differs = old.lines().zip(new.lines()).find(|(old, new)| old != new);
        assert!(old == new, "UPDATE=1 writes docs/requirements.md; it differs at {differs:?}");
    }
}

#[test]
fn an_id_above_no_test_is_a_mistake() {
    let test = "/// COM-1: one.\n/// More of it.\n#[tokio::test]\nasync fn a() {\n";
    let expected = vec![("COM-1".to_owned(), "a".to_owned())];
    assert_eq!(read_source(test), Ok(expected));
    for wrong in [
        "/// COM-1: one.\nfn helper() {\n",
        "/// COM-1: one.\n",
        "/// COM-1: one.\nconst A: u8 = 1;\n#[test]\nfn a() {\n",
    ] {
        assert!(read_source(wrong).unwrap_err().contains("COM-1"), "{wrong}");
    }
    assert_eq!(read_source("/// COM-one: no.\n/// Plain: words.\nfn a() {\n"), Ok(Vec::new()));
}
