//! Okta's histories and scenarios against the built scim-bridge, with an application behind it.
//!
//! [`app::App`] is what a test must be able to do with an application past the bridge; [`apps`] are
//! those that are tried; [`scenarios`] goes step by step, [`history`] draws months from a seed.

pub mod app;
pub mod apps;
mod bridge;
pub mod history;
mod passwords;
pub mod scenarios;
mod secrets;
mod stage;
mod trouble;
