//! The rules of membership: what a wish, a call's end and a look at the app do to the rows.
//!
//! One row per pair and period, so that one more member costs one row. A row's `until_change`
//! says what is wished, its `applied` what the app has; the schema explains the columns. `asked` is
//! about memberships that were made or ended in the app, past the bridge: the change that asked for
//! one that was there already, or, negative, that asked one away that was gone.

use std::collections::HashSet;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::Journal;
use super::lanes;
use super::sql::Time;
use super::types::{EdgeEnd, EdgeOutcome, JournalError, MemberOps};
use crate::change::{ChangeId, Kind, ResourceId};

/// `applied`: the app does not have the member.
const NOT_THERE: i64 = 0;
/// `applied`: the app has the member.
const THERE: i64 = 1;
/// `applied`: a call about it was under way when the wish changed.
const UNKNOWN: i64 = 3;
/// `until_change`: ended though it is wished for (with the account, or because a removal came
/// late). Another row goes on with the wish, so that nobody is said to have been in meanwhile.
const IN_BETWEEN: i64 = -1;

impl Journal {
    /// What changes from that one on asked of the memberships of a group (or a user) may have been
    /// undone by a call that landed late: each is looked at once more.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn doubt_memberships(
        &self,
        id: &ResourceId,
        kind: Kind,
        since: ChangeId,
    ) -> Result<(), JournalError> {
        let id = id.clone();
        let of = match kind {
            Kind::Group => "group_id",
            Kind::User => "user_id",
        };
        self.write("doubting memberships", move |tx| {
            // The newest row of each pair says what is wished by now.
            tx.conn
                .prepare_cached(&format!(
                    "UPDATE members SET applied = {UNKNOWN}
                     WHERE {of} = ?1 AND (since_change >= ?2 OR until_change >= ?2)
                       AND applied <> {NOT_THERE}
                       AND period = (SELECT max(period) FROM members m
                         WHERE m.group_id = members.group_id AND m.user_id = members.user_id)",
                ))?
                .execute(params![id.0, since.0])?;
            Ok(())
        })
        .await
    }
}

/// The first member asked for that the journal does not have (alive).
pub(super) fn missing(
    conn: &Connection,
    group: &ResourceId,
    ops: &MemberOps,
) -> Result<Option<ResourceId>, JournalError> {
    let mut live =
        conn.prepare_cached("SELECT 1 FROM resources WHERE id = ?1 AND deleted_at IS NULL")?;
    let (users, known): (Vec<&ResourceId>, _) = match ops {
        // Nobody needs to exist to be removed.
        MemberOps::Edges(edges) => {
            (edges.iter().filter(|e| e.wanted).map(|e| &e.user).collect(), HashSet::new())
        }
        // Of a long list most are members already.
        MemberOps::Replace(users) => (users.iter().collect(), wished(conn, group)?),
    };
    for user in users {
        if !known.contains(&user.0) && !live.exists([&user.0])? {
            return Ok(Some(user.clone()));
        }
    }
    Ok(None)
}

/// Who is wished to be a member now.
fn wished(conn: &Connection, group: &ResourceId) -> Result<HashSet<String>, JournalError> {
    Ok(conn
        .prepare_cached(
            "SELECT user_id FROM members
             WHERE group_id = ?1 AND current = 1 AND until_change IS NULL",
        )?
        .query_map([&group.0], |row| row.get(0))?
        .collect::<Result<_, _>>()?)
}

/// The one row of a pair that a wish changes.
struct Row {
    period: i64,
    wanted: bool,
    applied: i64,
    refused: bool,
}

fn current(
    conn: &Connection,
    group: &ResourceId,
    user: &ResourceId,
) -> Result<Option<Row>, JournalError> {
    Ok(conn
        .prepare_cached(
            "SELECT period, until_change IS NULL AS wanted, applied, refused FROM members
             WHERE group_id = ?1 AND user_id = ?2 AND current = 1",
        )?
        .query_row([&group.0, &user.0], |row| {
            Ok(Row {
                period: row.get("period")?,
                wanted: row.get("wanted")?,
                applied: row.get("applied")?,
                refused: row.get("refused")?,
            })
        })
        .optional()?)
}

