//! The numbers that /metrics shows, in OpenMetrics text.
//!
//! Must not let a client choose a label's value: names of apps, calls, states and codes come
//! from the operator's files or from our own enums, so the number of series is bounded.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// The Content-Type of [`Metrics::encode`].
pub const METRICS_CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Upper bounds in seconds: from an answer out of the journal to the 45 s deadline.
const REQUEST_SECONDS: [f64; 12] =
    [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 20.0, 45.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    app: String,
    method: &'static str,
    resource: &'static str,
    status: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    app: String,
    method: &'static str,
    resource: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabels {
    app: String,
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AppLabels {
    app: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PauseLabels {
    app: String,
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DriftLabels {
    app: String,
    what: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallLabels {
    app: String,
    call: String,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LoadLabels {
    app: String,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WhatLabels {
    what: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CodeLabels {
    code: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TokenLabels {
    app: String,
    label: String,
}

type Seconds = Gauge<f64, AtomicU64>;
/// A family even so: a gauge that was never set must not be shown as 0.
type NoLabels = [(&'static str, &'static str); 0];

/// All numbers of one process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    request_seconds: Family<RouteLabels, Histogram, fn() -> Histogram>,
    changes: Family<StateLabels, Gauge>,
    queue_depth: Family<AppLabels, Gauge>,
    records_in_work: Family<AppLabels, Gauge>,
    oldest_waiting: Family<AppLabels, Seconds>,
    app_calls: Family<CallLabels, Counter>,
    alarms: Family<CodeLabels, Counter>,
    mapping_loads: Family<LoadLabels, Counter>,
    mapping_refused: Family<AppLabels, Gauge>,
    certificate_expires: Family<NoLabels, Seconds>,
    token_expires: Family<TokenLabels, Seconds>,
    app_enabled: Family<AppLabels, Gauge>,
    disk_free: Family<NoLabels, Gauge>,
    disk_full: Family<NoLabels, Gauge>,
    pruned: Family<WhatLabels, Counter>,
    app_paused: Family<PauseLabels, Gauge>,
    drift: Family<DriftLabels, Gauge>,
    reconciles: Family<LoadLabels, Counter>,
    reconciled: Family<AppLabels, Gauge>,
}

impl Metrics {
    /// All numbers at nothing.
    pub fn new() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("scim_bridge"),
            requests: Family::default(),
            request_seconds: Family::new_with_constructor(|| Histogram::new(REQUEST_SECONDS)),
            changes: Family::default(),
            queue_depth: Family::default(),
            records_in_work: Family::default(),
            oldest_waiting: Family::default(),
            app_calls: Family::default(),
            alarms: Family::default(),
            mapping_loads: Family::default(),
            mapping_refused: Family::default(),
            certificate_expires: Family::default(),
            token_expires: Family::default(),
            app_enabled: Family::default(),
            disk_free: Family::default(),
            disk_full: Family::default(),
            pruned: Family::default(),
            app_paused: Family::default(),
            drift: Family::default(),
            reconciles: Family::default(),
            reconciled: Family::default(),
        };
        metrics.register();
        metrics
    }

    /// The names, which are part of the interface. `_total` is put after counters by the
    /// encoder.
    fn register(&mut self) {
        let registry = &mut self.registry;
        registry.register("requests", "SCIM requests answered", self.requests.clone());
        registry.register(
            "request_seconds",
            "Time from a request's first byte to its answer",
            self.request_seconds.clone(),
        );
        registry.register("changes", "Changes in the journal by state", self.changes.clone());
        registry.register(
            "queue_depth",
            "Changes that are not settled yet",
            self.queue_depth.clone(),
        );
        registry.register(
            "records_in_work",
            "Records with something to do: a change, or memberships that follow from one",
            self.records_in_work.clone(),
        );
        registry.register(
            "oldest_waiting_seconds",
            "Age of the oldest change that is not settled",
            self.oldest_waiting.clone(),
        );
        registry.register("app_calls", "Calls to the app by outcome", self.app_calls.clone());
        registry.register("alarms", "Alarms raised, by their stable code", self.alarms.clone());
        registry.register(
            "mapping_loads",
            "Changed mapping files that were loaded or refused while the server runs",
            self.mapping_loads.clone(),
        );
        registry.register(
            "mapping_refused",
            "1 while an app goes on with an older mapping since the file was refused",
            self.mapping_refused.clone(),
        );
        registry.register(
            "certificate_expires_seconds",
            "Seconds until the certificate of the SCIM listener expires; negative when it has",
            self.certificate_expires.clone(),
        );
        registry.register(
            "token_expires_seconds",
            "Seconds until a token expires; negative when it has",
            self.token_expires.clone(),
        );
        registry.register(
            "app_enabled",
            "1 for an app that is served, 0 for one that an operator switched off",
            self.app_enabled.clone(),
        );
        registry.register("pruned", "Old rows of the journal that went", self.pruned.clone());
        registry.register(
            "disk_free_bytes",
            "Free bytes on the journal's volume",
            self.disk_free.clone(),
        );
        registry.register(
            "disk_full",
            "1 while nothing is taken in because the journal's volume has no room, else 0",
            self.disk_full.clone(),
        );
        registry.register(
            "app_paused",
            "1 while nothing but a probe is sent to an app: it fails (outage), asked for a rest \
             (rate) or refuses the bridge's credential (auth)",
            self.app_paused.clone(),
        );
        registry.register(
            "drift",
            "What the last reconcile found that is not as it was asked for, in records",
            self.drift.clone(),
        );
        registry.register("reconciles", "Reconciles that ended", self.reconciles.clone());
        registry.register(
            "reconcile_last_success_timestamp_seconds",
            "When the last reconcile that ended well did so, since 1970",
            self.reconciled.clone(),
        );
    }

    /// How much is free beside the journal, if that is known, and whether it is too little.
    pub fn set_disk(&self, free: Option<u64>, full: bool) {
        if let Some(free) = free {
            self.disk_free.get_or_create(&[]).set(gauge(free));
        }
        self.disk_full.get_or_create(&[]).set(i64::from(full));
    }

    /// Whether an app is served.
    pub fn set_app_enabled(&self, app: &str, enabled: bool) {
        let labels = AppLabels { app: app.to_owned() };
        self.app_enabled.get_or_create(&labels).set(i64::from(enabled));
    }

    /// So many old rows of the journal went.
    pub fn pruned(&self, what: &'static str, count: u64) {
        self.pruned.get_or_create(&WhatLabels { what }).inc_by(count);
    }

    /// Whether an app is left alone, and why: `outage`, `rate` or `auth`.
    pub fn set_app_paused(&self, app: &str, reason: &'static str, paused: bool) {
        let labels = PauseLabels { app: app.to_owned(), reason };
        self.app_paused.get_or_create(&labels).set(i64::from(paused));
    }

    /// A SCIM request was answered. `app` is the empty text outside every app's root.
    pub fn request(
        &self,
        app: &str,
        method: &'static str,
        resource: &'static str,
        status: u16,
        seconds: f64,
    ) {
        let app = app.to_owned();
        let route = RouteLabels { app: app.clone(), method, resource };
        self.request_seconds.get_or_create(&route).observe(seconds);
        let labels = RequestLabels { app, method, resource, status: status.into() };
        self.requests.get_or_create(&labels).inc();
    }

    /// How many changes of an app are in a state now.
    pub fn set_changes(&self, app: &str, state: &'static str, count: u64) {
        let labels = StateLabels { app: app.to_owned(), state };
        self.changes.get_or_create(&labels).set(gauge(count));
    }

    /// How many changes of an app are not settled now.
    pub fn set_queue_depth(&self, app: &str, count: u64) {
        self.queue_depth.get_or_create(&app_labels(app)).set(gauge(count));
    }

    /// How many records of an app have something to do now.
    pub fn set_records_in_work(&self, app: &str, count: u64) {
        self.records_in_work.get_or_create(&app_labels(app)).set(gauge(count));
    }

    /// How old the oldest unsettled change of an app is now; 0 without one.
    pub fn set_oldest_waiting(&self, app: &str, seconds: f64) {
        self.oldest_waiting.get_or_create(&app_labels(app)).set(seconds);
    }

    /// A call to an app ended. `call` is its name in the mapping.
    pub fn app_call(&self, app: &str, call: &str, outcome: &'static str) {
        let labels = CallLabels { app: app.to_owned(), call: call.to_owned(), outcome };
        self.app_calls.get_or_create(&labels).inc();
    }

    /// A changed mapping file was loaded, or refused. `app` is the empty text where no app has
    /// been served by it.
    pub fn mapping_loaded(&self, app: &str, loaded: bool) {
        let outcome = if loaded { "loaded" } else { "refused" };
        self.mapping_loads.get_or_create(&LoadLabels { app: app.to_owned(), outcome }).inc();
        self.mapping_refused.get_or_create(&app_labels(app)).set(i64::from(!loaded));
    }

    /// So many records the last reconcile found that differ in this way.
    pub fn set_drift(&self, app: &str, what: &'static str, records: u64) {
        let labels = DriftLabels { app: app.to_owned(), what };
        self.drift.get_or_create(&labels).set(i64::try_from(records).unwrap_or(i64::MAX));
    }

    /// A reconcile ended at that second since 1970.
    pub fn reconciled(&self, app: &str, well: bool, second: i64) {
        let outcome = if well { "done" } else { "failed" };
        self.reconciles.get_or_create(&LoadLabels { app: app.to_owned(), outcome }).inc();
        if well {
            self.reconciled.get_or_create(&app_labels(app)).set(second);
        }
    }

    /// Counts an alarm; use [`super::alarm`], which logs it as well.
    pub(super) fn alarm(&self, code: &'static str) {
        self.alarms.get_or_create(&CodeLabels { code }).inc();
    }

    /// How long the SCIM listener's certificate is valid from now; negative when it is not.
    pub fn set_certificate_expires(&self, seconds: f64) {
        self.certificate_expires.get_or_create(&[]).set(seconds);
    }

    /// How long a token is valid from now; negative when it is not. Only for tokens that end.
    pub fn set_token_expires(&self, app: &str, label: &str, seconds: f64) {
        let labels = TokenLabels { app: app.to_owned(), label: label.to_owned() };
        self.token_expires.get_or_create(&labels).set(seconds);
    }

    /// Forgets all tokens, before the ones that are left are set again.
    pub fn clear_token_expires(&self) {
        self.token_expires.clear();
    }

    /// OpenMetrics text, to be sent as [`METRICS_CONTENT_TYPE`].
    pub fn encode(&self) -> String {
        let mut text = String::new();
        match encode(&mut text, &self.registry) {
            Ok(()) => text,
            // Writing to a String cannot fail; a monitoring system would see a broken page.
            Err(error) => format!("# could not be written: {error}\n"),
        }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

fn app_labels(app: &str) -> AppLabels {
    AppLabels { app: app.to_owned() }
}

fn gauge(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_that_operators_write_rules_on() {
        let metrics = Metrics::new();
        metrics.request("altr", "GET", "Users", 200, 0.2);
        metrics.set_changes("altr", "waiting", 3);
        metrics.set_queue_depth("altr", 4);
        metrics.set_records_in_work("altr", 2);
        metrics.set_oldest_waiting("altr", 1.5);
        metrics.app_call("altr", "create_user", "ok");
        metrics.alarm("app-paused");
        metrics.set_app_paused("altr", "outage", true);
        metrics.mapping_loaded("altr", false);
        metrics.set_certificate_expires(-1.0);
        metrics.set_token_expires("altr", "okta", 60.0);
        metrics.pruned("changes", 4);
        let text = metrics.encode();
        for line in [
            r#"scim_bridge_requests_total{app="altr",method="GET",resource="Users",status="200"} 1"#,
            r#"scim_bridge_request_seconds_bucket{le="0.25",app="altr",method="GET",resource="Users"} 1"#,
            r#"scim_bridge_changes{app="altr",state="waiting"} 3"#,
            r#"scim_bridge_queue_depth{app="altr"} 4"#,
            r#"scim_bridge_records_in_work{app="altr"} 2"#,
            r#"scim_bridge_oldest_waiting_seconds{app="altr"} 1.5"#,
            r#"scim_bridge_app_calls_total{app="altr",call="create_user",outcome="ok"} 1"#,
            r#"scim_bridge_alarms_total{code="app-paused"} 1"#,
            r#"scim_bridge_app_paused{app="altr",reason="outage"} 1"#,
            r#"scim_bridge_mapping_loads_total{app="altr",outcome="refused"} 1"#,
            r#"scim_bridge_mapping_refused{app="altr"} 1"#,
            "scim_bridge_certificate_expires_seconds{} -1.0",
            r#"scim_bridge_token_expires_seconds{app="altr",label="okta"} 60.0"#,
            r#"scim_bridge_pruned_total{what="changes"} 4"#,
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn a_number_that_is_not_known_is_not_shown() {
        let metrics = Metrics::new();
        assert!(!metrics.encode().contains("certificate_expires_seconds 0"));
        metrics.set_token_expires("altr", "old", 1.0);
        metrics.clear_token_expires();
        assert!(!metrics.encode().contains("label=\"old\""));
    }
}
