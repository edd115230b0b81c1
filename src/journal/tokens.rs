//! Credentials of SCIM clients: kept as hashes, looked up by id or hash.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use rusqlite::{OptionalExtension, Row, params};

use super::audit::{About, What};
use super::sql::{Time, Word, maybe_time_at, time_at, word_at};
use super::types::{Credential, CredentialHash, JournalError, Token};
use super::writer::Tx;
use super::{Journal, mark};

/// `last_used_at` is exact to this.
const TOUCH_EVERY: SignedDuration = SignedDuration::from_secs(60);

/// When each token's use was last handed to the writer, so that most uses cost nothing.
#[derive(Default)]
pub(super) struct LastTouch(Mutex<HashMap<String, Timestamp>>);

impl LastTouch {
    fn is_due(&self, id: &str, now: Timestamp) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match last.get(id) {
            Some(at) if now.duration_since(*at).abs() < TOUCH_EVERY => false,
            _ => {
                last.insert(id.to_owned(), now);
                true
            }
        }
    }
}

impl Journal {
    /// Keeps a new credential.
    ///
    /// # Errors
    /// [`JournalError`]; `Refused` if the id is taken.
    pub async fn token_insert(&self, credential: Credential) -> Result<(), JournalError> {
        self.write("keeping a token", move |tx| insert(tx, &credential)).await
    }

    /// The credentials of an app, or of all, oldest first; those that were taken back too.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn tokens(&self, app: Option<&str>) -> Result<Vec<Token>, JournalError> {
        let app = app.map(str::to_owned);
        self.read("listing tokens", move |conn| {
            let mut rows = conn.prepare_cached(
                "SELECT * FROM tokens WHERE ?1 IS NULL OR app = ?1 ORDER BY created_at, id",
            )?;
            Ok(rows.query_map([app], token_row)?.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// The credential with that id.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn token_by_id(&self, id: &str) -> Result<Option<Token>, JournalError> {
        let id = id.to_owned();
        self.read("looking a token up", move |conn| {
            Ok(conn
                .prepare_cached("SELECT * FROM tokens WHERE id = ?1")?
                .query_row([id], token_row)
                .optional()?)
        })
        .await
    }

    /// The credentials of an app with that hash; for those that carry no id. Compare the hash
    /// again in constant time.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn tokens_by_hash(
        &self,
        app: &str,
        hash: Vec<u8>,
    ) -> Result<Vec<Token>, JournalError> {
        let app = app.to_owned();
        self.read("looking a token up", move |conn| {
            let mut rows = conn
                .prepare_cached("SELECT * FROM tokens WHERE app = ?1 AND hash = ?2 ORDER BY id")?;
            Ok(rows.query_map(params![app, hash], token_row)?.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Notes that a credential was used; at most once a minute, and not waited for.
    pub fn token_touch(&self, id: &str, now: Timestamp) {
        if !self.inner.shared.touched.is_due(id, now) {
            return;
        }
        let id = id.to_owned();
        self.offer(move |tx| {
            tx.conn
                .prepare_cached(
                    "UPDATE tokens SET last_used_at = ?2
                     WHERE id = ?1 AND coalesce(last_used_at, 0) < ?2",
                )?
                .execute(params![id, Time(now)])?;
            Ok(())
        });
    }

    /// Takes a credential back, from now on. False if there is none that was good.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn token_revoke(&self, id: &str, now: Timestamp) -> Result<bool, JournalError> {
        let id = id.to_owned();
        self.write("taking a token back", move |tx| {
            let revoked = tx
                .conn
                .prepare_cached(
                    "UPDATE tokens SET revoked_at = ?2 WHERE id = ?1 AND revoked_at IS NULL",
                )?
                .execute(params![id, Time(now)])?;
            if revoked == 1 {
                tx.tell(now, What::TokenRevoked, &About::Token(id))?;
            }
            mark::token_event(tx.conn)?;
            Ok(revoked == 1)
        })
        .await
    }

    /// Puts a credential in the place of another, which works until `overlap_until` (`None`: no
    /// longer at all). False, and nothing kept, if there is no such good one.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn token_rotate(
        &self,
        old: &str,
        new: Credential,
        overlap_until: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<bool, JournalError> {
        let old = old.to_owned();
        self.write("rotating a token", move |tx| {
            let replaced = tx
                .conn
                .prepare_cached(
                    "UPDATE tokens SET replaced_by = ?2, overlap_until = ?3,
                       revoked_at = CASE WHEN ?3 IS NULL THEN ?4 END
                     WHERE id = ?1 AND app = ?5 AND revoked_at IS NULL AND replaced_by IS NULL",
                )?
                .execute(params![old, new.id, overlap_until.map(Time), Time(now), new.app])?;
            if replaced == 1 {
                insert(tx, &new)?;
                let old = About::Token(old);
                tx.tell(now, What::TokenRotated, &old)?;
                if overlap_until.is_none() {
                    tx.tell(now, What::TokenRevoked, &old)?;
                }
            }
            Ok(replaced == 1)
        })
        .await
    }
}

fn insert(tx: &Tx<'_>, credential: &Credential) -> Result<(), JournalError> {
    tx.conn
        .prepare_cached(
            "INSERT INTO tokens (id, app, label, kind, user, hash, hash_kind, created_at,
               expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            credential.id,
            credential.app,
            credential.label,
            Word(credential.kind),
            credential.user,
            credential.hash.bytes,
            Word(credential.hash.kind),
            Time(credential.created_at),
            credential.expires_at.map(Time),
        ])?;
    mark::token_event(tx.conn)?;
    tx.tell(credential.created_at, What::TokenCreated, &About::Token(credential.id.clone()))
}

fn token_row(row: &Row<'_>) -> rusqlite::Result<Token> {
    Ok(Token {
        credential: Credential {
            id: row.get("id")?,
            app: row.get("app")?,
            label: row.get("label")?,
            kind: word_at(row, "kind")?,
            user: row.get("user")?,
            hash: CredentialHash { kind: word_at(row, "hash_kind")?, bytes: row.get("hash")? },
            created_at: time_at(row, "created_at")?,
            expires_at: maybe_time_at(row, "expires_at")?,
        },
        revoked_at: maybe_time_at(row, "revoked_at")?,
        last_used_at: maybe_time_at(row, "last_used_at")?,
        replaced_by: row.get("replaced_by")?,
        overlap_until: maybe_time_at(row, "overlap_until")?,
        unconfirmed: row.get("unconfirmed")?,
    })
}
