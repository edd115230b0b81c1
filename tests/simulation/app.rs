//! The simulated app: records in memory, and what they may become by late calls.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use tokio::time::Instant;

/// What kind of app it is, beyond its mapping.
#[derive(Debug, Clone, Copy, Default)]
pub struct Habits {
    /// A second account of one login is refused with 409.
    pub unique: bool,
    /// Logins are kept in lower case.
    pub folds: bool,
    /// Ids of deleted records are given again.
    pub reuses_ids: bool,
    /// Whoever is new is found by search only after so many seconds.
    pub search_lag: u64,
}

/// An account.
#[derive(Debug, Clone, Default)]
pub struct Account {
    pub fields: Map<String, Value>,
    made: Option<Instant>,
}

/// A group.
#[derive(Debug, Clone, Default)]
pub struct Team {
    pub name: String,
    pub members: BTreeSet<u64>,
}

/// What a message asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    FindUsers(Option<String>),
    ReadUser(u64),
    AddUser(Map<String, Value>),
    ChangeUser(u64, Map<String, Value>),
    RemoveUser(u64),
    FindGroups(Option<String>),
    ReadGroup(u64),
    Members(u64),
    AddGroup(String),
    RenameGroup(u64, String),
    RemoveGroup(u64),
    Join(u64, u64),
    Leave(u64, u64),
    Nonsense,
}

impl Op {
    /// Reads method, path and body.
    pub fn parse(method: &str, target: &str, body: &[u8]) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let wanted = |name: &str| {
            let mut pairs = form_urlencoded::parse(query.as_bytes());
            pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
        };
        let fields = || match serde_json::from_slice(body) {
            Ok(Value::Object(fields)) => fields,
            _ => Map::new(),
        };
        let name = || fields().get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        let number = |text: &str| text.parse::<u64>().unwrap_or(0);
        match (method, parts.as_slice()) {
            ("GET", ["users"]) => Self::FindUsers(wanted("login")),
            ("GET", ["users", id]) => Self::ReadUser(number(id)),
            ("POST", ["users"]) => Self::AddUser(fields()),
            ("PATCH" | "PUT", ["users", id]) => Self::ChangeUser(number(id), fields()),
            ("DELETE", ["users", id]) => Self::RemoveUser(number(id)),
            ("GET", ["groups"]) => Self::FindGroups(wanted("name")),
            ("GET", ["groups", id]) => Self::ReadGroup(number(id)),
            ("GET", ["groups", id, "members"]) => Self::Members(number(id)),
            ("POST", ["groups"]) => Self::AddGroup(name()),
            ("PATCH", ["groups", id]) => Self::RenameGroup(number(id), name()),
            ("DELETE", ["groups", id]) => Self::RemoveGroup(number(id)),
            ("PUT", ["groups", g, "members", u]) => Self::Join(number(g), number(u)),
            ("DELETE", ["groups", g, "members", u]) => Self::Leave(number(g), number(u)),
            _ => Self::Nonsense,
        }
    }

    pub fn is_write(&self) -> bool {
        !matches!(
            self,
            Self::FindUsers(_)
                | Self::ReadUser(_)
                | Self::FindGroups(_)
                | Self::ReadGroup(_)
                | Self::Members(_)
        )
    }

    /// It takes access away.
    pub fn ends_access(&self) -> bool {
        match self {
            Self::ChangeUser(_, fields) => fields.get("active") == Some(&json!(false)),
            Self::RemoveUser(_) => true,
            _ => false,
        }
    }
}

/// The app's records.
#[derive(Debug, Default)]
pub struct Records {
    pub habits: Habits,
    pub accounts: BTreeMap<u64, Account>,
    pub teams: BTreeMap<u64, Team>,
    /// Every id that was ever given.
    pub known: BTreeSet<u64>,
    /// The moment of what is carried out, if that is not now.
    pub now: Option<Instant>,
    last: u64,
}

impl Records {
    pub fn new(habits: Habits) -> Self {
        Self { habits, ..Self::default() }
    }

    fn new_id(&mut self) -> u64 {
        let taken = |id: &u64| self.accounts.contains_key(id) || self.teams.contains_key(id);
        let id = match self.habits.reuses_ids {
            true => (1..).find(|id| !taken(id)).unwrap_or(1),
            false => self.last + 1,
        };
        self.last = self.last.max(id);
        self.known.insert(id);
        id
    }

    fn folded(&self, login: &str) -> String {
        if self.habits.folds { login.to_lowercase() } else { login.to_owned() }
    }

    /// The accounts of a login, whatever its case.
    pub fn named(&self, login: &str) -> Vec<u64> {
        let same = |account: &Account| {
            let own = account.fields.get("login").and_then(Value::as_str).unwrap_or_default();
            own.eq_ignore_ascii_case(login)
        };
        self.accounts.iter().filter(|(_, a)| same(a)).map(|(id, _)| *id).collect()
    }

    pub fn login_of(&self, id: u64) -> Option<String> {
        let fields = &self.accounts.get(&id)?.fields;
        fields.get("login").and_then(Value::as_str).map(str::to_lowercase)
    }