/// Writes a change's wishes into the rows.
pub(super) fn wish(
    conn: &Connection,
    group: &ResourceId,
    ops: &MemberOps,
    change: ChangeId,
) -> Result<(), JournalError> {
    let said_again = say_again(conn, group, ops, change)?;
    let changed = match ops {
        MemberOps::Edges(edges) => {
            let mut changed = said_again;
            for edge in edges {
                changed |= if edge.wanted {
                    want(conn, group, &edge.user, change)?
                } else {
                    unwant(conn, group, &edge.user, change)?
                };
            }
            changed
        }
        MemberOps::Replace(users) => replace(conn, group, users, change)? || said_again,
    };
    if let MemberOps::Replace(_) = ops {
        ask_all(conn, group, change)?;
    }
    if changed {
        // What the app refused is worth another try once the members differ. Without being told
        // which index, SQLite walks every member.
        conn.prepare_cached(
            "UPDATE members INDEXED BY members_refused SET refused = 0, note = NULL WHERE group_id = ?1 AND refused = 1",
        )?
        .execute([&group.0])?;
    }
    Ok(())
}

/// Members whose addition is held since a restore and who are asked for again: that is a wish of
/// its own.
fn say_again(
    conn: &Connection,
    group: &ResourceId,
    ops: &MemberOps,
    change: ChangeId,
) -> Result<bool, JournalError> {
    let held: Vec<String> = conn
        .prepare_cached(
            "SELECT user_id FROM members INDEXED BY members_held
             WHERE group_id = ?1 AND refused = 2",
        )?
        .query_map([&group.0], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let asked: HashSet<&str> = match ops {
        _ if held.is_empty() => return Ok(false),
        MemberOps::Edges(edges) => {
            edges.iter().filter(|edge| edge.wanted).map(|edge| edge.user.0.as_str()).collect()
        }
        MemberOps::Replace(users) => users.iter().map(|user| user.0.as_str()).collect(),
    };
    let mut again = false;
    for user in held.iter().filter(|user| asked.contains(user.as_str())) {
        conn.prepare_cached(
            "UPDATE members SET refused = 0, note = NULL, since_change = ?3
             WHERE group_id = ?1 AND user_id = ?2 AND refused = 2",
        )?
        .execute(params![group.0, user, change.0])?;
        again = true;
    }
    Ok(again)
}

fn replace(
    conn: &Connection,
    group: &ResourceId,
    users: &[ResourceId],
    change: ChangeId,
) -> Result<bool, JournalError> {
    let wanted: HashSet<&str> = users.iter().map(|id| id.0.as_str()).collect();
    let have = wished(conn, group)?;
    let mut changed = false;
    for user in users.iter().filter(|id| !have.contains(&id.0)) {
        changed |= want(conn, group, user, change)?;
    }
    let mut gone: Vec<_> = have.into_iter().filter(|id| !wanted.contains(id.as_str())).collect();
    gone.sort_unstable();
    for user in gone {
        changed |= unwant(conn, group, &ResourceId(user), change)?;
    }
    Ok(changed)
}

fn want(
    conn: &Connection,
    group: &ResourceId,
    user: &ResourceId,
    change: ChangeId,
) -> Result<bool, JournalError> {
    let Some(row) = current(conn, group, user)? else {
        insert(conn, group, user, change.0, NOT_THERE, None)?;
        return Ok(true);
    };
    if row.wanted {
        conn.prepare_cached(
            "UPDATE members SET asked = ?4
             WHERE group_id = ?1 AND user_id = ?2 AND period = ?3 AND since_change = 0
               AND asked IS NULL",
        )?
        .execute(params![group.0, user.0, row.period, change.0])?;
        return Ok(false);
    }
    // The removal had not been made (or was refused): the membership goes on. If a call may be
    // under way, what the app has is open, and the wish is a new one.
    let unsure =
        row.applied == UNKNOWN || lanes::is_unsure(conn, group)? || lanes::is_unsure(conn, user)?;
    let (applied, since) = if unsure { (UNKNOWN, Some(change.0)) } else { (row.applied, None) };
    conn.prepare_cached(
        "UPDATE members SET until_change = NULL, applied = ?4, refused = 0, note = NULL,
           since_change = coalesce(?5, since_change)
         WHERE group_id = ?1 AND user_id = ?2 AND period = ?3",
    )?
    .execute(params![group.0, user.0, row.period, applied, since])?;
    Ok(true)
}

fn unwant(
    conn: &Connection,
    group: &ResourceId,
    user: &ResourceId,
    change: ChangeId,
) -> Result<bool, JournalError> {
    let Some(row) = current(conn, group, user)?.filter(|row| row.wanted) else {
        // Gone already by hand: from now on nobody wants it back.
        conn.prepare_cached(
            "UPDATE members INDEXED BY members_by_hand SET asked = -?3
             WHERE group_id = ?1 AND user_id = ?2 AND until_change = 0",
        )?
        .execute(params![group.0, user.0, change.0])?;
        return Ok(false);
    };
    let unsure = row.applied == NOT_THERE
        && !row.refused
        && (lanes::is_unsure(conn, group)? || lanes::is_unsure(conn, user)?);
    let applied = if unsure { UNKNOWN } else { row.applied };
    conn.prepare_cached(
        "UPDATE members SET until_change = ?4, applied = ?5, refused = 0, note = NULL
         WHERE group_id = ?1 AND user_id = ?2 AND period = ?3",
    )?
    .execute(params![group.0, user.0, row.period, change.0, applied])?;
    Ok(true)
}

/// A change gave the whole list: all who are wished by now are asked for, and all who are not any more
/// are asked away.
fn ask_all(conn: &Connection, group: &ResourceId, change: ChangeId) -> Result<(), JournalError> {
    conn.prepare_cached(
        "UPDATE members SET asked = ?2
         WHERE group_id = ?1 AND current = 1 AND until_change IS NULL AND since_change = 0
           AND asked IS NULL",
    )?
    .execute(params![group.0, change.0])?;
    conn.prepare_cached(
        "UPDATE members INDEXED BY members_by_hand SET asked = -?2
         WHERE group_id = ?1 AND until_change = 0",
    )?
    .execute(params![group.0, change.0])?;
    Ok(())
}

fn insert(
    conn: &Connection,
    group: &ResourceId,
    user: &ResourceId,
    since: i64,
    applied: i64,
    added_at: Option<Timestamp>,
) -> Result<(), JournalError> {
    conn.prepare_cached(
        "INSERT INTO members (group_id, user_id, period, since_change, applied, added_at)
         VALUES (?1, ?2, (SELECT coalesce(max(period), 0) + 1 FROM members
                          WHERE group_id = ?1 AND user_id = ?2), ?3, ?4, ?5)",
    )?
    .execute(params![group.0, user.0, since, applied, added_at.map(Time)])?;
    Ok(())
}

/// Records how a membership call ended. The wish may have changed while it was under way.
pub(super) fn end(conn: &Connection, edge: &EdgeEnd, now: Timestamp) -> Result<(), JournalError> {
    let (group, user) = (&edge.group, &edge.user);
    match (&edge.outcome, edge.wanted) {
        (EdgeOutcome::Refused(note), wanted) => {
            conn.prepare_cached(
                "UPDATE members SET refused = 1, note = ?4,
                   applied = CASE WHEN applied = 3 THEN NOT ?3 ELSE applied END
                 WHERE group_id = ?1 AND user_id = ?2 AND current = 1
                   AND (until_change IS NULL) = ?3",
            )?
            .execute(params![group.0, user.0, wanted, note])?;
        }
        (EdgeOutcome::Remembered(note), _) => {
            conn.prepare_cached(
                "UPDATE members SET applied = 1, refused = 0, note = ?3,
                   added_at = coalesce(added_at, ?4)
                 WHERE group_id = ?1 AND user_id = ?2 AND current = 1 AND until_change IS NULL",
            )?
            .execute(params![group.0, user.0, note, Time(now)])?;
        }
        (EdgeOutcome::Applied, true) => {
            let known = conn
                .prepare_cached(
                    "UPDATE members SET applied = 1, refused = 0, note = NULL,
                       added_at = coalesce(added_at, ?3)
                     WHERE group_id = ?1 AND user_id = ?2 AND period =
                       (SELECT max(period) FROM members WHERE group_id = ?1 AND user_id = ?2)",
                )?
                .execute(params![group.0, user.0, Time(now)])?;
            if known == 0 {
                insert(conn, group, user, 0, THERE, Some(now))?;
            }
        }
        (EdgeOutcome::Applied, false) => {
            // Wished for again meanwhile: it must be added once more.
            begin_anew(conn, user, Some(group), now)?;
            conn.prepare_cached(
                "UPDATE members SET refused = 0, note = NULL,
                   applied = CASE WHEN until_change IS NULL THEN 0 ELSE 2 END,
                   removed_at = CASE WHEN until_change IS NULL THEN NULL ELSE ?3 END
                 WHERE group_id = ?1 AND user_id = ?2 AND current = 1",
            )?
            .execute(params![group.0, user.0, Time(now)])?;
        }
    }
    Ok(())
}

/// A change is given up: who it wanted in is not wanted any more, and who it wanted out is again.
pub(super) fn take_back(
    conn: &Connection,
    group: &ResourceId,
    change: ChangeId,
) -> Result<(), JournalError> {
    conn.prepare_cached(
        "UPDATE members SET until_change = ?2, refused = 0, note = NULL
         WHERE group_id = ?1 AND since_change = ?2 AND until_change IS NULL
           AND applied IN (0, 3)",
    )?
    .execute(params![group.0, change.0])?;
    conn.prepare_cached(
        "UPDATE members SET until_change = NULL, refused = 0, note = NULL
         WHERE group_id = ?1 AND until_change = ?2 AND since_change <> ?2
           AND applied IN (1, 3)",
    )?
    .execute(params![group.0, change.0])?;
    conn.prepare_cached(
        "UPDATE members SET asked = NULL WHERE group_id = ?1 AND asked IN (?2, -?2)",
    )?
    .execute(params![group.0, change.0])?;
    Ok(())
}

/// Something about a user changed in the app: memberships that were refused are tried again.
pub(super) fn forgive(conn: &Connection, user: &ResourceId) -> Result<(), JournalError> {
    conn.prepare_cached(
        "UPDATE members SET refused = 0, note = NULL
         WHERE user_id = ?1 AND current = 1 AND refused = 1",
    )?
    .execute([&user.0])?;
    Ok(())
}

/// Nobody knows any more whether the app has what a user is to be a member of.
pub(super) fn rejoin(conn: &Connection, user: &ResourceId) -> Result<(), JournalError> {
    conn.prepare_cached(
        "UPDATE members SET applied = 3, note = NULL
         WHERE user_id = ?1 AND current = 1 AND until_change IS NULL AND applied = 1",
    )?
    .execute([&user.0])?;
    Ok(())
}

/// What a user is a member of stays so, although the app may show nothing of it for now.
pub(super) fn remember(
    conn: &Connection,
    user: &ResourceId,
    note: &str,
) -> Result<(), JournalError> {
    conn.prepare_cached(
        "UPDATE members SET note = ?2
         WHERE user_id = ?1 AND current = 1 AND until_change IS NULL AND applied = 1
           AND refused = 0",
    )?
    .execute(params![user.0, note])?;
    Ok(())
}

/// The account of a user is gone, and its memberships with it: those that are wished for must be
/// made again once there is another account.
pub(super) fn account_gone(
    conn: &Connection,
    user: &ResourceId,
    now: Timestamp,
) -> Result<(), JournalError> {
    begin_anew(conn, user, None, now)?;
    conn.prepare_cached(
        "UPDATE members SET refused = 0, note = NULL,
           removed_at = CASE WHEN until_change IS NULL THEN removed_at ELSE ?2 END,
           applied = CASE WHEN until_change IS NULL OR applied = 0 THEN 0 ELSE 2 END
         WHERE user_id = ?1 AND current = 1",
    )?
    .execute(params![user.0, Time(now)])?;
    Ok(())
}

/// Memberships (one, or all of a user) that are wished for and were there are not there any more:
/// their periods end, and the wishes go on in rows of their own.
fn begin_anew(
    conn: &Connection,
    user: &ResourceId,
    group: Option<&ResourceId>,
    now: Timestamp,
) -> Result<(), JournalError> {
    let ended = conn
        .prepare_cached(&format!(
            "UPDATE members SET until_change = {IN_BETWEEN}, applied = 2, refused = 0, note = NULL,
               removed_at = ?3
             WHERE user_id = ?1 AND (?2 IS NULL OR group_id = ?2) AND current = 1
               AND until_change IS NULL AND applied IN ({THERE}, {UNKNOWN})
               AND added_at IS NOT NULL
             RETURNING group_id, period, since_change, asked"
        ))?
        .query_map(params![user.0, group.map(|id| &id.0), Time(now)], |row| {
            Ok((
                row.get::<_, String>("group_id")?,
                row.get::<_, i64>("period")?,
                row.get::<_, i64>("since_change")?,
                row.get::<_, Option<i64>>("asked")?,
            ))
        })?
        .collect::<Result<Vec<_>, _>>()?;
    for (group, period, since, asked) in ended {
        conn.prepare_cached(&format!(
            "INSERT INTO members (group_id, user_id, period, since_change, applied, asked)
             VALUES (?1, ?2, ?3, ?4, {NOT_THERE}, ?5)"
        ))?
        .execute(params![group, user.0, period + 1, since, asked])?;
    }
    Ok(())
}

/// A deleted user or group has no memberships any more.
pub(super) fn close_all(
    conn: &Connection,
    of: &ResourceId,
    change: ChangeId,
    now: Timestamp,
) -> Result<(), JournalError> {
    for side in ["group_id", "user_id"] {
        conn.prepare_cached(&format!(
            "UPDATE members SET until_change = coalesce(until_change, ?2),
               removed_at = CASE WHEN applied = 0 THEN NULL ELSE ?3 END,
               applied = CASE WHEN applied = 0 THEN 0 ELSE 2 END, refused = 0, note = NULL
             WHERE {side} = ?1 AND current = 1"
        ))?
        .execute(params![of.0, change.0, Time(now)])?;
    }
    Ok(())
}

/// Whether the app has a membership, by its `applied`; `None`: nobody knows.
pub(super) fn there(applied: i64) -> Option<bool> {
    (applied != UNKNOWN).then_some(applied == THERE)
}

/// A row as a look at the app meets it.
struct SeenRow {
    group: String,
    user: String,
    period: i64,
    wanted: bool,
    applied: i64,
    /// Remembered by the bridge alone: the app has nothing that could show it.
    remembered: bool,
}

fn rows_of(
    conn: &Connection,
    side: &'static str,
    of: &ResourceId,
) -> Result<Vec<SeenRow>, JournalError> {
    let mut rows = conn.prepare_cached(&format!(
        "SELECT group_id, user_id, period, until_change IS NULL AS wanted, applied,
                refused = 0 AND applied = 1 AND note IS NOT NULL AS remembered FROM members
         WHERE {side} = ?1 AND current = 1"
    ))?;
    let rows = rows.query_map([&of.0], |row| {
        Ok(SeenRow {
            group: row.get("group_id")?,
            user: row.get("user_id")?,
            period: row.get("period")?,
            wanted: row.get("wanted")?,
            applied: row.get("applied")?,
            remembered: row.get("remembered")?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Takes over what the app shows as a group's members. Gives whether they are others than
/// before.
pub(super) fn seen(
    conn: &Connection,
    group: &ResourceId,
    users: &[ResourceId],
    now: Timestamp,
) -> Result<bool, JournalError> {
    let mut changed = false;
    let shown: HashSet<&str> = users.iter().map(|id| id.0.as_str()).collect();
    let have = rows_of(conn, "group_id", group)?;
    for row in &have {
        changed |= seen_row(conn, row, shown.contains(row.user.as_str()), now)?;
    }
    let known: HashSet<&str> = have.iter().map(|row| row.user.as_str()).collect();
    for user in users.iter().filter(|id| !known.contains(id.0.as_str())) {
        changed |= seen_new(conn, group, user, user, now)?;
    }
    Ok(changed)
}

/// The same for the groups that a user's record shows; groups whose members are others now go to
/// `changed`.
pub(super) fn seen_on_user(
    conn: &Connection,
    user: &ResourceId,
    groups: &[ResourceId],
    alone: bool,
    now: Timestamp,
    changed: &mut HashSet<String>,
) -> Result<(), JournalError> {
    let shown: HashSet<&str> = groups.iter().map(|id| id.0.as_str()).collect();
    let have = rows_of(conn, "user_id", user)?;
    let one_is_shown = have.iter().any(|row| row.wanted && shown.contains(row.group.as_str()));
    for row in &have {
        let is_shown = shown.contains(row.group.as_str());
        if !is_shown && alone && one_is_shown && row.wanted {
            continue;
        }
        if seen_row(conn, row, is_shown, now)? {
            changed.insert(row.group.clone());
        }
    }
    let known: HashSet<&str> = have.iter().map(|row| row.group.as_str()).collect();
    for group in groups.iter().filter(|id| !known.contains(id.0.as_str())) {
        if seen_new(conn, group, user, group, now)? {
            changed.insert(group.0.clone());
        }
    }
    Ok(())
}

/// What a look means for a row that is there. Gives whether readers see a change.
fn seen_row(
    conn: &Connection,
    row: &SeenRow,
    shown: bool,
    now: Timestamp,
) -> Result<bool, JournalError> {
    let of = (&row.group, &row.user, row.period);
    match (shown, row.wanted, row.applied) {
        (true, _, THERE) | (false, true, NOT_THERE) => Ok(false),
        (false, true, THERE) if row.remembered => Ok(false),
        (true, _, _) => {
            conn.prepare_cached(
                "UPDATE members SET applied = 1, refused = 0, note = NULL,
                   added_at = coalesce(added_at, ?4)
                 WHERE group_id = ?1 AND user_id = ?2 AND period = ?3",
            )?
            .execute(params![of.0, of.1, of.2, Time(now)])?;
            Ok(false)
        }
        (false, true, UNKNOWN) => {
            let (group, user) = (ResourceId(row.group.clone()), ResourceId(row.user.clone()));
            begin_anew(conn, &user, Some(&group), now)?;
            conn.prepare_cached(
                "UPDATE members SET applied = 0
                 WHERE group_id = ?1 AND user_id = ?2 AND period = ?3",
            )?
            .execute(params![of.0, of.1, of.2])?;
            Ok(false)
        }
        // Also one that was taken out by hand: its period ends, without a change. Putting it
        // back is for reconcile, or for the next write of the group.
        (false, _, _) => {
            conn.prepare_cached(
                "UPDATE members SET applied = 2, refused = 0, note = NULL, removed_at = ?4,
                   until_change = coalesce(until_change, 0)
                 WHERE group_id = ?1 AND user_id = ?2 AND period = ?3",
            )?
            .execute(params![of.0, of.1, of.2, Time(now)])?;
            Ok(row.wanted)
        }
    }
}

/// A membership that no change asked for, if the resource that was named lives.
fn seen_new(
    conn: &Connection,
    group: &ResourceId,
    user: &ResourceId,
    named: &ResourceId,
    now: Timestamp,
) -> Result<bool, JournalError> {
    let live = conn
        .prepare_cached("SELECT 1 FROM resources WHERE id = ?1 AND deleted_at IS NULL")?
        .exists([&named.0])?;
    if live {
        insert(conn, group, user, 0, THERE, Some(now))?;
        // Put back by hand: what was asked for before it was ended by hand is asked for still.
        conn.prepare_cached(
            "UPDATE members SET asked =
               (SELECT nullif(coalesce(b.asked, b.since_change), 0)
                FROM members b INDEXED BY members_by_hand
                WHERE b.group_id = ?1 AND b.user_id = ?2 AND b.until_change = 0
                  AND coalesce(b.asked, b.since_change) > 0
                  AND b.period = members.period - 1)
             WHERE group_id = ?1 AND user_id = ?2 AND current = 1 AND asked IS NULL",
        )?
        .execute(params![group.0, user.0])?;
    }
    Ok(live)
}
