//! The JSON Schemas of mapping files and test files, and the tables of keys in the reference, all
//! from the raw types that read them.
//!
//! They know form only: names, kinds, words. What names mean is checked by `load`.

use serde_json::{Map, Value, json};

use super::cases::suite_shape;
use super::diagnostic::Report;
use super::raw::{BlockShape, RawMapping, Read, Shape};
use super::source::{self, Node, NodeKind, Source};

/// A kind of file that people write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A mapping.
    Mapping,
    /// The test file beside one.
    Tests,
}

impl FileKind {
    pub(super) fn shape(self) -> Shape {
        match self {
            Self::Mapping => RawMapping::shape(),
            Self::Tests => suite_shape(),
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Mapping => "Mapping file of scim-bridge",
            Self::Tests => "Test file of scim-bridge",
        }
    }
}

/// The schema of a kind of file: JSON Schema draft 7, which editors' YAML servers read best.
pub fn json_schema(kind: FileKind) -> Value {
    let mut definitions = Map::new();
    let root = schema_of(&kind.shape(), &mut definitions);
    let mut schema = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": kind.title(),
    });
    if let Some(schema) = schema.as_object_mut() {
        // Beside `$ref` draft 7 ignores every other keyword.
        schema.insert("allOf".to_owned(), json!([root]));
        schema.insert("definitions".to_owned(), Value::Object(definitions));
    }
    schema
}

/// The keys of every block of a kind of file as Markdown tables.
pub fn key_tables(kind: FileKind) -> Vec<KeyTable> {
    let mut blocks = Vec::new();
    collect(&kind.shape(), &mut blocks);
    let table = |block: &BlockShape| KeyTable {
        name: definition_name(block),
        about: block.about.trim().to_owned(),
        markdown: key_table(block),
    };
    blocks.iter().map(table).collect()
}

/// The keys of one block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyTable {
    /// The block, as the schema's definitions call it.
    pub name: String,
    /// What it is.
    pub about: String,
    /// The table.
    pub markdown: String,
}

fn schema_of(shape: &Shape, definitions: &mut Map<String, Value>) -> Value {
    let many = |of: &Shape, definitions: &mut Map<String, Value>| schema_of(of, definitions);
    match shape {
        Shape::Value => json!({}),
        Shape::Null => json!({"type": "null"}),
        Shape::Text => json!({"type": "string"}),
        Shape::Scalar => json!({"type": ["string", "number", "boolean"]}),
        Shape::Truth => json!({"type": "boolean"}),
        Shape::Whole => json!({"type": "integer", "minimum": 0}),
        Shape::Time => json!({"anyOf": [
            {"type": "string", "pattern": "^[0-9]+(ms|s|m|h|d)$"},
            {"const": 0},
        ]}),
        Shape::Size => json!({"type": "string", "pattern": "^[0-9]+(KiB|MiB|GiB)$"}),
        Shape::Percent => json!({"type": "string", "pattern": "^(100|[0-9]{1,2})%$"}),
        Shape::Words(words) => json!({"enum": words}),
        Shape::List(of) => json!({"type": "array", "items": many(of, definitions)}),
        Shape::Single(of) => {
            json!({"type": "array", "items": many(of, definitions), "minItems": 1, "maxItems": 1})
        }
        Shape::Names(of) => {
            json!({"type": "object", "additionalProperties": many(of, definitions)})
        }
        Shape::Either(shapes) => {
            let any: Vec<Value> = shapes.iter().map(|one| many(one, definitions)).collect();
            json!({"anyOf": any})
        }
        Shape::Keyed(blocks) => blocks.iter().rev().fold(json!({}), |other, (key, block)| {
            json!({
                "if": {"type": "object", "required": [key]},
                "then": many(block, definitions),
                "else": other,
            })
        }),
        Shape::Block(block) => {
            let name = definition_name(block);
            if !definitions.contains_key(&name) {
                // Taken first: a block may hold itself.
                definitions.insert(name.clone(), Value::Null);
                let schema = block_schema(block, definitions);
                definitions.insert(name.clone(), schema);
            }
            json!({"$ref": format!("#/definitions/{name}")})
        }
    }
}

