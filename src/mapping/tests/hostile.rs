//! Hostile values: whatever a client sends, the request that leaves has the same host, path,
//! query names, headers and structure of the body. Looked at as the wire carries it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{LazyLock, OnceLock};

use proptest::prelude::*;

use super::leaving::{Encoder, compare, leave, pasted, read};
use super::*;

/// Texts that attack one encoding or another.
const ATTACKS: [&str; 34] = [
    "../",
    "..",
    ".",
    "%2e%2e",
    "%2e%2e%2f",
    "/",
    "//evil.example",
    "?admin=1",
    "&a=b",
    ";a=b",
    "#x",
    "\r\nX-Evil: 1",
    "\r\n\r\n{}",
    "\0",
    "{{vars.host}}",
    "{{{x}}}",
    "{{x}}",
    "$.secret",
    "$$",
    "\"}",
    "\",\"admin\":true,\"x\":\"",
    "'",
    "<!ENTITY x>",
    "&lt;admin/&gt;",
    "&#10;",
    "]]>",
    "</login><admin>1</admin><login>",
    "@evil.example",
    ":80",
    "\\",
    "\u{202e}",
    "\u{2028}",
    "\u{85}",
    " ",
];

/// Attacks and any text around them.
fn hostile() -> impl Strategy<Value = String> {
    let attacks = prop::sample::select(ATTACKS.to_vec());
    let piece = prop_oneof![attacks.prop_map(str::to_owned), any::<String>()];
    // An empty text is no value in SCIM and leaves its keys out.
    prop::collection::vec(piece, 1..5)
        .prop_map(|pieces| pieces.concat())
        .prop_filter("a text", |text| !text.is_empty())
}

const FORM: (&str, &str) = ("connect:\n", "connect:\n  sends: form\n  form_lists: brackets\n");

/// A mapping that is written as XML, with values in elements, attributes and mixed texts.
fn xml() -> String {
    let body = "body: { user: { \"@login\": $.app.login, \"@note\": \"for {{user.userName}}\", profile: $.send, names: { name: [ $.app.given, \"{{app.given}}!\" ] }, \"#text\": $.app.mail } }, ";
    let yaml = small_with("connect:\n", "connect:\n  sends: xml\n");
    let yaml = yaml.replace(
        "send: [login, given, mail, active], save",
        &format!("send: [login, given, mail, active], {body}save"),
    );
    let yaml = yaml
        .replace("call: POST /users,", "call: POST /users, headers: { X-For: $.user.userName },");
    yaml.replace(
        "send: [login, given, mail, active], only",
        &format!("send: [login, given, mail, active], {body}only"),
    )
}

/// Every mapping in the repository that loads, and small ones for forms and XML.
static MAPPINGS: LazyLock<Vec<(String, Mapping)>> = LazyLock::new(|| {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = vec![
        ("a small form".to_owned(), mapping(&text(&small_with(FORM.0, FORM.1)))),
        ("a small XML".to_owned(), mapping(&text(&xml()))),
    ];
    for folder in ["mappings", "examples/first-mapping", "tests/mappings"] {
        for file in yaml_files(&root.join(folder)) {
            let source =
                Source { file: file.clone(), text: std::fs::read_to_string(&file).unwrap() };
            let mapping = standing_in(&source).mapping.unwrap_or_else(|| panic!("{file}"));
            found.push((file, mapping));
        }
    }
    found
});

fn yaml_files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().filter_map(Result::ok) {
        let (path, name) = (entry.path(), entry.file_name().into_string().unwrap());
        if path.is_dir() && name != "broken" && name != "src" {
            found.extend(yaml_files(&path));
        } else if name.ends_with(".yaml") && !name.ends_with(".test.yaml") {
            found.push(path.into_os_string().into_string().unwrap());
        }
    }
    found
}

/// Places of the texts in a tree, as JSON pointers.
fn texts(tree: &Value, at: &str, found: &mut Vec<String>) {
    match tree {
        Value::String(_) => found.push(at.to_owned()),
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(i, one)| texts(one, &format!("{at}/{i}"), found));
        }
        Value::Object(map) => {
            for (key, one) in map {
                texts(one, &format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")), found);
            }
        }
        _ => {}
    }
}

/// Keys and kinds of a tree, without its texts.
fn structure(tree: &Value) -> Value {
    match tree {
        Value::Object(map) => map.iter().map(|(k, v)| (k.clone(), structure(v))).collect(),
        Value::Array(list) => list.iter().map(structure).collect(),
        Value::String(_) => json!("text"),
        other => other.clone(),
    }
}

