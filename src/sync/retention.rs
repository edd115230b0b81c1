//! What is old goes, at the start and every hour, in slices between which work goes on.
//!
//! Must not decide what may go: the journal does, in the transaction that takes it away.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::task::yield_now;
use tokio::time::sleep;

use super::command::CommandError;
use super::engine::{Engine, lock};
use super::facade::Bridge;
use crate::change::ChangeId;
use crate::journal::{JournalError, PRUNE_ROWS};
use crate::observe::alarm;

/// How often old rows are looked for.
const EVERY: Duration = Duration::from_secs(3600);
/// However short the options are: a client may still repeat a request whose answer it lost.
const LEAST: Duration = Duration::from_secs(3600);

/// How long the journal keeps what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Ended changes with their calls, and the audit chain.
    pub keep: Duration,
    /// The bodies of ended changes and of their calls.
    pub keep_bodies: Duration,
    /// Ended periods of accounts and memberships.
    pub keep_access: Duration,
}

impl Default for Retention {
    fn default() -> Self {
        let days = |days: u64| Duration::from_secs(days * 86_400);
        Self { keep: days(90), keep_bodies: days(7), keep_access: days(400) }
    }
}

/// How many rows went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Changes, with their calls.
    pub changes: u64,
    /// Changes and calls whose bodies were emptied.
    pub bodies: u64,
    /// Periods of accounts and memberships.
    pub access: u64,
    /// Texts of mappings.
    pub mappings: u64,
    /// Rows of the audit chain.
    pub audit: u64,
}

impl Bridge {
    /// Takes away what is old, now and every hour, until the process ends.
    pub fn retain(&self, retention: Retention) {
        if let Some(tasks) = &mut *lock(&self.schedulers) {
            tasks.spawn(self.engine.clone().retain(retention));
        }
    }

    /// Takes away what is old.
    ///
    /// # Errors
    /// When the journal does not take it; what was taken away by then is gone.
    pub async fn prune(&self, retention: Retention) -> Result<Pruned, CommandError> {
        self.engine.prune(retention).await.map_err(CommandError::journal)
    }
}

impl Engine {
    async fn retain(self: Arc<Self>, retention: Retention) {
        let mut ending = self.ending.subscribe();
        let work = async {
            loop {
                if let Err(error) = self.prune(retention).await {
                    tracing::error!(code = "journal-failed", "taking old rows away: {error}");
                }
                sleep(EVERY).await;
            }
        };
        tokio::select! {
            () = work => {}
            // The engine lives longer than this task.
            _ = ending.wait_for(|ends| *ends) => {}
        }
    }

    async fn prune(&self, retention: Retention) -> Result<Pruned, JournalError> {
        let least = self.least();
        let before = |keep: Duration| earlier(self.clock.now(), keep.max(least));
        let mut pruned = Pruned {
            changes: self.prune_changes(before(retention.keep)).await?,
            ..Pruned::default()
        };
        let bodies = before(retention.keep_bodies);
        pruned.bodies = in_slices(|| self.journal.erase_bodies(bodies, self.clock.now())).await?;
        let access = before(retention.keep_access);
        pruned.access = in_slices(|| self.journal.forget_access(access, self.clock.now())).await?;
        let used = self.apps().iter().map(|app| app.mapping.digest().to_owned()).collect();
        pruned.mappings = self.journal.forget_mappings(used, self.clock.now()).await?;
        pruned.audit = self.prune_chain(before(retention.keep)).await?;
        self.tell_pruned(pruned);
        Ok(pruned)
    }

    async fn prune_changes(&self, before: Timestamp) -> Result<u64, JournalError> {
        let mut gone = 0;
        let mut after = Some(ChangeId(0));
        while let Some(from) = after {
            let outdated = self.journal.outdated_changes(before, from).await?;
            let mut changes = outdated.changes;
            while !changes.is_empty() {
                let now = self.clock.now();
                let done = self.journal.forget_changes(changes.clone(), before, now).await?;
                changes.drain(..done.looked_at);
                gone += done.changes;
                yield_now().await;
            }
            after = outdated.next;
        }
        Ok(gone)
    }

    async fn prune_chain(&self, before: Timestamp) -> Result<u64, JournalError> {
        let mut gone = 0;
        loop {
            match self.journal.prune_chain(before, self.clock.now()).await? {
                Ok(0) => return Ok(gone),
                Ok(rows) => gone += rows,
                Err(broken) => {
                    let words =
                        format!("the audit chain does not hold and is kept whole: {broken}");
                    alarm("audit-broken", &self.metrics, &words);
                    return Ok(gone);
                }
            }
            yield_now().await;
        }
    }

    /// What the apps still need: what was applied a moment ago lies over what they show, what a late
    /// call undid is done again, and removals are counted over a time.
    fn least(&self) -> Duration {
        let of_app = |app: &Arc<super::engine::App>| {
            let window = app.mapping.connect().max_removals.as_ref().map(|limit| limit.window);
            let sync = app.mapping.sync();
            sync.lag.max(sync.settle).max(window.unwrap_or_default())
        };
        self.apps().iter().map(of_app).max().unwrap_or_default().max(LEAST)
    }

