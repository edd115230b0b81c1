//! Mapping files, pure: from text to a compiled mapping, and what it plans and understands.
//!
//! The way in: `source` (text to tree) -> `raw` (the language's keys) -> `compile` (names get
//! their meaning) -> `model`. The rest answers questions about one request at a time. Nothing
//! here does I/O, reads a clock or draws random numbers.

mod answer;
mod asked;
mod attribute;
mod belonging;
mod call;
mod cases;
mod check;
mod compile;
mod condition;
mod diagnostic;
mod draft;
mod effect;
mod error;
mod field;
mod guard;
mod helpers;
mod imagine;
mod inward;
mod learned;
mod link;
mod lint;
mod login;
mod marker;
mod marks;
mod matching;
mod missed;
mod model;
mod names;
mod outward;
mod paging;
mod path;
mod plan;
mod random;
mod raw;
mod record;
mod request;
mod roots;
mod schema;
mod side;
mod source;
mod table;
mod template;
#[cfg(test)]
mod tests;
mod textpath;
mod trace;
mod value;
mod wire;
mod witness;
mod xml;

pub use answer::Use;
pub use asked::asked_rest;
pub use attribute::{
    AbsentRule, AppType, DateForm, EmptyForm, FieldId, Immutable, Pick as PickValue, Row,
    ScimSource, SendRule, Work,
};
pub use belonging::{GroupName, OnUser, UserGroup, UserGroups};
pub use call::{Call, CallId, Fan, Pick};
pub use cases::{
    Case, Conversation, Coverage, Exercised, ExpectedBody, ExpectedCall, Meaning, Plot, Remembered,
    Reply, ReplyBody, RoundTrip, ScimRequest, ScimVerb, Spot, Step, StepEvent, Suite, Told,
    check_suite, read_suite, write_suite, yaml_text,
};
pub use compile::{Given, Loaded, WithoutValue, load};
pub use condition::Condition;
pub use diagnostic::{Diagnostic, Severity, render};
pub use draft::{Draft, DraftAuth, DraftOrder, draft, read_api};
pub use effect::{Effect, FieldChange, Shift, effect, shifts};
pub use error::{PagingError, Refusal, Unreadable, ValueError};
pub use field::FieldPath;
pub use imagine::{Example, Imagined, lay_over};
pub use learned::Learned;
pub use login::{LoggedIn, LoginAnswer, Session};
pub use marks::Marks;
pub use matching::FindResult;
pub use missed::{Missed, There};
pub use model::{
    AppAuth, ClientAuth, Connect, Hooks, Late, Mapping, Missing, Origin, Reconcile, Reference,
    Regenerate, Repair, Retries, ScimSettings, SecretSource, SyncSettings, VarSource,
};
pub use paging::Page;
pub use path::JsonPath;
pub use plan::{
    Applied, Ask, Awaited, Begun, Claim, Compared, Converge, Drifted, FindPlan, Found, GetPlan,
    Goal, Hook, HookPlan, ListPlan, ListedRow, Look, MemberGoal, MembersPlan, MembersReached, Next,
    Person, PlanError, ProbePlan, Reached, RefusedGroup, ShownMembers, TablesPlan, Taken, Want,
    id_text,
};
pub use random::Seed;
pub use record::{AppRecord, Asserted, Carried, FieldState};
pub use roots::Roots;
pub use schema::{FileKind, KeyTable, json_schema, key_tables};
pub use side::{
    DeleteRule, FindEntry, GroupCreate, GroupDelete, GroupPolicy, IfExists, Inactive, ListEntry,
    MemberIds, MembersRule, Membership, Place, Side,
};
pub use source::Source;
pub use table::Table;
pub use template::Template;
pub use textpath::TextPath;
pub use trace::{Traced, TracedFrom};
pub use value::Val;
pub use wire::{
    Answer, AnswerClass, Body, Classified, Format, HeaderText, InDoubtRule, Kind, Method, Payload,
    PlacedSecret, PlannedRequest, SecretPlace, StepClass,
};
pub use witness::{Difference, Planned, RowPlace, Understood, Verdict, Weighed, Witness};
pub(crate) use xml::check as check_xml;
#[cfg(test)]
pub(crate) use xml::is_character as is_xml_character;