fn with(resource: &Value, places: &[String], text: &str) -> Value {
    let mut resource = resource.clone();
    for place in places {
        *resource.pointer_mut(place).unwrap() = json!(text);
    }
    resource
}

fn record(side: &Side, resource: &Value) -> Option<Value> {
    let roots = Roots::new().with(side.resource_root(), resource.clone());
    let record = side.app_record(&roots, true, &Carried::everything(true)).ok()?;
    Some(record.tree().clone())
}

/// An example, and those of its texts that may be any: no type, no row of a table.
fn example(side: &Side) -> (Value, Vec<String>) {
    let mut resource = side.example(Example::First);
    resource["id"] = json!("some id");
    resource["externalId"] = json!("some id");
    let usual = record(side, &resource).map(|tree| structure(&tree));
    let mut places = Vec::new();
    texts(&resource, "", &mut places);
    places.retain(|place| {
        ["tame", "Other"].iter().all(|text| {
            let changed = with(&resource, std::slice::from_ref(place), text);
            usual.is_some() && record(side, &changed).map(|tree| structure(&tree)) == usual
        })
    });
    (resource, places)
}

type Examples = BTreeMap<(String, Kind), (Value, Vec<String>)>;
static EXAMPLES: OnceLock<Examples> = OnceLock::new();

fn examples() -> Examples {
    let mut examples = Examples::new();
    for (_, mapping) in MAPPINGS.iter() {
        for kind in [Kind::User, Kind::Group] {
            if let Some(side) = mapping.side(kind) {
                // The small ones share a table.
                examples.entry((mapping.app().to_owned(), kind)).or_insert_with(|| example(side));
            }
        }
    }
    examples
}

/// Every request of a mapping, for a user and a group whose texts are all `text`.
fn requests(mapping: &Mapping, text: &str) -> Vec<(String, Result<PlannedRequest, ValueError>)> {
    let names: BTreeSet<&String> =
        mapping.calls.iter().flat_map(|call| call.save.iter().map(|(name, _)| name)).collect();
    let saved: Value = names.into_iter().map(|name| (name.clone(), json!(text))).collect();
    let mut made = Vec::new();
    for kind in [Kind::User, Kind::Group] {
        let Some(side) = mapping.side(kind) else { continue };
        let (resource, places) = &EXAMPLES.get_or_init(examples)[&(mapping.app().to_owned(), kind)];
        let mut resource = with(resource, places, text);
        // Of a group that stands in the mapping calls take what only it has.
        let fixed = side.records.iter().flat_map(|records| records.first());
        fixed.into_iter().for_each(|fixed| lay_over(&mut resource, fixed));
        let person = EXAMPLES.get_or_init(examples).get(&(mapping.app().to_owned(), Kind::User));
        let person = person.map(|(person, places)| with(person, places, text));
        let app = record(side, &resource).unwrap_or_default();
        let roots = Roots::new()
            .with(side.resource_root(), resource)
            .with("app", app.clone())
            .with("current", app.clone())
            .with("merged", app)
            .with("id", json!(text))
            .with("wanted", json!(text))
            .with("saved", saved.clone())
            .with("record", json!({ "value": text }))
            .with("page", json!({ "offset": 0, "number": 1, "size": 10, "cursor": text }))
            .with("member", json!({ "id": text, "user": person }));
        let roots = ["members", "added", "removed"]
            .iter()
            .fold(roots, |roots, name| roots.with(name, json!([text, text])));
        for call in mapping.calls.iter().filter(|call| call.kind() == Some(kind)) {
            made.push((call.name().to_owned(), call.request(&roots, Pick::Create, None)));
        }
    }
    made
}

/// Whether a request was refused for what the text is; then nothing is sent.
fn rightly_refused(error: &ValueError, text: &str) -> bool {
    match error {
        ValueError::PathPart { .. } => matches!(text.trim(), "" | "." | ".."),
        ValueError::Header { .. } => text.chars().any(|c| c.is_control() || !c.is_ascii()),
        ValueError::Xml { .. } => !text.chars().all(is_xml_character),
        _ => false,
    }
}

/// Every request of every mapping with a text beside two tame ones; how many left.
fn attack(text: &str) -> Result<usize, String> {
    attack_some(text, |_| true)
}

