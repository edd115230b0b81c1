//! Laws of bodies and of drawing; whole conversations are tried against the bridge.

use serde_json::json;

use crate::history::{Abilities, Plan, draw};
use crate::people::filter;
use crate::profile::{Profile, plain, value_in};

fn maya() -> Profile {
    Profile {
        user_name: "maya@corp.example".to_owned(),
        given: "Maya".to_owned(),
        family: "Lindqvist".to_owned(),
        extra: [("ALTR_ADMIN_LEVEL|ALTR_ADMIN_LEVEL".to_owned(), json!("SUPER"))].into(),
    }
}

#[test]
fn a_created_user_has_the_namespace_of_its_attribute() {
    let body = maya().created("00u1", "Zq7#");
    assert_eq!(body["schemas"][1], "ALTR_ADMIN_LEVEL");
    assert_eq!(body["ALTR_ADMIN_LEVEL"]["ALTR_ADMIN_LEVEL"], "SUPER");
    assert_eq!(body["emails"][0]["value"], "maya@corp.example");
    assert_eq!(body["groups"], json!([]));
    assert_eq!(body["password"], "Zq7#");
}

#[test]
fn only_what_changed_is_laid_over_an_echo() {
    let mut echo = json!({ "id": "7", "unknown": 1, "name": { "formatted": "M L" } });
    let now = Profile { given: "Mia".to_owned(), ..maya() };
    now.lay_over(&mut echo, Some(&maya()));
    let expected = json!({
        "id": "7", "unknown": 1, "name": { "formatted": "M L", "givenName": "Mia" },
        "displayName": "Mia Lindqvist",
    });
    assert_eq!(echo, expected);
}

#[test]
fn a_filter_is_encoded_as_okta_does() {
    assert_eq!(
        filter("userName", "a+b\"c@x.example"),
        "userName%20eq%20%22a%2Bb%5C%22c%40x.example%22"
    );
}

#[test]
fn lists_are_compared_as_sets_of_values() {
    let body = json!({ "roles": [{ "value": "b" }, { "value": "a", "primary": true }] });
    assert_eq!(value_in(&body, "roles"), json!(["a", "b"]));
    assert_eq!(plain(&json!([])), plain(&json!("")));
}

#[test]
fn the_same_seed_draws_the_same_history() {
    let abilities = Abilities {
        renames_users: true,
        renames_groups: true,
        deletes_groups: true,
        passwords: true,
        choices: Vec::new(),
    };
    let plan = Plan { seed: 7, actions: 300, people: 20, teams: 4, abilities };
    assert_eq!(draw(&plan).actions, draw(&plan).actions);
    assert_ne!(draw(&plan).actions, draw(&Plan { seed: 8, ..plan.clone() }).actions);
}
