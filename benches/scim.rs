//! What the protocol's work costs, as ratios: to a plain parse and print of the same document by
//! serde_json in the same round, and per element when there is ten times as much of it.
#![allow(clippy::unwrap_used)]

mod measure;

use std::hint::black_box;
use std::time::{Duration, Instant};

use measure::{Pair, shown};
use scim_bridge::scim::{
    self, Absent, Extension, Filter, Patch, Projection, ResourceType, core, list_response,
    normalise, parse_body, project, replace, take_members,
};
use serde_json::{Value, json};

const ROUNDS: usize = 101;
/// A turn repeats its work until it takes about that long.
const TURN: Duration = Duration::from_micros(500);

type Work = Box<dyn Fn()>;

fn main() {
    let rt = user_type();
    println!("cost of one operation, in parses and prints of the same document by serde_json\n");
    println!("{:<58} {:>10} {:>10} {:>7}", "operation", "serde_json", "operation", "ratio");
    let mut groups = vec![filters(&rt), writes(&rt), answers(&rt)];
    for (name, base, work) in groups.drain(..).flatten() {
        let pair = in_turns(&base, &work);
        let (first, second) = (shown(pair.first), shown(pair.second));
        println!("{name:<58} {first:>10} {second:>10} {:>7.2}", pair.ratio);
    }
    println!("\ncost per element when there is ten times as much (1 is linear)\n");
    println!("{:<58} {:>10} {:>10} {:>7}", "operation", "n", "10 n", "ratio");
    for (name, work) in growing() {
        let pair = in_turns(&work(1), &work(10));
        let (first, second) = (shown(pair.first), shown(pair.second));
        println!("{name:<58} {first:>10} {second:>10} {:>7.2}", pair.ratio / 10.0);
    }
}

/// Both in turns, each as often per turn as fits.
fn in_turns(first: &Work, second: &Work) -> Pair {
    let often = |work: &Work| {
        let once = time(|| (0..10).for_each(|_| work())) / 10;
        let fits = TURN.as_nanos() / once.as_nanos().max(1);
        u32::try_from(fits).unwrap_or(u32::MAX).max(1)
    };
    let turn = |work: &Work, often: u32| time(|| (0..often).for_each(|_| work())) / often;
    let (a, b) = (often(first), often(second));
    let rounds: Vec<_> = (0..ROUNDS).map(|_| (turn(first, a), turn(second, b))).collect();
    Pair::of(&rounds)
}

fn time(work: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    work();
    begun.elapsed()
}

/// The unit: the document from bytes and back to bytes, as anybody must do who speaks JSON.
fn unit(document: &Value) -> Work {
    let bytes = document.to_string().into_bytes();
    Box::new(move || {
        let read: Value = serde_json::from_slice(black_box(&bytes)).unwrap();
        black_box(serde_json::to_vec(&read).unwrap());
    })
}

fn filters(rt: &ResourceType) -> Vec<(String, Work, Work)> {
    let texts = [
        r#"userName eq "lena@corp.example""#,
        r#"userName eq "lena@corp.example" and active eq true"#,
        r#"emails[type eq "work" and value co "@corp"]"#,
        r#"not (title pr) or (name.familyName sw "Vo" and meta.lastModified gt "2024-01-01T00:00:00Z")"#,
        r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq "Sales""#,
    ];
    let mut rows = Vec::new();
    for text in texts {
        let short: String = text.chars().take(44).collect();
        let of = rt.clone();
        let parse: Work = Box::new(move || {
            black_box(Filter::parse(black_box(text), &of).unwrap());
        });
        rows.push((format!("parse {short}"), unit(&user(2)), parse));
        let (filter, resource) = (Filter::parse(text, rt).unwrap(), user(2));
        let matches: Work = Box::new(move || {
            black_box(filter.matches(black_box(&resource)));
        });
        rows.push((format!("match {short}"), unit(&user(2)), matches));
    }
    rows
}

