//! What the tests share: an app that is played, the whole bridge before it, a client.

pub mod crowd;
pub mod http;
pub mod payroll;
pub mod people;
pub mod player;
pub mod program;
pub mod text;
pub mod world;

pub use http::Answer;
pub use world::World;
