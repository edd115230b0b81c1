//! Resources: reading them, and what reading the app tells about them.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::lanes::Of;
use super::links;
use super::sql::{
    AsJson, Time, Word, json_at, maybe_json_at, maybe_time_at, resource_at, state_at, time_at,
    word_at,
};
use super::types::{
    AccountSeen, Adopted, AdoptedAs, By, JournalError, Link, Resource, ResourceKeys, Seen, Touched,
};
use super::writer::Tx;
use super::{Journal, away, former, history, ids, steps};
use crate::change::{ChangeId, Kind, ResourceId};

const SELECT: &str = "SELECT r.*, l.app_id, l.app_key, l.known_as,
      EXISTS (SELECT 1 FROM unverified u WHERE u.resource_id = r.id) AS unverified
    FROM resources r LEFT JOIN links l ON l.resource_id = r.id";

impl Journal {
    /// A resource, also a tombstone ([`Resource::is_live`]). `pending` holds what has not ended
    /// and what was applied or superseded after `since`.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn resource(
        &self,
        app: &str,
        kind: Kind,
        id: &ResourceId,
        since: Timestamp,
    ) -> Result<Option<Resource>, JournalError> {
        let (app, id) = (app.to_owned(), id.clone());
        self.read("reading a resource", move |conn| {
            let found = load(conn, &id, since)?;
            Ok(found.filter(|resource| resource.app == app && resource.kind == kind))
        })
        .await
    }

    /// Every resource with that value, in the order in which they were made.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn find(
        &self,
        app: &str,
        kind: Kind,
        by: By,
        value: &str,
        since: Timestamp,
    ) -> Result<Vec<Resource>, JournalError> {
        let (app, value) = (app.to_owned(), value.to_owned());
        self.read("looking for resources", move |conn| {
            let mut found = conn
                .prepare_cached(&find_by(by))?
                .query_map(params![app, Word(kind), value], resource_row)?
                .collect::<Result<Vec<_>, _>>()?;
            for resource in &mut found {
                resource.pending = touched(conn, &resource.id, since)?;
            }
            Ok(found)
        })
        .await
    }

    /// Those of the resources that are there (tombstones too), in the order asked; for pages of
    /// lists.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn resources(
        &self,
        ids: Vec<ResourceId>,
        since: Timestamp,
    ) -> Result<Vec<Resource>, JournalError> {
        self.read("reading resources", move |conn| {
            let mut found = Vec::with_capacity(ids.len());
            for id in &ids {
                found.extend(load(conn, id, since)?);
            }
            Ok(found)
        })
        .await
    }

    /// Those of the ids that belong to living resources of that kind; without their documents,
    /// since a group can name a hundred thousand.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn known(
        &self,
        app: &str,
        kind: Kind,
        ids: Vec<ResourceId>,
    ) -> Result<Vec<ResourceId>, JournalError> {
        let app = app.to_owned();
        self.read("looking members up", move |conn| {
            let mut one = conn.prepare_cached(
                "SELECT 1 FROM resources
                 WHERE id = ?1 AND app = ?2 AND kind = ?3 AND deleted_at IS NULL",
            )?;
            let mut known = Vec::with_capacity(ids.len());
            for id in ids {
                if one.exists(params![id.0, app, Word(kind)])? {
                    known.push(id);
                }
            }
            Ok(known)
        })
        .await
    }

    /// The ids of the live resources of an app, in their order, after one of them.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn resource_ids(
        &self,
        app: &str,
        kind: Kind,
        after: Option<&ResourceId>,
        limit: u32,
    ) -> Result<Vec<ResourceId>, JournalError> {
        let app = app.to_owned();
        let after = after.map(|id| id.0.clone()).unwrap_or_default();
        self.read("listing resources", move |conn| {
            let mut rows = conn.prepare_cached(
                "SELECT id FROM resources
                 WHERE app = ?1 AND kind = ?2 AND deleted_at IS NULL AND id > ?3
                 ORDER BY id LIMIT ?4",
            )?;
            let ids = rows
                .query_map(params![app, Word(kind), after, limit], |row| resource_at(row, "id"))?;
            Ok(ids.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Records what a read showed. The keys are taken over only while no change is open: until
    /// then they are what the changes ask for.
    ///
    /// Gives the live resource that has the natural key, if another one does; this one is
    /// without natural key then.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn touch_actual(
        &self,
        id: &ResourceId,
        actual: serde_json::Value,
        keys: Option<ResourceKeys>,
        account: Option<AccountSeen>,
        at: Timestamp,
    ) -> Result<Option<ResourceId>, JournalError> {
        let id = id.clone();
        self.write("recording a read", move |tx| {
            touch(tx.conn, &id, &actual, keys.as_ref(), account.as_ref(), at)
        })
        .await
    }

    /// Takes records that were read from the app into the journal, in the order given: known
    /// ones are renewed, unknown ones become resources. Give at most 200 at a time.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn adopt(
        &self,
        app: &str,
        kind: Kind,
        seen: Vec<Seen>,
        now: Timestamp,
    ) -> Result<Vec<Adopted>, JournalError> {
        let app = app.to_owned();
        self.write("importing", move |tx| {
            seen.iter().map(|seen| adopt(tx, &app, kind, seen, now)).collect()
        })
        .await
    }
}

impl Journal {
    /// A deleted resource whose record the app still has lives again, as one that was read. For
    /// groups that are emptied and kept.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn unbury(
        &self,
        id: &ResourceId,
        actual: serde_json::Value,
        keys: ResourceKeys,
        now: Timestamp,
    ) -> Result<(), JournalError> {
        let id = id.clone();
        self.write("bringing a group back", move |tx| {
            tx.conn
                .prepare_cached(
                    "UPDATE resources SET deleted_at = NULL, desired = NULL, written = 0,
                       version = version + 1, modified_at = ?2 WHERE id = ?1",
                )?
                .execute(params![id.0, Time(now)])?;
            touch(tx.conn, &id, &actual, Some(&keys), None, now).map(drop)
        })
        .await
    }
}

