//! Credentials of identity providers: shown once, valid for one app, replaced and ended.

use base64::Engine as _;
use scim_bridge::sync::Command;
use serde_json::Value;

use super::support::World;
use super::support::http::send;
use super::support::people::{PASSWORD, george};
use super::support::text::with_key;
use super::support::world::token_of;

fn of(world: &World) -> String {
    world.name.to_owned()
}

async fn list(world: &World) -> Vec<Value> {
    let tokens = world.command(Command::TokenList { app: Some(of(world)) }).await;
    tokens.as_array().cloned().unwrap()
}

/// Whether a credential is let in.
async fn is_good(world: &World, authorization: &str) -> bool {
    let header = format!("Authorization: {authorization}");
    let answer = world.raw("GET", "/Users?startIndex=1&count=1", &[&header], b"").await;
    if answer.status == 401 {
        answer.expect_error(401);
    }
    answer.status == 200
}

async fn bearer_is_good(world: &World, token: &str) -> bool {
    is_good(world, &format!("Bearer {token}")).await
}

#[tokio::test]
async fn a_token_is_listed_without_its_secret() {
    let world = World::of("directory").await;
    let tokens = list(&world).await;
    assert_eq!(tokens.len(), 1);
    assert_eq!((&tokens[0]["state"], &tokens[0]["label"]), (&"good".into(), &"test".into()));
    assert!(!tokens[0].to_string().contains(&world.token));
    let id = tokens[0]["id"].as_str().unwrap();
    assert!(world.token.contains(id), "its id is readable in it, for who finds one");
}

#[tokio::test]
async fn rotation_ends_the_old_token_at_once() {
    let world = World::of("directory").await;
    let rotate = Command::TokenRotate { app: of(&world), id: None, overlap: None };
    let new = token_of(&world.command(rotate).await);
    assert!(bearer_is_good(&world, &new).await);
    assert!(!bearer_is_good(&world, &world.token).await);
}

#[tokio::test]
async fn rotation_with_overlap_leaves_both_good() {
    let world = World::of("directory").await;
    let rotate = Command::TokenRotate { app: of(&world), id: None, overlap: Some("24h".into()) };
    let made = world.command(rotate).await;
    assert!(made["old_good_until"].is_string(), "{made}");
    assert!(bearer_is_good(&world, &token_of(&made)).await);
    assert!(bearer_is_good(&world, &world.token).await);
    let mut states: Vec<_> = list(&world).await.iter().map(|t| t["state"].clone()).collect();
    states.sort_by_key(Value::to_string);
    assert_eq!(states, ["good", "overlap"]);
}

#[tokio::test]
async fn a_revoked_token_is_refused_from_then_on() {
    let world = World::of("directory").await;
    let second = token_of(&world.command(world.token_create()).await);
    let id = list(&world)
        .await
        .iter()
        .find(|t| second.contains(t["id"].as_str().unwrap()))
        .unwrap()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    world.command(Command::TokenRevoke { app: of(&world), id }).await;
    assert!(!bearer_is_good(&world, &second).await);
    assert!(bearer_is_good(&world, &world.token).await);
}

#[tokio::test]
async fn an_expiry_is_listed_and_measured() {
    let world = World::of("directory").await;
    let create = Command::TokenCreate {
        app: of(&world),
        label: "ninety".into(),
        expires: Some("90d".into()),
    };
    let made = world.command(create).await;
    assert!(bearer_is_good(&world, &token_of(&made)).await);
    let listed = list(&world).await.into_iter().find(|token| token["id"] == made["id"]).unwrap();
    let to_the_second = |value: &Value| value.as_str().unwrap()[..19].to_owned();
    assert_eq!(to_the_second(&listed["expires"]), to_the_second(&made["expires"]));
    let metrics = send(&world.service().admin(), "GET", "/metrics", &[], b"").await.unwrap().body;
    let line = r#"scim_bridge_token_expires_seconds{app="directory",label="ninety"} 77"#;
    assert!(metrics.contains(line), "ninety days are 7776000 seconds: {metrics}");
}

