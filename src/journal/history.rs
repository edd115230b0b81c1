//! What accounts were: a row per state, from when to when, and which change made it so.
//!
//! A row begins when something differs: whether there is access, the roles, the account itself. So a
//! row lasts as long as what it says, however often that is written again. `change` 0: seen in the app.
//! Must not know what roles mean.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::Value;

use super::lanes::Of;
use super::sql::{AsJson, Time, maybe_json_at, maybe_time_at, time_at};
use super::types::{AccountSeen, HistoryPeriod, HistoryRow, JournalError};
use super::{Journal, away, links};
use crate::change::{ChangeId, Kind, ResourceId};

/// The change of a state that none asked for: it was seen in the app.
const SEEN: ChangeId = ChangeId(0);

impl Journal {
    /// What an account was, oldest first.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn history(&self, id: &ResourceId) -> Result<Vec<HistoryPeriod>, JournalError> {
        let id = id.clone();
        self.read("reading the history", move |conn| {
            let mut rows = conn.prepare_cached(
                "SELECT * FROM account_history WHERE resource_id = ?1 ORDER BY at, id",
            )?;
            let periods = rows.query_map([id.0], period_at)?;
            Ok(periods.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// The account that a call for that change made was found, and is linked.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn account_found(
        &self,
        id: &ResourceId,
        change: ChangeId,
        link: Value,
        now: Timestamp,
    ) -> Result<(), JournalError> {
        let id = id.clone();
        self.write("noting an account", move |tx| {
            let (app, kind) = links::head(tx, &id)?;
            linked(tx.conn, &Of { id: &id, app: &app, kind }, change, &link, now)
        })
        .await
    }

    /// Whether it is known that an account is as it was seen.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn account_is_known(
        &self,
        id: &ResourceId,
        account: AccountSeen,
    ) -> Result<bool, JournalError> {
        let id = id.clone();
        self.read("reading what an account is", move |conn| is_known(conn, &id, &account)).await
    }

    /// The app was asked for the account of a user, and does not know it. Nothing while a change is
    /// open, or if the link is another one by now. The link stays.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn seen_gone(
        &self,
        id: &ResourceId,
        app_key: &str,
        now: Timestamp,
    ) -> Result<(), JournalError> {
        let (id, key) = (id.clone(), app_key.to_owned());
        self.write("noting that an account is gone", move |tx| {
            let same = tx
                .conn
                .prepare_cached("SELECT 1 FROM links WHERE resource_id = ?1 AND app_key = ?2")?
                .exists([&id.0, &key])?;
            if !same || away::is_open(tx.conn, &id)? {
                return Ok(());
            }
            let (app, kind) = links::head(tx, &id)?;
            gone(tx.conn, &Of { id: &id, app: &app, kind }, now)
        })
        .await
    }
}

pub(super) fn period_at(row: &Row<'_>) -> rusqlite::Result<HistoryPeriod> {
    let at = time_at(row, "at")?;
    Ok(HistoryPeriod {
        row: HistoryRow {
            change: ChangeId(row.get("change")?),
            active: row.get("active")?,
            roles: maybe_json_at(row, "roles")?,
            link: maybe_json_at(row, "link")?,
            found: row.get("found")?,
        },
        at,
        until: maybe_time_at(row, "until")?,
        since: maybe_time_at(row, "since")?,
        since_change: row.get::<_, Option<i64>>("since_change")?.map(ChangeId),
        had_access: row.get("had")?,
    })
}

/// The newest row of an account.
struct Last {
    row: i64,
    period: HistoryPeriod,
}

fn last(conn: &Connection, id: &ResourceId) -> Result<Option<Last>, JournalError> {
    Ok(conn
        .prepare_cached(
            "SELECT * FROM account_history WHERE resource_id = ?1 ORDER BY at DESC, id DESC LIMIT 1",
        )?
        .query_row([&id.0], |row| Ok(Last { row: row.get("id")?, period: period_at(row)? }))
        .optional()?)
}

/// What an account is from now on.
pub(super) fn note(
    conn: &Connection,
    of: &Of<'_>,
    state: &HistoryRow,
    now: Timestamp,
) -> Result<(), JournalError> {
    let last = last(conn, of.id)?;
    put(conn, of, last, state.clone(), now)
}

/// Whether an account is known to be as it was seen. Of a million that a list shows again, most are.
pub(super) fn is_known(
    conn: &Connection,
    id: &ResourceId,
    account: &AccountSeen,
) -> Result<bool, JournalError> {
    let roles = account.roles.as_ref().map(AsJson);
    Ok(conn
        .prepare_cached(
            "SELECT 1 FROM account_history h INDEXED BY account_history_now
             WHERE h.resource_id = ?1 AND h.until IS NULL AND coalesce(?2, h.active) IS h.active
               AND h.roles IS ?3
               AND h.link = (SELECT l.app_id FROM links l WHERE l.resource_id = ?1)",
        )?
        .exists(params![id.0, account.active, roles])?)
}

