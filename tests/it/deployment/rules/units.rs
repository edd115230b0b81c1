//! What must hold in the units of systemd.

use super::{asked, mapping_of, missing};
use crate::deployment::reading::{BACKUP, ENV_FILE, TIMER, Texts, UNIT, told, unit, variables};
use crate::support::text::repository;

/// Everything that is wrong there.
pub(super) fn of_units(texts: &Texts) -> Vec<String> {
    let (text, backup) = (&texts[UNIT], &texts[BACKUP]);
    let told = told(text).join("\n");
    let one = |text: &str, key: &str| unit(text, key).last().copied().unwrap_or("").to_owned();
    let readme = std::fs::read_to_string(repository().join("README.md")).unwrap();
    let documented = |code: &str| {
        let row = readme.lines().find(|line| line.starts_with(&format!("| {code} | ")));
        row.is_some_and(|row| ["a finding", "wrong usage"].iter().any(|why| row.contains(why)))
    };
    let stops = one(text, "RestartPreventExitStatus");
    let user = one(text, "User");
    let makes_user = told
        .lines()
        .any(|line| line.starts_with("useradd ") && line.ends_with(&format!(" {user}")));
    let execs: Vec<&str> =
        unit(text, "ExecStart").into_iter().chain(unit(backup, "ExecStart")).collect();
    let copy = execs.iter().find_map(|exec| Some(exec.split_once(" backup ")?.1));
    let state =
        format!("/var/lib/{}/", one(text, "StateDirectory").rsplit(' ').next().unwrap_or(""));
    let enabled = told.lines().find_map(|line| Some(line.split_once("systemctl enable")?.1));
    let enabled = enabled.unwrap_or_default();
    let timer = TIMER.rsplit('/').next().unwrap_or_default();
    let env_file = one(text, "EnvironmentFile");
    let installed = |file: &str, folder: &str| told.contains(&format!("{file} {folder}"));
    let [_, secrets] = asked(&mapping_of(text));
    let given = variables(&texts[ENV_FILE]);
    let found = missing([
        (!stops.is_empty() && stops.split(' ').all(documented), "it stops at another exit code"),
        (!stops.contains('3'), "it does not come back when the environment does"),
        (one(text, "StartLimitIntervalSec") == "0", "it gives up after some starts"),
        (makes_user, "nothing makes the user"),
        (user == one(backup, "User"), "the backup is made by another user"),
        (copy.is_some_and(|copy| copy.starts_with(&state)), "the server may not write the backup"),
        (
            env_file.ends_with("/scim-bridge.env") && installed(ENV_FILE, "/etc/scim-bridge/"),
            "nothing makes the environment file",
        ),
        (
            execs.iter().all(|exec| exec.starts_with("/usr/local/bin/scim-bridge ")),
            "another program",
        ),
        (
            told.contains("target/release/scim-bridge /usr/local/bin/"),
            "nothing installs the program",
        ),
        (
            enabled.contains(" scim-bridge.service ") && enabled.ends_with(timer),
            "nothing enables a unit",
        ),
        (
            secrets.iter().all(|name| given.get(name).is_none_or(String::is_empty)),
            "a secret stands in the file",
        ),
        (
            unit(backup, "Environment").iter().all(|pair| unit(text, "Environment").contains(pair)),
            "the backup has another journal or key",
        ),
    ]);
    found.into_iter().map(|fault| format!("systemd: {fault}")).collect()
}
