//! The schema that editors get and the reader of mapping files say the same of every form.

use std::path::PathBuf;

use serde_json::Map;

use super::super::cases::RawSuite;
use super::super::diagnostic::Report;
use super::super::raw::{BlockShape, RawMapping, Read, Shape};
use super::super::schema::yaml;
use super::super::source;
use super::*;

/// Whether the reader has nothing against the form of a file.
fn read(kind: FileKind, text: &str) -> Result<(), String> {
    let source = Source { file: "form.yaml".to_owned(), text: text.to_owned() };
    let mut report = Report::new(&source);
    if let Some(node) = source::parse(&source, &mut report) {
        match kind {
            FileKind::Mapping => drop(RawMapping::read(&node, &mut report)),
            FileKind::Tests => drop(RawSuite::read(&node, &mut report)),
        }
    }
    let found = report.finish();
    let errors: Vec<&str> = found.iter().map(|found| found.message.as_str()).collect();
    if errors.is_empty() { Ok(()) } else { Err(errors.join("; ")) }
}

/// The smallest values that are right at a place: one for every way to write it.
fn ways(shape: &Shape) -> Vec<Value> {
    match shape {
        Shape::Value => vec![json!("$.user.title"), json!({"a": [1, null]}), json!(false)],
        Shape::Null => vec![Value::Null],
        Shape::Text => vec![json!("text")],
        Shape::Scalar => vec![json!("text"), json!(7), json!(false)],
        Shape::Truth => vec![json!(true)],
        Shape::Whole => vec![json!(12), json!(0)],
        Shape::Time => vec![json!("15s"), json!("500ms"), json!(0)],
        Shape::Size => vec![json!("32MiB")],
        Shape::Percent => vec![json!("5%")],
        Shape::Words(words) => words.iter().map(|word| json!(word)).collect(),
        Shape::List(of) => vec![json!([ways(of)[0]]), json!([])],
        Shape::Single(of) => vec![json!([ways(of)[0]])],
        Shape::Names(of) => vec![json!({"name": ways(of)[0]}), json!({})],
        Shape::Either(shapes) => shapes.iter().flat_map(ways).collect(),
        Shape::Keyed(blocks) => {
            let mut ways: Vec<Value> = blocks.iter().map(|(_, one)| ways(one)[0].clone()).collect();
            ways.push(json!("$.body.id"));
            ways
        }
        Shape::Block(block) => vec![Value::Object(bare(block))],
    }
}

/// A block with the keys that must be there.
fn bare(block: &BlockShape) -> Map<String, Value> {
    let needed = block.keys.iter().filter(|key| block.required.contains(&key.name));
    needed.map(|key| (key.name.to_owned(), ways(&key.shape)[0].clone())).collect()
}

/// Values of every kind, few of which are right anywhere.
fn kinds() -> Vec<Value> {
    let texts = ["no such word", "", "15", "deactivate"];
    let mut kinds: Vec<Value> = texts.into_iter().map(Value::from).collect();
    kinds.extend([json!(7), json!(-1), json!(1.5), json!(true), Value::Null]);
    kinds.extend([json!([]), json!(["deactivate", 3]), json!([{}]), json!([[]])]);
    kinds.extend([json!({}), json!({"header": 1}), json!({"a": {}}), json!({"a": "b"})]);
    kinds
}

/// Walks every place of the language. `wrap` makes a whole file of a value at the place.
fn visit(shape: &Shape, wrap: &dyn Fn(Value) -> Value, compare: &mut dyn FnMut(Value, bool)) {
    ways(shape).into_iter().for_each(|way| compare(wrap(way), true));
    kinds().into_iter().for_each(|kind| compare(wrap(kind), false));
    match shape {
        Shape::List(of) => visit(of, &|one| wrap(json!([one])), compare),
        Shape::Single(of) => {
            let one = &ways(of)[0];
            compare(wrap(json!([one, one])), false);
            visit(of, &|one| wrap(json!([one])), compare);
        }
        Shape::Names(of) => visit(of, &|one| wrap(json!({"name": one})), compare),
        Shape::Keyed(blocks) => blocks.iter().for_each(|(_, of)| visit(of, wrap, compare)),
        Shape::Either(shapes) => shapes.iter().for_each(|one| visit(one, wrap, compare)),
        Shape::Block(block) => {
            let bare = bare(block);
            let with = |name: &str, value: Value| {
                let mut changed = bare.clone();
                changed.insert(name.to_owned(), value);
                wrap(Value::Object(changed))
            };
            compare(with("no_such_key", json!("x")), false);
            for name in block.required {
                let mut changed = bare.clone();
                changed.shift_remove(*name);
                compare(wrap(Value::Object(changed)), false);
            }
            for key in &block.keys {
                if let Some(example) = key.example() {
                    let example = yaml(example).unwrap_or_else(|| panic!("{example}"));
                    compare(with(key.name, example), true);
                }
                visit(&key.shape, &|value| with(key.name, value), compare);
            }
        }
        _ => {}
    }
}

