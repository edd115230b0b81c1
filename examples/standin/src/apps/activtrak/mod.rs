//! The stand-in of ActivTrak's administration API: users, the agents that are installed for them
//! (`clients`), groups of agents, and the Do-Not-Track list.
//!
//! Habits that a mapping has to cope with: writes take lists and answer 200 whatever becomes of
//! their entries (`succeded` [sic], `failed`, `messages`); whoever exists already is updated by a
//! create; a group holds agents, not users; DELETE has a body; each region is a server of its own
//! with its own key.

mod agents;
mod by_hand;
mod groups;
mod records;
mod rules;
#[cfg(test)]
mod tests;
mod users;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use self::{
    records::{Client, Group, User},
    rules::error,
};
use crate::{
    application::Application,
    wire::{Reply, Request},
};

/// The header that brings the API key.
const KEY: &str = "x-api-key";
/// The built-in group of everybody.
const EVERYBODY: i64 = -1;

/// The app in one region; see the module.
#[derive(Debug)]
pub struct Activtrak {
    region: &'static str,
    users: BTreeMap<u64, User>,
    clients: BTreeMap<u64, Client>,
    /// Deleted agents, whose history can be restored until it is purged.
    history: BTreeMap<u64, Client>,
    groups: BTreeMap<i64, Group>,
    /// The ids given last; none is given twice.
    last: Last,
}

#[derive(Debug, Clone, Copy, Default, serde::Serialize, serde::Deserialize)]
struct Last {
    user: u64,
    client: u64,
    group: i64,
}

impl Default for Activtrak {
    fn default() -> Self {
        Self::of_region("us")
    }
}

impl Activtrak {
    /// An empty app in a region: `us`, `eu` ... Each has its own data and its own key.
    pub fn of_region(region: &'static str) -> Self {
        Self {
            region,
            users: BTreeMap::new(),
            clients: BTreeMap::new(),
            history: BTreeMap::new(),
            groups: BTreeMap::new(),
            last: Last::default(),
        }
    }

    /// The API key that is good in a region, and in no other.
    pub fn key_of(region: &str) -> String {
        format!("activtrak-{region}-demo-key")
    }

    fn answer(&mut self, request: &Request) -> Result<Reply, Reply> {
        let given = request.headers.iter().find(|(name, _)| name == KEY).map(|(_, key)| key);
        if given != Some(&Self::key_of(self.region)) {
            return Err(error(401, "The API key is missing or not valid in this region"));
        }
        match request.segments().as_slice() {
            ["users", rest @ ..] => self.on_users(request, rest),
            ["donottrack"] => self.on_do_not_track(request),
            ["clients", rest @ ..] => self.on_clients(request, rest),
            ["groups", rest @ ..] => self.on_groups(request, rest),
            _ => Err(error(404, "Not found")),
        }
    }
}

impl Application for Activtrak {
    fn name(&self) -> &'static str {
        "activtrak"
    }

    fn base(&self) -> &'static str {
        "/admin/v1"
    }

    /// The host follows from the region; where the stand-in is has to be said beside it.
    fn env(&self, _url: &str) -> Vec<(&'static str, String)> {
        vec![
            ("ACTIVTRAK_REGION", self.region.to_owned()),
            ("ACTIVTRAK_API_KEY", Self::key_of(self.region)),
        ]
    }

    fn handle(&mut self, request: &Request) -> Reply {
        self.answer(request).unwrap_or_else(|refused| refused)
    }

    fn state(&self) -> Value {
        json!({
            "users": self.users.values().map(User::shown).collect::<Vec<_>>(),
            "clients": self.clients.values().collect::<Vec<_>>(),
            "history": self.history.values().collect::<Vec<_>>(),
            "groups": self.groups.values().collect::<Vec<_>>(),
            "last": self.last,
        })
    }

    fn restore(&mut self, state: &Value) -> Result<(), String> {
        let mut fresh = Self::of_region(self.region);
        for collection in ["users", "clients", "history", "groups"] {
            let records = state.get(collection).and_then(Value::as_array);
            for record in records.ok_or_else(|| format!("'{collection}' is missing"))? {
                fresh.put(collection, record)?;
            }
        }
        let last = state.get("last").cloned().unwrap_or_default();
        fresh.last = serde_json::from_value(last).map_err(|error| format!("last: {error}"))?;
        *self = fresh;
        Ok(())
    }

    /// `users` (`doNotTrack` too), `clients` (an agent is installed: `userid`), `history`, `groups`
    /// (`members`: ids of agents). `merges` merges one agent into another one: `{ "from": 15,
    /// "into": 11 }`; `purges` forgets the history of deleted agents: `{}`.
    fn put(&mut self, collection: &str, record: &Value) -> Result<Value, String> {
        match collection {
            "users" => self.put_user(record),
            "clients" => self.put_client(record),
            "history" => self.put_history(record),
            "groups" => self.put_group(record),
            "merges" => self.merge_agents(record),
            "purges" => {
                self.history.clear();
                Ok(Value::Null)
            }
            _ => Err(format!(
                "no collection '{collection}'; there are: users, clients, history, groups, \
                 merges, purges"
            )),
        }
    }

    fn remove(&mut self, collection: &str, id: &Value) -> Result<(), String> {
        let gone = match (collection, id.as_u64()) {
            ("users", Some(id)) => self.drop_user(id),
            ("clients", Some(id)) => self.drop_client(id).map(drop),
            ("groups", _) => id.as_i64().and_then(|id| self.groups.remove(&id)).map(drop),
            _ => None,
        };
        gone.ok_or_else(|| format!("no such record in '{collection}'"))
    }

    fn populate(&mut self) {
        for (collection, record) in by_hand::demonstration() {
            // The records are right; a test puts them in.
            let _ = self.put(collection, &record);
        }
    }
}
