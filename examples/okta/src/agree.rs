//! Whether three agree: what Okta was told is so, what the server shows, and what the application
//! behind it really has.
//!
//! Each difference is a sentence for a person. Nothing is repaired here.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::client::TaskError;
use crate::org::{Okta, Person, State, Team, Told};
use crate::profile::value_in;

/// What the application really has, read past the server.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Truth {
    /// Accounts; each as often as it is there.
    pub accounts: Vec<Account>,
    /// Members of groups by name of the group, by login.
    pub groups: BTreeMap<String, BTreeSet<String>>,
}

/// An account of the application.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Account {
    /// The name that a person logs in with.
    pub login: String,
    /// Whether it lets anybody in.
    pub active: bool,
    /// What it has, by the SCIM path that it stands for, in the form in which values are compared.
    pub values: BTreeMap<String, Value>,
    /// Everything of it, to see whether an account that nobody asked for was touched.
    pub whole: Value,
}

/// What was compared, and what differs.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Agreement {
    /// People of Okta, and accounts of the application beyond them.
    pub people: usize,
    /// Groups.
    pub groups: usize,
    /// Single things that were compared.
    pub compared: usize,
    /// Accounts in use of which Okta itself lost sight: a create or a reactivation had no answer, so
    /// that Okta keeps no link, and the person got another name before anybody tried again.
    pub lost_sight: usize,
    /// What differs, in words.
    pub differences: Vec<String>,
}

/// The server's lists.
struct Shown {
    users: BTreeMap<String, Value>,
    groups: BTreeMap<String, Value>,
}

/// Who may come in, by the server's own word: the only people whose memberships are compared.
struct Active {
    /// By their number in Okta.
    logins: BTreeMap<usize, String>,
    /// By the server's id.
    login_of: BTreeMap<String, String>,
    names: BTreeSet<String>,
}

impl Active {
    fn of(state: &State) -> Self {
        let mut active =
            Self { logins: BTreeMap::new(), login_of: BTreeMap::new(), names: BTreeSet::new() };
        for (number, person) in state.people.iter().enumerate() {
            let Some(told) = person.told.as_ref().filter(|told| told.active) else { continue };
            let Some(login) = told.values.get("userName").and_then(Value::as_str) else { continue };
            active.logins.insert(number, login.to_owned());
            active.login_of.insert(told.id.clone(), login.to_owned());
            active.names.insert(login.to_owned());
        }
        active
    }
}

struct Judge<'a> {
    state: &'a State,
    active: Active,
    shown: Shown,
    accounts: BTreeMap<&'a str, Vec<&'a Account>>,
    before: BTreeMap<&'a str, &'a Account>,
    truth: Option<&'a Truth>,
    agreement: Agreement,
}

impl Okta {
    /// Compares. `before` is what the application had before Okta came; `truth` what it has now,
    /// or nothing if only the server can be asked.
    ///
    /// # Errors
    /// When the server does not give its lists.
    pub async fn agree(
        &self,
        before: &Truth,
        truth: Option<&Truth>,
    ) -> Result<Agreement, TaskError> {
        let by_id = |rows: Vec<Value>| {
            let rows = rows.into_iter();
            rows.map(|row| (row["id"].as_str().unwrap_or_default().to_owned(), row)).collect()
        };
        let users = by_id(self.list("/Users").await?);
        let groups = by_id(self.list("/Groups").await?);
        let mut accounts = BTreeMap::<&str, Vec<&Account>>::new();
        for account in truth.iter().flat_map(|truth| &truth.accounts) {
            accounts.entry(&account.login).or_default().push(account);
        }
        let before = before.accounts.iter().map(|account| (account.login.as_str(), account));
        let state = self.state();
        let mut judge = Judge {
            state: &state,
            active: Active::of(&state),
            shown: Shown { users, groups },
            accounts,
            before: before.collect(),
            truth,
            agreement: Agreement::default(),
        };
        for person in &state.people {
            judge.person(person);
        }
        if truth.is_some() {
            judge.strangers();
        }
        for team in &state.teams {
            judge.team(team);
        }
        judge.ids();
        Ok(judge.agreement)
    }
}