fn writes(rt: &ResourceType) -> Vec<(String, Work, Work)> {
    let patches = [
        ("PATCH active, no path", json!([{"op": "replace", "value": {"active": false}}])),
        (
            "PATCH emails[type eq \"work\"].value",
            json!([{"op": "Replace", "path": "emails[type eq \"work\"].value", "value": "n@x.example"}]),
        ),
        (
            "PATCH six attributes",
            json!([
                {"op": "replace", "path": "name.givenName", "value": "Lea"},
                {"op": "replace", "path": "name.familyName", "value": "Vogt"},
                {"op": "replace", "path": "title", "value": "Lead"},
                {"op": "add", "path": "emails", "value": [{"value": "b@x.example", "type": "home"}]},
                {"op": "remove", "path": "phoneNumbers[type eq \"mobile\"]"},
                {"op": "replace", "path": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department", "value": "Ops"},
            ]),
        ),
    ];
    let mut rows = Vec::new();
    for (name, operations) in patches {
        rows.push((name.to_owned(), unit(&user(2)), patching(rt, user(2), operations)));
    }
    rows.push(("PUT: normalise and replace".to_owned(), unit(&user(2)), putting(rt, &user(2))));
    rows.push(("body: strict parse (no print)".to_owned(), unit(&user(2)), parsing(&user(2))));
    rows
}

fn patching(rt: &ResourceType, base: Value, operations: Value) -> Work {
    let (rt, body) = (rt.clone(), json!({"Operations": operations}));
    Box::new(move || {
        let patch = Patch::parse(black_box(&body)).unwrap();
        black_box(patch.apply(&base, &rt).unwrap());
    })
}

fn putting(rt: &ResourceType, document: &Value) -> Work {
    let (rt, base) = (rt.clone(), document.clone());
    Box::new(move || {
        let incoming = normalise(base.clone(), &rt, Some("2819")).unwrap();
        black_box(replace(&base, &incoming, &rt, &|_| Absent::Keep));
    })
}

fn parsing(document: &Value) -> Work {
    let bytes = document.to_string().into_bytes();
    Box::new(move || {
        black_box(parse_body(black_box(&bytes)).unwrap());
    })
}

fn answers(rt: &ResourceType) -> Vec<(String, Work, Work)> {
    let wishes = [
        ("projection: all by default", None, None),
        (
            "projection: attributes=userName,name,emails.value",
            Some("userName,name,emails.value"),
            None,
        ),
        ("projection: excludedAttributes=groups,emails", None, Some("groups,emails")),
    ];
    let mut rows = Vec::new();
    for (name, attributes, excluded) in wishes {
        let wish = Projection::parse(attributes, excluded);
        rows.push((name.to_owned(), unit(&user(2)), projecting(rt, user(2), wish)));
    }
    let page = page(100);
    let list = list_response(1_000_000, 1, page.clone());
    rows.push(("list of 100: projected and written".to_owned(), unit(&list), listing(rt, page)));
    rows
}

fn projecting(rt: &ResourceType, resource: Value, wish: Projection) -> Work {
    let rt = rt.clone();
    Box::new(move || {
        black_box(project(resource.clone(), &rt, &wish));
    })
}

fn listing(rt: &ResourceType, page: Vec<Value>) -> Work {
    let (rt, all) = (rt.clone(), Projection::default());
    Box::new(move || {
        let rows = page.iter().map(|row| project(row.clone(), &rt, &all)).collect();
        black_box(serde_json::to_vec(&list_response(1_000_000, 1, rows)).unwrap());
    })
}

/// Work of a size: `(1)` and `(10)` times as much.
type Growing = Box<dyn Fn(usize) -> Work>;

fn growing() -> Vec<(&'static str, Growing)> {
    let rt = user_type;
    vec![
        (
            "filter: parse 6 terms",
            Box::new(move |n| {
                let (text, rt) = (terms(6 * n), rt());
                Box::new(move || drop(black_box(Filter::parse(&text, &rt).unwrap())))
            }),
        ),
        (
            "filter: match 6 terms",
            Box::new(move |n| {
                let (filter, resource) = (Filter::parse(&terms(6 * n), &rt()).unwrap(), user(2));
                Box::new(move || assert!(!filter.matches(black_box(&resource))))
            }),
        ),
        (
            "filter: parse 3 deep",
            Box::new(move |n| {
                let (text, rt) = (deep(3 * n), rt());
                Box::new(move || drop(black_box(Filter::parse(&text, &rt).unwrap())))
            }),
        ),
        (
            "filter: match an element of 30",
            Box::new(move |n| {
                let text = r#"emails[type eq "other" and value eq "nobody"]"#;
                let (filter, resource) = (Filter::parse(text, &rt()).unwrap(), user(30 * n));
                Box::new(move || assert!(!filter.matches(black_box(&resource))))
            }),
        ),
        (
            "PATCH: 20 operations",
            Box::new(move |n| {
                let one = |at| json!({"op": "replace", "path": "title", "value": format!("t{at}")});
                patching(&rt(), user(2), (0..20 * n).map(one).collect())
            }),
        ),
        (
            "PATCH: one of 30 elements by filter",
            Box::new(move |n| {
                let path = r#"emails[value eq "mail3@corp.example"].type"#;
                patching(
                    &rt(),
                    user(30 * n),
                    json!([{"op": "replace", "path": path, "value": "home"}]),
                )
            }),
        ),
        (
            "PATCH: adding 30 elements to 30",
            Box::new(move |n| {
                let mail = |at| json!({"value": format!("new{at}@corp.example"), "type": "other"});
                let mails: Vec<_> = (0..30 * n).map(mail).collect();
                patching(
                    &rt(),
                    user(30 * n),
                    json!([{"op": "add", "path": "emails", "value": mails}]),
                )
            }),
        ),
        (
            "PATCH: 200 members come (split_members)",
            Box::new(|n| {
                let members: Vec<_> = (0..200 * n).map(|at| json!({"value": id(at)})).collect();
                let body =
                    json!({"Operations": [{"op": "add", "path": "members", "value": members}]});
                let patch = Patch::parse(&body).unwrap();
                Box::new(move || drop(black_box(patch.split_members().unwrap())))
            }),
        ),
        ("PUT: 30 elements", Box::new(move |n| putting(&rt(), &user(30 * n)))),
        (
            "PUT: 200 members (take_members)",
            Box::new(|n| {
                let members: Vec<_> = (0..200 * n).map(|at| json!({"value": id(at)})).collect();
                let body = json!({"displayName": "g", "members": members});
                Box::new(move || drop(black_box(take_members(&mut body.clone()).unwrap())))
            }),
        ),
        (
            "body: strict parse, 200 members",
            Box::new(|n| {
                let members: Vec<_> = (0..200 * n).map(|at| json!({"value": id(at)})).collect();
                parsing(&json!({"displayName": "g", "members": members}))
            }),
        ),
        (
            "projection: 30 elements",
            Box::new(move |n| projecting(&rt(), user(30 * n), Projection::default())),
        ),
        ("list of 10: projected and written", Box::new(move |n| listing(&rt(), page(10 * n)))),
    ]
}

fn terms(count: usize) -> String {
    let one = |at| format!("userName eq \"nobody{at}@corp.example\"");
    (0..count).map(one).collect::<Vec<_>>().join(" or ")
}

fn deep(levels: usize) -> String {
    format!("{}userName eq \"a\"{}", "(".repeat(levels), ")".repeat(levels))
}

fn id(at: usize) -> String {
    format!("01234567-89ab-7def-8123-{at:012x}")
}

fn page(rows: usize) -> Vec<Value> {
    vec![user(2); rows]
}

/// A user with everything that identity providers usually send.
fn user(mails: usize) -> Value {
    let mail = |at| {
        let kind = if at == 0 { "work" } else { "home" };
        json!({"value": format!("mail{at}@corp.example"), "type": kind, "primary": at == 0})
    };
    let mut user = json!({
        "externalId": "00u1ab2cd3ef", "userName": "lena@corp.example",
        "name": {"formatted": "Lena Vogel", "familyName": "Vogel", "givenName": "Lena"},
        "displayName": "Lena Vogel", "title": "Engineer", "active": true, "locale": "de-DE",
        "emails": (0..mails).map(mail).collect::<Vec<_>>(),
        "phoneNumbers": [{"value": "+49 30 1234567", "type": "mobile"}],
        "addresses": [{"streetAddress": "Allee 1", "locality": "Berlin", "country": "DE", "type": "work"}],
        "groups": [{"value": id(1), "display": "Approvers"}],
        core::ENTERPRISE_USER: {"department": "Sales", "employeeNumber": "4711", "manager": {"value": id(7)}},
    });
    let date = "2026-01-01T00:00:00Z";
    scim::finish(&mut user, &user_type(), "2819", date, date, "W/\"1\"", None);
    user
}

fn user_type() -> ResourceType {
    ResourceType {
        id: "User".to_owned(),
        name: "User".to_owned(),
        endpoint: "/Users".to_owned(),
        description: "User Account".to_owned(),
        schema: core::user(),
        extensions: vec![Extension {
            schema: core::enterprise_user(),
            required: false,
            also_read: Vec::new(),
        }],
    }
}
