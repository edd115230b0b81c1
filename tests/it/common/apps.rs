//! An app as these tests need it, and a sample person.

use serde_json::{Value, json};

use crate::support::World;
use crate::support::people::user;

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

/// Ada as Okta creates her.
pub fn ada() -> Value {
    user(ADA, "Ada", "Byron")
}
