//! Okta, the bridge and an application, and whether they agree: what scenarios and histories play on.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use okta::agree::{Agreement, Truth};
use okta::{Credential, Dialect, Okta, Profile, Settings};

use crate::app::{App, Done};
use crate::bridge::Bridge;
use crate::passwords;

/// All three, and what the application had before Okta came.
pub struct Stage<A> {
    /// The application.
    pub app: A,
    /// The bridge.
    pub bridge: Bridge,
    /// Okta.
    pub okta: Arc<Okta>,
    /// What the application had.
    pub before: Truth,
}

/// What was compared.
pub struct Compared {
    /// The three, passwords among them.
    pub agreement: Agreement,
    /// How many passwords were tried.
    pub passwords: usize,
}

impl Compared {
    /// What differs, in words.
    pub fn differences(&self) -> &[String] {
        &self.agreement.differences
    }
}

impl<A: App> Stage<A> {
    /// Starts the bridge; Okta has these people and groups, and is in a hurry.
    pub async fn start(
        app: A,
        program: &Path,
        folder: &Path,
        (people, teams): (Vec<Profile>, Vec<String>),
        dialect: Dialect,
    ) -> Done<Self> {
        let bridge = Bridge::start(program, &app, folder).await?;
        let credential = Credential::Bearer(bridge.token.clone());
        let mut settings = Settings::new(bridge.base_url()?, credential, dialect);
        // Okta waits whole seconds; a test need not.
        settings.second = Duration::from_millis(100);
        let paths = app.abilities().choices.into_iter().map(|choice| choice.path).collect();
        let okta = Arc::new(Okta::new(settings, people, teams, paths));
        let before = app.truth().await?;
        Ok(Self { app, bridge, okta, before })
    }

    /// Compares all three when nothing is under way any more.
    pub async fn compare(&self) -> Done<Compared> {
        self.bridge.rest().await?;
        let truth = self.app.truth().await?;
        let agreed = self.okta.agree(&self.before, Some(&truth)).await;
        let mut agreement = agreed.map_err(|error| error.words)?;
        let (passwords, wrong) = passwords::compare(&self.okta, &self.app).await?;
        agreement.compared += passwords;
        agreement.differences.extend(wrong);
        Ok(Compared { agreement, passwords })
    }

    /// What somebody needs who looks for a failure: the application's log, the bridge's, the journal.
    pub async fn show(&self) -> Done<()> {
        println!("--- the application's log\n{}", self.app.log());
        println!("--- the bridge's log\n{}", self.bridge.log());
        println!("{}", self.bridge.run(&["changes", "list", "--limit", "30"]).await?.out);
        Ok(())
    }
}
