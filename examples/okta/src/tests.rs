//! Laws of bodies, of waiting and of drawing; whole conversations are tried against the bridge.
#![allow(clippy::unwrap_used)]

use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::action::{Action, Outcome};
use crate::client::{Credential, Dialect, Settings, pause};
use crate::history::{Abilities, Plan, draw};
use crate::org::Okta;
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

#[test]
fn a_pause_is_what_the_server_says_and_doubles() {
    assert_eq!([pause(Some(2), 0), pause(Some(2), 1), pause(Some(2), 2)], [2, 4, 8]);
    // A date, or nothing.
    assert_eq!([pause(None, 0), pause(None, 1)], [300, 600]);
    assert_eq!(pause(Some(u64::MAX), 9), u32::MAX);
}

/// A server that gives these answers, one a connection, and then none.
async fn server(answers: Vec<&'static str>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut open = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 4096];
            assert_ne!(stream.read(&mut request).await.unwrap(), 0);
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
        loop {
            open.push(listener.accept().await.unwrap());
        }
    });
    format!("http://{address}/scim/v2/")
}

fn okta(base_url: String) -> Okta {
    let credential = Credential::Bearer("t".to_owned());
    let mut settings = Settings::new(base_url, credential, Dialect::Aiw);
    settings.second = Duration::from_millis(1);
    settings.timeout = Duration::from_millis(300);
    Okta::new(settings, vec![maya()], Vec::new(), Vec::new())
}

const SLOWER: &str = "HTTP/1.1 429 x\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n";

#[tokio::test]
async fn a_429_is_repeated_ten_times_and_then_fails() {
    let okta = okta(server(vec![SLOWER; 10]).await);
    let Outcome::Failed(error) = okta.act(&Action::Assign(0)).await else { panic!("it went well") };
    assert_eq!((error.status, error.unknown), (Some(429), false));
    assert_eq!(okta.counters().requests.load(Ordering::Relaxed), 10);
    assert_eq!(okta.people()[0].link, None);
}

#[tokio::test]
async fn who_gets_no_answer_keeps_no_link_and_later_sends_nothing() {
    let nobody = "HTTP/1.1 200 OK\r\ncontent-length: 19\r\n\r\n{\"totalResults\": 0}";
    let okta = okta(server(vec![nobody]).await);
    let Outcome::Failed(error) = okta.act(&Action::Assign(0)).await else { panic!("it went well") };
    assert!(error.unknown, "{error:?}");
    assert_eq!(okta.act(&Action::Unassign(0)).await, Outcome::Nothing);
    // An administrator finds it in the list of tasks.
    assert_eq!(okta.owed(), [Action::Retry(0)]);
}

#[tokio::test]
async fn a_counter_that_is_a_text_stops_okta() {
    let wrong = "HTTP/1.1 200 OK\r\ncontent-length: 21\r\n\r\n{\"totalResults\": \"0\"}";
    let okta = okta(server(vec![wrong]).await);
    let Outcome::Failed(error) = okta.act(&Action::Assign(0)).await else { panic!("it went well") };
    assert!(error.words.contains("totalResults"), "{error:?}");
}
