//! Hostile values: they never change host, path structure, query keys, headers or body structure.

use std::sync::{LazyLock, OnceLock};

use proptest::prelude::*;

use super::*;
use crate::scim::Slot;

static SHIPPED: LazyLock<Vec<Mapping>> = LazyLock::new(|| {
    ["altr/altr.yaml", "directory/directory.yaml"]
        .iter()
        .map(|file| mapping(&shipped(file)))
        .collect()
});

/// Texts that attack one encoding or another, and any text around them.
fn hostile() -> impl Strategy<Value = String> {
    let attacks = prop::sample::select(vec![
        "../",
        "..",
        ".",
        "%2e%2e",
        "/",
        "//evil.example",
        "?admin=1",
        "&a=b",
        "#x",
        "\r\nX-Evil: 1",
        "\0",
        "{{vars.host}}",
        "{{{x}}}",
        "$.secret",
        "$$",
        "\"}",
        "'",
        "<!ENTITY x>",
        "@evil",
        ":80",
        "\\",
        "\u{202e}",
        " ",
    ]);
    let piece = prop_oneof![attacks.prop_map(str::to_owned), any::<String>()];
    prop::collection::vec(piece, 0..5).prop_map(|pieces| pieces.concat())
}

/// The parts of a target that a value must not change: number of segments, names of the query.
fn shape(target: &str) -> (usize, Vec<String>) {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let names = form_urlencoded::parse(query.as_bytes()).map(|(name, _)| name.into_owned());
    (path.matches('/').count(), names.collect())
}

/// Keys and types of a tree, without its texts.
fn structure(tree: &Value) -> Value {
    match tree {
        Value::Object(map) => map.iter().map(|(k, v)| (k.clone(), structure(v))).collect(),
        Value::Array(list) => list.iter().map(structure).collect(),
        Value::String(_) => json!("text"),
        other => other.clone(),
    }
}

fn check(request: &PlannedRequest, tame: &PlannedRequest) -> Result<(), TestCaseError> {
    prop_assert!(request.target.starts_with('/') && !request.target.starts_with("//"));
    prop_assert!(request.target.bytes().all(|b| b.is_ascii_graphic()), "{}", request.target);
    prop_assert!(!request.target.contains('#'));
    prop_assert_eq!(shape(&request.target), shape(&tame.target));
    let path = request.target.split('?').next().unwrap_or_default();
    prop_assert!(path.split('/').all(|segment| segment != "." && segment != ".."));
    let names =
        |r: &PlannedRequest| r.headers.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    prop_assert_eq!(names(request), names(tame));
    for (_, value) in &request.headers {
        if let HeaderText::Plain(text) = value {
            prop_assert!(!text.chars().any(char::is_control));
        }
    }
    let body = |r: &PlannedRequest| r.body.as_ref().map(|body| structure(&body.tree));
    prop_assert_eq!(body(request), body(tame));
    Ok(())
}

/// Every request of a mapping for a user (and group) whose texts are all `text`.
fn requests(mapping: &Mapping, text: &str) -> Vec<(String, Result<PlannedRequest, ValueError>)> {
    let user = json!({
        "userName": text, "title": text, "displayName": text, "externalId": text, "locale": text, "active": true,
        "name": { "givenName": text, "familyName": text },
        "emails": [{ "value": text, "type": "work", "primary": true }],
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {
            "department": text, "employeeNumber": text, "manager": { "value": text } },
    });
    let group = json!({ "id": text, "displayName": text });
    let mut made = Vec::new();
    for kind in [Kind::User, Kind::Group] {
        let Some(side) = mapping.side(kind) else {
            continue;
        };
        let roots = Roots::new().with("user", user.clone()).with("group", group.clone());
        let carried =
            Carried { password: false, slots: Asserted::Slots(vec![Slot::new(["userName"])]) };
        let app = side.app_record(&roots, true, &carried).unwrap();
        let roots = roots
            .with("app", app.tree().clone())
            .with("id", json!(text))
            .with("wanted", json!(text))
            .with("member", json!({ "id": text }))
            .with("members", json!([text]));
        for call in mapping.calls.iter().filter(|call| call.kind() == Some(kind)) {
            let page = call.first_page();
            made.push((call.name().to_owned(), call.request(&roots, Pick::Create, page.as_ref())));
        }
    }
    made
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn shipped_mappings_keep_their_shape(text in hostile()) {
        // An empty text is no value in SCIM and leaves its keys out.
        prop_assume!(!text.is_empty());
        for mapping in SHIPPED.iter() {
            let tame = requests(mapping, "tame");
            for ((name, request), (_, tame)) in requests(mapping, &text).into_iter().zip(tame) {
                match request {
                    Ok(request) => check(&request, &tame.unwrap())?,
                    Err(ValueError::PathPart { .. }) => prop_assert!(matches!(text.as_str(), "." | ".."), "{name}: {text:?}"),
                    Err(error) => prop_assert!(false, "{name}: {error}"),
                }
            }
        }
    }

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
                check(&made, &request("tame", "tame").unwrap())?;
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
