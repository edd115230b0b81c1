//! The rules the bridge's tests rely on.
#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};

use super::Teams;
use crate::{application::Application, wire::Request};

fn app() -> Teams {
    let mut app = Teams::default();
    app.populate();
    for (collection, record) in [
        ("people", json!({ "id": 1, "login": "ada", "level": 10, "role": "none" })),
        ("people", json!({ "id": 2, "login": "dan", "level": 10, "role": "none", "frozen": true })),
        ("rooms", json!({ "id": 3, "name": "Lab" })),
    ] {
        app.put(collection, &record).unwrap();
    }
    app
}

fn ask(app: &mut Teams, line: &str, body: Value) -> u16 {
    let request = Request::for_tests(line, Some("Bearer teams-demo-token"), body);
    app.handle(&request).status
}

#[test]
fn unknown_keys_and_values_are_refused() {
    let mut app = app();
    assert_eq!(ask(&mut app, "PATCH /people/1", json!({ "nosuch": 1 })), 400);
    assert_eq!(ask(&mut app, "PATCH /people/1", json!({ "level": 11 })), 400);
    assert_eq!(ask(&mut app, "PATCH /people/1", json!({ "level": 90 })), 200);
    assert_eq!(ask(&mut app, "POST /rooms/3/people", json!({ "people": ["1"] })), 400);
}

#[test]
fn a_room_lets_in_whom_it_can_or_nobody() {
    let mut app = app();
    let all = json!({ "people": [1, 2] });
    assert_eq!(ask(&mut app, "PUT /rooms/3/people", all.clone()), 400);
    assert!(app.rooms[&3].members.is_empty());
    assert_eq!(ask(&mut app, "POST /rooms/3/people", all), 200);
    assert_eq!(app.rooms[&3].members.len(), 1);
}
