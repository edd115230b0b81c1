//! Tables whose values SCIM lists: `scim.roles` and `scim.entitlements`.

use super::*;
use crate::scim::{CatalogueKind, SearchRequest};

const TABLES: &str = r#"tables:
  level:
    rows:
      - { scim: Admin, app: 9, display: Administrator, description: May do everything }
      - { scim: Reader, app: 1 }
      - { scim: Reader, app: 2 }
      - { match: 'L(\d)', app: "{{match.1}}" }
  licence:
    - { scim: Pro, app: p }
users:"#;

fn with(scim: &str) -> String {
    small_with("  keep: [title]\n", &format!("  keep: [title]\n{scim}"))
        .replace("users:", TABLES)
        .replace("given: name.givenName", "given: { scim: title, table: level }")
}

#[test]
fn the_values_of_a_table_become_resources() {
    let mapping = mapping(&text(&with("  roles: [level]\n  entitlements: [licence, level]\n")));
    let found = &mapping.scim().catalogues;
    let list = |at: usize| {
        let page = found[at].page(&SearchRequest::default(), &|id| id.to_owned()).unwrap();
        let rows = page["Resources"].as_array().unwrap().iter();
        rows.map(|row| format!("{} {} {}", row["id"], row["displayName"], row["description"]))
            .collect::<Vec<_>>()
            .join(", ")
    };
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].kind(), CatalogueKind::Role);
    let levels = r#""Admin" "Administrator" "May do everything", "Reader" "Reader" null"#;
    assert_eq!(list(0), levels);
    assert_eq!(list(1), format!(r#""Pro" "Pro" null, {levels}"#));
}

#[test]
fn a_mapping_that_names_none_has_none() {
    assert!(mapping(&text(SMALL)).scim().catalogues.is_empty());
    let altr = mapping(&shipped("altr/altr.yaml"));
    let kinds: Vec<_> = altr.scim().catalogues.iter().map(|c| c.kind()).collect();
    assert_eq!(kinds, [CatalogueKind::Role]);
}

#[test]
fn mistakes_are_told() {
    assert_eq!(codes(&with("  roles: [levle, level]\n")), ["M0302"]);
    // Texts that nobody reads: both of the first row.
    assert_eq!(codes(&with("")), ["M0609", "M0609"]);
    let patterns = with("  roles: [level, licence]\n")
        .replace("- { scim: Pro, app: p }", "- { match: 'P.*', app: p }");
    assert_eq!(codes(&patterns), ["M0609"]);
    let on_the_spot = small_with(
        "given: name.givenName",
        "given: { scim: title, table: [ { scim: a, app: b, display: A } ] }",
    );
    assert_eq!(codes(&on_the_spot), ["M0609"]);
    let long = with("  roles: [level]\n").replace("May do everything", &"x".repeat(1001));
    assert_eq!(codes(&long), ["M0609"]);
    let unread = with("  roles: [level]\n").replace("app: \"{{match.1}}\"", "app: x, display: X");
    assert_eq!(codes(&unread), ["M0609"]);
}
