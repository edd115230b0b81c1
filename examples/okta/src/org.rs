//! One application in Okta: its people and groups, who is assigned, and what Okta remembers.
//!
//! `assigned`, `current` and `members` are what the administrator wants; `link` is what Okta
//! remembers; [`Told`] is what the server has taken, by its own word.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use crate::action::{Action, Outcome, PersonNumber, TeamNumber};
use crate::client::{Client, Counters, Exchange, Settings, TaskError};
use crate::profile::{Profile, value_in};

/// Somebody in Okta.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Person {
    /// 20 characters, `00u...`; Okta sends it as `externalId`.
    pub okta_id: String,
    /// The profile now.
    pub current: Profile,
    /// Whether the app is assigned.
    pub assigned: bool,
    /// The server's id, while Okta remembers it.
    pub link: Option<String>,
    /// The profile that Okta pushed last; what equals it is not pushed again.
    pub pushed: Option<Profile>,
    /// What the server has taken.
    pub told: Option<Told>,
    /// Accounts of before: Okta looked for another name and made a new one.
    pub former: Vec<Told>,
    /// Names of creates that had no answer, until an account of that name is found.
    pub maybe_created: BTreeSet<String>,
    /// What stands in the list of tasks.
    pub trouble: Option<TaskError>,
    /// A password whose task failed.
    pub owed_password: Option<String>,
    /// The account that an import found for this person.
    pub imported: Option<String>,
}

/// What the server has taken, of a person.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Told {
    /// The server's id.
    pub id: String,
    /// Whether the account may be used.
    pub active: bool,
    /// Attributes, in the form in which they are compared.
    pub values: BTreeMap<String, Value>,
    /// The password.
    pub password: Option<String>,
    /// A write of attributes had no answer: they are these or others.
    pub unsure: bool,
}

/// A group in Okta.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Team {
    /// Its name.
    pub name: String,
    /// Its people.
    pub members: BTreeSet<PersonNumber>,
    /// Whether it is pushed.
    pub is_pushed: bool,
    /// The server's id, while Okta remembers it.
    pub link: Option<String>,
    /// What the server has taken.
    pub told: Option<ToldTeam>,
    /// A deletion whose task failed: the server's id.
    pub owed_deletion: Option<String>,
    /// What stands in the list of tasks.
    pub trouble: Option<TaskError>,
}

/// What the server has taken, of a group.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ToldTeam {
    /// The server's id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its members.
    pub members: BTreeSet<PersonNumber>,
    /// A write had no answer: it is so or otherwise.
    pub unsure: bool,
}

/// What is held of all.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub people: Vec<Person>,
    pub teams: Vec<Team>,
    /// Attributes that are compared, beside the name.
    pub paths: Vec<String>,
    /// Ids of groups that were deleted.
    pub deleted: BTreeSet<String>,
    /// What each task that failed said.
    pub failures: Vec<String>,
}

impl State {
    /// The attributes of a body that the server has taken. One that is not in an echo is not on the
    /// server either.
    pub fn values(&self, body: &Value) -> BTreeMap<String, Value> {
        let fixed = ["userName", "name.givenName", "name.familyName"];
        let paths = fixed.into_iter().chain(self.paths.iter().map(String::as_str));
        paths.map(|path| (path.to_owned(), value_in(body, path))).collect()
    }
}

/// One application in Okta.
pub struct Okta {
    pub(crate) client: Client,
    state: Mutex<State>,
}

impl Okta {
    /// An application with people and groups, none of them assigned or pushed. `paths` are the
    /// attributes that are compared, beside names.
    pub fn new(
        settings: Settings,
        people: Vec<Profile>,
        teams: Vec<String>,
        paths: Vec<String>,
    ) -> Self {
        let people = people.into_iter().enumerate().map(|(number, current)| Person {
            okta_id: format!("00u{number:05}example0001"),
            current,
            ..Person::default()
        });
        let teams = teams.into_iter().map(|name| Team { name, ..Team::default() });
        let state =
            State { people: people.collect(), teams: teams.collect(), paths, ..State::default() };
        Self { client: Client::new(settings), state: Mutex::new(state) }
    }

