//! Files under docs/ that come from the raw types: the schemas, and the tables of keys in the
//! reference. `UPDATE=1 cargo test --lib mapping::tests::reference` writes them anew.

use std::path::PathBuf;

use super::*;

/// Compares a file with what it must be; with UPDATE=1 it is written.
#[track_caller]
fn compare(name: &str, made: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs").join(name);
    let stands = std::fs::read_to_string(&path).unwrap_or_default();
    if stands == made {
        return;
    }
    #[expect(clippy::disallowed_methods, reason = "a switch of this test for developers")]
    let update = std::env::var("UPDATE").is_ok();
    assert!(update, "docs/{name} is not up to date: UPDATE=1 cargo test --lib reference");
    std::fs::write(path, made).unwrap();
}

#[test]
fn the_schemas_are_those_of_the_raw_types() {
    for (kind, name) in
        [(FileKind::Mapping, "mapping.schema.json"), (FileKind::Tests, "mapping.test.schema.json")]
    {
        compare(name, &format!("{}\n", serde_json::to_string_pretty(&json_schema(kind)).unwrap()));
    }
}

/// A page with its tables of keys made anew, each between `<!-- keys: BLOCK -->` and
/// `<!-- end -->`.
fn filled(page: &str) -> String {
    let tables = [FileKind::Mapping, FileKind::Tests].map(key_tables).concat();
    let mut parts = page.split("<!-- keys: ");
    let mut made = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once(" -->").expect("a marker ends with -->");
        let (_, rest) = rest.split_once("<!-- end -->").expect("a table ends with a marker");
        let table = tables.iter().find(|table| table.name == name);
        let table = &table.unwrap_or_else(|| panic!("no block {name}")).markdown;
        made += &format!("<!-- keys: {name} -->\n\n{table}\n<!-- end -->{rest}");
    }
    made
}

#[test]
fn the_tables_of_the_reference_are_those_of_the_raw_types() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/mapping.md");
    let page = std::fs::read_to_string(path).unwrap();
    compare("mapping.md", &filled(&page));
}