    fn tell_pruned(&self, pruned: Pruned) {
        let Pruned { changes, bodies, access, mappings, audit } = pruned;
        for (what, count) in [
            ("changes", changes),
            ("bodies", bodies),
            ("access", access),
            ("mappings", mappings),
            ("audit", audit),
        ] {
            self.metrics.pruned(what, count);
        }
        if pruned != Pruned::default() {
            tracing::info!(changes, bodies, access, mappings, audit, "old rows were taken away");
        }
    }
}

/// Repeats a transaction that takes a slice of rows away until a slice is not full; gives how many
/// went.
async fn in_slices<F>(slice: impl Fn() -> F) -> Result<u64, JournalError>
where
    F: Future<Output = Result<u64, JournalError>>,
{
    let mut gone = 0;
    loop {
        let rows = slice().await?;
        gone += rows;
        if rows < u64::from(PRUNE_ROWS) {
            return Ok(gone);
        }
        yield_now().await;
    }
}

/// A time stamp that much earlier; the beginning of time at the earliest.
fn earlier(from: Timestamp, by: Duration) -> Timestamp {
    let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
    from.checked_sub(by).unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::{Value, json};

    use super::*;
    use crate::change::{Kind, ResourceId, Verb};
    use crate::journal::{
        Accept, Accepted, End, Journal, Keys, MemberOps, ResourceKeys, Settlement, Target,
    };
    use crate::observe::Metrics;
    use crate::sync::{BridgeConfig, Clock, Command};

    const DAY: Duration = Duration::from_secs(86_400);

    async fn accept(journal: &Journal, name: &str, now: Timestamp) -> ChangeId {
        let accept = Accept {
            app: "demo".into(),
            kind: Kind::User,
            target: Target::New { id: ResourceId(name.into()) },
            verb: Verb::Create,
            keys: ResourceKeys { natural: Some(name.into()), ..ResourceKeys::default() },
            desired: Some(json!({ "userName": name })),
            asserted: json!([]),
            request: Some(json!({ "userName": name })),
            members: MemberOps::default(),
            secret: None,
            fingerprint: name.as_bytes().to_vec(),
            actor: "token".into(),
            ends_access: false,
            milestone: true,
            warning: None,
            mapping_digest: "m1".into(),
            now,
        };
        let Accepted::New(committed) = journal.accept(accept).await.unwrap() else {
            panic!("not accepted")
        };
        committed.change
    }

    fn config(journal: &Journal, clock: &Clock) -> BridgeConfig {
        let keys = Keys::from_bytes(&[7; 32]).unwrap();
        BridgeConfig {
            clock: clock.clone(),
            ..BridgeConfig::new(journal.clone(), keys, Vec::new())
        }
    }

    async fn shown(bridge: &Bridge, change: ChangeId) -> Option<Value> {
        bridge.command(Command::ChangesShow { id: change.0 }).await.ok()
    }

    #[tokio::test(start_paused = true)]
    async fn old_rows_go_by_themselves_and_what_is_open_stays() {
        let clock = Clock::virtual_from(Timestamp::from_second(1_800_000_000).unwrap());
        let journal = Journal::in_memory().unwrap();
        let metrics = Arc::new(Metrics::new());
        let config = BridgeConfig { metrics: metrics.clone(), ..config(&journal, &clock) };
        let bridge = Bridge::start(config).await.unwrap();
        let ended = accept(&journal, "ann", clock.now()).await;
        let open = accept(&journal, "bob", clock.now()).await;
        let mut settlement = Settlement::of(ResourceId("ann".into()), clock.now());
        settlement.ends = vec![(ended, End::Applied { warning: None })];
        journal.settle(settlement).await.unwrap();
        bridge.retain(Retention::default());
        sleep(6 * DAY).await;
        assert!(!shown(&bridge, ended).await.unwrap()["request"].is_null());
        sleep(2 * DAY).await;
        assert!(shown(&bridge, ended).await.unwrap()["request"].is_null(), "emptied after 7 d");
        sleep(80 * DAY).await;
        assert!(shown(&bridge, ended).await.is_some());
        sleep(3 * DAY).await;
        assert!(shown(&bridge, ended).await.is_none(), "gone after 90 d");
        assert!(!shown(&bridge, open).await.unwrap()["request"].is_null());
        let text = metrics.encode();
        for line in [r#"{what="changes"} 1"#, r#"{what="bodies"} 1"#] {
            assert!(text.contains(&format!("scim_bridge_pruned_total{line}")), "{text}");
        }
        let checked = Command::AuditVerify { cursor: None, against: None };
        assert_eq!(bridge.command(checked).await.unwrap()["broken"], Value::Null);
        bridge.shutdown().await;
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_client_may_still_ask_about_stays_an_hour() {
        let clock = Clock::virtual_from(Timestamp::from_second(1_800_000_000).unwrap());
        let journal = Journal::in_memory().unwrap();
        let bridge = Bridge::start(config(&journal, &clock)).await.unwrap();
        let ended = accept(&journal, "ann", clock.now()).await;
        let mut settlement = Settlement::of(ResourceId("ann".into()), clock.now());
        settlement.ends = vec![(ended, End::Applied { warning: None })];
        journal.settle(settlement).await.unwrap();
        let nothing = Duration::ZERO;
        let at_once = Retention { keep: nothing, keep_bodies: nothing, keep_access: nothing };
        assert_eq!(bridge.prune(at_once).await.unwrap(), Pruned::default());
        sleep(LEAST + Duration::from_secs(1)).await;
        assert_eq!(bridge.prune(at_once).await.unwrap().changes, 1);
    }
}