#[tokio::test]
async fn of_several_tokens_the_one_to_rotate_must_be_named() {
    let world = World::of("directory").await;
    world.command(world.token_create()).await;
    let rotate = Command::TokenRotate { app: of(&world), id: None, overlap: None };
    let refused = world.service().bridge.command(rotate).await.unwrap_err();
    assert_eq!(refused.exit, 2);
    assert!(refused.message.contains("--id"), "{refused}");
}

#[tokio::test]
async fn only_the_whole_token_in_the_right_form_is_taken() {
    let world = World::of("directory").await;
    let token = world.token.clone();
    let pair = base64::engine::general_purpose::STANDARD.encode(format!("user:{token}"));
    let cut = &token[..token.len() - 1];
    for authorization in [
        format!("Basic {pair}"),
        format!("Bearer {cut}"),
        format!("Bearer {token}0"),
        format!("Bearer {}", token.to_uppercase()),
        "Bearer".to_owned(),
        "Bearer scb_".to_owned(),
        "non-token".to_owned(),
        token.clone(),
    ] {
        assert!(!is_good(&world, &authorization).await, "{authorization}");
    }
    assert!(is_good(&world, &format!("bearer {token}")).await, "the word in any case");
    let calls = world.app().calls().len();
    assert_eq!(calls, 1, "no call to the app for who is not let in");
}

#[tokio::test]
async fn the_word_bearer_pasted_too_is_explained() {
    let world = World::of("directory").await;
    let header = format!("Authorization: Bearer Bearer {}", world.token);
    let refused = world.raw("GET", "/Users?count=1", &[&header], b"").await;
    let detail = refused.expect_error(401);
    assert!(detail.contains("Bearer"), "{detail}");
    assert!(!detail.contains(&world.token));
}

#[tokio::test]
async fn a_token_is_good_for_one_app_only() {
    let world = World::of("directory").await;
    let other = World::of("altr").await;
    assert!(!bearer_is_good(&world, &other.token).await);
    assert!(!bearer_is_good(&other, &world.token).await);
}

#[tokio::test]
async fn basic_is_taken_where_the_mapping_says_so() {
    let basic = |text: &str| with_key(text, "scim", "auth", "[basic]");
    let world = World::with("directory", basic).await;
    assert!(world.token.contains(':'), "a pair is made");
    world.get("/Users?startIndex=1&count=1").await.expect(200);
    let (user, secret) = world.token.split_once(':').unwrap();
    let encoded = |text: String| base64::engine::general_purpose::STANDARD.encode(text);
    for wrong in [format!("{user}:{secret}x"), format!("{secret}:{user}"), format!("{user}:")] {
        let header = format!("Authorization: Basic {}", encoded(wrong));
        let refused = world.raw("GET", "/Users?count=1", &[&header], b"").await;
        refused.expect_error(401);
        assert!(refused.header("www-authenticate").unwrap().starts_with("Basic"));
    }
    assert!(!bearer_is_good(&world, secret).await);
}

#[tokio::test]
async fn where_tokens_are_final_only_a_revoke_opens_the_way() {
    let world = World::of("altr").await;
    let refused = world.service().bridge.command(world.token_create()).await.unwrap_err();
    assert_eq!(refused.exit, 1);
    let id = list(&world).await[0]["id"].as_str().unwrap().to_owned();
    assert!(refused.message.contains(&id), "it names the token to revoke: {refused}");
    world.command(Command::TokenRevoke { app: of(&world), id }).await;
    let new = token_of(&world.command(world.token_create()).await);
    assert!(bearer_is_good(&world, &new).await);
    assert!(!bearer_is_good(&world, &world.token).await);
}

