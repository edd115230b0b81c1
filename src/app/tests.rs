//! Exchanges with raw servers that misbehave in every known way; each must be told apart.
#![allow(clippy::unwrap_used)]

mod pool;
mod reading;
mod server;
mod session;
mod tls;
mod truth;
mod words;
