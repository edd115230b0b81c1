//! Who had access at a moment: accounts, memberships, and what waited. Reads only.
//!
//! Periods are half open: who lost access at the moment itself has none. Pages look at a bounded
//! number of resources and end after a bounded number of rows, whatever the app's size.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::retention::ACCESS_FORGOTTEN_TO;
use super::sql::{
    Time, Word, json_at, maybe_json_at, maybe_time_at, resource_at, state_at, time_at, word_at,
};
use super::types::{
    AccessHead, AccessPage, Asker, JournalError, MembershipAt, Named, PersonAccess, Whom,
};
use super::{Journal, history, mark};
use crate::change::{ChangeId, Kind, ResourceId};

/// How many resources one page looks at.
const LOOKED_AT: u32 = 500;
/// A page ends after so many accounts and memberships.
const ROWS: usize = 1_000;
/// So many states of an account are looked through for when a role began.
const STATES: u32 = 50;
/// So many changes that waited are told of one person.
const WAITING: u32 = 20;

pub(super) const IDS: &str =
    "SELECT id, app, kind FROM resources WHERE id > ?1 ORDER BY id LIMIT ?2";
pub(super) const PERSON: &str =
    "SELECT r.natural_key, coalesce(r.actual, r.desired) AS document, r.deleted_at,
       EXISTS (SELECT 1 FROM links l WHERE l.resource_id = r.id) AS linked
     FROM resources r WHERE r.id = ?1";
pub(super) const STATES_BY: &str = "SELECT * FROM account_history
     WHERE resource_id = ?1 AND at <= ?2 ORDER BY at DESC, id DESC LIMIT ?3";
pub(super) const FIRST_LATER: &str = "SELECT * FROM account_history
     WHERE resource_id = ?1 AND at > ?2 ORDER BY at, id LIMIT 1";
pub(super) const MEMBER_OF: &str =
    "SELECT group_id, since_change, until_change, applied, asked, note, added_at, removed_at
     FROM members INDEXED BY members_of_user
     WHERE user_id = ?1 AND current = 1
       AND (applied = 3 OR (added_at <= ?2 AND (removed_at IS NULL OR removed_at > ?2)))
     UNION ALL
     SELECT group_id, since_change, until_change, applied, asked, note, added_at, removed_at
     FROM members INDEXED BY members_past
     WHERE user_id = ?1 AND current = 0 AND added_at <= ?2 AND removed_at > ?2";
pub(super) const WAITED: &str = "SELECT seq FROM changes
     WHERE resource_id = ?1 AND ended_at IS NULL AND accepted_at <= ?2
     UNION ALL
     SELECT seq FROM changes
     WHERE resource_id = ?1 AND ended_at > ?2 AND accepted_at <= ?2 LIMIT ?3";
pub(super) const FORMER: &str =
    "SELECT app_id, change FROM former_accounts WHERE resource_id = ?1 AND since <= ?2";
pub(super) const CHANGE: &str = "SELECT verb, actor, accepted_at, state, reason, superseded_by,
       late, ends_access FROM changes WHERE seq = ?1";
pub(super) const PAST_CHANGE: &str =
    "SELECT verb, actor, accepted_at FROM past_changes WHERE seq = ?1";

impl Journal {
    /// From when on the journal can say who had access to an app, and what it does not know of
    /// that moment.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn access_head(&self, app: &str, at: Timestamp) -> Result<AccessHead, JournalError> {
        let app = app.to_owned();
        self.read("reading from when access is known", move |conn| {
            let forgotten: Option<i64> =
                mark::meta(conn, ACCESS_FORGOTTEN_TO)?.and_then(|text| text.parse().ok());
            Ok(AccessHead {
                known_from: known_from(conn, &app)?,
                forgotten_to: forgotten.and_then(|at| Timestamp::from_millisecond(at).ok()),
                lost: lost(conn, &app, at)?,
            })
        })
        .await
    }

    /// A page of who had access to an app at a moment.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn access_at(
        &self,
        app: &str,
        whom: Whom,
        at: Timestamp,
    ) -> Result<AccessPage, JournalError> {
        let app = app.to_owned();
        self.read("reading who had access", move |conn| {
            let mut page = AccessPage::default();
            match whom {
                Whom::These(ids) => {
                    for id in ids {
                        page.people.extend(person(conn, &id, at)?);
                    }
                }
                Whom::Everybody { after } => everybody(conn, &app, after, at, &mut page)?,
            }
            name_groups(conn, &mut page)?;
            name_changes(conn, &mut page)?;
            Ok(page)
        })
        .await
    }
}

