//! Files that are there whole or not at all: the data file and the ready file.

use std::{fs, io, path::Path};

use serde_json::Value;

/// Reads a data file; `None` when there is none yet.
pub(crate) fn read(file: &Path) -> io::Result<Option<Value>> {
    match fs::read(file) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| {
            io::Error::new(io::ErrorKind::InvalidData, format!("{}: {error}", file.display()))
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes JSON to a neighbour of `file` and renames it, so that a reader sees the old or the
/// new content, never half of one. It outlives the process, not a power cut (no fsync).
///
/// # Errors
/// When the folder cannot be written.
pub fn write_whole(file: &Path, content: &Value) -> io::Result<()> {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let neighbour = file.with_file_name(name);
    fs::write(&neighbour, format!("{content}\n"))?;
    fs::rename(&neighbour, file)
}
