//! The stand-in of an AlphaSense user management: GraphQL behind a login. Its calls are invented
//! in the style of the vendor's public login and envelope; nothing public manages users.
//!
//! Habits that a mapping has to cope with: everything is a POST to one path; errors come with
//! status 200, some beside data; ids and cursors are opaque; a token runs out; who is of another
//! company does not exist; a deactivated user stays in groups and cannot be added to one.

mod by_hand;
mod groups;
mod people;
mod records;
mod rules;
mod seeds;
mod session;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde_json::{Value, json};

pub use self::seeds::two_companies;
use self::{
    records::{Group, User},
    rules::{Variables, error, failed},
    session::Sessions,
};
use crate::{
    application::Application,
    wire::{Reply, Request},
};

/// The company that the API key belongs to, and its name outside.
const COMPANY: (&str, &str) = ("1", "your-company");
/// Operations that change nothing.
const READS: [&str; 5] = ["UserByUsername", "UserById", "Users", "Groups", "GroupById"];

/// The app; see the module.
#[derive(Debug, Default)]
pub struct AlphaSense {
    users: BTreeMap<u64, User>,
    groups: BTreeMap<u64, Group>,
    /// The number given last, to users and groups alike; none is given twice.
    last_number: u64,
    sessions: Sessions,
}

/// What an operation came to: `data`, and `errors` if not all of it worked.
type Outcome = Result<(Value, Vec<Value>), Value>;

impl AlphaSense {
    fn answer(&mut self, request: &Request) -> Result<Reply, Reply> {
        match (request.method.as_str(), request.path.as_str()) {
            ("POST", "/auth") => self.sessions.log_in(request),
            ("POST", "/gql") => self.operation(request),
            _ => Err(Reply::json(404, json!({ "error": "not_found" }))),
        }
    }

    fn operation(&mut self, request: &Request) -> Result<Reply, Reply> {
        let (name, variables) = rules::envelope(request)?;
        self.sessions.check(request, name)?;
        let outcome = match name {
            "UserByUsername" => self.user_by_username(variables),
            "UserById" => self.user_by_id(variables),
            "Users" => self.list_users(variables),
            "CreateUser" => self.create_user(variables),
            "UpdateUser" => self.update_user(variables),
            "SetUserStatus" => self.set_user_status(variables),
            "Groups" => self.list_groups(variables),
            "GroupById" => self.group_by_id(variables),
            "CreateGroup" => self.create_group(variables),
            "RenameGroup" => self.rename_group(variables),
            "AddGroupMembers" => self.add_group_members(variables),
            "RemoveGroupMembers" => self.remove_group_members(variables),
            "DeleteGroup" => self.delete_group(variables),
            _ => {
                let message = format!("Unknown operation named \"{name}\".");
                Err(error("GRAPHQL_VALIDATION_FAILED", message))
            }
        };
        Ok(match outcome {
            Ok((data, errors)) if errors.is_empty() => Reply::json(200, json!({ "data": data })),
            Ok((data, errors)) => Reply::json(200, json!({ "data": data, "errors": errors })),
            Err(refused) => failed(name, refused),
        })
    }
}

/// Refuses the company of another key.
fn own_company(variables: &Variables<'_>) -> Result<(), Value> {
    match variables.text("companyId") {
        Some(company) if company == COMPANY.0 => Ok(()),
        _ => Err(error("FORBIDDEN", "The API key does not belong to this company")),
    }
}

impl Application for AlphaSense {
    fn name(&self) -> &'static str {
        "alphasense"
    }

    fn base(&self) -> &'static str {
        ""
    }

    fn env(&self, url: &str) -> Vec<(&'static str, String)> {
        let mut all = vec![
            ("ALPHASENSE_URL", url.to_owned()),
            ("ALPHASENSE_COMPANY_ID", COMPANY.0.to_owned()),
            ("ALPHASENSE_SCIM_KEY", "alphasense-demo-scim-key".to_owned()),
        ];
        let credentials = session::CREDENTIALS.iter();
        all.extend(credentials.map(|(name, _, value)| (*name, (*value).to_owned())));
        all
    }

    fn handle(&mut self, request: &Request) -> Reply {
        self.answer(request).unwrap_or_else(|refused| refused)
    }

    fn is_login(&self, request: &Request) -> bool {
        request.path == "/auth"
    }

    fn is_read(&self, request: &Request) -> bool {
        let name = request.body["operationName"].as_str();
        !request.is_write() || name.is_some_and(|name| READS.contains(&name))
    }

    fn state(&self) -> Value {
        json!({
            "users": self.users.values().map(User::shown).collect::<Vec<_>>(),
            "groups": self.groups.values().map(Group::whole).collect::<Vec<_>>(),
            "lastNumber": self.last_number,
            "logins": self.sessions.logins,
            "early": self.sessions.early,
        })
    }

    fn restore(&mut self, state: &Value) -> Result<(), String> {
        let mut fresh = Self::default();
        for collection in ["users", "groups"] {
            let records = state.get(collection).and_then(Value::as_array);
            for record in records.ok_or_else(|| format!("'{collection}' is missing"))? {
                fresh.put(collection, record)?;
            }
        }
        let last = state.get("lastNumber").and_then(Value::as_u64);
        fresh.last_number = last.ok_or("'lastNumber' is missing")?;
        *self = fresh;
        Ok(())
    }

    /// `users` and `groups` as the API shows them (of a group `members` are ids); `settings`:
    /// see [`session::Settings`], and `"end": true` ends all sessions.
    fn put(&mut self, collection: &str, record: &Value) -> Result<Value, String> {
        match collection {
            "users" => self.put_user(record),
            "groups" => self.put_group(record),
            "settings" => self.sessions.set(record).map(|()| Value::Null),
            _ => Err(format!("no collection '{collection}'; there are: users, groups, settings")),
        }
    }

    fn remove(&mut self, collection: &str, id: &Value) -> Result<(), String> {
        let id = id.as_str().unwrap_or_default();
        let gone = match collection {
            "users" => User::number(id).and_then(|number| {
                self.groups.values_mut().for_each(|group| {
                    group.members.remove(&number);
                });
                self.users.remove(&number).map(drop)
            }),
            "groups" => Group::number(id).and_then(|number| self.groups.remove(&number)).map(drop),
            _ => None,
        };
        gone.ok_or_else(|| format!("no such record in '{collection}'"))
    }

    fn populate(&mut self) {
        for (collection, record) in seeds::few() {
            // The records are right; a test puts them in.
            let _ = self.put(collection, &record);
        }
    }
}
