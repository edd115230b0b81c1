//! Surveys on disk: whom a walk met, what it found, who was not met.
//!
//! Written in batches of at most [`SURVEY_ROWS`], so that acknowledgements need not wait. What a
//! finding means is sync's to say.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row, params};
use serde_json::Value;

use super::Journal;
use super::sql::{AsJson, Time, Word, json_at, maybe_time_at, resource_at, time_at, word_at};
use super::types::{
    Finding, JournalError, MemberDrift, Met, OpenMember, Survey, SurveyId, SurveyKind, SurveyState,
};
use super::writer::Tx;
use crate::change::{ChangeId, Kind, ResourceId};

/// The most rows that are written, or dropped, at once.
pub const SURVEY_ROWS: usize = 500;
/// So many surveys of an app are kept with what they found.
const KEPT: i64 = 20;

/// Linked resources that a survey did not meet, in the order of their ids. Without those that a change is
/// about, and those that were made or written since it began: its list may be older than they are.
pub(super) const UNMET: &str = "SELECT r.id FROM resources r INDEXED BY resources_live
     JOIN links l ON l.resource_id = r.id
     WHERE r.app = ?1 AND r.kind = ?2 AND r.deleted_at IS NULL AND r.id > ?3
       AND r.modified_at < ?4
       AND NOT EXISTS (SELECT 1 FROM survey_seen s WHERE s.survey = ?5 AND s.resource_id = r.id)
       AND NOT EXISTS (SELECT 1 FROM changes c WHERE c.resource_id = r.id AND c.ended_at IS NULL)
     ORDER BY r.id LIMIT ?6";

