//! Bits that turn on the disk. SQLite has no checksums of pages: what breaks the structure is found,
//! a turned letter in a value is not. This says how many of each, and that nothing is repaired
//! in silence or panics.

use std::path::Path;

use disk::Watch;
use scim_bridge::journal::Journal;

use super::check::Digest;
use super::workload::{Draws, FILE, Player, open};
use super::{number, runtime};

/// What became of a file in which something turned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Came {
    /// It is refused at the start, or the check after an unclean end finds it.
    Found,
    /// Nothing that is stored differs.
    Harmless,
    /// A stored value differs, and nothing tells.
    Silent,
}

/// What is turned.
#[derive(Debug, Clone, Copy)]
enum Turn {
    Bit,
    Sector,
}

async fn start(folder: &Path) -> Result<(), String> {
    let (journal, _) = Journal::open(open(folder, 1000)).map_err(|error| error.to_string())?;
    // It waits for the check, and fails if that found something.
    journal.look_at_disk().await.map_err(|error| error.to_string())?;
    assert!(!journal.is_checking());
    Ok(())
}

#[test]
fn damage_of_the_structure_is_found_at_the_start() {
    let tries = 25 * number("POWER_WORKLOADS", 1);
    let folder = tempfile::tempdir().unwrap();
    let watch = Watch::over(folder.path()).unwrap();
    let runtime = runtime();
    let mut player = Player::new(&watch, folder.path(), 3);
    runtime.block_on(player.play(40, false)).unwrap();
    player.abandon();
    // What the log still holds goes into the file.
    let conn = rusqlite::Connection::open(folder.path().join(FILE)).unwrap();
    conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    drop(conn);
    let whole = std::fs::read(folder.path().join(FILE)).unwrap();
    let digest = Digest::of_file(&folder.path().join(FILE)).unwrap();
    let mut draws = Draws::of(number("POWER_SEED", 1));
    for turn in [Turn::Bit, Turn::Sector] {
        let mut counts = [0_u64; 3];
        for _ in 0..tries {
            let mut bytes = whole.clone();
            let at = draws.below(bytes.len());
            match turn {
                Turn::Bit => bytes[at] ^= 1 << draws.below(8),
                Turn::Sector => {
                    let from = at / 512 * 512;
                    bytes[from..from + 512].iter_mut().for_each(|b| *b = draws.below(256) as u8);
                }
            }
            let image = tempfile::tempdir().unwrap();
            let _unflushed = Watch::over(image.path()).unwrap();
            let path = image.path().join(FILE);
            std::fs::write(&path, &bytes).unwrap();
            let found = Digest::of_file(&path).ok();
            let came = match (runtime.block_on(start(image.path())), found) {
                (Err(words), _) => {
                    assert!(!words.is_empty());
                    Came::Found
                }
                (Ok(()), Some(found)) if found == digest => Came::Harmless,
                (Ok(()), _) => Came::Silent,
            };
            counts[came as usize] += 1;
        }
        let [found, harmless, silent] = counts;
        println!(
            "flips of a {turn:?}: {tries}, found {found}, harmless {harmless}, silent {silent}"
        );
        println!(
            "figures-flips-{turn:?}: {}",
            serde_json::json!({"tries": tries, "found": found, "harmless": harmless, "silent": silent})
        );
        if matches!(turn, Turn::Sector) {
            assert!(found > 0, "no damage is found at all");
        }
    }
}
