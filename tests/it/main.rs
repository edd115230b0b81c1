//! Black-box tests: the whole program in this process, real sockets, a played app behind it.
//!
//! One file per theme; names say the rule. No sleeps, no fixed ports, no limits on time.

#![allow(clippy::unwrap_used)]

mod activtrak;
mod activtrak_rules;
mod admin;
mod adoption;
mod alloy;
mod alloy_rules;
mod alphasense;
mod alphasense_rules;
mod altr;
mod altr_rules;
mod architecture;
mod atlan;
mod atlan_rules;
mod attacks;
mod audit;
mod bad_lists;
mod bulk;
mod cases;
mod catalogues;
mod cli;
mod common;
mod corpus;
mod crash_points;
mod deployment;
mod diff;
mod directory;
mod disk_states;
mod doubt;
mod groups;
mod imports;
mod journal;
mod life;
mod limits;
mod lists;
mod long_lists;
mod new;
mod offboarding;
mod okta;
mod okta_rules;
mod oracle;
mod outage;
mod providers;
mod rebuild;
mod reconcile;
mod reconcile_groups;
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
mod vanished;
