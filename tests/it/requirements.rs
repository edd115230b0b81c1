//! Every requirement of a guide is named at the test that shows it.

use super::support::text::repository;

/// Prefix of the ids, how many there are, and the files that name them above tests.
const GUIDES: [(&str, u32, [&str; 2]); 2] = [
    ("ALTR", 29, ["altr.rs", "altr_rules.rs"]),
    ("ALPHA", 18, ["alphasense.rs", "alphasense_rules.rs"]),
];

#[test]
fn every_requirement_of_a_guide_is_named_above_its_test() {
    for (prefix, count, files) in GUIDES {
        let mut named = Vec::new();
        for file in files {
            let path = repository().join("tests/it").join(file);
            named.extend(named_in(&std::fs::read_to_string(path).unwrap(), prefix, file));
        }
        let missing: Vec<u32> = (1..=count).filter(|number| !named.contains(number)).collect();
        assert!(missing.is_empty(), "no test names {prefix}-{missing:?}");
        let unknown: Vec<u32> = named.into_iter().filter(|number| *number > count).collect();
        assert!(unknown.is_empty(), "there is no {prefix}-{unknown:?}");
    }
}

/// The numbers that stand above tests; each must stand above one.
fn named_in(text: &str, prefix: &str, file: &str) -> Vec<u32> {
    let (doc, test) = (format!("/// {prefix}-"), format!("fn {}_", prefix.to_lowercase()));
    let (mut named, mut above) = (Vec::new(), Vec::new());
    for line in text.lines() {
        match line.strip_prefix(&doc).and_then(|rest| rest.split_once(':')) {
            Some((number, _)) => above.push(number.parse().unwrap()),
            None if line.contains(&test) => named.append(&mut above),
            None => {}
        }
    }
    assert!(above.is_empty(), "{file}: {above:?} stand above no test");
    named
}

/// The control: an id that stands above something else counts for nothing.
#[test]
#[should_panic(expected = "stand above no test")]
fn an_id_above_no_test_is_noticed() {
    named_in("/// ALTR-1: a line\nfn something() {}\n", "ALTR", "a.rs");
}
