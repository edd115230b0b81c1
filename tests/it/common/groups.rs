//! Groups as Okta pushes them: made empty, filled, renamed, emptied, unlinked.

use serde_json::json;

use super::apps::{App, Groups, numbered};
use super::client::{CLIENTS, Client, fine};
use super::shipped::with_groups;
use crate::support::World;
use crate::support::people::{group, user};
use crate::support::world::id_of;

/// Users of the app who can be members; their logins and SCIM ids.
async fn crowd(app: &App, groups: &Groups, world: &World, count: usize) -> Vec<(String, String)> {
    let mut made = Vec::new();
    for number in 0..count {
        let (login, family) = numbered(number);
        let id = world.create(&user(&login, "User", &family)).await;
        (groups.ready)(world, &app.account(world, &login).unwrap()[app.id]);
        made.push((login, id));
    }
    made
}

/// SCIM ids of the members that GET shows.
async fn shown(world: &World, path: &str) -> Vec<String> {
    let shown = world.get(path).await.expect(200);
    let members = shown["members"].as_array().cloned().unwrap_or_default();
    members.iter().map(|member| member["value"].as_str().unwrap().to_owned()).collect()
}

/// COM-10: a group is made empty, filled with its name repeated, renamed, changed and deleted.
#[tokio::test]
async fn a_pushed_group_lives_from_post_to_delete() {
    for (app, groups) in with_groups() {
        for client in CLIENTS {
            let world = app.world().await;
            let people = crowd(&app, &groups, &world, 3).await;
            let [(one, a), (two, b), (three, c)] = &people[..] else { unreachable!() };
            let made = world.post("/Groups", &group("Approvers", &[])).await.expect(201);
            assert_eq!(made["displayName"], "Approvers");
            let path = format!("/Groups/{}", id_of(&made));
            assert_eq!(groups.members_of(&world, "Approvers"), Vec::<String>::new());

            fine(&client.push(&world, &path, "Approvers", &[a, b]).await);
            assert_eq!(groups.members_of(&world, "Approvers"), [one.clone(), two.clone()]);
            fine(&client.push(&world, &path, "Signers", &[b, c]).await);
            assert_eq!(groups.members_of(&world, "Signers"), [two.clone(), three.clone()]);
            assert_eq!(groups.named(&world, "Approvers").len(), 0, "renamed, not made again");
            let mut ids = shown(&world, &path).await;
            ids.sort();
            let mut expected = vec![b.clone(), c.clone()];
            expected.sort();
            assert_eq!(ids, expected);

            world.delete(&path).await.expect(204);
            world.get(&path).await.expect_error(404);
            assert_eq!(groups.named(&world, "Signers").len(), usize::from(groups.kept));
            if groups.kept {
                assert_eq!(groups.members_of(&world, "Signers"), Vec::<String>::new());
            }
            for (login, id) in &people {
                assert!(app.is_active(&world, login), "{login} keeps the account");
                world.get(&format!("/Users/{id}")).await.expect(200);
            }
        }
    }
}

/// COM-10: one member more or less by PATCH, as apps of Okta's catalogue send it.
#[tokio::test]
async fn members_come_and_go_one_by_one() {
    for (app, groups) in with_groups() {
        let world = app.world().await;
        let people = crowd(&app, &groups, &world, 2).await;
        let [(one, a), (two, b)] = &people[..] else { unreachable!() };
        let made = world.post("/Groups", &group("Approvers", &[])).await.expect(201);
        let path = format!("/Groups/{}", id_of(&made));
        for (operation, expected) in [
            (json!({ "op": "add", "path": "members", "value": [{ "value": a }] }), vec![one]),
            (json!({ "op": "add", "path": "members", "value": [{ "value": b }] }), vec![one, two]),
            (json!({ "op": "remove", "path": format!("members[value eq \"{a}\"]") }), vec![two]),
        ] {
            let body = crate::support::people::patch(json!([operation]));
            fine(&world.patch(&path, &body).await);
            let expected: Vec<_> = expected.into_iter().cloned().collect();
            assert_eq!(groups.members_of(&world, "Approvers"), expected, "{body}");
        }
    }
}

/// COM-13: a PUT without `members` leaves them alone; an empty list empties the group.
#[tokio::test]
async fn a_put_without_members_leaves_them_alone() {
    for (app, groups) in with_groups() {
        let world = app.world().await;
        let people = crowd(&app, &groups, &world, 2).await;
        let [(one, a), (two, b)] = &people[..] else { unreachable!() };
        let made = world.post("/Groups", &group("Approvers", &[])).await.expect(201);
        let path = format!("/Groups/{}", id_of(&made));
        fine(&Client::Aiw.push(&world, &path, "Approvers", &[a, b]).await);
        let both = [one.clone(), two.clone()];
        let mut without = group("Approvers", &[]);
        without.as_object_mut().unwrap().shift_remove("members");
        let writes = world.writes();
        world.put(&path, &without).await.expect(200);
        assert_eq!(groups.members_of(&world, "Approvers"), both);
        assert_eq!(world.writes(), writes);
        without["displayName"] = "Signers".into();
        world.put(&path, &without).await.expect(200);
        assert_eq!(groups.members_of(&world, "Signers"), both, "a new name alone");
        world.put(&path, &group("Signers", &[])).await.expect(200);
        assert_eq!(groups.members_of(&world, "Signers"), Vec::<String>::new());
        assert_eq!(shown(&world, &path).await, Vec::<String>::new());
    }
}