/// When the first user of an app was known. Reads narrow indexes.
fn known_from(conn: &Connection, app: &str) -> Result<Option<Timestamp>, JournalError> {
    let first = conn
        .prepare_cached(
            "SELECT min(created_at) AS first FROM resources WHERE row IN (
               SELECT min(row) FROM resources INDEXED BY resources_live
                 WHERE app = ?1 AND kind = 'user' AND deleted_at IS NULL
               UNION ALL
               SELECT min(row) FROM resources INDEXED BY resources_buried
                 WHERE app = ?1 AND kind = 'user' AND natural_key IS NOT NULL
                   AND deleted_at IS NOT NULL)",
        )?
        .query_row([app], |row| maybe_time_at(row, "first"))?;
    Ok(first)
}

/// What a copy that was put back does not know: from its newest change to when it was put back.
fn lost(
    conn: &Connection,
    app: &str,
    at: Timestamp,
) -> Result<Vec<(Timestamp, Timestamp)>, JournalError> {
    let mut rows = conn.prepare_cached(
        "SELECT r.at, (SELECT c.accepted_at FROM changes c WHERE c.seq <= r.last_change
                       ORDER BY c.seq DESC LIMIT 1) AS newest
         FROM restores r JOIN restored_apps a ON a.epoch = r.epoch AND a.app = ?1
         WHERE r.at > ?2 ORDER BY r.at",
    )?;
    let found = rows.query_map(params![app, Time(at)], |row| {
        Ok((maybe_time_at(row, "newest")?.unwrap_or(Timestamp::UNIX_EPOCH), time_at(row, "at")?))
    })?;
    let mut lost = found.collect::<Result<Vec<_>, _>>()?;
    lost.retain(|(from, _)| *from <= at);
    Ok(lost)
}

fn everybody(
    conn: &Connection,
    app: &str,
    after: Option<ResourceId>,
    at: Timestamp,
    page: &mut AccessPage,
) -> Result<(), JournalError> {
    let after = after.map(|id| id.0).unwrap_or_default();
    let ids = conn
        .prepare_cached(IDS)?
        .query_map(params![after, LOOKED_AT], |row| {
            let is_meant =
                row.get::<_, String>("app")? == app && word_at::<Kind>(row, "kind")? == Kind::User;
            Ok((resource_at(row, "id")?, is_meant))
        })?
        .collect::<Result<Vec<_>, _>>()?;
    let is_full = u32::try_from(ids.len()).is_ok_and(|count| count == LOOKED_AT);
    let mut rows = 0;
    for (id, is_meant) in &ids {
        if rows >= ROWS {
            return Ok(());
        }
        page.next = Some(id.clone());
        if !is_meant {
            continue;
        }
        let states = states(conn, id, at, 1)?;
        let has = states.first().is_some_and(|state| {
            state.row.has_access() && state.until.is_none_or(|until| until > at)
        });
        if has && let Some(person) = person(conn, id, at)? {
            rows += 1 + person.memberships.len();
            page.people.push(person);
        } else if states.is_empty() && first_later(conn, id, at)?.is_some_and(|s| s.row.found) {
            page.first_seen_later += 1;
        }
    }
    if !is_full {
        page.next = None;
    }
    Ok(())
}

fn states(
    conn: &Connection,
    id: &ResourceId,
    at: Timestamp,
    limit: u32,
) -> Result<Vec<super::types::HistoryPeriod>, JournalError> {
    let mut rows = conn.prepare_cached(STATES_BY)?;
    let states = rows.query_map(params![id.0, Time(at), limit], history::period_at)?;
    Ok(states.collect::<Result<_, _>>()?)
}

fn first_later(
    conn: &Connection,
    id: &ResourceId,
    at: Timestamp,
) -> Result<Option<super::types::HistoryPeriod>, JournalError> {
    Ok(conn
        .prepare_cached(FIRST_LATER)?
        .query_row(params![id.0, Time(at)], history::period_at)
        .optional()?)
}

fn named_at(row: &Row<'_>) -> rusqlite::Result<Named> {
    Ok(Named { document: maybe_json_at(row, "document")?, natural: row.get("natural_key")? })
}

