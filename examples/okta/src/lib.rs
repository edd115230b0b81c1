//! An Okta that behaves like Okta: what an administrator does there becomes the requests that Okta
//! sends, with its memory, its retries and its gaps.
//!
//! [`Okta`] is one application in Okta with its people and groups; [`Action`] is what an
//! administrator does, [`Okta::act`] what Okta makes of it. [`history`] draws actions from a seed
//! and carries them out with several workers. [`agree`] compares what Okta knows with what the
//! server shows and what the application behind it really has.
//!
//! It knows nothing of the bridge: any SCIM server without TLS will do. Okta's habits are from its
//! documentation and from recorded conversations; where nobody knows, the module says so.

pub mod action;
pub mod agree;
pub mod client;
mod groups;
pub mod history;
pub mod http;
mod import;
pub mod org;
mod people;
pub mod profile;
pub mod settle;
#[cfg(test)]
mod tests;

pub use action::{Action, Outcome};
pub use client::{Credential, Dialect, Exchange, Settings};
pub use org::Okta;
pub use profile::{Choice, Profile};
