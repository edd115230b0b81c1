//! What an administrator does in Okta.

use crate::client::TaskError;

/// The place of a person in [`crate::Okta`].
pub type PersonNumber = usize;
/// The place of a group.
pub type TeamNumber = usize;

/// One thing that an administrator does, or that Okta does by itself after another one.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// *Test API Credentials*.
    Probe,
    /// The app is assigned to a person.
    Assign(PersonNumber),
    /// A mapped attribute changes.
    Change(PersonNumber, Change),
    /// The app is taken from a person, or the person is deactivated in Okta.
    Unassign(PersonNumber),
    /// The person is suspended in Okta, which tells nobody.
    Suspend(PersonNumber),
    /// And back.
    Unsuspend(PersonNumber),
    /// The person has a new password, and Okta synchronises passwords.
    Password(PersonNumber, String),
    /// A person comes into a group of Okta.
    Join(TeamNumber, PersonNumber),
    /// A person leaves a group of Okta.
    Leave(TeamNumber, PersonNumber),
    /// Okta has just linked a person who is in a pushed group: the group gets this member.
    PushMember(TeamNumber, PersonNumber),
    /// A group is pushed from now on; a group of that name in the app is taken.
    Push(TeamNumber),
    /// *Push now*: everything of a pushed group again.
    PushNow(TeamNumber),
    /// The group has another name in Okta.
    Rename(TeamNumber, String),
    /// A group of the app is linked to a group of Okta; the groups were imported before.
    LinkGroup(TeamNumber),
    /// The group is pushed no longer; it stays in the app.
    UnlinkLeave(TeamNumber),
    /// The group is pushed no longer, and is deleted in the app.
    UnlinkDelete(TeamNumber),
    /// *Import now*.
    Import,
    /// An imported account is confirmed to be this person's.
    Confirm(PersonNumber),
    /// The administrator repeats what failed, from the list of tasks.
    Retry(PersonNumber),
    /// The same for a group.
    RetryGroup(TeamNumber),
}

/// Which attribute changes, and to what.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// `userName`.
    UserName(String),
    /// `name.givenName`.
    Given(String),
    /// `name.familyName`.
    Family(String),
    /// The attribute of that path.
    Extra(String, serde_json::Value),
}

/// What must keep its order: actions of the same subject follow one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A person.
    Person(PersonNumber),
    /// A group.
    Team(TeamNumber),
    /// The whole app.
    App,
}

impl Action {
    /// Whose turn it takes.
    pub fn subject(&self) -> Subject {
        match self {
            Self::Probe | Self::Import => Subject::App,
            Self::Assign(person)
            | Self::Change(person, _)
            | Self::Unassign(person)
            | Self::Suspend(person)
            | Self::Unsuspend(person)
            | Self::Password(person, _)
            | Self::Confirm(person)
            | Self::Retry(person) => Subject::Person(*person),
            Self::Join(team, _)
            | Self::PushMember(team, _)
            | Self::Leave(team, _)
            | Self::Push(team)
            | Self::PushNow(team)
            | Self::Rename(team, _)
            | Self::LinkGroup(team)
            | Self::UnlinkLeave(team)
            | Self::UnlinkDelete(team)
            | Self::RetryGroup(team) => Subject::Team(*team),
        }
    }
}

/// What became of it.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Nothing was to be sent.
    Nothing,
    /// Done; what Okta does next by itself.
    Done(Vec<Action>),
    /// It stands in the list of tasks.
    Failed(TaskError),
}
