//! Whole conversations of identity providers, as their administrators cause them.

use super::support::{World, player};

#[tokio::test]
async fn okta_aiw_lifecycle_of_an_administrator() {
    let world = World::of("altr").await;
    player::play(&world, "okta-aiw-lifecycle.json").await;
    let made = world.record("administrators", "username", "noor.haddad@corp.example");
    assert_eq!(made["lastName"], "Haddad", "the refused rename reached nothing");
    let creates = world.writes().iter().filter(|line| line.starts_with("POST")).count();
    assert_eq!(creates, 1);
}

#[tokio::test]
async fn okta_admin_level_with_a_namespace_that_is_no_urn() {
    let world = World::of("altr").await;
    player::play(&world, "okta-admin-level.json").await;
    let made = world.record("administrators", "username", "pavel.dvorak@corp.example");
    assert_eq!(made["role"], "ADMINISTRATOR");
    assert_eq!(made["userStatus"], "disabled");
}

#[tokio::test]
async fn okta_spec_suite_with_administrators() {
    player::play(&World::of("altr").await, "okta-spec-suite.json").await;
}

#[tokio::test]
async fn okta_spec_suite_with_a_directory() {
    player::play(&World::of("directory").await, "okta-spec-suite.json").await;
}

/// The first person that `demo` shows has all that Okta's suite looks at.
#[tokio::test]
async fn okta_spec_suite_with_the_people_of_the_demo() {
    for app in standin::apps::names() {
        player::play(&World::populated(app).await, "okta-spec-suite.json").await;
    }
}

#[tokio::test]
async fn okta_group_push_by_put_and_by_patch() {
    let world = World::of("directory").await;
    player::play(&world, "okta-group-push.json").await;
    assert!(world.records("groups").is_empty(), "the group was deleted in the app");
    assert_eq!(world.records("users").len(), 3, "its members were not");
}

#[tokio::test]
async fn entra_lifecycle_of_a_user() {
    let world = World::of("directory").await;
    player::play(&world, "entra-lifecycle.json").await;
    assert!(world.records("users").is_empty(), "a hard delete deletes");
}
