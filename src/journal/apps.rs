//! What the journal keeps per app: where its links belong, and the mappings it was served by.

use rusqlite::{OptionalExtension, params};
use serde_json::Value;

use super::Journal;
use super::types::JournalError;

impl Journal {
    /// What the app's links belong to (scheme, host, port, base path, id field), if anything was
    /// recorded.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn app_origin(&self, app: &str) -> Result<Option<String>, JournalError> {
        let app = app.to_owned();
        self.read("reading an app's origin", move |conn| {
            let origin = conn
                .prepare_cached("SELECT origin FROM apps WHERE app = ?1")?
                .query_row([app], |row| row.get::<_, Option<String>>(0))
                .optional()?;
            Ok(origin.flatten())
        })
        .await
    }

    /// Records what the app's links belong to.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn set_app_origin(&self, app: &str, origin: &str) -> Result<(), JournalError> {
        let (app, origin) = (app.to_owned(), origin.to_owned());
        self.write("recording an app's origin", move |tx| {
            tx.conn.execute(
                "INSERT INTO apps (app, origin) VALUES (?1, ?2)
                 ON CONFLICT (app) DO UPDATE SET origin = excluded.origin",
                params![app, origin],
            )?;
            Ok(())
        })
        .await
    }

    /// What commands must know of the app while no server runs (opaque).
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn app_card(&self, app: &str) -> Result<Option<Value>, JournalError> {
        let app = app.to_owned();
        self.read("reading an app's card", move |conn| {
            let card = conn
                .prepare_cached("SELECT card FROM apps WHERE app = ?1")?
                .query_row([app], |row| row.get::<_, Option<String>>(0))
                .optional()?
                .flatten();
            Ok(card.and_then(|text| serde_json::from_str(&text).ok()))
        })
        .await
    }

    /// Records it.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn set_app_card(&self, app: &str, card: Value) -> Result<(), JournalError> {
        let app = app.to_owned();
        self.write("recording an app's card", move |tx| {
            tx.conn.execute(
                "INSERT INTO apps (app, card) VALUES (?1, ?2)
                 ON CONFLICT (app) DO UPDATE SET card = excluded.card",
                params![app, card.to_string()],
            )?;
            Ok(())
        })
        .await
    }

    /// Forgets all links of the app and where they belong; gives their number. SCIM ids and
    /// everything desired stay.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn retarget(&self, app: &str) -> Result<u64, JournalError> {
        let app = app.to_owned();
        self.write("forgetting an app's links", move |tx| {
            let links = tx.conn.execute("DELETE FROM links WHERE app = ?1", [&app])?;
            tx.conn.execute("UPDATE apps SET origin = NULL WHERE app = ?1", [&app])?;
            Ok(links as u64)
        })
        .await
    }

    /// Whether the app is enabled; one that was never recorded is.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn app_enabled(&self, app: &str) -> Result<bool, JournalError> {
        let app = app.to_owned();
        self.read("reading an app's state", move |conn| {
            let enabled = conn
                .prepare_cached("SELECT enabled FROM apps WHERE app = ?1")?
                .query_row([app], |row| row.get(0))
                .optional()?;
            Ok(enabled.unwrap_or(true))
        })
        .await
    }

    /// Enables or disables an app.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn set_app_enabled(&self, app: &str, enabled: bool) -> Result<(), JournalError> {
        let app = app.to_owned();
        self.write("recording an app's state", move |tx| {
            tx.conn.execute(
                "INSERT INTO apps (app, enabled) VALUES (?1, ?2)
                 ON CONFLICT (app) DO UPDATE SET enabled = excluded.enabled",
                params![app, enabled],
            )?;
            Ok(())
        })
        .await
    }

    /// Keeps the text of a mapping, so that an old change can still be read with the mapping it
    /// was accepted under.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn mapping_text_put(
        &self,
        digest: &str,
        app: &str,
        text: &str,
    ) -> Result<(), JournalError> {
        let (digest, app, text) = (digest.to_owned(), app.to_owned(), text.to_owned());
        self.write("keeping a mapping", move |tx| {
            tx.conn.execute(
                "INSERT INTO mappings (digest, app, text) VALUES (?1, ?2, ?3)
                 ON CONFLICT (digest) DO NOTHING",
                params![digest, app, text],
            )?;
            Ok(())
        })
        .await
    }

    /// The text of a mapping that was kept.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn mapping_text(&self, digest: &str) -> Result<Option<String>, JournalError> {
        let digest = digest.to_owned();
        self.read("reading a mapping", move |conn| {
            Ok(conn
                .prepare_cached("SELECT text FROM mappings WHERE digest = ?1")?
                .query_row([digest], |row| row.get(0))
                .optional()?)
        })
        .await
    }
}