    /// From now on each exchange is shown.
    #[must_use]
    pub fn watched(mut self, watch: impl Fn(&Exchange) + Send + Sync + 'static) -> Self {
        self.client.watch(watch);
        self
    }

    /// The server has another base URL now.
    pub fn move_to(&self, base_url: &str) {
        self.client.move_to(base_url);
    }

    /// What was counted.
    pub fn counters(&self) -> &Counters {
        self.client.counters()
    }

    /// Everybody, as Okta has them.
    pub fn people(&self) -> Vec<Person> {
        self.state().people.clone()
    }

    /// All groups, as Okta has them.
    pub fn teams(&self) -> Vec<Team> {
        self.state().teams.clone()
    }

    /// What each task that failed said, in the order in which they failed.
    pub fn failures(&self) -> Vec<String> {
        self.state().failures.clone()
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn person(&self, number: PersonNumber) -> Person {
        self.state().people[number].clone()
    }

    pub(crate) fn team(&self, number: TeamNumber) -> Team {
        self.state().teams[number].clone()
    }

    pub(crate) fn with_person<T>(
        &self,
        number: PersonNumber,
        change: impl FnOnce(&mut Person) -> T,
    ) -> T {
        change(&mut self.state().people[number])
    }

    pub(crate) fn with_team<T>(
        &self,
        number: TeamNumber,
        change: impl FnOnce(&mut Team) -> T,
    ) -> T {
        change(&mut self.state().teams[number])
    }

    /// Carries out what an administrator does. Actions of the same person or group must not
    /// overlap; those of others may.
    ///
    /// # Panics
    /// When there is no person or group of that number.
    pub async fn act(&self, action: &Action) -> Outcome {
        let done = self.carry_out(action).await;
        match done {
            Ok(None) => Outcome::Nothing,
            Ok(Some(next)) => Outcome::Done(next),
            Err(error) => {
                self.note_failure(action, &error);
                Outcome::Failed(error)
            }
        }
    }

    async fn carry_out(&self, action: &Action) -> Result<Option<Vec<Action>>, TaskError> {
        match action {
            Action::Probe => self.probe().await.map(|()| Some(Vec::new())),
            Action::Import => self.import().await.map(|_| Some(Vec::new())),
            Action::Assign(person) => self.assign(*person).await,
            Action::Change(person, change) => self.change(*person, change).await,
            Action::Unassign(person) => self.unassign(*person).await,
            // Okta tells nobody.
            Action::Suspend(_) | Action::Unsuspend(_) => Ok(None),
            Action::Password(person, password) => self.password(*person, password).await,
            Action::Confirm(person) => self.confirm(*person).await,
            Action::Retry(person) => self.retry(*person).await,
            Action::Join(team, person) => self.join(*team, *person).await,
            Action::Leave(team, person) => self.leave(*team, *person).await,
            Action::PushMember(team, person) => self.push_member(*team, *person).await,
            Action::Push(team) => self.push(*team).await,
            Action::PushNow(team) => self.push_now(*team).await,
            Action::Rename(team, name) => self.rename(*team, name).await,
            Action::LinkGroup(team) => self.link_group(*team).await,
            Action::UnlinkLeave(team) => self.unlink_leave(*team),
            Action::UnlinkDelete(team) => self.unlink_delete(*team).await,
            Action::RetryGroup(team) => self.retry_group(*team).await,
        }
    }

    fn note_failure(&self, action: &Action, error: &TaskError) {
        use crate::action::Subject;
        let mut state = self.state();
        match action.subject() {
            Subject::Person(number) => state.people[number].trouble = Some(error.clone()),
            Subject::Team(number) => state.teams[number].trouble = Some(error.clone()),
            Subject::App => {}
        }
        state.failures.push(error.words.clone());
    }
}
