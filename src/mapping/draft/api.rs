//! What an OpenAPI 3 file says about the calls for people. Reads no more of it than that.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{DraftAuth, folded};
use crate::mapping::cases::node_value;
use crate::mapping::diagnostic::Report;
use crate::mapping::source::{self, Source};

/// Schemas are followed that deep.
const DEEPEST: usize = 8;
/// Last segments of paths that list people.
const PEOPLE: &[&str] = &[
    "users",
    "user",
    "people",
    "persons",
    "accounts",
    "members",
    "employees",
    "administrators",
    "admins",
    "agents",
    "operators",
    "contacts",
];

/// What is known from an OpenAPI file.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// The path that lists people, and the one of a single person with `{}` for its key.
    pub list: Option<String>,
    pub item: Option<String>,
    /// Methods of the two, in lower case.
    pub list_methods: Vec<String>,
    pub item_methods: Vec<String>,
    /// Names of the list's query.
    pub query: Vec<String>,
    /// Paths below the single one that switch off and on.
    pub off: Option<(String, String)>,
    pub on: Option<(String, String)>,
    /// Examples of the answers.
    pub answer: Option<Value>,
    pub one: Option<Value>,
    /// Values that properties allow.
    pub enums: BTreeMap<String, Vec<Value>>,
    /// A create is sent as a form.
    pub form: bool,
    pub auth: Option<DraftAuth>,
}

/// Reads an OpenAPI file, JSON or YAML.
///
/// # Errors
/// Why it cannot be read.
pub fn read_api(text: &str) -> Result<Value, String> {
    let tree = match serde_json::from_str(text) {
        Ok(tree) => tree,
        Err(_) => {
            let source = Source { file: "the OpenAPI file".to_owned(), text: text.to_owned() };
            let mut report = Report::new(&source);
            // What mapping files must not have (an unquoted `on`) is no harm here.
            let root = source::parse(&source, &mut report);
            root.map(|root| node_value(&root)).ok_or("it is neither JSON nor YAML")?
        }
    };
    match tree.get("paths").is_some_and(Value::is_object) {
        true => Ok(tree),
        false => Err("it has no `paths`: is it an OpenAPI 3 file?".to_owned()),
    }
}

impl Known {
    pub(super) fn of(api: &Value, wanted: Option<&str>) -> Self {
        let mut known = Self { auth: auth_of(api), ..Self::default() };
        let Some(paths) = api.get("paths").and_then(Value::as_object) else { return known };
        let has =
            |path: &str, method: &str| paths.get(path).is_some_and(|p| p.get(method).is_some());
        let last = |path: &str| folded(path.rsplit('/').next().unwrap_or_default());
        // Not /groups/{id}/users: those are people of one group.
        let lists = || paths.keys().filter(|path| has(path, "get") && !path.contains('{'));
        let list = match wanted {
            Some(wanted) => paths.keys().find(|path| same_path(path, wanted)).cloned(),
            None => PEOPLE.iter().find_map(|name| {
                // Of several the shortest: /users, not /archive/users.
                lists().filter(|path| last(path) == *name).min_by_key(|path| path.len()).cloned()
            }),
        };
        let Some(list) = list else { return known };
        let item = paths.keys().find(|path| {
            let rest = path.strip_prefix(list.as_str()).and_then(|rest| rest.strip_prefix("/{"));
            rest.is_some_and(|rest| rest.ends_with('}') && !rest.contains('/'))
        });
        known.list_methods = methods(&paths[&list]);
        known.query = query_names(api, &paths[&list]);
        known.answer = known.example(api, &paths[&list], "get");
        known.form = is_form(api, &paths[&list]);
        if let Some(item) = item {
            known.item_methods = methods(&paths[item]);
            known.one = known.example(api, &paths[item], "get");
            known.item = Some(with_id(item));
            let below = |words: &[&str]| {
                paths.iter().find_map(|(path, one)| {
                    let rest = path.strip_prefix(item.as_str())?.strip_prefix('/')?;
                    let method = ["post", "put"].into_iter().find(|m| one.get(m).is_some())?;
                    let call = (method.to_uppercase(), with_id(path));
                    words.contains(&folded(rest).as_str()).then_some(call)
                })
            };
            known.off = below(&["deactivate", "disable", "suspend", "lock", "block"]);
            known.on =
                below(&["activate", "enable", "unsuspend", "reactivate", "unlock", "unblock"]);
        }
        known.list = Some(list);
        known
    }

    /// An example of the answer to an operation.
    fn example(&mut self, api: &Value, path: &Value, method: &str) -> Option<Value> {
        let answers = path.get(method)?.get("responses")?.as_object()?;
        let good = answers.iter().find(|(status, _)| status.starts_with('2'))?.1;
        let content = follow(api, good).get("content")?.as_object()?;
        let json = content.iter().find(|(kind, _)| kind.contains("json"))?.1;
        if let Some(example) = json.get("example") {
            return Some(example.clone());
        }
        Some(self.sample(api, json.get("schema")?, "", 0))
    }

