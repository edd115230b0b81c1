//! Okta's credential: one for each app, shown once, ended, and made again where the app allows it.

use scim_bridge::sync::Command;

use super::apps::App;
use super::shipped::each;
use crate::support::World;
use crate::support::text::with_key;
use crate::support::world::{authorization, token_of};

async fn is_good(world: &World, token: &str) -> bool {
    let header = format!("Authorization: {}", authorization(token));
    world.raw("GET", "/Users?startIndex=1&count=1", &[&header], b"").await.status == 200
}

/// A token's secret half.
fn secret_of(token: &str) -> &str {
    token.rsplit([':', '_']).next().unwrap()
}

fn rotate(app: &App) -> Command {
    Command::TokenRotate { app: app.name.into(), id: None, overlap: None }
}

/// COM-20: shown once; what is stored is a hash; revoked, it is good no more.
#[tokio::test]
async fn a_credential_is_shown_once_and_can_be_revoked() {
    for app in each() {
        let mut world = app.world().await;
        assert!(is_good(&world, &world.token).await);
        let secret = secret_of(&world.token).to_owned();
        assert!(secret.len() >= 20, "{secret}");
        let list = world.command(Command::TokenList { app: None }).await;
        assert!(!list.to_string().contains(&secret) && !world.metrics().await.contains(&secret));
        for file in std::fs::read_dir(world.journal().parent().unwrap()).unwrap() {
            let path = file.unwrap().path();
            let bytes = std::fs::read(&path).unwrap();
            let stands = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!stands, "the secret stands in {}", path.display());
        }
        world.restart_bridge().await;
        assert!(is_good(&world, &world.token).await, "it outlives a restart");

        let listed = list.as_array().unwrap();
        let made = listed.iter().find(|token| token["label"] == "test").expect("ours");
        let id = made["id"].as_str().unwrap().to_owned();
        world.command(Command::TokenRevoke { app: app.name.into(), id }).await;
        assert!(!is_good(&world, &world.token).await);
    }
}

/// COM-20: made again only where the app's policy allows it.
#[tokio::test]
async fn a_credential_is_made_again_where_the_policy_allows_it() {
    for app in each() {
        for (edit, allowed) in [(None, app.regenerate), (Some("refused"), false)] {
            let tokens = |text: &str| match edit {
                None => text.to_owned(),
                Some(rule) => {
                    let text = text.lines().filter(|line| !line.contains("    supplied: "));
                    let text = text.collect::<Vec<_>>().join("\n") + "\n";
                    with_key(&text, "scim", "tokens", &format!("{{ regenerate: {rule} }}"))
                }
            };
            let world = World::with(app.name, tokens).await;
            match world.service().bridge.command(rotate(&app)).await {
                Ok(made) => {
                    assert!(allowed, "{}: {made}", app.name);
                    assert!(is_good(&world, &token_of(&made)).await);
                    assert!(!is_good(&world, &world.token).await, "the old one ended");
                }
                Err(refused) => {
                    assert!(!allowed, "{}: {refused}", app.name);
                    assert!(refused.message.contains("revoke"), "{refused}");
                    assert!(is_good(&world, &world.token).await, "the old one stays");
                }
            }
        }
    }
}
