//! No password may stand in a file of the bridge in clear text.

use crate::app::Done;
use crate::bridge::Bridge;

/// What stands in every password that a test makes up.
const CANARY: &[u8] = b"canary";

/// Looks through journal and logs.
///
/// # Errors
/// Which file has one.
pub fn nowhere(bridge: &Bridge) -> Done<()> {
    let folder = bridge.folder();
    let files = std::fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    for file in files.filter_map(Result::ok).filter(|file| file.path().is_file()) {
        let bytes = std::fs::read(file.path()).map_err(|error| error.to_string())?;
        if bytes.windows(CANARY.len()).any(|window| window == CANARY) {
            return Err(format!("{}: a password in clear text", file.path().display()));
        }
    }
    Ok(())
}
