//! scim-bridge: a SCIM 2.0 server beside an application that has none.
//!
//! The rooms and the one way through them (a test enforces it):
//! `cli -> {server, sync, mapping}`, `server -> {sync, scim}`,
//! `sync -> {journal, app, change, mapping, scim}`, `app -> mapping`,
//! `journal -> change`, `change -> mapping` (vocabulary only), `mapping -> scim`.
//! `observe` is a leaf that anyone may call. `scim`, `mapping` and `change` are pure:
//! no I/O, no clock, no randomness, no async.

pub mod app;
pub mod change;
pub mod cli;
pub mod journal;
pub mod mapping;
pub mod observe;
pub mod scim;
pub mod server;
pub mod sync;