fn person(
    conn: &Connection,
    id: &ResourceId,
    at: Timestamp,
) -> Result<Option<PersonAccess>, JournalError> {
    let found = conn
        .prepare_cached(PERSON)?
        .query_row([&id.0], |row| {
            Ok((named_at(row)?, maybe_time_at(row, "deleted_at")?, row.get("linked")?))
        })
        .optional()?;
    let Some((named, deleted_at, linked)) = found else { return Ok(None) };
    let states = states(conn, id, at, STATES)?;
    let first_later = if states.is_empty() { first_later(conn, id, at)? } else { None };
    Ok(Some(PersonAccess {
        id: id.clone(),
        named,
        deleted_at,
        linked,
        states,
        first_later,
        memberships: memberships(conn, id, at)?,
        waiting: conn
            .prepare_cached(WAITED)?
            .query_map(params![id.0, Time(at), WAITING], |row| row.get(0).map(ChangeId))?
            .collect::<Result<_, _>>()?,
        former: conn
            .prepare_cached(FORMER)?
            .query_map(params![id.0, Time(at)], |row| {
                Ok((json_at(row, "app_id")?, ChangeId(row.get("change")?)))
            })?
            .collect::<Result<_, _>>()?,
    }))
}

fn memberships(
    conn: &Connection,
    id: &ResourceId,
    at: Timestamp,
) -> Result<Vec<MembershipAt>, JournalError> {
    let mut rows = conn.prepare_cached(MEMBER_OF)?;
    let found = rows.query_map(params![id.0, Time(at)], |row| {
        let applied: i64 = row.get("applied")?;
        let change = |key: &str| -> rusqlite::Result<Option<ChangeId>> {
            // 0: by hand in the app; -1: with the account.
            Ok(row.get::<_, Option<i64>>(key)?.filter(|change| *change > 0).map(ChangeId))
        };
        let since = maybe_time_at(row, "added_at")?.filter(|added| *added <= at);
        let removed = maybe_time_at(row, "removed_at")?;
        let was_there = since.filter(|_| removed.is_none_or(|removed| removed > at));
        Ok(MembershipAt {
            group: resource_at(row, "group_id")?,
            since: was_there,
            change: change("since_change")?,
            asked: change("asked")?,
            ends: change("until_change")?,
            unsure: matches!(applied, 0 | 3),
            note: row.get("note")?,
        })
    })?;
    let mut found = found.collect::<Result<Vec<_>, _>>()?;
    found.sort_by(|a, b| a.group.cmp(&b.group));
    Ok(found)
}

fn name_groups(conn: &Connection, page: &mut AccessPage) -> Result<(), JournalError> {
    let mut groups = BTreeMap::new();
    for membership in page.people.iter().flat_map(|person| &person.memberships) {
        if groups.contains_key(&membership.group) {
            continue;
        }
        let named =
            conn.prepare_cached(PERSON)?.query_row([&membership.group.0], named_at).optional()?;
        groups.insert(membership.group.clone(), named.unwrap_or_default());
    }
    page.groups = groups;
    Ok(())
}

/// What is known of every change that the page names.
fn name_changes(conn: &Connection, page: &mut AccessPage) -> Result<(), JournalError> {
    let mut changes = BTreeMap::new();
    for person in &page.people {
        let states = person.states.iter().chain(&person.first_later);
        let of_states = states.flat_map(|s| [Some(s.row.change), s.since_change]);
        let members = person.memberships.iter();
        let of_members = members.flat_map(|m| [m.change, m.asked, m.ends]);
        let others = person.waiting.iter().copied().chain(person.former.iter().map(|f| f.1));
        for change in of_states.chain(of_members).chain(others.map(Some)).flatten() {
            if change.0 > 0
                && !changes.contains_key(&change)
                && let Some(asker) = asker(conn, change)?
            {
                changes.insert(change, asker);
            }
        }
    }
    page.changes = changes;
    Ok(())
}

fn asker(conn: &Connection, change: ChangeId) -> Result<Option<Asker>, JournalError> {
    let whole = conn
        .prepare_cached(CHANGE)?
        .query_row([change.0], |row| {
            Ok(Asker {
                verb: word_at(row, "verb")?,
                actor: row.get("actor")?,
                accepted_at: time_at(row, "accepted_at")?,
                state: Some(state_at(row)?),
                ends_access: row.get("ends_access")?,
            })
        })
        .optional()?;
    if whole.is_some() {
        return Ok(whole);
    }
    Ok(conn
        .prepare_cached(PAST_CHANGE)?
        .query_row([change.0], |row| {
            Ok(Asker {
                verb: row.get::<_, Word<_>>("verb")?.0,
                actor: row.get("actor")?,
                accepted_at: time_at(row, "accepted_at")?,
                state: None,
                ends_access: false,
            })
        })
        .optional()?)
}
