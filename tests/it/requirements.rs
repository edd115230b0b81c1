//! Every requirement of a vendor's guide that this release covers is named at the test that shows it.

use super::support::text::repository;

/// App, number of its last requirement, and those that are not here (ALTR: the life-cycle hooks and switching an app off come
/// later).
const APPS: &[(&str, u32, &[u32])] = &[("altr", 29, &[25, 26, 27]), ("alloy", 30, &[])];

#[test]
fn every_requirement_is_named_above_its_test() {
    for (app, last, later) in APPS {
        let prefix = format!("/// {}-", app.to_uppercase());
        let begins = [format!("async fn {app}_"), format!("fn {app}_")];
        let mut named = Vec::new();
        for file in [format!("{app}.rs"), format!("{app}_rules.rs")] {
            let path = repository().join("tests/it").join(&file);
            let text = std::fs::read_to_string(path).unwrap();
            let mut above: Vec<u32> = Vec::new();
            for line in text.lines() {
                match line.strip_prefix(&prefix).and_then(|rest| rest.split_once(':')) {
                    Some((number, _)) => above.push(number.parse().unwrap()),
                    None if begins.iter().any(|begin| line.starts_with(begin)) => {
                        named.append(&mut above);
                    }
                    None => {}
                }
            }
            assert!(above.is_empty(), "{file}: {above:?} stand above no test");
        }
        let all = (1..=*last).filter(|number| !later.contains(number));
        let missing: Vec<u32> = all.filter(|number| !named.contains(number)).collect();
        assert!(missing.is_empty(), "no test names {}-{missing:?}", app.to_uppercase());
    }
}
