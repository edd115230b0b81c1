//! Stand-in applications: small admin REST APIs with the habits of real ones.
//!
//! Each app is one file in [`apps`] that implements [`Application`]; everything else (the
//! listener, the log of calls, the faults a test can order, the data file) is the same for
//! all of them. A stand-in knows nothing of SCIM or of the bridge.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let app = standin::apps::by_name("altr").ok_or("no such app")?;
//! let running = standin::start(app, "127.0.0.1:0".parse()?).await?;
//! running.fail_next(1, 503, "busy", Some(2));
//! // ... let a client work against running.url ...
//! assert!(running.writes().is_empty());
//! running.stop().await;
//! # Ok(()) }
//! ```

pub mod application;
pub mod apps;
mod calls;
mod faults;
mod running;
mod server;
mod store;
#[cfg(test)]
mod tests;
mod wire;

pub use application::{App, Application};
pub use calls::Call;
pub use faults::{Fault, When};
pub use running::{Down, Running, start};
pub use store::write_whole;
pub use wire::{Auth, Reply, Request};
