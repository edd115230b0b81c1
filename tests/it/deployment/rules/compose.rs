//! What must hold in the Compose file alone.

use std::collections::BTreeSet;

use serde_json::json;

use super::missing;
use crate::deployment::reading::{COMPOSE, Program, Texts, compose, in_compose, told};

/// Everything that is wrong there.
pub(super) fn of_compose(texts: &Texts, program: &Program) -> Vec<String> {
    let file = compose(texts);
    let place = in_compose(texts);
    let bridge = &file["services"]["bridge"];
    let public = place.value("SCIM_BRIDGE_PUBLIC_URL", program);
    let proxy = file["services"]["proxy"]["command"].as_str().unwrap_or_default();
    let app = file["services"]["app"]["command"].to_string();
    let subnet = &file["networks"]["default"]["ipam"]["config"][0]["subnet"];
    let url = place.value("FIRST_URL", program);
    let app_port = url.trim_start_matches("http://app:").split('/').next().unwrap_or_default();
    let named: BTreeSet<&str> = file["services"]
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(_, service)| service["volumes"].as_array())
        .flatten()
        .filter_map(|volume| volume.as_str()?.split(':').next())
        .filter(|name| !name.starts_with('.'))
        .collect();
    let volumes: BTreeSet<&str> =
        file["volumes"].as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
    let echoes = format!("> {}", bridge["env_file"].as_str().unwrap_or_default());
    let found = missing([
        (bridge["read_only"] == true, "the bridge's root can be written"),
        (bridge["cap_drop"] == json!(["ALL"]), "the bridge has capabilities"),
        (bridge["user"].is_null(), "the bridge is not the image's user"),
        (proxy.contains(&format!("--from {public} ")), "the proxy has another name"),
        (place.value("SCIM_BRIDGE_TRUST_PROXY", program) == *subnet, "another network is trusted"),
        (named == volumes, "volumes and their uses differ"),
        (app.contains(&format!(":{app_port}\"")), "the app listens elsewhere"),
        (told(&texts[COMPOSE]).iter().any(|line| line.contains(&echoes)), "nothing makes env_file"),
    ]);
    found.into_iter().map(|fault| format!("{COMPOSE}: {fault}")).collect()
}
