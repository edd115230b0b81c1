//! What mappings cost, as ratios: loading a long one, to a bare parse of the same YAML; planning a
//! change, to a plain parse and print of the same user by serde_json.
#![allow(clippy::unwrap_used)]

mod measure;

use std::fmt::Write as _;
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use measure::{Pair, shown};
use scim_bridge::mapping::{
    Answer, Body, Claim, Converge, Given, Goal, Kind, Mapping, Marks, MemberGoal, Next, Seed,
    Source, Taken, VarSource, Want, WithoutValue, load,
};
use scim_bridge::scim::Slot;
use serde_json::{Value, json};

const ROUNDS: usize = 51;
/// A turn repeats its work until it takes about that long.
const TURN: Duration = Duration::from_millis(1);

type Work = Box<dyn Fn()>;

fn main() {
    println!("loading, in bare parses of the same YAML\n");
    println!("{:<58} {:>10} {:>10} {:>7}", "mapping", "YAML", "load", "ratio");
    for lines in [100, 1_000, 10_000] {
        let text = long_mapping(lines);
        let name = format!("{} lines", text.lines().count());
        tell(&name, &in_turns(&bare(&text), &loading(&text)));
    }
    for file in ["mappings/altr/altr.yaml", "mappings/directory/directory.yaml"] {
        tell(file, &in_turns(&bare(&read(file)), &loading(&read(file))));
    }
    println!("\nplanning, in parses and prints of the same user by serde_json\n");
    println!("{:<58} {:>10} {:>10} {:>7}", "change", "serde_json", "plan", "ratio");
    let mapping = loaded(&read("mappings/directory/directory.yaml"));
    for (name, changed, link) in [
        ("update: read, one field differs, one call", true, true),
        ("update: read, nothing differs, no call", false, true),
        ("create: looked for, made", false, false),
    ] {
        tell(name, &in_turns(&unit(&user()), &planning(mapping.clone(), changed, link)));
    }
}

fn tell(name: &str, pair: &Pair) {
    let (first, second) = (shown(pair.first), shown(pair.second));
    println!("{name:<58} {first:>10} {second:>10} {:>7.2}", pair.ratio);
}

/// Both in turns, each as often per turn as fits.
fn in_turns(first: &Work, second: &Work) -> Pair {
    let often = |work: &Work| {
        let fits = TURN.as_nanos() / time(work).as_nanos().max(1);
        u32::try_from(fits).unwrap_or(u32::MAX).max(1)
    };
    let turn = |work: &Work, often: u32| time(|| (0..often).for_each(|_| work())) / often;
    let (a, b) = (often(first), often(second));
    Pair::of(&(0..ROUNDS).map(|_| (turn(first, a), turn(second, b))).collect::<Vec<_>>())
}

fn time(work: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    work();
    begun.elapsed()
}

