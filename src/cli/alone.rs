//! Commands while no server runs: on the journal itself, and where calls to an app are needed by the
//! mapping it was last served by, with the secrets of this command's environment.

use super::options::JournalArguments;
use super::{CliError, serve};
use crate::journal::Journal;
use crate::mapping::Source;
use crate::sync::{
    BaseUrls, Bridge, BridgeConfig, Clock, Command, Loaded, MappingCard, carry_out, last_mapping,
    load,
};
use serde_json::Value;

/// The journal, opened for some commands.
pub struct Alone<'a> {
    arguments: &'a JournalArguments,
    journal: Journal,
    /// Made once a command needs calls; what it began goes on in it.
    bridge: Option<Bridge>,
}

impl<'a> Alone<'a> {
    /// On that journal.
    pub fn new(arguments: &'a JournalArguments, journal: Journal) -> Self {
        Self { arguments, journal, bridge: None }
    }

    /// Carries a command out.
    ///
    /// # Errors
    /// Why not.
    pub async fn carry(&mut self, command: Command) -> Result<Value, CliError> {
        match &command {
            Command::AppEnable { app } => self.switch(&app.clone(), true, command).await,
            Command::AppDisable { app } => self.switch(&app.clone(), false, command).await,
            Command::ImportBegin { app } | Command::ReconcileBegin { app } => {
                let known = last_mapping(&self.journal, app).await?;
                let Some((card, text)) = known else {
                    return Ok(carry_out(&self.journal, &Clock::System, command).await?);
                };
                let loaded = loaded(app, card, text)?;
                self.by_calls(loaded, command).await
            }
            _ => Ok(carry_out(&self.journal, &Clock::System, command).await?),
        }
    }

    /// Switches an app, with the calls of its hooks.
    async fn switch(&mut self, app: &str, on: bool, command: Command) -> Result<Value, CliError> {
        let known = last_mapping(&self.journal, app).await?;
        let has_calls =
            |card: &MappingCard| if on { card.has_on_enable } else { card.has_on_disable };
        let Some((card, text)) = known.filter(|(card, _)| has_calls(card)) else {
            return Ok(carry_out(&self.journal, &Clock::System, command).await?);
        };
        let loaded = match loaded(app, card, text) {
            Ok(loaded) => loaded,
            Err(error) if on => return Err(error),
            Err(error) => {
                // Closed in any case; only the calls could not be made.
                self.journal
                    .set_app_enabled(app, false, Clock::System.now())
                    .await
                    .map_err(CliError::environment)?;
                return Err(CliError {
                    message: format!(
                        "'{app}' is disabled, but the calls of on_disable were not made: {}\nrepeat \
                         `scim-bridge app disable {app}` with the environment of `serve`",
                        error.message
                    ),
                    ..error
                });
            }
        };
        self.by_calls(loaded, command).await
    }

    async fn by_calls(&mut self, loaded: Vec<Loaded>, command: Command) -> Result<Value, CliError> {
        let keys = serve::open_keys(self.arguments)?;
        let config = BridgeConfig::new(self.journal.clone(), keys, loaded);
        let bridge = Bridge::idle(config).await.map_err(CliError::finding)?;
        let done = bridge.command(command).await;
        self.bridge = Some(bridge);
        Ok(done?)
    }
}

fn loaded(app: &str, card: MappingCard, text: String) -> Result<Vec<Loaded>, CliError> {
    let source = Source { file: card.file, text };
    let base_url = BaseUrls::parse(&[format!("{app}={}", card.app_url)]);
    let environment = |name: &str| std::env::var(name).ok();
    load(&[source], &environment, &base_url.map_err(CliError::usage)?).map_err(CliError::finding)
}
