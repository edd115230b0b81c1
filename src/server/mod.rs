//! The HTTP server: SCIM listener, admin listener, TLS, authentication, routes, shutdown.
//!
//! Must not know the app's API, SQL or mapping files. Everything goes through the facade of
//! `sync`; what a request or an answer of SCIM means is `scim`'s.
//!
//! The way of a request: `accept` (connection) - `guard` and `smuggle` (head) - hyper -
//! `serve` (deadline, panics, authentication) - `route` - `resources`, `bulk` or `discovery` -
//! `reply`. `start` binds and ends it all; `admin` is the other listener.

mod accept;
mod address;
mod admin;
mod body;
mod bulk;
mod catalogue;
mod cidr;
mod config;
mod conversation;
mod discovery;
mod engine;
mod expiry;
mod guard;
mod panics;
mod query;
mod reply;
mod resources;
mod route;
mod search;
mod serve;
mod smuggle;
mod start;
mod step;
#[cfg(test)]
mod tests;
mod tls;
mod traffic;
mod waiting;

pub use cidr::{Cidr, CidrError};
pub use config::{ConfigError, Limits, ServerConfig, TlsFiles};
pub use start::{Running, ServerError, start};
pub use tls::TlsError;
