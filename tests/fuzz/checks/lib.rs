//! What must hold for any bytes: one module per fuzz target, each with one `check`, which
//! panics where it does not hold.
//!
//! Used twice: by libFuzzer (`targets/`), and by `cargo test`, which replays the kept corpus
//! (`tests/it/corpus.rs`). Must not know which of the two it is.

mod bench;
pub mod filter;
pub mod patch;
pub mod path;
pub mod request;
pub mod sample;
