//! Members of groups, as they are read: who is shown, who is still to be added or removed.
//!
//! The rules that move the rows stand in `edges.rs`.

use jiff::Timestamp;
use rusqlite::{Connection, params};
use serde_json::Value;

use super::sql::{maybe_json_at, resource_at, word_at};
use super::types::{Edge, JournalError, Member};
use super::{Journal, edges};
use crate::change::{ChangeId, ResourceId};

impl Journal {
    /// The members that readers of a group see, in the order of their ids, after one of them.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn members(
        &self,
        group: &ResourceId,
        after: Option<&ResourceId>,
        limit: u32,
    ) -> Result<Vec<Member>, JournalError> {
        let (group, after) = (group.clone(), after.map(|id| id.0.clone()));
        self.read("reading members", move |conn| {
            let mut rows = conn.prepare_cached(
                "SELECT m.user_id, r.kind, coalesce(r.display_name, r.natural_key) AS display,
                        l.app_id
                 FROM members m JOIN resources r ON r.id = m.user_id
                 LEFT JOIN links l ON l.resource_id = m.user_id
                 WHERE m.group_id = ?1 AND m.user_id > ?2 AND m.shown = 1
                 ORDER BY m.user_id LIMIT ?3",
            )?;
            let members =
                rows.query_map(params![group.0, after.unwrap_or_default(), limit], |row| {
                    Ok(Member {
                        user: resource_at(row, "user_id")?,
                        kind: word_at(row, "kind")?,
                        display: row.get("display")?,
                        app_id: maybe_json_at(row, "app_id")?,
                    })
                })?;
            Ok(members.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// How many members readers of a group see.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn member_count(&self, group: &ResourceId) -> Result<u64, JournalError> {
        let group = group.clone();
        self.read("counting members", move |conn| {
            let count: i64 = conn
                .prepare_cached("SELECT count(*) FROM members WHERE group_id = ?1 AND shown = 1")?
                .query_row([group.0], |row| row.get(0))?;
            Ok(count.unsigned_abs())
        })
        .await
    }

    /// Whether readers of a group see more members than that; counts no further.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn has_more_members(
        &self,
        group: &ResourceId,
        than: u32,
    ) -> Result<bool, JournalError> {
        let group = group.clone();
        self.read("counting members", move |conn| {
            let count: u32 = conn
                .prepare_cached(
                    "SELECT count(*) FROM
                       (SELECT 1 FROM members WHERE group_id = ?1 AND shown = 1 LIMIT ?2)",
                )?
                .query_row(params![group.0, than.saturating_add(1)], |row| row.get(0))?;
            Ok(count > than)
        })
        .await
    }

    /// The groups a user is seen in, with what the app shows of them (else what is wanted).
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn groups_of(
        &self,
        user: &ResourceId,
    ) -> Result<Vec<(ResourceId, Option<Value>)>, JournalError> {
        let user = user.clone();
        self.read("reading groups", move |conn| {
            let mut rows = conn.prepare_cached(
                "SELECT r.id, coalesce(r.actual, r.desired) AS document
                 FROM members m JOIN resources r ON r.id = m.group_id
                 WHERE m.user_id = ?1 AND m.current = 1 AND m.shown = 1
                   AND r.deleted_at IS NULL ORDER BY r.id",
            )?;
            let groups = rows.query_map([user.0], |row| {
                Ok((resource_at(row, "id")?, maybe_json_at(row, "document")?))
            })?;
            Ok(groups.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// The memberships of a group that must still be made, at most `limit`: first those that can
    /// be (removals, and additions of linked members), then those that wait for their member.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn pending_edges(
        &self,
        group: &ResourceId,
        limit: u32,
    ) -> Result<Vec<Edge>, JournalError> {
        let group = group.clone();
        self.read("reading pending members", move |conn| {
            let mut found = pending(conn, &group, true, limit)?;
            let room = limit.saturating_sub(found.len().try_into().unwrap_or(u32::MAX));
            if room > 0 {
                found.extend(pending(conn, &group, false, room)?);
            }
            Ok(found)
        })
        .await
    }

    /// Takes over what the app shows as a group's members: additions and removals that are there
    /// are done; what differs without a wish of ours is a period of its own. Gives whether the
    /// members are others than before; that counts as a new version of the group.
    ///
    /// Members the journal does not have are left out. Not for a list that was cut.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn set_members_read(
        &self,
        group: &ResourceId,
        users: Vec<ResourceId>,
        now: Timestamp,
    ) -> Result<bool, JournalError> {
        let group = group.clone();
        self.write("recording members that were read", move |tx| {
            let changed = edges::seen(tx.conn, &group, &users, now)?;
            if changed {
                tx.conn
                    .prepare_cached("UPDATE resources SET version = version + 1 WHERE id = ?1")?
                    .execute([&group.0])?;
            }
            Ok(changed)
        })
        .await
    }
}

/// A group's pending rows. `sendable`: those that need no link or have it.
fn pending(
    conn: &Connection,
    group: &ResourceId,
    sendable: bool,
    limit: u32,
) -> Result<Vec<Edge>, JournalError> {
    let test = if sendable {
        "(m.until_change IS NOT NULL OR l.resource_id IS NOT NULL)"
    } else {
        "m.until_change IS NULL AND l.resource_id IS NULL"
    };
    // Without being told which index, SQLite walks every member of the group.
    let mut rows = conn.prepare_cached(&format!(
        "SELECT m.group_id, m.user_id, m.until_change IS NULL AS wanted,
                nullif(coalesce(m.until_change, m.since_change), 0) AS change, l.app_id
         FROM members m INDEXED BY members_pending LEFT JOIN links l ON l.resource_id = m.user_id
         WHERE m.group_id = ?1 AND m.pending = 1 AND {test} ORDER BY m.user_id LIMIT ?2"
    ))?;
    let edges = rows.query_map(params![group.0, limit], |row| {
        Ok(Edge {
            group: resource_at(row, "group_id")?,
            user: resource_at(row, "user_id")?,
            wanted: row.get("wanted")?,
            change: row.get::<_, Option<i64>>("change")?.map(ChangeId),
            user_link: maybe_json_at(row, "app_id")?,
        })
    })?;
    Ok(edges.collect::<Result<_, _>>()?)
}

/// Whether a pending membership of the group can be made now.
pub(super) fn any_ready(conn: &Connection, group: &ResourceId) -> Result<bool, JournalError> {
    Ok(!pending(conn, group, true, 1)?.is_empty())
}