/// The query of [`Journal::find`]; each is answered by an index of its own.
pub(super) fn find_by(by: By) -> String {
    let test = match by {
        By::Natural => "r.natural_key = ?3 AND r.deleted_at IS NULL ORDER BY r.row",
        By::Sharing => "r.shared_key = ?3 AND r.deleted_at IS NULL ORDER BY r.row",
        By::Tombstone => {
            "r.natural_key = ?3 AND r.deleted_at IS NOT NULL
             ORDER BY r.deleted_at DESC, r.row DESC"
        }
        By::ExternalId => "r.external_id = ?3 AND r.deleted_at IS NULL ORDER BY r.row",
        By::DisplayName => "r.display_name = ?3 AND r.deleted_at IS NULL ORDER BY r.row",
        By::Email => "r.email = ?3 AND r.deleted_at IS NULL ORDER BY r.row",
        By::AppKey => {
            "r.id = (SELECT resource_id FROM links
                     WHERE app = ?1 AND kind = ?2 AND app_key = ?3)"
        }
    };
    format!("{SELECT} WHERE r.app = ?1 AND r.kind = ?2 AND {test}")
}

/// The query of one resource by its id.
pub(super) fn find_by_id() -> String {
    format!("{SELECT} WHERE r.id = ?1")
}

pub(super) fn load(
    conn: &Connection,
    id: &ResourceId,
    since: Timestamp,
) -> Result<Option<Resource>, JournalError> {
    let found = conn.prepare_cached(&find_by_id())?.query_row([&id.0], resource_row).optional()?;
    match found {
        Some(mut resource) => {
            resource.pending = touched(conn, id, since)?;
            Ok(Some(resource))
        }
        None => Ok(None),
    }
}

fn resource_row(row: &Row<'_>) -> rusqlite::Result<Resource> {
    let link = match (maybe_json_at(row, "app_id")?, row.get("app_key")?) {
        (Some(app_id), Some(app_key)) => Some(Link { app_id, app_key }),
        _ => None,
    };
    Ok(Resource {
        id: resource_at(row, "id")?,
        app: row.get("app")?,
        kind: word_at(row, "kind")?,
        keys: ResourceKeys {
            natural: row.get("natural_key")?,
            external_id: row.get("external_id")?,
            display_name: row.get("display_name")?,
            email: row.get("email")?,
            active: row.get("active")?,
        },
        desired: maybe_json_at(row, "desired")?,
        actual: maybe_json_at(row, "actual")?,
        actual_at: maybe_time_at(row, "actual_at")?,
        written: row.get("written")?,
        version: row.get("version")?,
        created_at: time_at(row, "created_at")?,
        modified_at: time_at(row, "modified_at")?,
        deleted_at: maybe_time_at(row, "deleted_at")?,
        link,
        unverified: row.get("unverified")?,
        known_as: row.get("known_as")?,
        asserted: maybe_json_at(row, "asserted")?,
        pending: Vec::new(),
    })
}