#[test]
fn a_schema_takes_exactly_what_the_reader_takes() {
    for (kind, many) in [(FileKind::Mapping, 1_000), (FileKind::Tests, 300)] {
        let schema = jsonschema::validator_for(&json_schema(kind)).unwrap();
        let (mut taken, mut refused) = (0, 0);
        visit(&kind.shape(), &|whole| whole, &mut |value, must_be_right| {
            let read = read(kind, &value.to_string());
            assert_eq!(schema.is_valid(&value), read.is_ok(), "{read:?}\n{value}");
            assert!(read.is_ok() || !must_be_right, "{read:?}\n{value}");
            *(if read.is_ok() { &mut taken } else { &mut refused }) += 1;
        });
        // Both kinds must be many, or the walk saw little of the language.
        assert!(taken > many && refused > many, "{kind:?}: {taken} taken, {refused} refused");
    }
}

/// The control: a schema that knows one key more than the reader does not pass.
#[test]
fn a_schema_with_a_key_too_many_is_found_out() {
    let mut wrong = json_schema(FileKind::Mapping);
    wrong["definitions"]["call"]["properties"]["no_such_key"] = json!({});
    let schema = jsonschema::validator_for(&wrong).unwrap();
    let mut differs = 0;
    visit(&FileKind::Mapping.shape(), &|whole| whole, &mut |value, _| {
        let read = read(FileKind::Mapping, &value.to_string());
        differs += usize::from(schema.is_valid(&value) != read.is_ok());
    });
    assert_eq!(differs, 1);
}

/// Every YAML file below a folder.
fn files(folder: &str) -> Vec<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().filter_map(Result::ok) {
        let path = entry.path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "broken") {
            found.extend(files(path.to_str().unwrap()));
        } else if path.extension().is_some_and(|end| end == "yaml") {
            found.push(path);
        }
    }
    found
}

#[test]
fn files_that_come_along_fit_their_schema_and_name_it() {
    let mut seen = [0, 0];
    for path in ["mappings", "examples/first-mapping", "tests/mappings"].map(files).concat() {
        let text = std::fs::read_to_string(&path).unwrap();
        let name = path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap().to_str().unwrap();
        let (kind, schema) = match name.ends_with(".test.yaml") {
            false => (FileKind::Mapping, "mapping.schema.json"),
            true => (FileKind::Tests, "mapping.test.schema.json"),
        };
        let value: Value = yaml(&text).unwrap();
        let valid = jsonschema::validator_for(&json_schema(kind)).unwrap();
        let mistakes: Vec<String> = valid.iter_errors(&value).map(|e| e.to_string()).collect();
        assert!(mistakes.is_empty(), "{name}: {mistakes:?}");
        let up = "../".repeat(name.matches('/').count());
        let first = format!("# yaml-language-server: $schema={up}docs/{schema}\n");
        assert!(text.starts_with(&first), "{name}: the first line names the schema for editors");
        seen[usize::from(kind == FileKind::Tests)] += 1;
    }
    assert!(seen[0] >= 5 && seen[1] >= 4, "{seen:?} mappings and test files");
}

#[test]
fn every_key_says_what_it_means_and_shows_it() {
    fn check(shape: &Shape) {
        match shape {
            Shape::Block(block) => {
                assert!(!block.about.trim().is_empty(), "{}", block.name);
                for key in &block.keys {
                    let name = format!("{}.{}", block.name, key.name);
                    assert!(key.meaning().len() > 8, "{name}: what does it mean?");
                    assert!(key.example().is_some(), "{name}: a line `/// Example: VALUE`");
                    check(&key.shape);
                }
            }
            Shape::List(of) | Shape::Single(of) | Shape::Names(of) => check(of),
            Shape::Keyed(blocks) => blocks.iter().for_each(|(_, of)| check(of)),
            Shape::Either(shapes) => shapes.iter().for_each(check),
            _ => {}
        }
    }
    check(&FileKind::Mapping.shape());
    check(&FileKind::Tests.shape());
}
