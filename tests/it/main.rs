//! Black-box tests: the whole program in this process, real sockets, a played app behind it.
//!
//! One file per theme; names say the rule. No sleeps, no fixed ports, no limits on time.

#![allow(clippy::unwrap_used)]

mod admin;
mod altr;
mod altr_rules;
mod architecture;
mod attacks;
mod audit;
mod bulk;
mod cases;
mod catalogues;
mod cli;
mod corpus;
mod crash_points;
mod diff;
mod directory;
mod disk_states;
mod doubt;
mod groups;
mod journal;
mod life;
mod limits;
mod lists;
mod long_lists;
mod new;
mod offboarding;
mod okta_rules;
mod oracle;
mod outage;
mod providers;
mod reliability;
mod reload;
mod removals;
mod report;
mod requirements;
mod restore;
mod sessions;
mod support;
mod tokens;
mod transcripts;
mod trial;
mod tutorial;