fn attack_some(text: &str, of: impl Fn(&str) -> bool) -> Result<usize, String> {
    let mut left = 0;
    for (file, mapping) in MAPPINGS.iter().filter(|(file, _)| of(file)) {
        let told = |name: &str, why: &str| {
            let shown: String = text.chars().take(200).collect();
            format!("{file}, call {name}, {shown:?}: {why}")
        };
        let tame = TAME.get_or_init(tame_requests).iter().find(|(known, _)| known == file);
        let cut = cut_out(mapping);
        for ((name, made), pair) in requests(mapping, text).into_iter().zip(&tame.unwrap().1) {
            let Some((a, b)) = pair else { continue };
            match made {
                Ok(made) => {
                    let seen = read(&leave(&made)).map_err(|why| told(&name, &why))?;
                    let [seen, a, b] = [&seen, a, b].map(|read| without(read, &cut));
                    compare(&seen, &a, &b, "").map_err(|why| told(&name, &why))?;
                    left += 1;
                }
                Err(error) if rightly_refused(&error, text) => {}
                Err(error) => return Err(told(&name, &error.to_string())),
            }
        }
    }
    Ok(left)
}

/// Fields whose text is cut out of another one: of some texts nothing is left, and then the field
/// is left out, as the language says.
fn cut_out(mapping: &Mapping) -> BTreeSet<String> {
    let sides = [Kind::User, Kind::Group].into_iter().filter_map(|kind| mapping.side(kind));
    let rows = sides.flat_map(|side| &side.attributes).filter(|row| row.to_app.is_some());
    rows.map(|row| row.field.text().to_owned()).collect()
}

/// What was read, without the texts of these fields.
fn without(read: &Value, fields: &BTreeSet<String>) -> Value {
    match read {
        Value::Object(map) => {
            let stays =
                |(key, value): &(&String, &Value)| !fields.contains(*key) || !value.is_string();
            map.iter().filter(stays).map(|(k, v)| (k.clone(), without(v, fields))).collect()
        }
        Value::Array(list) => {
            // A pair of a form is an object of its own.
            let left = list.iter().map(|one| (one, without(one, fields)));
            left.filter(|(one, left)| *left != json!({}) || *one == left)
                .map(|(_, left)| left)
                .collect()
        }
        other => other.clone(),
    }
}

/// For each file and call; none if the call needs what no example has (a value of a fixed group).
type Tame = Vec<(String, Vec<Option<(Value, Value)>>)>;
static TAME: OnceLock<Tame> = OnceLock::new();

