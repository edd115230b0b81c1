//! Users come in and go: create, link, delete, and what is sent with them.

use scim_bridge::sync::Command;
use serde_json::{Value, json};

use super::apps::{ADA, Inactive, ada};
use super::client::CLIENTS;
use super::shipped::each;
use crate::support::World;
use crate::support::people::PASSWORD;
use crate::support::text::replaced;
use crate::support::world::id_of;

/// COM-5: look, find nobody, create; the answer has a body with the id, and the app one account.
#[tokio::test]
async fn somebody_new_is_looked_for_and_created() {
    for app in each() {
        let world = app.world().await;
        assert!(app.found(&world, ADA).await.is_empty());
        assert!(world.writes().is_empty(), "a look writes nothing");
        let created = world.post("/Users", &ada()).await;
        let body = created.expect(201);
        let path = format!("/Users/{}", id_of(&body));
        assert_eq!((&body["userName"], &body["active"]), (&json!(ADA), &json!(true)), "{body}");
        assert_eq!(body["name"]["familyName"], "Byron");
        assert!(created.header("location").unwrap().ends_with(&path));
        assert_eq!(created.bridge_state(), "", "the app has it");
        assert_eq!(world.records(app.users).len(), 1);
        let account = app.account(&world, ADA).expect("ada has an account");
        assert_eq!(account[app.family], "Byron");
        assert!(app.is_active(&world, ADA));
        let found = app.found(&world, ADA).await;
        assert_eq!(id_of(&found[0]), id_of(&body));
    }
}

/// COM-6: whom the filter finds is written to and not created, though the bridge never made it.
#[tokio::test]
async fn somebody_who_is_there_is_linked_and_updated() {
    for app in each() {
        for client in CLIENTS {
            let world = app.world().await;
            app.seed(&world, ADA, "Ada", "Lovelace");
            app.seed(&world, "bob@corp.example", "Bob", "Lovelace");
            let before = app.account(&world, ADA).unwrap();
            let found = app.found(&world, ADA).await;
            assert_eq!(found.len(), 1, "{found:?}");
            let path = format!("/Users/{}", id_of(&found[0]));
            let name = json!({ "name": { "givenName": "Ada", "familyName": "Byron" } });
            let put = client.update(&world, &path, name).await.expect(200);
            assert_eq!(format!("/Users/{}", id_of(&put)), path);
            let after = app.account(&world, ADA).unwrap();
            assert_eq!(after[app.id], before[app.id], "the same account");
            assert_eq!(after[app.family], "Byron");
            assert_eq!(world.records(app.users).len(), 2, "nobody is made");
            assert_eq!(world.writes().len(), 1, "{:?}", world.writes());
        }
    }
}

/// COM-9: a DELETE, which Okta never sends, does what the mapping's `delete` says, and is 204.
#[tokio::test]
async fn a_delete_deactivates_or_removes() {
    for app in each() {
        let mut writes = Vec::new();
        for by_delete in [true, false] {
            let world = app.world().await;
            let path = format!("/Users/{}", world.create(&ada()).await);
            let created = world.writes().len();
            if by_delete {
                world.delete(&path).await.expect(204);
                world.get(&path).await.expect_error(404);
                world.delete(&path).await.expect_error(404);
            } else {
                world.echo_put(&path, json!({ "active": false })).await.expect(200);
            }
            assert!(!app.is_active(&world, ADA));
            let gone = app.account(&world, ADA).is_none();
            let without = matches!(app.inactive, Inactive::Gone);
            assert_eq!(gone, without || (by_delete && app.delete_removes));
            writes.push(world.writes()[created..].to_vec());
        }
        assert!(!writes[0].is_empty());
        assert_eq!(writes[0] == writes[1], !app.delete_removes, "{writes:?}");
    }
}

/// COM-15: a create of somebody who is there is a conflict, or links where the mapping says so.
#[tokio::test]
async fn a_create_of_somebody_who_is_there_never_makes_a_second_account() {
    for app in each() {
        for found_before in [false, true] {
            let world = app.world().await;
            app.seed(&world, ADA, "Ada", "Lovelace");
            let before = app.account(&world, ADA).unwrap();
            if found_before {
                assert_eq!(app.found(&world, ADA).await.len(), 1);
            }
            let answer = world.post("/Users", &ada()).await;
            if app.adopts.is_some() {
                id_of(&answer.expect(201));
                assert_eq!(app.account(&world, ADA).unwrap()[app.family], "Byron");
            } else {
                answer.expect_scim(409, "uniqueness");
                assert_eq!(app.account(&world, ADA).unwrap(), before);
                assert!(world.writes().is_empty());
            }
            assert_eq!(app.account(&world, ADA).unwrap()[app.id], before[app.id]);
            assert_eq!(world.records(app.users).len(), 1);
        }
        let world = app.world().await;
        world.create(&ada()).await;
        let calls = world.writes();
        world.post("/Users", &ada()).await.expect_scim(409, "uniqueness");
        assert_eq!(world.writes(), calls, "created by Okta before: always a conflict");
    }
}