fn block_schema(block: &BlockShape, definitions: &mut Map<String, Value>) -> Value {
    let mut properties = Map::new();
    for key in &block.keys {
        // Beside `$ref` draft 7 ignores every other keyword, so the reference goes inside.
        let shape = schema_of(&key.shape, definitions);
        let mut property = match shape.get("$ref") {
            Some(_) => json!({"allOf": [shape]}),
            None => shape,
        };
        property["description"] = key.meaning().into();
        if let Some(example) = key.example().and_then(yaml) {
            property["examples"] = json!([example]);
        }
        properties.insert(key.name.to_owned(), property);
    }
    let mut schema = json!({
        "type": "object",
        "description": block.about.trim(),
        "properties": properties,
        "additionalProperties": false,
    });
    if !block.required.is_empty() {
        schema["required"] = json!(block.required);
    }
    schema
}

/// `RawTableRow` is `tableRow`.
fn definition_name(block: &BlockShape) -> String {
    let name = block.name.strip_prefix("Raw").unwrap_or(block.name);
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| {
        format!("{}{}", first.to_ascii_lowercase(), letters.as_str())
    })
}

fn collect(shape: &Shape, blocks: &mut Vec<BlockShape>) {
    match shape {
        Shape::List(of) | Shape::Single(of) | Shape::Names(of) => collect(of, blocks),
        Shape::Keyed(all) => all.iter().for_each(|(_, one)| collect(one, blocks)),
        Shape::Either(shapes) => shapes.iter().for_each(|one| collect(one, blocks)),
        Shape::Block(block) if blocks.iter().all(|known| known.name != block.name) => {
            blocks.push(block.clone());
            block.keys.iter().for_each(|key| collect(&key.shape, blocks));
        }
        _ => {}
    }
}

fn key_table(block: &BlockShape) -> String {
    let mut table = "| key | is | meaning |\n| --- | --- | --- |\n".to_owned();
    for key in &block.keys {
        let required = if block.required.contains(&key.name) { "**Required.** " } else { "" };
        let kind = cell(&words(&key.shape));
        table += &format!("| `{}` | {kind} | {required}{} |\n", key.name, cell(key.meaning()));
    }
    table
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// What may be written, in the words of the reference.
fn words(shape: &Shape) -> String {
    match shape {
        Shape::Value => "VALUE".to_owned(),
        Shape::Null => "`null`".to_owned(),
        Shape::Text => "text".to_owned(),
        Shape::Scalar => "text or number".to_owned(),
        Shape::Truth => "true or false".to_owned(),
        Shape::Whole => "number".to_owned(),
        Shape::Time => "time".to_owned(),
        Shape::Size => "size".to_owned(),
        Shape::Percent => "percent".to_owned(),
        Shape::Words(words) => {
            let shown: Vec<String> = words.iter().map(|word| shown_word(word)).collect();
            shown.join(", ")
        }
        Shape::List(of) | Shape::Single(of) => format!("list of {}", plural(of)),
        Shape::Names(of) => format!("names and {}", plural(of)),
        Shape::Either(shapes) => {
            let shapes: Vec<String> = shapes.iter().map(words).collect();
            shapes.join(", or ")
        }
        Shape::Keyed(_) => "VALUE, or block".to_owned(),
        Shape::Block(_) => "block".to_owned(),
    }
}

fn plural(shape: &Shape) -> String {
    match shape {
        Shape::Value => "VALUES".to_owned(),
        Shape::Text => "texts".to_owned(),
        Shape::Scalar => "texts or numbers".to_owned(),
        Shape::Whole => "numbers".to_owned(),
        Shape::Block(_) => "blocks".to_owned(),
        Shape::Either(shapes) => {
            let shapes: Vec<String> = shapes.iter().map(plural).collect();
            shapes.join(" or ")
        }
        other => words(other),
    }
}

fn shown_word(word: &str) -> String {
    if word.is_empty() { "`\"\"`".to_owned() } else { format!("`{word}`") }
}

/// A piece of YAML as JSON; none if it is no YAML.
pub(super) fn yaml(text: &str) -> Option<Value> {
    let source = Source { file: String::new(), text: text.to_owned() };
    let mut report = Report::new(&source);
    let node = source::parse(&source, &mut report)?;
    Some(plain(&node))
}

fn plain(node: &Node) -> Value {
    match &node.kind {
        NodeKind::Scalar(value) => value.clone(),
        NodeKind::List(items) => items.iter().map(plain).collect(),
        NodeKind::Map(entries) => {
            entries.iter().map(|e| (e.key.clone(), plain(&e.value))).collect()
        }
    }
}