impl Judge<'_> {
    fn same<T: PartialEq + std::fmt::Debug>(&mut self, what: &str, wanted: &T, found: &T) {
        self.agreement.compared += 1;
        if wanted != found {
            self.differ(format!("{what}: {found:?}, not {wanted:?}"));
        }
    }

    fn differ(&mut self, words: String) {
        self.agreement.differences.push(words);
    }

    fn person(&mut self, person: &Person) {
        self.agreement.people += 1;
        let Some(told) = &person.told else {
            if self.truth.is_some() {
                self.untouched(&person.current.user_name);
            }
            return;
        };
        let name = &person.current.user_name;
        self.same(&format!("{name} on the server, as assigned"), &person.assigned, &told.active);
        for former in &person.former {
            let mut former = former.clone();
            if former.unsure {
                // Okta does not know; server and application must still agree.
                let shown = self.shown.users.get(&former.id);
                former.active = shown.is_some_and(|shown| shown["active"] == true);
                self.agreement.lost_sight += usize::from(former.active);
            }
            self.account(&former);
        }
        self.account(told);
    }

    /// An account that the server has taken, on the server and in the application.
    fn account(&mut self, told: &Told) {
        let Some(login) = told.values.get("userName").and_then(Value::as_str) else {
            return self.differ(format!("{}: has no name", told.id));
        };
        let shown = self.shown.users.get(&told.id).cloned();
        let Some(shown) = shown else {
            return self.differ(format!("{login} on the server: not in the list, id {}", told.id));
        };
        let is_active = shown["active"] == true;
        self.same(&format!("{login} on the server, active"), &told.active, &is_active);
        if !told.unsure {
            for (path, wanted) in &told.values {
                let what = format!("{login} on the server, {path}");
                self.same(&what, wanted, &value_in(&shown, path));
            }
        }
        if self.truth.is_some() {
            self.real(login, told, &shown);
        }
    }

    fn real(&mut self, login: &str, told: &Told, shown: &Value) {
        let accounts = self.accounts.get(login).cloned().unwrap_or_default();
        match (told.active, accounts.as_slice()) {
            (_, [account]) => {
                self.same(&format!("{login} in the app, active"), &told.active, &account.active);
                // Who may not come in keeps what the app keeps of them.
                for (path, found) in account.values.iter().filter(|_| told.active) {
                    let wanted = match told.unsure {
                        true => Some(value_in(shown, path)),
                        false => told.values.get(path).cloned(),
                    };
                    if let Some(wanted) = wanted {
                        self.same(&format!("{login} in the app, {path}"), &wanted, found);
                    }
                }
            }
            (true, []) => self.differ(format!("{login} in the app: no account")),
            // An app that cannot disable has none.
            (false, []) => self.agreement.compared += 1,
            (_, more) => self.differ(format!("{login} in the app: {} accounts", more.len())),
        }
    }

    /// Nobody asked for this account: it is as it was.
    fn untouched(&mut self, login: &str) {
        let now = self.accounts.get(login).and_then(|all| all.first()).map(|one| &one.whole);
        let before = self.before.get(login).map(|account| &account.whole);
        self.agreement.compared += 1;
        if now != before {
            let words =
                format!("{login} in the app, whom nobody assigned: {now:?}, not {before:?}");
            self.differ(words);
        }
    }

    /// Accounts of nobody in Okta: as they were, and no new ones. One that Okta took over may have
    /// another name by now.
    fn strangers(&mut self) {
        let people = self.state.people.iter();
        let told = people.flat_map(|person| person.told.iter().chain(&person.former));
        let names = told.filter_map(|told| told.values.get("userName")?.as_str());
        let untold = self.state.people.iter().filter(|person| person.told.is_none());
        let known: BTreeSet<&str> =
            names.chain(untold.map(|person| person.current.user_name.as_str())).collect();
        let now: Vec<&str> =
            self.accounts.keys().copied().filter(|login| !known.contains(login)).collect();
        for login in now {
            self.agreement.people += 1;
            if self.state.people.iter().any(|person| person.maybe_created.contains(login)) {
                self.unheard_of(login);
            } else {
                self.untouched(login);
            }
        }
    }

    /// A create had no answer, and Okta never asked for that name again. Server and application must
    /// still agree.
    fn unheard_of(&mut self, login: &str) {
        self.agreement.lost_sight += 1;
        let shown = self.shown.users.values().find(|user| user["userName"] == *login);
        let shown = shown.map(|user| user["active"] == true);
        let real = self.accounts.get(login).and_then(|all| all.first()).map(|one| one.active);
        self.same(&format!("{login} in the app, whom Okta lost sight of, active"), &shown, &real);
    }

    fn team(&mut self, team: &Team) {
        let Some(told) = &team.told else { return };
        self.agreement.groups += 1;
        let name = &told.name;
        let Some(shown) = self.shown.groups.get(&told.id).cloned() else {
            return self.differ(format!("{name} on the server: not in the list, id {}", told.id));
        };
        let members = shown["members"].as_array().cloned().unwrap_or_default();
        let shown_members: BTreeSet<String> = members
            .iter()
            .filter_map(|member| self.active.login_of.get(member["value"].as_str()?).cloned())
            .collect();
        let wanted: BTreeSet<String> = if told.unsure {
            shown_members.clone()
        } else {
            let wanted = Value::from(name.as_str());
            self.same(
                &format!("{name} on the server, displayName"),
                &wanted,
                &shown["displayName"],
            );
            told.members
                .iter()
                .filter_map(|number| self.active.logins.get(number).cloned())
                .collect()
        };
        self.same(&format!("{name} on the server, members"), &wanted, &shown_members);
        let name = shown["displayName"].as_str().unwrap_or_default().to_owned();
        let Some(truth) = self.truth else { return };
        let Some(real) = truth.groups.get(&name) else {
            return self.differ(format!("{name} in the app: no such group"));
        };
        let is_active = |login: &&String| self.active.names.contains(*login);
        let real: BTreeSet<String> = real.iter().filter(is_active).cloned().collect();
        self.same(&format!("{name} in the app, members"), &wanted, &real);
    }

    /// No id is two people's, and what was deleted is shown no more.
    fn ids(&mut self) {
        let mut seen = BTreeSet::new();
        for person in &self.state.people {
            let Some(told) = &person.told else { continue };
            self.agreement.compared += 1;
            if !seen.insert(told.id.as_str()) {
                self.agreement.differences.push(format!("{}: the id of two people", told.id));
            }
        }
        let told = self.state.teams.iter().filter_map(|team| team.told.as_ref());
        let in_use: BTreeSet<&str> = told.map(|told| told.id.as_str()).collect();
        for id in self.state.deleted.iter().filter(|id| !in_use.contains(id.as_str())) {
            self.agreement.compared += 1;
            // An app that keeps its groups shows them again at the next import, empty.
            let shown = self.shown.groups.get(id);
            let members = shown.and_then(|group| group["members"].as_array());
            if members.is_some_and(|members| !members.is_empty()) {
                self.differ(format!("group {id} was deleted and has members"));
            }
        }
    }
}