/// What leaves for two texts without guile: what differs between them is a value's place.
fn tame_requests() -> Tame {
    let of = |mapping: &Mapping, text| {
        let made = requests(mapping, text).into_iter();
        made.map(|(_, made)| Some(read(&leave(&made.ok()?)).unwrap())).collect::<Vec<_>>()
    };
    let pairs = |mapping| {
        let both = of(mapping, "tame").into_iter().zip(of(mapping, "Other"));
        both.map(|(a, b)| a.zip(b)).collect()
    };
    MAPPINGS.iter().map(|(file, mapping)| (file.clone(), pairs(mapping))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn no_text_changes_a_request_of_any_mapping(text in hostile()) {
        attack(&text).map_err(TestCaseError::fail)?;
    }
}

#[test]
fn no_attack_changes_a_request_of_any_mapping() {
    let mut left = 0;
    for one in ATTACKS {
        for text in [one.to_owned(), format!("a{one}"), format!("{one}b"), one.repeat(3)] {
            left += attack(&text).unwrap();
        }
    }
    // Most requests leave: it is not by refusing that they are safe.
    let all: usize =
        TAME.get().unwrap().iter().map(|(_, requests)| requests.iter().flatten().count()).sum();
    assert!(MAPPINGS.len() >= 8 && all >= 60, "{} mappings, {all} requests", MAPPINGS.len());
    assert!(left * 10 > all * ATTACKS.len() * 4 * 8, "{left} of {}", all * ATTACKS.len() * 4);
}

#[test]
fn a_megabyte_of_attacks_changes_nothing_either() {
    let harmless: Vec<&str> = ATTACKS.into_iter().filter(|attack| *attack != "\0").collect();
    let text = harmless.concat();
    let text = text.repeat((1 << 20) / text.len() + 1);
    // One of each kind of body: a megabyte is the same for every mapping of a kind.
    for kind in ["a small form", "a small XML", "first.yaml"] {
        assert!(attack_some(&text, |file| file.ends_with(kind)).unwrap() > 3, "{kind}");
    }
}

/// Values reach what is sent: a check of empty requests would prove nothing.
#[test]
fn values_are_in_what_leaves() {
    for (file, requests) in TAME.get_or_init(tame_requests) {
        let made = requests.iter().flatten();
        let with_values = made.clone().filter(|(a, b)| a != b).count();
        assert!(made.count() * 4 >= requests.len() * 3, "{file}: most calls can be made");
        assert!(with_values >= 3, "{file}: {with_values} of {}", requests.len());
    }
}

/// The control: encoders that paste texts are found out, each by the attack on it.
#[test]
fn pasting_is_found_out() {
    let files = |file: &str| MAPPINGS.iter().position(|(known, _)| known.ends_with(file)).unwrap();
    for (encoder, file, text) in [
        (Encoder::Path, "directory.yaml", "x/../admin"),
        (Encoder::Path, "directory.yaml", "x/y"),
        (Encoder::Path, "directory.yaml", "x?admin=1"),
        (Encoder::Query, "directory.yaml", "x&admin=1"),
        (Encoder::Query, "directory.yaml", "x#"),
        (Encoder::Header, "a small XML", "x\r\nX-Evil: 1"),
        (Encoder::Body, "directory.yaml", "x\",\"admin\":\"1"),
        (Encoder::Body, "directory.yaml", "x\""),
        (Encoder::Body, "a small form", "x&admin=1"),
        (Encoder::Body, "a small XML", "x</login><admin>1</admin><login>"),
        (Encoder::Body, "a small XML", "\" admin=\"1"),
        (Encoder::Body, "a small XML", "<!DOCTYPE x>"),
    ] {
        let (file, mapping) = &MAPPINGS[files(file)];
        let tame = &TAME.get_or_init(tame_requests).iter().find(|(f, _)| f == file).unwrap().1;
        // A header refuses such a text: the encoder that pastes puts it in afterwards.
        let put = if encoder == Encoder::Header { "tame" } else { text };
        let caught = requests(mapping, put).into_iter().zip(tame).any(|((_, made), pair)| {
            let (Ok(made), Some((a, b))) = (made, pair) else { return false };
            let seen = read(&pasted(&made, encoder, text));
            seen.and_then(|seen| compare(&seen, a, b, "")).is_err()
        });
        assert!(caught, "{encoder:?} of {file} with {text:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_place_keeps_its_shape(text in hostile(), other in hostile()) {
        let yaml = small_with("update: [ change ]", "update: [ change, x ]")
            + "  x: { call: \"POST /a/{{user.userName}}/b-{{lower user.title}}\", query: { q: $.user.userName, j: { json_text: { t: $.user.title } } }, headers: { X-A: $.user.userName }, body: { v: $.user.userName, t: \"{{user.title}}!\", l: [ $.user.title ] }, if_in_doubt: resend }\n";
        static CALL: OnceLock<Call> = OnceLock::new();
        let call = CALL.get_or_init(|| {
            let mapping = mapping(&super::text(&yaml));
            mapping.call(mapping.call_named("x").unwrap()).clone()
        });
        let request = |a: &str, b: &str| {
            let roots = Roots::new().with("user", json!({ "userName": a, "title": b }));
            call.request(&roots, Pick::Create, None)
        };
        match request(&text, &other) {
            Ok(made) => {
                let tame = |text| read(&leave(&request(text, text).unwrap())).unwrap();
                let seen = read(&leave(&made)).map_err(TestCaseError::fail)?;
                compare(&seen, &tame("tame"), &tame("Other"), "").map_err(TestCaseError::fail)?;
                // Nothing was lost either: what went in comes out of the encoding.
                let query = made.target.split_once('?').unwrap().1;
                let values: Vec<String> = form_urlencoded::parse(query.as_bytes()).map(|(_, v)| v.into_owned()).collect();
                prop_assert_eq!(&values[0], &text);
                prop_assert_eq!(&values[1], &json!({ "t": other }).to_string());
            }
            Err(ValueError::PathPart { .. }) => prop_assert!(text.is_empty() || other.is_empty() || matches!(text.as_str(), "." | "..")),
            Err(ValueError::Header { .. }) => prop_assert!(text.chars().any(|c| c.is_control() || !c.is_ascii())),
            Err(error) => prop_assert!(false, "{error}"),
        }
    }

    #[test]
    fn no_text_makes_the_loader_panic(text in any::<String>()) {
        let _ = loaded(&super::text(&text));
        let _ = loaded(&super::text(&SMALL.replace("{{id}}", &text)));
        let _ = loaded(&super::text(&small_with("name.givenName", &format!("{text:?}"))));
    }
}
