//! Every call to the disk fails in turn, once or from then on: no room, or an I/O error.
//!
//! After each: what was acknowledged is there, what was refused is not, a handle that does not know
//! what is on disk is poisoned and no other one is, reads are answered, and the next opening finds
//! a whole journal.

use std::collections::BTreeMap;

use disk::{Call, Fault, How, Then, Watch};
use scim_bridge::journal::{Journal, JournalError};

use super::check::Digest;
use super::workload::{FILE, Player, Stopped, Told, Work, at, credential, open};
use super::{number, runtime};

/// Always the same work, so that a state can be compared with that of a run without a fault.
const SCRIPT: [Work; 13] = [
    Work::Opening,
    Work::Token,
    Work::Create,
    Work::Begin,
    Work::EndStep,
    Work::Settle,
    Work::Patch,
    Work::Group,
    Work::Create,
    Work::Begin,
    Work::Revoke,
    Work::EndStep,
    Work::Reopening,
];

async fn play(player: &mut Player<'_>) -> Result<(), Stopped> {
    for work in SCRIPT {
        player.work(work).await?;
    }
    Ok(())
}

/// What became of one fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Came {
    /// The call was not needed for anything that was acknowledged (a checkpoint).
    Unnoticed,
    /// The journal did not open.
    NotOpened,
    Full,
    Refused,
    Poisoned,
}

/// Plays the script with a fault. `None`: the script ended before the call was made.
async fn with_fault(fault: Fault, reference: &[Told]) -> Result<Option<Came>, String> {
    let folder = tempfile::tempdir().unwrap();
    let watch = Watch::over(folder.path()).unwrap();
    watch.fail(fault);
    let mut player = Player::new(&watch, folder.path(), 1);
    let played = play(&mut player).await;
    if watch.failed() == 0 {
        return Ok(None);
    }
    let journal = player.journal().cloned();
    watch.heal();
    let came = match &played {
        Ok(()) => Came::Unnoticed,
        Err(Stopped::Opening(_)) => Came::NotOpened,
        Err(Stopped::Journal(JournalError::Full)) => Came::Full,
        Err(Stopped::Journal(JournalError::Unknown(_))) => Came::Poisoned,
        Err(Stopped::Journal(_)) => Came::Refused,
    };
    let mut token = false;
    if let Some(journal) = &journal {
        let poisoned = journal.failure();
        if came == Came::Poisoned && poisoned.is_none() {
            return Err("an unknown outcome does not poison the handle".into());
        }
        if matches!(came, Came::Full | Came::Refused) && poisoned.is_some() {
            return Err(format!("{came:?} poisons the handle: {poisoned:?}"));
        }
        journal.counts().await.map_err(|e| format!("reads do not go on: {e}"))?;
        token = goes_on(journal, poisoned.is_some()).await?;
    }
    drop(journal);
    let told = std::mem::take(&mut player.told);
    player.abandon();
    drop(player);
    look_after(folder.path(), came, &told, reference, token).await?;
    Ok(Some(came))
}

/// The disk is well again: a handle that is not poisoned takes the next write.
async fn goes_on(journal: &Journal, poisoned: bool) -> Result<bool, String> {
    let _ = journal.look_at_disk().await;
    let next = journal.token_insert(credential("after", at(500))).await;
    match (poisoned, next) {
        (false, Ok(())) => Ok(true),
        (true, Err(JournalError::Unknown(_))) => Ok(false),
        // It was being closed when the disk failed.
        (false, Err(JournalError::Closed)) => Ok(false),
        (_, next) => Err(format!("afterwards (poisoned: {poisoned}): {next:?}")),
    }
}

/// As the next start of the program finds it.
async fn look_after(
    folder: &std::path::Path,
    came: Came,
    told: &[Told],
    reference: &[Told],
    token: bool,
) -> Result<(), String> {
    let path = folder.join(FILE);
    let last = told.last();
    let was_open = last.is_some();
    if was_open && !token {
        let digest = Digest::of_file(&path)?;
        let acknowledged = last.is_some_and(|told| told.digest == digest);
        // Work of several transactions (claim and intent; close and open) may be there in part.
        let next = SCRIPT[told.len().min(SCRIPT.len() - 1)];
        let ahead = reference.get(told.len()).is_some_and(|next| next.digest == digest);
        let may_be_ahead = came == Came::Poisoned || came == Came::Unnoticed;
        let right = acknowledged || ahead && may_be_ahead || next.has_stages();
        if !right {
            return Err(format!("another state than acknowledged, {came:?} in {next:?}"));
        }
    }
    let (journal, _) = Journal::open(open(folder, 1000)).map_err(|e| format!("reopening: {e}"))?;
    let wrong = journal.quick_check().await.map_err(|e| e.to_string())?;
    if !wrong.is_empty() {
        return Err(format!("damaged: {wrong:?}"));
    }
    if let Some(told) = last {
        for number in told.changes.keys() {
            let change = journal.change(scim_bridge::change::ChangeId(*number)).await;
            if !matches!(change, Ok(Some(_))) {
                return Err(format!("acknowledged change {number}: {change:?}"));
            }
        }
    }
    let tokens = journal.tokens(None).await.map_err(|e| e.to_string())?;
    if token != tokens.iter().any(|kept| kept.credential.id == "after") {
        return Err(format!("the write afterwards was acknowledged: {token}, and is not so"));
    }
    journal.token_insert(credential("last", at(1001))).await.map_err(|e| e.to_string())
}

#[test]
fn no_fault_of_the_disk_loses_or_invents_anything() {
    let all = number("POWER_FAULTS", 0) > 0;
    let runtime = runtime();
    let (reference, calls) = runtime.block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let watch = Watch::over(folder.path()).unwrap();
        let mut player = Player::new(&watch, folder.path(), 1);
        play(&mut player).await.unwrap();
        let calls = Call::ALL.map(|call| watch.calls(call));
        player.abandon();
        (std::mem::take(&mut player.told), calls)
    });
    let mut faults = 0;
    let mut wrong = Vec::new();
    let mut came = BTreeMap::new();
    for (call, count) in Call::ALL.into_iter().zip(calls) {
        let step = if all { 1 } else { (count as usize / 8).max(1) };
        let hows: &[How] = if call == Call::Write { &[How::Full, How::Io] } else { &[How::Io] };
        for nth in (1..=count).step_by(step) {
            for (how, then) in
                hows.iter().flat_map(|how| [(*how, Then::Works), (*how, Then::FailsToo)])
            {
                let fault = Fault { call, nth, how, then };
                match runtime.block_on(with_fault(fault, &reference)) {
                    Ok(None) => {}
                    Ok(Some(how)) => {
                        faults += 1;
                        *came.entry(how).or_insert(0) += 1;
                    }
                    Err(words) => wrong.push(format!("{fault:?}: {words}")),
                }
            }
        }
    }
    let came: BTreeMap<String, u64> =
        came.into_iter().map(|(k, n)| (format!("{k:?}"), n)).collect();
    println!("faults: {faults} injected, {} wrong; {came:?}", wrong.len());
    let json = serde_json::json!({"injected": faults, "wrong": wrong.len(), "came": came});
    println!("figures-faults: {json}");
    assert!(wrong.is_empty(), "{} of them, first {:#?}", wrong.len(), &wrong[..wrong.len().min(5)]);
    for kind in ["Full", "Poisoned", "NotOpened", "Unnoticed"] {
        assert!(came.contains_key(kind), "no fault came to {kind}: the test is blind");
    }
}
