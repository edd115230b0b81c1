//! placeholder
use std::path::Path;
use crate::app::{App, Done};
/// x
pub async fn all<A: App>(_app: A, _program: &Path, _folder: &Path) -> Done<bool> { Ok(false) }