    /// An example of a schema; values that it allows are remembered by name.
    fn sample(&mut self, api: &Value, schema: &Value, name: &str, depth: usize) -> Value {
        let schema = follow(api, schema);
        if depth > DEEPEST {
            return Value::Null;
        }
        if let Some(all) = schema.get("enum").and_then(Value::as_array) {
            self.enums.entry(folded(name)).or_insert_with(|| all.clone());
        }
        for key in ["example", "default"] {
            if let Some(example) = schema.get(key).filter(|_| !name.is_empty()) {
                return example.clone();
            }
        }
        if let Some(first) = schema.get("enum").and_then(|all| all.get(0)) {
            return first.clone();
        }
        let mut object = Map::new();
        for part in schema.get("allOf").and_then(Value::as_array).into_iter().flatten() {
            if let Value::Object(more) = self.sample(api, part, name, depth + 1) {
                object.extend(more);
            }
        }
        for key in ["oneOf", "anyOf"] {
            if let Some(first) = schema.get(key).and_then(|all| all.get(0)) {
                return self.sample(api, first, name, depth + 1);
            }
        }
        for (name, property) in
            schema.get("properties").and_then(Value::as_object).into_iter().flatten()
        {
            object.insert(name.clone(), self.sample(api, property, name, depth + 1));
        }
        if !object.is_empty() {
            return object.into();
        }
        match (kind_of(schema), schema.get("format").and_then(Value::as_str)) {
            ("array", _) => match schema.get("items") {
                Some(items) => json!([self.sample(api, items, name, depth + 1)]),
                None => json!([]),
            },
            ("integer" | "number", _) => json!(1),
            ("boolean", _) => json!(true),
            ("object", _) => json!({}),
            (_, Some("email")) => json!("iris@corp.example"),
            _ => json!("text"),
        }
    }
}

/// `type`, also where it is a list (OpenAPI 3.1).
fn kind_of(schema: &Value) -> &str {
    match schema.get("type") {
        Some(Value::String(kind)) => kind,
        Some(Value::Array(kinds)) => {
            kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null").unwrap_or_default()
        }
        _ if schema.get("items").is_some() => "array",
        _ => "",
    }
}

/// What a `$ref` within the file names; a few in a row at most.
fn follow<'a>(api: &'a Value, mut at: &'a Value) -> &'a Value {
    for _ in 0..DEEPEST {
        let named = at.get("$ref").and_then(Value::as_str).and_then(|r| r.strip_prefix('#'));
        match named.and_then(|pointer| api.pointer(pointer)) {
            Some(next) => at = next,
            None => break,
        }
    }
    at
}

fn methods(path: &Value) -> Vec<String> {
    let all = ["get", "post", "put", "patch", "delete"];
    all.into_iter().filter(|method| path.get(method).is_some()).map(str::to_owned).collect()
}

fn query_names(api: &Value, path: &Value) -> Vec<String> {
    let lists = [path.get("parameters"), path.get("get").and_then(|get| get.get("parameters"))];
    let all = lists.into_iter().flatten().filter_map(Value::as_array).flatten();
    all.map(|one| follow(api, one))
        .filter(|one| one.get("in").and_then(Value::as_str) == Some("query"))
        .filter_map(|one| one.get("name")?.as_str().map(str::to_owned))
        .collect()
}

fn is_form(api: &Value, path: &Value) -> bool {
    let body = path.get("post").and_then(|post| post.get("requestBody"));
    let content = body.map(|body| follow(api, body)).and_then(|body| body.get("content"));
    let kinds = content.and_then(Value::as_object);
    kinds.is_some_and(|kinds| {
        kinds.contains_key("application/x-www-form-urlencoded")
            && !kinds.keys().any(|kind| kind.contains("json"))
    })
}

fn same_path(path: &str, wanted: &str) -> bool {
    path.trim_matches('/') == wanted.trim_matches('/')
}

/// `/users/{userId}/lock`: the key in the mapping's notation.
fn with_id(path: &str) -> String {
    let part =
        |part: &str| if part.starts_with('{') { "{{id}}".to_owned() } else { part.to_owned() };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

fn auth_of(api: &Value) -> Option<DraftAuth> {
    let schemes = api.pointer("/components/securitySchemes")?.as_object()?;
    schemes.values().map(|one| follow(api, one)).find_map(|one| {
        let text = |key: &str| one.get(key).and_then(Value::as_str).unwrap_or_default();
        match (text("type"), text("scheme").to_lowercase().as_str(), text("in")) {
            ("http", "basic", _) => Some(DraftAuth::Basic),
            ("http", "bearer", _) => Some(DraftAuth::Bearer),
            ("apiKey", _, "header") => Some(DraftAuth::Header(text("name").to_owned())),
            ("oauth2", ..) => {
                let url = one.pointer("/flows/clientCredentials/tokenUrl")?.as_str()?;
                Some(DraftAuth::OAuth2(Some(url.to_owned())))
            }
            _ => None,
        }
    })
}
