//! Records that are there before the first call: the roles, a demonstration, a large import.

use serde_json::{Value, json};

use super::record::Role;

/// Name, level, description.
const ROLES: [(&str, &str, &str); 4] = [
    ("$admin", "workspace", "Admins manage the workspace"),
    ("$api-token-default-access", "workspace", "What API tokens may do"),
    ("$guest", "workspace", "Guests read what they are given"),
    ("$member", "workspace", "Members work with assets"),
];

/// The roles of every workspace, and one that somebody made.
pub(super) fn roles() -> Vec<Role> {
    let made = ("steward", "persona", "Made by hand");
    let all = ROLES.into_iter().chain([made]).enumerate();
    all.map(|(number, (name, level, description))| Role {
        id: format!("70000000-0000-4000-8000-{:012x}", number + 1),
        name: name.to_owned(),
        description: description.to_owned(),
        level: level.to_owned(),
    })
    .collect()
}

/// Collection and record, in the order in which they go in.
pub(super) fn demonstration() -> Vec<(&'static str, Value)> {
    let id = |n: u32| format!("5e000000-0000-4000-8000-00000000000{n}");
    let user = |n: u32, username: &str, given: &str, family: &str| {
        let record = json!({
            "id": id(n), "username": username, "email": format!("{username}@corp.example"),
            "firstName": given, "lastName": family,
        });
        ("users", record)
    };
    let group = |n: u32, alias: &str, members: &[u32]| {
        let members: Vec<String> = members.iter().map(|n| id(*n)).collect();
        let record = json!({
            "id": format!("6a000000-0000-4000-8000-00000000000{n}"),
            "attributes": { "alias": [alias] },
            "members": members,
        });
        ("groups", record)
    };
    vec![
        user(1, "amorris", "Amy", "Morris"),
        user(2, "grace", "Grace", "Hopper"),
        user(3, "zed", "Zed", "Lee"),
        group(1, "data team", &[2, 3]),
        group(2, "Everyone", &[1, 2, 3]),
    ]
}

/// The 120 users and 25 groups of an import, collection and record, to be seeded in this order:
/// 10 users are disabled, 5 invited; the first group has all users, each other one five.
pub fn import_of_120() -> Vec<(&'static str, Value)> {
    let id = |n: u32| format!("5e000000-0000-4000-8000-{n:012x}");
    let users = (1..=120).map(|n| {
        let mut record = json!({
            "id": id(n),
            "username": format!("user{n:03}"),
            "email": format!("user{n:03}@corp.example"),
            "firstName": format!("Given{n}"),
            "lastName": format!("Family{n}"),
            "enabled": n > 10,
        });
        if (11..=15).contains(&n) {
            record["lastLoginTime"] = Value::Null;
            record["emailVerified"] = false.into();
        }
        ("users", record)
    });
    let groups = (1..=25).map(|n| {
        let members: Vec<String> = match n {
            1 => (1..=120).map(id).collect(),
            n => (n..n + 5).map(id).collect(),
        };
        let record = json!({
            "id": format!("6a000000-0000-4000-8000-{n:012x}"),
            "attributes": { "alias": [format!("Team {n:02}")] },
            "members": members,
        });
        ("groups", record)
    });
    users.chain(groups).collect()
}
