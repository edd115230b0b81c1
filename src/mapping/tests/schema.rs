//! The schema that editors get and the reader of mapping files say the same of every form.

use serde_json::Map;

use super::super::diagnostic::Report;
use super::super::raw::{BlockShape, RawMapping, Read, Shape};
use super::super::source;
use super::*;

/// Whether the reader has nothing against the form of a file.
fn read(text: &str) -> Result<(), String> {
    let source = Source { file: "form.yaml".to_owned(), text: text.to_owned() };
    let mut report = Report::new(&source);
    if let Some(node) = source::parse(&source, &mut report) {
        RawMapping::read(&node, &mut report);
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
        Shape::Truth => vec![json!(true)],
        Shape::Whole => vec![json!(12), json!(0)],
        Shape::Time => vec![json!("15s"), json!("500ms"), json!(0)],
        Shape::Size => vec![json!("32MiB")],
        Shape::Words(words) => words.iter().map(|word| json!(word)).collect(),
        Shape::List(of) => vec![json!([ways(of)[0]]), json!([])],
        Shape::Single(of) => vec![json!([ways(of)[0]])],
        Shape::Names(of) => vec![json!({"name": ways(of)[0]}), json!({})],
        Shape::Either(shapes) => shapes.iter().flat_map(ways).collect(),
        Shape::Keyed(_, block) => vec![ways(block)[0].clone(), json!("$.body.id")],
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
        Shape::Keyed(_, of) => visit(of, wrap, compare),
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
                visit(&key.shape, &|value| with(key.name, value), compare);
            }
        }
        _ => {}
    }
}

#[test]
fn the_schema_takes_exactly_what_the_reader_takes() {
    let schema = jsonschema::validator_for(&json_schema()).unwrap();
    let (mut taken, mut refused) = (0, 0);
    visit(&RawMapping::shape(), &|whole| whole, &mut |value, must_be_right| {
        let read = read(&value.to_string());
        assert_eq!(schema.is_valid(&value), read.is_ok(), "{read:?}\n{value}");
        assert!(read.is_ok() || !must_be_right, "{read:?}\n{value}");
        *(if read.is_ok() { &mut taken } else { &mut refused }) += 1;
    });
    // Both kinds must be many, or the walk saw little of the language.
    assert!(taken > 500 && refused > 1_000, "{taken} taken, {refused} refused");
}

#[test]
fn shipped_mappings_fit_the_schema() {
    let schema = jsonschema::validator_for(&json_schema()).unwrap();
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings");
    let mut files = 0;
    for app in std::fs::read_dir(folder).unwrap().filter_map(Result::ok) {
        let name = app.file_name().into_string().unwrap();
        let path = app.path().join(format!("{name}.yaml"));
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        let value: Value = super::super::schema::yaml(&text).unwrap();
        let mistakes: Vec<String> = schema.iter_errors(&value).map(|e| e.to_string()).collect();
        assert!(mistakes.is_empty(), "{name}: {mistakes:?}");
        let named = "# yaml-language-server: $schema=../../docs/mapping.schema.json\n";
        assert!(text.starts_with(named), "{name}: the first line names the schema for editors");
        files += 1;
    }
    assert!(files >= 2, "{files} mappings");
}

#[test]
fn every_key_says_what_it_means() {
    fn check(shape: &Shape) {
        match shape {
            Shape::Block(block) => {
                assert!(!block.about.trim().is_empty(), "{}", block.name);
                for key in &block.keys {
                    assert!(key.meaning().len() > 10, "{}.{}", block.name, key.name);
                    if let Some(example) = key.example() {
                        assert!(super::super::schema::yaml(example).is_some(), "{example}");
                    }
                    check(&key.shape);
                }
            }
            Shape::List(of) | Shape::Single(of) | Shape::Names(of) | Shape::Keyed(_, of) => {
                check(of);
            }
            Shape::Either(shapes) => shapes.iter().for_each(check),
            _ => {}
        }
    }
    check(&RawMapping::shape());
}