fn touched(
    conn: &Connection,
    id: &ResourceId,
    since: Timestamp,
) -> Result<Vec<Touched>, JournalError> {
    const COLUMNS: &str = "seq, verb, asserted, state, reason, superseded_by, late, ended_at";
    let mut rows = conn.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM changes WHERE resource_id = ?1 AND ended_at IS NULL
           AND NOT EXISTS (SELECT 1 FROM held h WHERE h.change = changes.seq)
         UNION ALL
         SELECT {COLUMNS} FROM changes WHERE resource_id = ?1 AND ended_at > ?2
           AND state IN ('applied', 'superseded')
           -- What is desired says more than what was applied then.
           AND NOT EXISTS (SELECT 1 FROM changes o JOIN held h ON h.change = o.seq
                           WHERE o.resource_id = ?1 AND o.ended_at IS NULL)
         ORDER BY seq"
    ))?;
    let touched = rows.query_map(params![id.0, Time(since)], |row| {
        Ok(Touched {
            change: ChangeId(row.get("seq")?),
            verb: word_at(row, "verb")?,
            asserted: json_at(row, "asserted")?,
            state: state_at(row)?,
            ended_at: maybe_time_at(row, "ended_at")?,
        })
    })?;
    Ok(touched.collect::<Result<_, _>>()?)
}

fn touch(
    conn: &Connection,
    id: &ResourceId,
    actual: &serde_json::Value,
    keys: Option<&ResourceKeys>,
    account: Option<&AccountSeen>,
    at: Timestamp,
) -> Result<Option<ResourceId>, JournalError> {
    let doubtful =
        conn.prepare_cached("SELECT 1 FROM unverified WHERE resource_id = ?1")?.exists([&id.0])?;
    if doubtful {
        // Since a restore nobody has seen whose record this is.
        return Ok(None);
    }
    put_actual(conn, id, actual, at)?;
    let open: bool = conn
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM changes WHERE resource_id = ?1 AND ended_at IS NULL)",
        )?
        .query_row([&id.0], |row| row.get(0))?;
    if let Some(account) = account.filter(|_| !open) {
        see_account(conn, id, account, at)?;
    }
    match keys {
        Some(keys) if !open => put_keys(conn, id, keys),
        _ => Ok(None),
    }
}

/// Whether a record is another than the one that was remembered.
fn is_news(
    conn: &Connection,
    id: &ResourceId,
    actual: &serde_json::Value,
) -> Result<bool, JournalError> {
    Ok(conn
        .prepare_cached("SELECT 1 FROM resources WHERE id = ?1 AND actual IS NOT ?2")?
        .exists(params![id.0, AsJson(actual)])?)
}

/// What the linked record tells of access, if that is not known yet.
fn see_account(
    conn: &Connection,
    id: &ResourceId,
    account: &AccountSeen,
    at: Timestamp,
) -> Result<(), JournalError> {
    if history::is_known(conn, id, account)? {
        return Ok(());
    }
    let found = conn
        .prepare_cached(
            "SELECT r.app, r.kind, l.app_id FROM resources r JOIN links l ON l.resource_id = r.id
             WHERE r.id = ?1",
        )?
        .query_row([&id.0], |row| {
            Ok((row.get::<_, String>("app")?, word_at(row, "kind")?, json_at(row, "app_id")?))
        })
        .optional()?;
    let Some((app, kind, link)) = found else { return Ok(()) };
    history::seen(conn, &Of { id, app: &app, kind }, account, &link, at)
}

/// Writes what was seen; the same again is no write: a list that is read anew shows a million
/// records, and few of them changed.
pub(super) fn put_actual(
    conn: &Connection,
    id: &ResourceId,
    actual: &serde_json::Value,
    at: Timestamp,
) -> Result<(), JournalError> {
    conn.prepare_cached(
        "UPDATE resources SET actual = ?2, actual_at = ?3 WHERE id = ?1 AND actual IS NOT ?2",
    )?
    .execute(params![id.0, AsJson(actual), Time(at)])?;
    Ok(())
}

/// Writes the keys, if they are others. A natural key that another live resource has becomes a
/// shared one, and that resource is given.
pub(super) fn put_keys(
    conn: &Connection,
    id: &ResourceId,
    keys: &ResourceKeys,
) -> Result<Option<ResourceId>, JournalError> {
    let holder = conn
        .prepare_cached(
            "SELECT o.id FROM resources o, resources r
             WHERE r.id = ?1 AND o.app = r.app AND o.kind = r.kind AND o.natural_key = ?2
               AND o.deleted_at IS NULL AND o.id <> r.id",
        )?
        .query_row(params![id.0, keys.natural], |row| resource_at(row, "id"))
        .optional()?;
    let natural = keys.natural.as_ref().filter(|_| holder.is_none());
    let shared = keys.natural.as_ref().filter(|_| holder.is_some());
    conn.prepare_cached(
        "UPDATE resources SET natural_key = ?2, external_id = ?3, display_name = ?4, email = ?5,
           active = ?6, shared_key = ?7
         WHERE id = ?1 AND (natural_key, external_id, display_name, email, active, shared_key)
           IS NOT (?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        id.0,
        natural,
        keys.external_id,
        keys.display_name,
        keys.email,
        keys.active,
        shared,
    ])?;
    Ok(holder)
}

