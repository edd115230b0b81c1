//! Surveys: walks over all that an app has, and what they found.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::change::{ChangeId, ResourceId};

/// A survey's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SurveyId(pub i64);

/// What a survey is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SurveyKind {
    /// What the app has becomes known here.
    Import,
    /// Besides, it is compared with what is wanted there.
    Reconcile,
}

/// How far a survey is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SurveyState {
    /// Under way.
    Running,
    /// Everybody was looked at.
    Done,
    /// It was given up; what it says about who is gone is nothing.
    Failed,
}

/// A survey.
#[derive(Debug, Clone, PartialEq)]
pub struct Survey {
    /// Its number.
    pub id: SurveyId,
    /// The app.
    pub app: String,
    /// What it is for.
    pub kind: SurveyKind,
    /// Who asked for it.
    pub by: String,
    /// How far it is.
    pub state: SurveyState,
    /// Its numbers; sync knows what they mean.
    pub counts: Value,
    /// Why it failed, or what must be known about it.
    pub words: Option<String>,
    /// When it began.
    pub began_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

/// Something that a survey found.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// Its place in the survey, from 1.
    pub pos: i64,
    /// Whom or what it is about, if that is known here.
    pub resource: Option<ResourceId>,
    /// What was found; sync knows what it means.
    pub body: Value,
    /// The change that repairs it.
    pub change: Option<ChangeId>,
}

/// What a survey met since it was last written down.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Met {
    /// Resources whose records were there.
    pub seen: Vec<ResourceId>,
    /// What was found.
    pub findings: Vec<(Option<ResourceId>, Value)>,
}

/// A membership that is not as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberDrift {
    /// The group.
    pub group: ResourceId,
    /// The member.
    pub user: ResourceId,
    /// Asked for and not there (true), or there and never asked for.
    pub missing: bool,
}

/// A membership that the app has not as it is wished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenMember {
    /// The user.
    pub user: ResourceId,
    /// The app's words, if it refused it; else a call must still be made.
    pub refused: Option<String>,
}
