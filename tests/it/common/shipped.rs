//! The shipped apps: what differs from app to app stands here, once.

use serde_json::{Value, json};

use super::apps::{App, Groups, Inactive};
use crate::support::World;

/// All of them.
pub fn all() -> Vec<App> {
    vec![directory(), altr(), alloy(), activtrak(), alphasense(), atlan()]
}

/// Each of them; a test that fails shows the name of the last one in its output.
pub fn each() -> impl Iterator<Item = App> {
    all().into_iter().inspect(|app| println!("app: {}", app.name))
}

/// Each that has groups.
pub fn with_groups() -> impl Iterator<Item = (App, Groups)> {
    let split = |mut app: App| app.groups.take().map(|groups| (app, groups));
    all().into_iter().filter_map(split).inspect(|(app, _)| println!("app: {}", app.name))
}

fn directory() -> App {
    App {
        name: "directory",
        root: "/directory/scim/v2",
        identifier: "userName",
        basic: false,
        regenerate: true,
        secret: "DIRECTORY_TOKEN",
        users: "users",
        id: "id",
        login: "/login",
        family: "family",
        record: |login, given, family| {
            let emails = json!([{ "address": login, "type": "work", "main": true }]);
            json!({ "login": login, "given": given, "family": family, "emails": emails })
        },
        exact: false,
        adopts: None,
        inactive: Inactive::Field("active", json!(false)),
        delete_removes: true,
        has_passwords: true,
        groups: Some(Groups {
            collection: "groups",
            name: "/name",
            record: |name| json!({ "name": name }),
            members: |world, group| ids_to_logins(world, &group["members"], "/login"),
            ready: |_, _| (),
            kept: false,
        }),
    }
}

fn altr() -> App {
    App {
        name: "altr",
        root: "/altr/scim/v2",
        identifier: "userName",
        basic: false,
        regenerate: false,
        secret: "ALTR_KEY_SECRET",
        users: "administrators",
        id: "id",
        login: "/username",
        family: "lastName",
        record: |login, given, family| json!({ "username": login, "firstName": given, "lastName": family, "email": login }),
        exact: false,
        adopts: None,
        inactive: Inactive::Field("userStatus", json!("disabled")),
        delete_removes: false,
        has_passwords: false,
        groups: None,
    }
}

fn alloy() -> App {
    App {
        name: "alloy",
        root: "/alloy/scim/v2",
        identifier: "email",
        basic: true,
        regenerate: true,
        secret: "ALLOY_WORKFLOW_SECRET",
        users: "agents",
        id: "agent_token",
        login: "/email_address",
        family: "name_last",
        record: |login, given, family| {
            let display = format!("{given} {family}");
            json!({
                "email_address": login, "name_first": given, "name_last": family,
                "display_name": display,
            })
        },
        exact: false,
        adopts: None,
        inactive: Inactive::Gone,
        delete_removes: false,
        has_passwords: false,
        groups: Some(Groups {
            collection: "roles",
            name: "/name",
            record: |name| json!({ "name": name }),
            members: |world, role| {
                let agents = world.records("agents").into_iter();
                let held = agents.filter(|agent| agent["role"] == role["role_token"]);
                sorted(held.map(|agent| text(&agent["email_address"])).collect())
            },
            ready: |_, _| (),
            kept: false,
        }),
    }
}

fn activtrak() -> App {
    App {
        name: "activtrak",
        root: "/scim/v1",
        identifier: "userName",
        basic: false,
        regenerate: true,
        secret: "ACTIVTRAK_API_KEY",
        users: "users",
        id: "id",
        login: "/upns/0",
        family: "lastName",
        record: |login, given, family| {
            json!({
                "upns": [login], "emails": [{ "value": login, "primary": true }],
                "firstName": given, "lastName": family, "displayName": format!("{given} {family}"),
            })
        },
        exact: false,
        adopts: Some("  if_exists: adopt "),
        inactive: Inactive::Field("doNotTrack", json!(true)),
        delete_removes: false,
        has_passwords: false,
        groups: Some(Groups {
            collection: "groups",
            name: "/groupname",
            record: |name| json!({ "groupname": name }),
            members: |world, group| {
                let clients = world.records("clients");
                let users = world.records("users");
                let of = |agent: &Value| {
                    let client = clients.iter().find(|client| client["id"] == *agent).unwrap();
                    let user = users.iter().find(|user| user["id"] == client["userid"]).unwrap();
                    text(&user["upns"][0])
                };
                sorted(group["members"].as_array().unwrap().iter().map(of).collect())
            },
            // Only who has an agent can be seen in a group.
            ready: |world, user| {
                world.seed("clients", json!({ "userid": user }));
            },
            kept: false,
        }),
    }
}

fn alphasense() -> App {
    App {
        name: "alphasense",
        root: "/services/scim/v2",
        identifier: "userName",
        basic: false,
        regenerate: true,
        secret: "ALPHASENSE_API_KEY",
        users: "users",
        id: "id",
        login: "/username",
        family: "lastName",
        record: |login, given, family| json!({ "username": login, "email": login, "firstName": given, "lastName": family }),
        exact: false,
        adopts: None,
        inactive: Inactive::Field("status", json!("DEACTIVATED")),
        delete_removes: false,
        has_passwords: false,
        groups: Some(Groups {
            collection: "groups",
            name: "/name",
            record: |name| json!({ "name": name }),
            members: |world, group| ids_to_logins(world, &group["members"], "/username"),
            ready: |_, _| (),
            kept: false,
        }),
    }
}

fn atlan() -> App {
    App {
        name: "atlan",
        root: "/api/service/scim/",
        identifier: "userName",
        basic: false,
        regenerate: true,
        secret: "ATLAN_TOKEN",
        users: "users",
        id: "id",
        login: "/username",
        family: "lastName",
        record: |login, given, family| json!({ "username": login, "email": login, "firstName": given, "lastName": family }),
        exact: true,
        adopts: Some("  if_exists: { adopt_if_same: [email] } "),
        inactive: Inactive::Field("enabled", json!(false)),
        delete_removes: false,
        has_passwords: false,
        groups: Some(Groups {
            collection: "groups",
            name: "/attributes/alias/0",
            record: |name| json!({ "attributes": { "alias": [name] } }),
            members: |world, group| ids_to_logins(world, &group["members"], "/username"),
            ready: |_, _| (),
            kept: true,
        }),
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn sorted(mut logins: Vec<String>) -> Vec<String> {
    logins.sort();
    logins
}

/// The logins of members that are named by the ids of accounts.
fn ids_to_logins(world: &World, ids: &Value, login: &str) -> Vec<String> {
    let users = world.records("users");
    let of = |id: &Value| {
        let user = users.iter().find(|user| user["id"] == *id).expect("a member is an account");
        text(user.pointer(login).unwrap())
    };
    sorted(ids.as_array().expect("members are a list").iter().map(of).collect())
}

#[test]
fn no_shipped_mapping_is_left_out() {
    let mut names: Vec<_> = all().iter().map(|app| app.name).collect();
    names.sort_unstable();
    assert_eq!(names, standin::apps::names());
}