    fn shown(&self, id: u64, account: &Account) -> Value {
        let mut fields = account.fields.clone();
        fields.remove("password");
        fields.insert("id".into(), json!(id));
        Value::Object(fields)
    }

    /// Carries it out; status and body of the answer. `ignoring`: the title is not taken.
    pub fn perform(&mut self, op: &Op, ignoring: bool) -> (u16, Value) {
        let gone = || (404, json!({ "error": "no such record" }));
        match op {
            Op::FindUsers(login) => {
                let now = Instant::now();
                let lag = self.habits.search_lag;
                let fresh = |account: &Account| {
                    account.made.is_some_and(|made| now.duration_since(made).as_secs() < lag)
                };
                let ids = match login {
                    Some(login) => self.named(login),
                    None => self.accounts.keys().copied().collect(),
                };
                let found = ids.iter().filter_map(|id| {
                    let account = self.accounts.get(id).filter(|account| !fresh(account))?;
                    Some(self.shown(*id, account))
                });
                (200, json!({ "items": found.collect::<Vec<_>>() }))
            }
            Op::ReadUser(id) => match self.accounts.get(id) {
                Some(account) => (200, self.shown(*id, account)),
                None => gone(),
            },
            Op::AddUser(fields) => self.add_user(fields),
            Op::ChangeUser(id, fields) => {
                let folds = self.habits.folds;
                let Some(account) = self.accounts.get_mut(id) else { return gone() };
                for (name, value) in fields {
                    if ignoring && name == "title" {
                        continue;
                    }
                    let value = match (name.as_str(), value) {
                        ("login", Value::String(login)) if folds => json!(login.to_lowercase()),
                        (_, value) => value.clone(),
                    };
                    account.fields.insert(name.clone(), value);
                }
                let account = account.clone();
                (200, self.shown(*id, &account))
            }
            Op::RemoveUser(id) => {
                if self.accounts.remove(id).is_none() {
                    return gone();
                }
                self.teams.values_mut().for_each(|team| {
                    team.members.remove(id);
                });
                (204, Value::Null)
            }
            Op::FindGroups(_) | Op::ReadGroup(_) | Op::Members(_) => self.read_groups(op),
            Op::AddGroup(name) => {
                let id = self.new_id();
                self.teams.insert(id, Team { name: name.clone(), members: BTreeSet::new() });
                (201, json!({ "id": id, "name": name }))
            }
            Op::RenameGroup(id, name) => match self.teams.get_mut(id) {
                Some(team) => {
                    team.name.clone_from(name);
                    (200, json!({ "id": id, "name": name }))
                }
                None => gone(),
            },
            Op::RemoveGroup(id) => match self.teams.remove(id) {
                Some(_) => (204, Value::Null),
                None => gone(),
            },
            Op::Join(group, user) => match self.teams.get_mut(group) {
                Some(team) if self.accounts.contains_key(user) => {
                    team.members.insert(*user);
                    (204, Value::Null)
                }
                _ => gone(),
            },
            Op::Leave(group, user) => {
                let left = self.teams.get_mut(group).is_some_and(|team| team.members.remove(user));
                if left { (204, Value::Null) } else { gone() }
            }
            Op::Nonsense => (400, json!({ "error": "no such call" })),
        }
    }

    fn add_user(&mut self, fields: &Map<String, Value>) -> (u16, Value) {
        let login = fields.get("login").and_then(Value::as_str).unwrap_or_default().to_owned();
        if self.habits.unique && !self.named(&login).is_empty() {
            return (409, json!({ "error": "this login is taken" }));
        }
        let id = self.new_id();
        let mut fields = fields.clone();
        fields.insert("login".into(), json!(self.folded(&login)));
        fields.entry("active").or_insert(json!(true));
        let account = Account { fields, made: Some(self.now.unwrap_or_else(Instant::now)) };
        let shown = self.shown(id, &account);
        self.accounts.insert(id, account);
        (201, shown)
    }

    fn read_groups(&self, op: &Op) -> (u16, Value) {
        let row = |id: &u64, team: &Team| json!({ "id": id, "name": team.name });
        match op {
            Op::FindGroups(name) => {
                let fits = |team: &Team| {
                    name.as_ref().is_none_or(|name| team.name.eq_ignore_ascii_case(name))
                };
                let found = self.teams.iter().filter(|(_, team)| fits(team));
                let rows: Vec<_> = found.map(|(id, team)| row(id, team)).collect();
                (200, json!({ "items": rows }))
            }
            Op::ReadGroup(id) => match self.teams.get(id) {
                Some(team) => (200, row(id, team)),
                None => (404, json!({ "error": "no such group" })),
            },
            Op::Members(id) => match self.teams.get(id) {
                Some(team) => {
                    let rows: Vec<_> = team.members.iter().map(|id| json!({ "id": id })).collect();
                    (200, json!({ "items": rows }))
                }
                None => (404, json!({ "error": "no such group" })),
            },
            _ => (400, Value::Null),
        }
    }
}
