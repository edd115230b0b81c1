//! Every requirement of ALTR's guide that this release covers is named at the test that shows it.

use super::support::text::repository;

/// Not here: the life-cycle hooks and switching an app off come later.
const LATER: [u32; 3] = [25, 26, 27];

#[test]
fn every_requirement_of_altr_is_named_above_its_test() {
    let mut named = Vec::new();
    for file in ["altr.rs", "altr_rules.rs"] {
        let path = repository().join("tests/it").join(file);
        let text = std::fs::read_to_string(path).unwrap();
        let mut above: Vec<u32> = Vec::new();
        for line in text.lines() {
            match line.strip_prefix("/// ALTR-").and_then(|rest| rest.split_once(':')) {
                Some((number, _)) => above.push(number.parse().unwrap()),
                None if line.contains("async fn altr_") => named.append(&mut above),
                None => {}
            }
        }
        assert!(above.is_empty(), "{file}: {above:?} stand above no test");
    }
    let missing: Vec<u32> = (1..=29).filter(|n| !LATER.contains(n) && !named.contains(n)).collect();
    assert!(missing.is_empty(), "no test names ALTR-{missing:?}");
}