/// The app's record of a user was read. Not while a change is open: until then that makes it so.
pub(super) fn seen(
    conn: &Connection,
    of: &Of<'_>,
    account: &AccountSeen,
    link: &Value,
    now: Timestamp,
) -> Result<(), JournalError> {
    let last = last(conn, of.id)?;
    let is_too_young =
        |last: &Last| last.period.row.change != SEEN && last.period.at > account.lag_begin;
    if of.kind != Kind::User || last.as_ref().is_some_and(is_too_young) {
        return Ok(());
    }
    let state = HistoryRow {
        change: SEEN,
        active: account.active,
        roles: account.roles.clone(),
        link: Some(link.clone()),
        found: true,
    };
    put(conn, of, last, state, now)
}

/// A call made an account for a user; what it shows is not known yet.
pub(super) fn linked(
    conn: &Connection,
    of: &Of<'_>,
    change: ChangeId,
    link: &Value,
    now: Timestamp,
) -> Result<(), JournalError> {
    let last = last(conn, of.id)?;
    let is_known = |last: &Last| {
        last.period.until.is_none() && key_of(last.period.row.link.as_ref()) == key_of(Some(link))
    };
    if of.kind != Kind::User || last.as_ref().is_some_and(is_known) {
        return Ok(());
    }
    let state =
        HistoryRow { change, active: None, roles: None, link: Some(link.clone()), found: false };
    put(conn, of, last, state, now)
}

/// The account of a user is not there any more, and no change asked for that.
pub(super) fn gone(conn: &Connection, of: &Of<'_>, now: Timestamp) -> Result<(), JournalError> {
    if of.kind != Kind::User {
        return close(conn, of.id, now);
    }
    let state =
        HistoryRow { change: SEEN, active: Some(false), roles: None, link: None, found: false };
    note(conn, of, &state, now)
}

/// Ends the last state without another one.
pub(super) fn close(
    conn: &Connection,
    id: &ResourceId,
    now: Timestamp,
) -> Result<(), JournalError> {
    conn.prepare_cached(
        "UPDATE account_history SET until = ?2 WHERE resource_id = ?1 AND until IS NULL",
    )?
    .execute(params![id.0, Time(now)])?;
    Ok(())
}

/// The app's id as text, whatever its JSON type.
fn key_of(link: Option<&Value>) -> Option<String> {
    link.map(|link| link.as_str().map_or_else(|| link.to_string(), str::to_owned))
}

fn put(
    conn: &Connection,
    of: &Of<'_>,
    last: Option<Last>,
    mut state: HistoryRow,
    now: Timestamp,
) -> Result<(), JournalError> {
    let open = last.as_ref().filter(|last| last.period.until.is_none());
    let same_link = open
        .is_some_and(|open| key_of(open.period.row.link.as_ref()) == key_of(state.link.as_ref()));
    if let Some(open) = open.filter(|_| same_link) {
        // A record that does not say whether it is active is as it was.
        state.active = state.active.or(open.period.row.active);
        if open.period.row.active == state.active && open.period.row.roles == state.roles {
            return Ok(());
        }
    }
    // Should the clock go back: a period never ends before it begins.
    let at = open.map_or(now, |open| open.period.at.max(now));
    let mut begun = (at, state.change);
    let mut had = last.as_ref().is_some_and(|last| last.period.had_access);
    if let Some(last) = &last {
        let (was, is) = (last.period.row.has_access(), state.has_access());
        let goes_on = was == is && (!is || same_link);
        if goes_on && open.is_some() {
            let before = &last.period;
            begun = (
                before.since.unwrap_or(before.at),
                before.since_change.unwrap_or(before.row.change),
            );
            state.found = before.row.found;
        }
        had |= was && last.period.at < at;
    }
    match open {
        // Two states in one moment: the last one counts.
        Some(open) if open.period.at >= at => {
            conn.prepare_cached("DELETE FROM account_history WHERE id = ?1")?
                .execute([open.row])?;
        }
        _ => close(conn, of.id, at)?,
    }
    conn.prepare_cached(
        "INSERT INTO account_history (change, resource_id, app, at, active, roles, link, since,
           since_change, found, had)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?
    .execute(params![
        state.change.0,
        of.id.0,
        of.app,
        Time(at),
        state.active,
        state.roles.as_ref().map(AsJson),
        state.link.as_ref().map(AsJson),
        Time(begun.0),
        begun.1.0,
        state.found,
        had,
    ])?;
    Ok(())
}
