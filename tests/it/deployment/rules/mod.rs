//! What must hold in each deployment file: findings in words. Must not start anything but commands.

mod commands;
mod compose;
mod kubernetes;
mod units;

use std::collections::BTreeSet;

use serde_json::Value;

use super::reading::{Place, Program, Texts, in_compose, in_kubernetes, told, under_systemd};
use crate::support::program::run_with;
use crate::support::text::repository;

/// All places.
pub fn places(texts: &Texts) -> [Place; 3] {
    [in_compose(texts), in_kubernetes(texts), under_systemd(texts)]
}

/// Everything that is wrong.
pub fn faults(texts: &Texts, program: &Program) -> Vec<String> {
    let mut faults = Vec::new();
    for place in places(texts) {
        let mut found = of_variables(texts, &place, program);
        found.extend(of_paths(texts, &place, program));
        found.extend(of_times(&place, program));
        found.extend(of_listeners(&place, program));
        faults.extend(found.into_iter().map(|fault| format!("{}: {fault}", place.file)));
    }
    faults.extend(compose::of_compose(texts, program));
    faults.extend(kubernetes::of_kubernetes(texts, program));
    faults.extend(units::of_units(texts));
    faults.extend(commands::of_commands(texts, program));
    faults.extend(commands::of_names(texts));
    faults
}

/// The findings whose condition does not hold.
fn missing<const N: usize>(wanted: [(bool, &str); N]) -> Vec<String> {
    wanted.into_iter().filter(|(holds, _)| !holds).map(|(_, words)| words.to_owned()).collect()
}

/// The mapping that a file's comments put in its place.
pub fn mapping_of(text: &str) -> String {
    let words = told(text).join(" ");
    let mut files = words.split([' ', '=']).filter(|word| {
        word.ends_with(".yaml") && (word.contains("mappings/") || word.contains("-mapping/"))
    });
    files.next().expect("the comments name a mapping").to_owned()
}

/// The variables that a mapping asks for: of `vars`, and of `secrets`.
fn asked(mapping: &str) -> [BTreeSet<String>; 2] {
    let text = std::fs::read_to_string(repository().join(mapping)).unwrap();
    let value: Value = serde_saphyr::from_str(&text).unwrap();
    ["vars", "secrets"].map(|block| {
        let entries = value[block].as_object().unwrap().values();
        entries.filter_map(|entry| Some(entry["env"].as_str()?.to_owned())).collect()
    })
}

fn of_variables(texts: &Texts, place: &Place, program: &Program) -> Vec<String> {
    let [vars, secrets] = asked(&mapping_of(&texts[place.file]));
    let mut faults = Vec::new();
    for name in place.env.keys().chain(place.secret_env.keys()) {
        let is_known = program.variables.contains_key(name);
        if !(is_known || vars.contains(name) || secrets.contains(name)) {
            faults.push(format!("nobody knows the variable {name}"));
        }
    }
    for name in vars.union(&secrets) {
        if !place.env.contains_key(name) && !place.secret_env.contains_key(name) {
            faults.push(format!("the mapping asks for {name}"));
        }
    }
    faults.extend(
        secrets
            .iter()
            .filter(|name| place.env.contains_key(*name))
            .map(|name| format!("the secret {name} stands in the file")),
    );
    let all: Vec<(&str, &str)> =
        place.env.iter().chain(&place.secret_env).map(|(k, v)| (k.as_str(), v.as_str())).collect();
    let ran = run_with(&["serve", "--print-config"], &all);
    if ran.code != 0 {
        faults.push(format!("serve does not take that: {}", ran.err));
    }
    faults
}

fn of_paths(texts: &Texts, place: &Place, program: &Program) -> Vec<String> {
    let (db, key) = (place.value("SCIM_BRIDGE_DB", program), place.env.get("SCIM_BRIDGE_KEY_FILE"));
    let folder = |path: &str| path.rsplit_once('/').map_or(String::new(), |(f, _)| f.to_owned());
    // The deepest mount that holds the path, if any.
    let writable = |path: &str| {
        let holds = |at: &str| path == at || path.starts_with(&format!("{at}/"));
        let mounts = place.mounts.iter().filter(|mount| holds(&mount.at));
        mounts.max_by_key(|mount| mount.at.len()).map(|mount| mount.writable)
    };
    let told = told(&texts[place.file]).join("\n");
    let mappings = place.value("SCIM_BRIDGE_MAPPINGS", program);
    let made = key.is_none_or(|key| {
        told.contains(&format!("> {key}"))
            || told.contains(&format!("--from-file={}", key.rsplit('/').next().unwrap_or_default()))
    });
    // Beside the journal it is made by itself; then the comments say how to take it out.
    let taken = key.is_some() || told.contains(&format!(":{db}.key"));
    missing([
        (writable(&folder(&db)) == Some(true), "the journal's folder is not writable"),
        (writable(&mappings) == Some(false), "the folder of mappings is not there, read-only"),
        (
            key.is_none_or(|key| writable(&folder(key)) == Some(false)),
            "the key's folder is not there, read-only",
        ),
        (made, "nothing makes the key file"),
        (taken, "nothing takes the key that is made beside the journal"),
    ])
}

fn of_times(place: &Place, program: &Program) -> Vec<String> {
    let seconds = |name: &str| place.seconds(name, program);
    // The documents say 20 s for the defaults: what is cut off at the end has 5 s.
    let drain = seconds("SCIM_BRIDGE_DRAIN_DELAY") + seconds("SCIM_BRIDGE_DRAIN") + 5;
    let lock = seconds("SCIM_BRIDGE_WAIT_FOR_LOCK");
    missing([
        (place.grace > drain, "it is killed while it drains"),
        (place.start.is_none_or(|start| start > lock + 30), "it must be up before it has the lock"),
    ])
}

fn of_listeners(place: &Place, program: &Program) -> Vec<String> {
    let port =
        |name: &str| -> Option<u64> { place.value(name, program).rsplit_once(':')?.1.parse().ok() };
    let outside = |name: &str| !place.value(name, program).starts_with("127.");
    let is_set = |name: &str| !place.value(name, program).is_empty();
    let protected = is_set("SCIM_BRIDGE_TRUST_PROXY") || is_set("SCIM_BRIDGE_TLS_CERT");
    let probed =
        place.probes.iter().all(|(_, asked)| Some(*asked) == port("SCIM_BRIDGE_ADMIN_LISTEN"));
    let page = std::fs::read_to_string(repository().join("docs/operating.md")).unwrap();
    let served = |path: &str| page.contains(&format!("\n| `{path}` |"));
    missing([
        (!outside("SCIM_BRIDGE_LISTEN") || protected, "SCIM comes in clear text"),
        (is_set("SCIM_BRIDGE_PUBLIC_URL"), "it does not know what Okta calls it"),
        (
            place.entry.is_none_or(|entry| {
                Some(entry) == port("SCIM_BRIDGE_LISTEN") && outside("SCIM_BRIDGE_LISTEN")
            }),
            "clients are led to another port",
        ),
        (probed, "probes ask another port"),
        (
            place.probes.is_empty() || outside("SCIM_BRIDGE_ADMIN_LISTEN"),
            "probes from outside cannot reach the admin listener",
        ),
        (place.probes.iter().all(|(path, _)| served(path)), "a probe's path is not served"),
    ])
}