/// COM-20: only the hash of a credential is stored.
#[tokio::test]
async fn no_secret_stands_in_the_journals_files() {
    let mut world = World::of("altr").await;
    let id = world.create(&george()).await;
    let sync = serde_json::json!({ "password": PASSWORD });
    world.echo_put(&format!("/Users/{id}"), sync).await.expect(200);
    let secrets = [world.token.clone(), PASSWORD.to_owned(), "s3cret-a".to_owned()];
    let written = files_of(&world);
    assert!(written.iter().any(|(name, _)| name.ends_with("-wal")), "the log is looked at too");
    assert_nowhere(&written, &secrets);
    world.stop_bridge().await;
    assert_nowhere(&files_of(&world), &secrets);
}

/// The files beside the journal, raw, but not the operator's key and the lock.
fn files_of(world: &World) -> Vec<(String, Vec<u8>)> {
    let folder = world.journal().parent().unwrap().to_owned();
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        files.push((name, std::fs::read(path).unwrap()));
    }
    files
}

#[track_caller]
fn assert_nowhere(files: &[(String, Vec<u8>)], secrets: &[String]) {
    assert!(files.iter().any(|(name, bytes)| name.ends_with(".db") && !bytes.is_empty()));
    for (name, bytes) in files {
        for secret in secrets {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{secret} stands in {name}");
        }
    }
}

#[tokio::test]
async fn a_disabled_app_gets_no_token_and_keeps_those_it_has() {
    let world = World::of("directory").await;
    let app = || "directory".to_owned();
    world.command(Command::AppDisable { app: app() }).await;
    let refused = world.service().bridge.command(world.token_create()).await.unwrap_err();
    assert!(refused.message.contains("app enable directory"), "{refused}");
    let tokens = world.command(Command::TokenList { app: None }).await;
    assert_eq!(tokens.as_array().unwrap().len(), 1, "{tokens}");
    world.command(Command::AppEnable { app: app() }).await;
    world.get("/Users?startIndex=1&count=2").await.expect(200);
    world.command(world.token_create()).await;
}

/// The directory with a credential that stands in files.
async fn supplied(auth: &str, tokens: &str) -> World {
    let edit = |text: &str| {
        let text = with_key(text, "scim", "auth", auth);
        with_key(&text, "scim", "tokens", tokens)
    };
    World::with("directory", edit).await
}

#[tokio::test]
async fn a_token_that_the_installation_gives_is_read_again_when_it_changes() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "the-first-of-two-long-tokens\n").unwrap();
    let given = format!("{{ supplied: {{ file: {} }} }}", file.display());
    let world = supplied("[bearer]", &given).await;
    assert!(bearer_is_good(&world, "the-first-of-two-long-tokens").await);
    assert!(bearer_is_good(&world, &world.token).await, "beside those the bridge makes");
    std::fs::write(&file, "the-second-of-two-long-tokens").unwrap();
    world.service().reload().await;
    assert!(!bearer_is_good(&world, "the-first-of-two-long-tokens").await);
    assert!(bearer_is_good(&world, "the-second-of-two-long-tokens").await);
    std::fs::write(&file, "").unwrap();
    world.service().reload().await;
    assert!(!bearer_is_good(&world, "").await, "an empty file lets nobody in");
    world.create(&george()).await;
    assert!(!world.changes().await[0].to_string().contains("long-tokens"));
}

#[tokio::test]
async fn a_pair_that_the_installation_gives_is_good_as_a_whole_only() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    std::fs::write(&file, "a-long-secret").unwrap();
    let pair = format!("{{ supplied: {{ user: okta, secret: {{ file: {} }} }} }}", file.display());
    let world = supplied("[basic, bearer_pair]", &pair).await;
    let encoded = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    assert!(is_good(&world, &format!("Basic {}", encoded("okta:a-long-secret"))).await);
    assert!(is_good(&world, &format!("Bearer {}", encoded("okta:a-long-secret"))).await);
    for wrong in ["okta:a-long-secre", "okt:a-long-secret", ":a-long-secret", "okta:", ":"] {
        assert!(!is_good(&world, &format!("Basic {}", encoded(wrong))).await, "{wrong}");
    }
    assert!(!bearer_is_good(&world, "a-long-secret").await, "half of a pair");
}
