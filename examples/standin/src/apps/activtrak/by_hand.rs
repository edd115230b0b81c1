//! Records that are put in by hand, past the rules of the API but not past its types; what
//! happens to agents without the API: they are installed, and merged.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};

use super::{
    Activtrak, EVERYBODY,
    records::{Client, Group, User},
};

/// Lays a record over what is there, or over what a fresh one holds.
fn laid<T: Serialize + DeserializeOwned>(
    base: &T,
    given: &Map<String, Value>,
) -> Result<T, String> {
    let mut whole = json!(base);
    for (key, value) in given {
        whole[key] = value.clone();
    }
    serde_json::from_value(whole).map_err(|error| error.to_string())
}

fn object(record: &Value) -> Result<Map<String, Value>, String> {
    record.as_object().cloned().ok_or_else(|| "the record is not an object".to_owned())
}

/// The id that a record has, else the next one.
fn id(given: &Map<String, Value>, key: &str, next: u64) -> Result<u64, String> {
    match given.get(key) {
        None => Ok(next),
        Some(id) => id.as_u64().ok_or_else(|| format!("'{key}' is not a whole number")),
    }
}

impl Activtrak {
    pub(super) fn put_user(&mut self, record: &Value) -> Result<Value, String> {
        let mut given = object(record)?;
        // What the record only repeats.
        given.shift_remove("username");
        let id = id(&given, "id", self.last.user + 1)?;
        let fresh = User { id, ..User::default() };
        let made = laid(self.users.get(&id).unwrap_or(&fresh), &given)?;
        self.users.insert(id, made);
        self.last.user = self.last.user.max(id);
        Ok(id.into())
    }

    /// Installs an agent.
    pub(super) fn put_client(&mut self, record: &Value) -> Result<Value, String> {
        let given = object(record)?;
        let id = id(&given, "id", self.last.client + 1)?;
        let made = self.client(id, &given)?;
        self.clients.insert(id, made);
        self.last.client = self.last.client.max(id);
        Ok(id.into())
    }

    pub(super) fn put_history(&mut self, record: &Value) -> Result<Value, String> {
        let given = object(record)?;
        let id = id(&given, "id", self.last.client + 1)?;
        let made = self.client(id, &given)?;
        self.history.insert(id, made);
        self.last.client = self.last.client.max(id);
        Ok(id.into())
    }

    fn client(&self, id: u64, given: &Map<String, Value>) -> Result<Client, String> {
        let fresh = Client {
            id,
            domain: "CORP".to_owned(),
            name: format!("agent{id}"),
            alias: format!("machine {id}"),
            userid: 0,
        };
        let made: Client = laid(self.clients.get(&id).unwrap_or(&fresh), given)?;
        match self.users.contains_key(&made.userid) {
            true => Ok(made),
            false => Err(format!("no user {}", made.userid)),
        }
    }

    pub(super) fn put_group(&mut self, record: &Value) -> Result<Value, String> {
        let given = object(record)?;
        let groupid = match given.get("groupid") {
            None => self.last.group + 1,
            Some(id) => id.as_i64().ok_or("'groupid' is not a whole number")?,
        };
        if groupid == EVERYBODY {
            return Err("the group of everybody is built in".to_owned());
        }
        let fresh = Group { groupid, ..Group::default() };
        let made = laid(self.groups.get(&groupid).unwrap_or(&fresh), &given)?;
        if let Some(nobody) = made.members.iter().find(|agent| !self.clients.contains_key(agent)) {
            return Err(format!("no agent {nobody}"));
        }
        self.groups.insert(groupid, made);
        self.last.group = self.last.group.max(groupid);
        Ok(groupid.into())
    }

    /// One agent becomes part of another one, which is in its groups from then on. There is no
    /// way back.
    pub(super) fn merge_agents(&mut self, record: &Value) -> Result<Value, String> {
        let agent = |key: &str| {
            let id = record.get(key).and_then(Value::as_u64);
            let id = id.filter(|id| self.clients.contains_key(id));
            id.ok_or_else(|| format!("'{key}' is no agent"))
        };
        let (from, into) = (agent("from")?, agent("into")?);
        for group in self.groups.values_mut().filter(|group| group.members.contains(&from)) {
            group.members.insert(into);
        }
        self.drop_client(from);
        Ok(into.into())
    }
}

/// Users with two agents, one and none; a group.
pub(super) fn demonstration() -> Vec<(&'static str, Value)> {
    let user = |id: u64, given: &str, family: &str| {
        let name = format!("{}@corp.example", given.to_lowercase());
        let record = json!({
            "id": id, "displayName": format!("{given} {family}"), "firstName": given,
            "lastName": family, "upns": [name], "emails": [{ "value": name, "primary": true }],
            "employeeId": format!("E-{id:03}"),
        });
        ("users", record)
    };
    let agent = |id: u64, userid: u64| ("clients", json!({ "id": id, "userid": userid }));
    vec![
        user(1, "Grace", "Hopper"),
        user(2, "Alan", "Turing"),
        user(3, "Katherine", "Johnson"),
        agent(11, 1),
        agent(12, 1),
        agent(13, 2),
        ("groups", json!({ "groupid": 3, "groupname": "Analysts", "members": [11, 12] })),
    ]
}