fn read(file: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

/// The text as YAML, without anything that a mapping means.
fn bare(text: &str) -> Work {
    let text = text.to_owned();
    Box::new(move || {
        let tree: Value = serde_saphyr::from_str(black_box(&text)).unwrap();
        black_box(tree);
    })
}

fn loading(text: &str) -> Work {
    let text = text.to_owned();
    Box::new(move || drop(black_box(loaded(black_box(&text)))))
}

fn loaded(text: &str) -> Mapping {
    let source = Source { file: "bench.yaml".to_owned(), text: text.to_owned() };
    let vars = |_: &VarSource| Some("https://app.example".to_owned());
    let given = Given { vars: &vars, without_value: WithoutValue::Refuse, base_url: &|_| None };
    let loaded = load(&source, &given);
    loaded.mapping.unwrap_or_else(|| panic!("{:?}", loaded.diagnostics))
}

/// A mapping of about that many lines: attributes, rows of tables, calls and error rows.
fn long_mapping(lines: usize) -> String {
    let each = lines.saturating_sub(40) / 5;
    let mut text = "mapping: 1\napp: long\nconnect: { base_url: https://app.example }\n\
                    scim: { extensions: { long: urn:long } }\ntables:\n  level:\n"
        .to_owned();
    for n in 0..each {
        let _ = writeln!(text, "    - {{ scim: Level {n}, app: level-{n} }}");
    }
    text += "users:\n  id: id\n  attributes:\n    login: { scim: userName, required: true }\n    \
             active: active\n    level: { scim: title, table: level }\n";
    for n in 0..each {
        let _ = writeln!(text, "    field_{n}: {{ scim: long.field{n}, absent: clear }}");
    }
    text += "  find: [ { by: userName, use: page } ]\n  create: [ add ]\n  update:\n    - change\n";
    for n in 0..each / 2 {
        let _ = writeln!(text, "    - change_{n}");
    }
    text += "  delete: refuse\n  get: [ read ]\n  list: [ page ]\ncalls:\n  \
             page: { call: GET /users, records: \"$.body[*]\" }\n  \
             read: { call: \"GET /users/{{id}}\", record: $.body }\n  \
             add: { call: POST /users, send: [login, level], save: { id: $.body.id }, if_in_doubt: find }\n  \
             change: { call: \"PATCH /users/{{id}}\", send: [login, active, level], if_in_doubt: resend }\n";
    for n in 0..each / 2 {
        let _ = writeln!(
            text,
            "  change_{n}:\n    call: \"PUT /users/{{{{id}}}}/field/{n}\"\n    body: {{ value: $.app.field_{n}, by: \"{{{{user.userName}}}}\" }}"
        );
    }
    text += "errors:\n";
    for n in 0..each {
        let _ = writeln!(
            text,
            "  - {{ status: 400, when: body.code eq \"E{n}\", is: rejected, say: \"Refused: {{{{error_text}}}}\" }}"
        );
    }
    text
}

fn user() -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": "iris.okafor", "externalId": "00u1example", "active": true,
        "name": { "givenName": "Iris", "familyName": "Okafor" }, "displayName": "Iris Okafor",
        "title": "Treasurer", "locale": "en-GB",
        "emails": [{ "value": "iris@corp.example", "type": "work", "primary": true }],
        "phoneNumbers": [{ "value": "+1 555 0100", "type": "mobile" }],
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {
            "department": "Treasury", "employeeNumber": "0042" },
    })
}

/// The unit: the user from bytes and back to bytes, as anybody must do who speaks JSON.
fn unit(document: &Value) -> Work {
    let bytes = document.to_string().into_bytes();
    Box::new(move || {
        let read: Value = serde_json::from_slice(black_box(&bytes)).unwrap();
        black_box(serde_json::to_vec(&read).unwrap());
    })
}

/// A whole plan, to its end; the app's answers are there already.
fn planning(mapping: Mapping, changed: bool, linked: bool) -> Work {
    let id = json!("u7");
    let held = mapping.side(Kind::User).unwrap().record_of(&user(), &id).unwrap();
    let mut desired = user();
    if changed {
        desired["title"] = json!("Countess");
    }
    let after = mapping.side(Kind::User).unwrap().record_of(&desired, &id).unwrap();
    let slots = ["userName", "active", "displayName", "title", "locale", "emails"];
    let goal = Goal {
        names: Vec::new(),
        kind: Kind::User,
        want: Want::Present {
            desired,
            asserted: slots.map(|name| Slot::new([name])).to_vec(),
            members: MemberGoal::default(),
        },
        link: linked.then(|| id.clone()),
        password: None,
        claim: Claim::AsMapped,
        reading: None,
        may_create: true,
        in_doubt: false,
        other_than: None,
        known: serde_json::Value::Null,
        awaited: None,
        seed: Seed::shown(),
        marks: Marks::default(),
        groups: None,
        begun: Vec::new(),
        tables: Vec::new(),
    };
    let answer = |body: Value| Answer {
        status: 200,
        headers: Vec::new(),
        body: Body::Tree(body),
        session: 0,
    };
    let nobody = answer(json!({ "items": [], "total": 0 }));
    let (held, after) = (answer(held), answer(after));
    let calls = usize::from(changed || !linked);
    Box::new(move || {
        let mut plan = Converge::new(black_box(goal.clone()));
        let mut writes = 0;
        loop {
            let (answer, write) = match plan.next(&mapping).unwrap() {
                Next::Read(_) if writes > 0 => (&after, 0),
                Next::Read(_) if linked => (&held, 0),
                Next::Read(_) => (&nobody, 0),
                Next::Write(_) => (&after, 1),
                Next::Done(reached) => {
                    black_box(reached);
                    break;
                }
                Next::Who(_) | Next::Move(_) => unreachable!("no members, no other account"),
            };
            writes += write;
            assert!(matches!(plan.take(&mapping, answer), Taken::Went));
        }
        assert_eq!(writes, calls, "what is measured is what is told");
    })
}