/// COM-15: every app's mapping can say the other thing.
#[tokio::test]
async fn whether_a_create_links_is_said_in_the_mapping() {
    for app in each() {
        let edit = |text: &str| match app.adopts {
            Some(line) => replaced(text, line, "  if_exists: conflict "),
            None => replaced(text, "\nusers:\n", "\nusers:\n  if_exists: adopt\n"),
        };
        let world = World::with(app.name, edit).await;
        app.seed(&world, ADA, "Ada", "Lovelace");
        let answer = world.post("/Users", &ada()).await;
        match app.adopts {
            Some(_) => drop(answer.expect_scim(409, "uniqueness")),
            None => drop(answer.expect(201)),
        }
        assert_eq!(world.records(app.users).len(), 1);
    }
}

/// COM-17: the password that Okta makes up reaches neither the app nor the journal nor an answer.
#[tokio::test]
async fn a_password_goes_nowhere() {
    for app in each() {
        let mut world = app.world().await;
        let created = world.post("/Users", &ada()).await;
        let path = format!("/Users/{}", id_of(&created.expect(201)));
        let again = json!({ "password": PASSWORD });
        let updated = world.echo_put(&path, again).await;
        updated.expect(200);
        let mut told = vec![created.body.clone(), updated.body.clone(), world.metrics().await];
        for change in world.changes().await {
            told.push(world.change(&change).await.to_string());
        }
        let wanted = scim_bridge::sync::Wanted { calls: true, ..Default::default() };
        told.push(world.command(Command::ChangesExport { wanted, after: None }).await.to_string());
        assert!(told.iter().all(|text| !text.contains(PASSWORD)), "{told:?}");
        let sent = world.app().calls().iter().any(|call| {
            [&call.target, &call.body.to_string()].iter().any(|text| text.contains(PASSWORD))
        });
        assert_eq!(sent, app.has_passwords, "sent only where the app has a place for it");
        world.stop_bridge().await;
        for file in std::fs::read_dir(world.journal().parent().unwrap()).unwrap() {
            let path = file.unwrap().path();
            let bytes = std::fs::read(&path).unwrap();
            let stands = bytes.windows(PASSWORD.len()).any(|window| window == PASSWORD.as_bytes());
            assert!(!stands, "the password stands in {}", path.display());
        }
    }
}

/// COM-18: whatever Okta has switched off, the other operations work: each is the first one.
#[tokio::test]
async fn no_operation_needs_another_one_before_it() {
    for app in each() {
        for client in CLIENTS {
            // Only Update is on.
            let world = app.world().await;
            app.seed(&world, ADA, "Ada", "Lovelace");
            let path = format!("/Users/{}", id_of(&app.found(&world, ADA).await[0]));
            let name = json!({ "name": { "givenName": "Ada", "familyName": "Byron" } });
            client.update(&world, &path, name).await.expect(200);
            assert_eq!(app.account(&world, ADA).unwrap()[app.family], "Byron");

            // Only Deactivate is on; then the return of somebody switched off by hand.
            let world = app.world().await;
            app.seed(&world, ADA, "Ada", "Byron");
            let path = format!("/Users/{}", id_of(&app.found(&world, ADA).await[0]));
            client.set_active(&world, &path, false).await.expect(200);
            assert!(!app.is_active(&world, ADA));
            if let Inactive::Field(field, value) = &app.inactive {
                let world = app.world().await;
                app.seed(&world, ADA, "Ada", "Byron");
                app.by_hand(&world, ADA, field, value.clone());
                let found = app.found(&world, ADA).await;
                assert_eq!(found[0]["active"], false, "{found:?}");
                let path = format!("/Users/{}", id_of(&found[0]));
                client.set_active(&world, &path, true).await.expect(200);
                assert!(app.is_active(&world, ADA));
            }
        }
        // Only Create is on, and the client does not look first.
        let world = app.world().await;
        world.create(&ada()).await;
        assert_eq!(app.account(&world, ADA).unwrap()[app.family], Value::from("Byron"));
    }
}
