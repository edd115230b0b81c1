//! What the guides of all five systems ask for, tried on every app that is shipped: real HTTP, a
//! client that speaks as Okta does, the app's own mapping and its stand-in.
//!
//! Two clients: `Aiw` updates by PUT only (apps made with Okta's wizard), `Oin` by PATCH
//! (apps of Okta's catalogue).

mod apps;
mod client;
mod connect;
mod credentials;
mod groups;
mod imports;
mod served;
mod shipped;
mod switched;
mod trouble;
mod updates;
mod users;