fn adopt(
    tx: &Tx<'_>,
    app: &str,
    kind: Kind,
    seen: &Seen,
    now: Timestamp,
) -> Result<Adopted, JournalError> {
    let linked = tx
        .conn
        .prepare_cached(
            "SELECT r.id, r.deleted_at IS NULL AS live FROM links l
             JOIN resources r ON r.id = l.resource_id
             WHERE l.app = ?1 AND l.kind = ?2 AND l.app_key = ?3",
        )?
        .query_row(params![app, Word(kind), seen.link.app_key], |row| {
            Ok((resource_at(row, "id")?, row.get::<_, bool>("live")?))
        })
        .optional()?;
    let met = |id, how| Ok(Adopted { id, how, marked_as: None });
    if let Some((id, live)) = linked {
        let account = seen.account.as_ref();
        if !live {
            if let Some(account) = account.filter(|account| account.active != Some(false)) {
                // Deleted, and somebody can get in all the same.
                see_account(tx.conn, &id, account, now)?;
            }
            return met(id, AdoptedAs::Deleted);
        }
        let changed = is_news(tx.conn, &id, &seen.actual)?;
        touch(tx.conn, &id, &seen.actual, Some(&seen.keys), account, now)?;
        return met(id, AdoptedAs::Known { changed });
    }
    if let Some(id) = former::owner(tx.conn, app, kind, &seen.link.app_key)? {
        return met(id, AdoptedAs::UnderWay);
    }
    let how = match holder(tx.conn, app, kind, seen)? {
        // Had an account, and has none: somebody made it again by hand.
        Some(Holder { id, linked: false, known: true }) if !away::is_open(tx.conn, &id)? => {
            links::put(tx, &Of { id: &id, app, kind }, &seen.link, now)?;
            let account = seen.account.as_ref();
            touch(tx.conn, &id, &seen.actual, Some(&seen.keys), account, now)?;
            return met(id, AdoptedAs::Known { changed: true });
        }
        Some(Holder { id, linked: false, .. }) => return met(id, AdoptedAs::Unlinked),
        // A create is in doubt that would put another account in place: this may be it.
        Some(Holder { id, .. }) if steps::may_have_created(tx.conn, &id)? => {
            return met(id, AdoptedAs::UnderWay);
        }
        Some(Holder { id: with, .. }) => AdoptedAs::NewKeyShared { with },
        None => AdoptedAs::New,
    };
    let by_name = how == AdoptedAs::New;
    let id = &ids::for_new(tx, app, kind, seen, by_name, now)?;
    tx.conn
        .prepare_cached(
            "INSERT INTO resources (id, app, kind, created_at, modified_at)
             VALUES (?1, ?2, ?3, ?4, ?4)",
        )?
        .execute(params![id.0, app, Word(kind), Time(now)])?;
    put_keys(tx.conn, id, &seen.keys)?;
    put_actual(tx.conn, id, &seen.actual, now)?;
    links::put(tx, &Of { id, app, kind }, &seen.link, now)?;
    if let Some(account) = &seen.account {
        history::seen(tx.conn, &Of { id, app, kind }, account, &seen.link.app_id, now)?;
    }
    let marked_as = seen.mark.clone().filter(|mark| mark != id);
    Ok(Adopted { id: id.clone(), how, marked_as })
}

/// A living resource that a record may be of.
struct Holder {
    id: ResourceId,
    linked: bool,
    known: bool,
}

/// The resource that the record says it is of, if that one has no record or may be about to get
/// another one; else the one that has the record's name.
fn holder(
    conn: &Connection,
    app: &str,
    kind: Kind,
    seen: &Seen,
) -> Result<Option<Holder>, JournalError> {
    let one = |test: &str, value: Option<&String>| -> Result<Option<Holder>, JournalError> {
        let found = conn
            .prepare_cached(&format!(
                "SELECT r.id, EXISTS (SELECT 1 FROM links l WHERE l.resource_id = r.id) AS linked,
                   r.actual IS NOT NULL AS known
                 FROM resources r WHERE r.app = ?1 AND r.kind = ?2 AND r.{test} = ?3
                   AND r.deleted_at IS NULL"
            ))?
            .query_row(params![app, Word(kind), value], |row| {
                let (linked, known) = (row.get("linked")?, row.get("known")?);
                Ok(Holder { id: resource_at(row, "id")?, linked, known })
            })
            .optional()?;
        Ok(found)
    };
    if let Some(mark) = &seen.mark
        && let Some(holder) = one("id", Some(&mark.0))?
        && (!holder.linked || steps::may_have_created(conn, &holder.id)?)
    {
        return Ok(Some(holder));
    }
    one("natural_key", seen.keys.natural.as_ref())
}