impl Journal {
    /// Begins a survey. One of the same app that a crash left unfinished counts as failed; the oldest go.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn survey_begin(
        &self,
        app: &str,
        kind: SurveyKind,
        by: &str,
        now: Timestamp,
    ) -> Result<SurveyId, JournalError> {
        let (app, by) = (app.to_owned(), by.to_owned());
        self.write("beginning a survey", move |tx| {
            tx.conn.execute(
                "UPDATE surveys SET state = 'failed', ended_at = ?2,
                   words = 'the bridge ended before it did'
                 WHERE app = ?1 AND state = 'running'",
                params![app, Time(now)],
            )?;
            tx.conn.execute(
                "INSERT INTO surveys (app, kind, by, state, counts, began_at)
                 VALUES (?1, ?2, ?3, 'running', '{}', ?4)",
                params![app, Word(kind), by, Time(now)],
            )?;
            Ok(SurveyId(tx.conn.last_insert_rowid()))
        })
        .await
    }

    /// Writes down what a survey met, and its numbers so far. Gives those that it had met before.
    ///
    /// # Errors
    /// [`JournalError`]; `Refused` for more than [`SURVEY_ROWS`] of either, or a survey that has ended.
    pub async fn survey_note(
        &self,
        survey: SurveyId,
        met: Met,
        counts: Value,
    ) -> Result<Vec<ResourceId>, JournalError> {
        self.write("noting a survey", move |tx| {
            if met.seen.len() > SURVEY_ROWS || met.findings.len() > SURVEY_ROWS {
                let words = format!("more than {SURVEY_ROWS} rows of a survey at once");
                return Err(JournalError::Refused(words));
            }
            let running = tx.conn.execute(
                "UPDATE surveys SET counts = ?2 WHERE id = ?1 AND state = 'running'",
                params![survey.0, AsJson(&counts)],
            )?;
            if running == 0 {
                return Err(JournalError::Refused(format!("survey {} has ended", survey.0)));
            }
            let mut again = Vec::new();
            let mut see = tx.conn.prepare_cached(
                "INSERT OR IGNORE INTO survey_seen (survey, resource_id) VALUES (?1, ?2)",
            )?;
            for id in met.seen {
                if see.execute(params![survey.0, id.0])? == 0 {
                    again.push(id);
                }
            }
            let mut find = tx.conn.prepare_cached(
                "INSERT INTO findings (survey, pos, resource_id, body)
                 VALUES (?1, (SELECT coalesce(max(pos), 0) + 1 FROM findings WHERE survey = ?1), ?2, ?3)",
            )?;
            for (id, body) in &met.findings {
                find.execute(params![survey.0, id.as_ref().map(|id| &id.0), AsJson(body)])?;
            }
            Ok(again)
        })
        .await
    }

    /// Linked resources that a survey did not meet, after one of them. Without those that are being
    /// written, or were since it began.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn survey_unmet(
        &self,
        survey: &Survey,
        kind: Kind,
        after: Option<&ResourceId>,
        limit: u32,
    ) -> Result<Vec<ResourceId>, JournalError> {
        let (app, id, began) = (survey.app.clone(), survey.id, survey.began_at);
        let after = after.map(|id| id.0.clone()).unwrap_or_default();
        self.read("comparing a survey", move |conn| {
            let mut rows = conn.prepare_cached(UNMET)?;
            let of = params![app, Word(kind), after, Time(began), id.0, limit];
            let ids = rows.query_map(of, |row| resource_at(row, "id"))?;
            Ok(ids.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Ends a survey, or lets one that has ended go on (with what is repaired).
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn survey_move(
        &self,
        survey: SurveyId,
        state: SurveyState,
        counts: Value,
        words: Option<String>,
        now: Timestamp,
    ) -> Result<(), JournalError> {
        self.write("ending a survey", move |tx| {
            let ended = (state != SurveyState::Running).then_some(Time(now));
            tx.conn.execute(
                "UPDATE surveys SET state = ?2, counts = ?3, words = ?4, ended_at = ?5
                 WHERE id = ?1",
                params![survey.0, Word(state), AsJson(&counts), words, ended],
            )?;
            Ok(())
        })
        .await
    }

    /// Drops at most [`SURVEY_ROWS`] rows that nobody needs: whom surveys met that have ended, and
    /// the oldest surveys with what they found. Gives how many went.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn survey_prune(&self) -> Result<u64, JournalError> {
        self.write("dropping old surveys", |tx| {
            let met = tx.conn.execute(
                "DELETE FROM survey_seen WHERE (survey, resource_id) IN
                   (SELECT s.survey, s.resource_id FROM survey_seen s
                    JOIN surveys v ON v.id = s.survey AND v.state <> 'running' LIMIT ?1)",
                [SURVEY_ROWS as i64],
            )?;
            if met > 0 {
                return Ok(met as u64);
            }
            prune_oldest(tx)
        })
        .await
    }

    /// One survey; without a number the newest of the app.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn survey(
        &self,
        app: &str,
        id: Option<SurveyId>,
    ) -> Result<Option<Survey>, JournalError> {
        let app = app.to_owned();
        self.read("reading a survey", move |conn| {
            let sql = match id {
                Some(_) => "SELECT * FROM surveys WHERE app = ?1 AND id = ?2",
                None => {
                    "SELECT * FROM surveys WHERE app = ?1 AND ?2 IS NULL ORDER BY id DESC LIMIT 1"
                }
            };
            let id = id.map(|id| id.0);
            Ok(conn.prepare_cached(sql)?.query_row(params![app, id], survey_at).optional()?)
        })
        .await
    }

    /// The newest survey of that kind that ended, well or badly.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn last_survey(
        &self,
        app: &str,
        kind: SurveyKind,
    ) -> Result<Option<Survey>, JournalError> {
        let app = app.to_owned();
        self.read("reading the last survey", move |conn| {
            Ok(conn
                .prepare_cached(
                    "SELECT * FROM surveys WHERE app = ?1 AND kind = ?2 AND state <> 'running'
                     ORDER BY id DESC LIMIT 1",
                )?
                .query_row(params![app, Word(kind)], survey_at)
                .optional()?)
        })
        .await
    }

    /// What a survey found, after a place, at most `limit`.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn findings(
        &self,
        survey: SurveyId,
        after: i64,
        limit: u32,
    ) -> Result<Vec<Finding>, JournalError> {
        self.read("reading findings", move |conn| {
            let mut rows = conn.prepare_cached(
                "SELECT pos, resource_id, body, change FROM findings
                 WHERE survey = ?1 AND pos > ?2 ORDER BY pos LIMIT ?3",
            )?;
            let findings = rows.query_map(params![survey.0, after, limit], |row| {
                Ok(Finding {
                    pos: row.get("pos")?,
                    resource: row.get::<_, Option<String>>("resource_id")?.map(ResourceId),
                    body: json_at(row, "body")?,
                    change: row.get::<_, Option<i64>>("change")?.map(ChangeId),
                })
            })?;
            Ok(findings.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Notes what became of findings: the change that repairs them, if one does, and what they say now.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn findings_repaired(
        &self,
        survey: SurveyId,
        repaired: Vec<(i64, Option<ChangeId>, Value)>,
    ) -> Result<(), JournalError> {
        self.write("noting repairs", move |tx| {
            let mut note = tx.conn.prepare_cached(
                "UPDATE findings SET change = coalesce(?3, change), body = ?4
                 WHERE survey = ?1 AND pos = ?2",
            )?;
            for (pos, change, body) in &repaired {
                note.execute(params![survey.0, pos, change.map(|c| c.0), AsJson(body)])?;
            }
            Ok(())
        })
        .await
    }

    /// Memberships of an app that are not as changes asked for, in the order of their groups, after one
    /// of them: asked for and ended by hand, or made by hand in a group that changes were about.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn member_drift(
        &self,
        app: &str,
        after: Option<&MemberDrift>,
        limit: u32,
    ) -> Result<Vec<MemberDrift>, JournalError> {
        let app = app.to_owned();
        let (group, user) =
            after.map(|after| (after.group.0.clone(), after.user.0.clone())).unwrap_or_default();
        self.read("comparing memberships", move |conn| {
            let mut rows = conn.prepare_cached(
                "SELECT m.group_id, m.user_id, m.until_change IS NOT NULL AS missing
                 FROM members m
                 JOIN resources g ON g.id = m.group_id AND g.app = ?1 AND g.deleted_at IS NULL
                   AND g.written = 1
                 JOIN resources u ON u.id = m.user_id AND u.deleted_at IS NULL
                 WHERE (m.group_id, m.user_id) > (?2, ?3)
                   AND ((m.until_change = 0 AND coalesce(m.asked, m.since_change) > 0
                         AND m.period = (SELECT max(n.period) FROM members n
                           WHERE n.group_id = m.group_id AND n.user_id = m.user_id))
                     OR (m.until_change IS NULL AND m.applied = 1 AND m.since_change = 0
                         AND m.asked IS NULL))
                   AND NOT EXISTS (SELECT 1 FROM changes c
                                   WHERE c.resource_id = m.group_id AND c.ended_at IS NULL)
                 ORDER BY m.group_id, m.user_id LIMIT ?4",
            )?;
            let drift = rows.query_map(params![app, group, user, limit], |row| {
                Ok(MemberDrift {
                    group: resource_at(row, "group_id")?,
                    user: resource_at(row, "user_id")?,
                    missing: row.get("missing")?,
                })
            })?;
            Ok(drift.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// The memberships of a group that the app has not as they are wished: refused ones, and those
    /// that wait, such as for a member's account.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn open_members(&self, group: &ResourceId) -> Result<Vec<OpenMember>, JournalError> {
        let group = group.clone();
        self.read("reading open memberships", move |conn| {
            // Each index holds few rows, however large the group is.
            let mut rows = conn.prepare_cached(
                "SELECT user_id, NULL AS refused FROM members INDEXED BY members_pending
                 WHERE group_id = ?1 AND pending = 1
                 UNION ALL
                 SELECT user_id, coalesce(note, 'the app refused it') FROM members INDEXED BY members_refused
                 WHERE group_id = ?1 AND refused = 1 AND current = 1",
            )?;
            let open = rows.query_map([group.0], |row| {
                Ok(OpenMember { user: resource_at(row, "user_id")?, refused: row.get("refused")? })
            })?;
            Ok(open.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// How many living resources of that kind are linked.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn linked_count(&self, app: &str, kind: Kind) -> Result<u64, JournalError> {
        let app = app.to_owned();
        self.read("counting accounts", move |conn| {
            let count: i64 = conn
                .prepare_cached(
                    "SELECT count(*) FROM resources r JOIN links l ON l.resource_id = r.id
                     WHERE r.app = ?1 AND r.kind = ?2 AND r.deleted_at IS NULL",
                )?
                .query_row(params![app, Word(kind)], |row| row.get(0))?;
            Ok(count.unsigned_abs())
        })
        .await
    }
}

/// The oldest survey of an app that has too many; what it found goes first.
fn prune_oldest(tx: &Tx<'_>) -> Result<u64, JournalError> {
    let old: Option<i64> = tx
        .conn
        .query_row(
            "SELECT s.id FROM surveys s WHERE s.state <> 'running' AND
               (SELECT count(*) FROM surveys n WHERE n.app = s.app AND n.id > s.id) >= ?1
             ORDER BY s.id LIMIT 1",
            [KEPT],
            |row| row.get(0),
        )
        .optional()?;
    let Some(old) = old else { return Ok(0) };
    let gone = tx.conn.execute(
        "DELETE FROM findings WHERE survey = ?1 AND pos IN
           (SELECT pos FROM findings WHERE survey = ?1 LIMIT ?2)",
        params![old, SURVEY_ROWS as i64],
    )?;
    if gone > 0 {
        return Ok(gone as u64);
    }
    Ok(tx.conn.execute("DELETE FROM surveys WHERE id = ?1", [old])? as u64)
}

fn survey_at(row: &Row<'_>) -> rusqlite::Result<Survey> {
    Ok(Survey {
        id: SurveyId(row.get("id")?),
        app: row.get("app")?,
        kind: word_at(row, "kind")?,
        by: row.get("by")?,
        state: word_at(row, "state")?,
        counts: json_at(row, "counts")?,
        words: row.get("words")?,
        began_at: time_at(row, "began_at")?,
        ended_at: maybe_time_at(row, "ended_at")?,
    })
}
