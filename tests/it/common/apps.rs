//! The shipped apps as these tests need them: what differs from app to app stands here, once.

use serde_json::{Value, json};

use crate::support::people::{group, members_of, patch, patch_active, user};
use crate::support::{Answer, World};

/// Somebody of whom no app knows at first.
pub const ADA: &str = "ada@corp.example";

/// An app with a mapping and a stand-in.
pub struct App {
    pub name: &'static str,
    /// Where the guide has the SCIM root.
    pub root: &'static str,
    /// Okta's "Unique identifier field".
    pub identifier: &'static str,
    /// Okta's credential is a pair.
    pub basic: bool,
    /// A token may take the place of a lost one.
    pub regenerate: bool,
    /// The variable with the bridge's own credential for the app.
    pub secret: &'static str,
    /// The collection of accounts, and where these have their parts.
    pub users: &'static str,
    pub id: &'static str,
    pub login: &'static str,
    pub family: &'static str,
    /// An account as somebody made it by hand.
    pub record: fn(&str, &str, &str) -> Value,
    /// The user name is compared to the letter.
    pub exact: bool,
    /// The mapping's line that has a create of somebody who is there link, not be refused.
    pub adopts: Option<&'static str>,
    pub inactive: Inactive,
    /// DELETE takes the account away; elsewhere it deactivates.
    pub delete_removes: bool,
    /// The app has a place for passwords, and its mapping fills it.
    pub has_passwords: bool,
    pub groups: Option<Groups>,
}

/// How the app has somebody who is not active.
pub enum Inactive {
    /// Without an account.
    Gone,
    /// With one whose field has this value.
    Field(&'static str, Value),
}

/// The app's groups.
pub struct Groups {
    pub collection: &'static str,
    /// Where the name stands.
    pub name: &'static str,
    /// A group of that name as somebody made it by hand.
    pub record: fn(&str) -> Value,
    /// The logins of a group's members.
    pub members: fn(&World, &Value) -> Vec<String>,
    /// What somebody needs to be a member: called with the account's id.
    pub ready: fn(&World, &Value),
    /// A deleted group stays in the app, without members.
    pub kept: bool,
}

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

impl Groups {
    /// The app's groups of that name.
    pub fn named(&self, world: &World, name: &str) -> Vec<Value> {
        let is_it = |group: &Value| group.pointer(self.name).is_some_and(|own| own == name);
        world.records(self.collection).into_iter().filter(is_it).collect()
    }

    /// The logins of the members of the one group of that name.
    #[track_caller]
    pub fn members_of(&self, world: &World, name: &str) -> Vec<String> {
        let found = self.named(world, name);
        assert_eq!(found.len(), 1, "{name}: {found:?}");
        (self.members)(world, &found[0])
    }
}

impl App {
    pub async fn world(&self) -> World {
        World::of(self.name).await
    }

    /// Puts an account in by hand; gives its id.
    pub fn seed(&self, world: &World, login: &str, given: &str, family: &str) -> Value {
        world.seed(self.users, (self.record)(login, given, family))
    }

    /// Lays a value over an account that is there, by hand.
    pub fn by_hand(&self, world: &World, login: &str, field: &str, value: Value) {
        let account = self.account(world, login).expect("the account is there");
        world.seed(self.users, json!({ "id": account[self.id], field: value }));
    }

    /// The account with that login.
    pub fn account(&self, world: &World, login: &str) -> Option<Value> {
        let is_it = |record: &Value| record.pointer(self.login).is_some_and(|name| name == login);
        let mut found: Vec<_> = world.records(self.users).into_iter().filter(is_it).collect();
        assert!(found.len() < 2, "{}: two accounts: {found:?}", self.name);
        found.pop()
    }

    /// Whether somebody can use the app.
    pub fn is_active(&self, world: &World, login: &str) -> bool {
        self.account(world, login).is_some_and(|account| match &self.inactive {
            Inactive::Gone => true,
            Inactive::Field(field, value) => account[*field] != *value,
        })
    }

    /// What Okta asks before it creates somebody.
    pub fn filter(&self, login: &str) -> String {
        format!("{} eq {}", self.identifier, json!(login))
    }

    /// Who is found by Okta's identifier.
    pub async fn found(&self, world: &World, login: &str) -> Vec<Value> {
        let list = world.filtered("/Users", &self.filter(login)).await.expect(200);
        list["Resources"].as_array().cloned().expect("a list has Resources")
    }
}

/// Ada as Okta sends her later: without the password, which only a create has.
pub fn ada_again() -> Value {
    let mut ada = ada();
    ada.as_object_mut().unwrap().shift_remove("password");
    ada
}

/// The numbered person of a crowd, with an e-mail address as user name.
pub fn numbered(number: usize) -> (String, String) {
    (format!("user{number:03}@corp.example"), format!("No{number:03}"))
}

/// A client of Okta's: how it updates.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Client {
    /// By PUT of the whole, read before: apps made with Okta's wizard.
    Aiw,
    /// By PATCH of what changed: apps of Okta's catalogue.
    Oin,
}

pub const CLIENTS: [Client; 2] = [Client::Aiw, Client::Oin];

impl Client {
    /// Switches somebody off or on.
    pub async fn set_active(self, world: &World, path: &str, active: bool) -> Answer {
        match self {
            Self::Aiw => world.echo_put(path, json!({ "active": active })).await,
            Self::Oin => world.patch(path, &patch_active(active)).await,
        }
    }

    /// Sets attributes of a user or a group.
    pub async fn update(self, world: &World, path: &str, changes: Value) -> Answer {
        match self {
            Self::Aiw => world.echo_put(path, changes).await,
            Self::Oin => {
                let operation = json!([{ "op": "replace", "value": changes }]);
                world.patch(path, &patch(operation)).await
            }
        }
    }

    /// Sets the members of a group; Okta repeats the name with them.
    pub async fn push(self, world: &World, path: &str, name: &str, ids: &[&str]) -> Answer {
        match self {
            Self::Aiw => world.put(path, &group(name, ids)).await,
            Self::Oin => {
                let id = path.trim_start_matches("/Groups/");
                let named = json!({ "id": id, "displayName": name });
                let operations = json!([
                    { "op": "replace", "value": named },
                    { "op": "replace", "path": "members", "value": members_of(ids) },
                ]);
                world.patch(path, &patch(operations)).await
            }
        }
    }
}

/// The answer to an update: a group's PATCH has no body.
#[track_caller]
pub fn fine(answer: &Answer) {
    assert!([200, 204].contains(&answer.status), "{answer:?}");
}

/// Ada as Okta creates her.
pub fn ada() -> Value {
    user(ADA, "Ada", "Byron")
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
