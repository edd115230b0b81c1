//! Sample people and groups as identity providers send them.

use serde_json::{Value, json};

pub const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
pub const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
/// The custom attribute of ALTR's guide: its namespace is the same bare word.
pub const LEVEL: &str = "ALTR_ADMIN_LEVEL";

/// A create as Okta sends it: password and empty groups always there.
pub fn user(user_name: &str, given: &str, family: &str) -> Value {
    let mail = match user_name.contains('@') {
        true => user_name.to_owned(),
        false => format!("{user_name}@corp.example"),
    };
    json!({
        "schemas": [USER],
        "userName": user_name,
        "name": { "givenName": given, "familyName": family },
        "emails": [{ "primary": true, "value": mail, "type": "work" }],
        "displayName": format!("{given} {family}"),
        "locale": "en-US",
        "externalId": format!("00u{given}{family}"),
        "groups": [],
        "password": PASSWORD,
        "active": true,
    })
}

/// The password that Okta makes up for each create; must be found nowhere.
pub const PASSWORD: &str = "Qx5~only-a-placeholder";

/// George as the guide's example has him.
pub fn george() -> Value {
    user("george3@corp.example", "George", "Washington")
}

/// The same with a level, as Okta sends an attribute with that namespace.
pub fn with_level(mut user: Value, level: &str) -> Value {
    user["schemas"] = json!([USER, LEVEL]);
    user[LEVEL] = json!({ LEVEL: level });
    user
}

/// A group as Okta pushes it; members by SCIM id.
pub fn group(name: &str, members: &[&str]) -> Value {
    json!({ "schemas": [GROUP], "displayName": name, "members": members_of(members) })
}

/// Members as Okta names them.
pub fn members_of(ids: &[&str]) -> Value {
    ids.iter().map(|id| json!({ "value": id, "display": null })).collect()
}

/// A PATCH body.
pub fn patch(operations: Value) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": operations,
    })
}

/// What a catalogue app of Okta sends to switch somebody off or on.
pub fn patch_active(active: bool) -> Value {
    patch(json!([{ "op": "replace", "value": { "active": active } }]))
}
