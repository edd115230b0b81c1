//! What the journal keeps per app: where its links belong, and the mappings it was served by.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};
use serde_json::Value;

use super::audit::{About, What};
use super::sql::{AsJson, Time, maybe_json_at};
use super::types::JournalError;
use super::writer::Tx;
use super::{Journal, claim};

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

    /// What commands need to know of an app while no server runs (opaque).
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn app_card(&self, app: &str) -> Result<Option<Value>, JournalError> {
        let app = app.to_owned();
        self.read("reading an app's card", move |conn| {
            let card = conn
                .prepare_cached("SELECT card FROM apps WHERE app = ?1")?
                .query_row([app], |row| maybe_json_at(row, "card"))
                .optional()?;
            Ok(card.flatten())
        })
        .await
    }

    /// Records an app's card.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn set_app_card(&self, app: &str, card: Value) -> Result<(), JournalError> {
        let app = app.to_owned();
        self.write("recording an app's card", move |tx| {
            tx.conn.execute(
                "INSERT INTO apps (app, card) VALUES (?1, ?2)
                 ON CONFLICT (app) DO UPDATE SET card = excluded.card",
                params![app, AsJson(&card)],
            )?;
            Ok(())
        })
        .await
    }

    /// The app is another one from now on (another address, another id field): what is known of
    /// the old one is forgotten, so that nobody's link points at a stranger. Everybody is looked
    /// up again by key. Gives how many links were forgotten.
    ///
    /// # Errors
    /// [`JournalError`]; `Refused` while a call is under way.
    pub async fn retarget(&self, app: &str, now: Timestamp) -> Result<u64, JournalError> {
        let app = app.to_owned();
        self.write("forgetting an app's links", move |tx| {
            let forgotten = retarget(tx, &app, now)?;
            tx.tell(now, What::AppRetargeted, &About::App(app))?;
            Ok(forgotten)
        })
        .await
    }

    /// The names of the apps that were ever served, in their order.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn app_names(&self) -> Result<Vec<String>, JournalError> {
        self.read("listing apps", |conn| {
            let mut rows = conn.prepare_cached("SELECT app FROM apps ORDER BY app")?;
            let names = rows.query_map([], |row| row.get(0))?;
            Ok(names.collect::<Result<_, _>>()?)
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

    /// Enables or disables an app, as an operator said.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn set_app_enabled(
        &self,
        app: &str,
        enabled: bool,
        now: Timestamp,
    ) -> Result<(), JournalError> {
        let app = app.to_owned();
        self.write("recording an app's state", move |tx| {
            tx.conn.execute(
                "INSERT INTO apps (app, enabled) VALUES (?1, ?2)
                 ON CONFLICT (app) DO UPDATE SET enabled = excluded.enabled",
                params![app, enabled],
            )?;
            let what = if enabled { What::AppEnabled } else { What::AppDisabled };
            tx.tell(now, what, &About::App(app))
        })
        .await
    }

    /// An operator lets removals go: the app's card says until when, and lanes that wait for it may
    /// be tried now.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn release_removals(
        &self,
        app: &str,
        card: Value,
        now: Timestamp,
    ) -> Result<(), JournalError> {
        let app = app.to_owned();
        self.write("letting removals go", move |tx| {
            tx.conn
                .execute("UPDATE apps SET card = ?2 WHERE app = ?1", params![app, AsJson(&card)])?;
            claim::try_now(tx, &app, now)?;
            tx.tell(now, What::RemovalsReleased, &About::App(app))
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

fn retarget(tx: &Tx<'_>, app: &str, now: Timestamp) -> Result<u64, JournalError> {
    // Its answer would bring a link of the old app back.
    let sending = tx
        .conn
        .prepare(
            "SELECT 1 FROM steps s JOIN changes c ON c.seq = s.change
             WHERE s.state = 'sending' AND c.app = ?1",
        )?
        .exists([app])?;
    if sending {
        return Err(JournalError::Refused(format!(
            "a call to '{app}' is under way; stop the server or disable the app first"
        )));
    }
    let forgotten = tx.conn.execute("DELETE FROM links WHERE app = ?1", [app])?;
    // The app's ids in them were of the old app.
    tx.conn.execute("DELETE FROM remembered_ids WHERE app = ?1", [app])?;
    tx.conn
        .execute("UPDATE resources SET actual = NULL, actual_at = NULL WHERE app = ?1", [app])?;
    // Who is wished for must be added in the new app; who was to be removed is not there.
    tx.conn.execute(
        "UPDATE members SET refused = 0, note = NULL,
           removed_at = CASE WHEN until_change IS NULL OR applied = 0 THEN removed_at ELSE ?2 END,
           applied = CASE WHEN until_change IS NULL OR applied = 0 THEN 0 ELSE 2 END
         WHERE current = 1 AND group_id IN (SELECT id FROM resources WHERE app = ?1)",
        params![app, Time(now)],
    )?;
    tx.conn.execute("UPDATE apps SET origin = NULL WHERE app = ?1", [app])?;
    Ok(forgotten as u64)
}
