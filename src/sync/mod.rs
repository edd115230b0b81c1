//! The engine: submit and wait, one lane per app record, reading, recovery, schedules.
//!
//! The only room where journal and app meet. Must not know SQL text or SCIM wire forms.
//!
//! A write: `submit` merges it (`draft`), the journal accepts it, `lane` claims it, `round`
//! carries its `goal` out by the mapping's plan, `conclude` settles it, `outcome` tells it.
//! A read: `read` for one resource, `list` and `snapshot` for many, `view` for what is shown.

mod accept;
mod accounts;
mod api;
mod audit;
mod away;
mod backup;
mod belongings;
mod calls;
mod clock;
mod command;
mod conclude;
mod converge;
mod cursor;
mod disk;
mod draft;
mod engine;
mod exchange;
mod export;
mod facade;
mod filter;
mod follow;
mod former;
mod goal;
mod gone;
mod health;
mod ids;
mod keys;
mod lane;
mod list;
mod listed_members;
mod mappings;
mod members;
mod membership;
mod missing;
mod namesakes;
mod operator;
mod outcome;
mod read;
mod readings;
mod refuse;
mod rehearsal;
mod reload;
mod removals;
mod report;
mod rest;
mod restore;
mod retention;
mod round;
mod rows;
mod secrets;
mod snapshot;
mod sources;
mod start;
mod submit;
mod survey;
mod switch;
mod tables;
mod tokens;
mod told_ids;
mod trial;
mod unknown_groups;
mod unsent;
mod verify;
mod view;
mod wait;
mod walk;
mod withdraw;

pub use api::{
    Caller, Certainty, Deadline, Denied, Door, Hears, ListQuery, Listing, Members, Page, Shown,
    Submission, Unheard, Write, Written,
};
pub use backup::{check_backup, put_back};
pub use clock::Clock;
pub use command::{Command, CommandError, MappingCard, carry_out, last_mapping};
pub use export::Wanted;
pub use facade::{Bridge, Readiness};
pub use ids::Ids;
pub use mappings::{BaseUrls, LoadError, Loaded, find_files, load, read_source, var_value};
pub use rehearsal::{
    CaseReport, ExplainError, Explained, Explanation, Failure, MadeCall, Rehearsal, RehearsalError,
    Said, SuiteReport, Unlike, explain, find_suites, run_suite, tests_for, virtual_runtime,
};
pub use report::AccessWanted;
pub use retention::{Pruned, Retention};
pub use secrets::{Environment, MissingSecret};
pub use sources::Sources;
pub use start::{BridgeConfig, StartError};
pub use tokens::{new_control_key, span};
pub use told_ids::{IDS_AT_ONCE, IdRow, is_scim_id};
pub use trial::{
    PageAttribute, Recording, TrialOrder, Tried, TriedCall, TriedFind, TriedOne, TriedPage,
    TriedSide, Trouble, Weight, try_app,
};

pub use crate::change::{ChangeId, Kind};
