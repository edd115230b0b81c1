//! What the files tell to run, or run themselves, exists: commands, their options, files.

use serde_json::Value;

use crate::deployment::reading::{
    BACKUP, COMPOSE, DOCKERFILE, ENV_FILE, KUBERNETES, Program, Texts, UNIT, compose, containers,
    kubernetes, told, unit,
};
use crate::support::program::run;
use crate::support::text::repository;

/// Every `scim-bridge COMMAND --option` that is told or started exists.
pub(super) fn of_commands(texts: &Texts, program: &Program) -> Vec<String> {
    let mut lines: Vec<(&str, String)> = Vec::new();
    for file in [COMPOSE, KUBERNETES, UNIT, BACKUP] {
        lines.extend(told(&texts[file]).into_iter().map(|line| (file, line)));
    }
    for file in [UNIT, BACKUP] {
        lines.extend(unit(&texts[file], "ExecStart").into_iter().map(|line| (file, line.into())));
    }
    let words = |value: &Value| -> Vec<String> {
        let list = value.as_array().into_iter().flatten();
        list.filter_map(|word| Some(word.as_str()?.to_owned())).collect()
    };
    let services = &compose(texts)["services"];
    let check = words(&services["bridge"]["healthcheck"]["test"]);
    lines.push((COMPOSE, check[1..].join(" ")));
    lines.push((COMPOSE, format!("scim-bridge {}", words(&services["app"]["command"]).join(" "))));
    let objects = kubernetes(texts);
    let (app, _) = containers(&objects["Deployment"]);
    lines.push((KUBERNETES, format!("scim-bridge {}", words(&app["args"]).join(" "))));
    let dockerfile = texts[DOCKERFILE].lines().filter_map(|line| line.split_once("CMD ["));
    let plain = |(_, words): (&str, &str)| words.replace(['"', ',', ']'], "");
    lines.extend(dockerfile.map(plain).map(|line| {
        let line =
            if line.starts_with("scim-bridge") { line } else { format!("scim-bridge {line}") };
        (DOCKERFILE, line)
    }));
    let asks = |(file, line): &(&str, String)| {
        of_command(line, program).map(|fault| format!("{file}: {fault}"))
    };
    lines.iter().filter_map(asks).collect()
}

fn of_command(line: &str, program: &Program) -> Option<String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let is_program = |word: &str| word == "scim-bridge" || word.ends_with("bin/scim-bridge");
    let is_name = |word: &str| word.chars().all(|c| c.is_ascii_lowercase());
    let at = (0..words.len().saturating_sub(1))
        .find(|at| is_program(words[*at]) && is_name(words[*at + 1]))?;
    let words = &words[at + 1..];
    if !program.commands.contains(words[0]) {
        return Some(format!("there is no command '{}'", words[0]));
    }
    let mut command = vec![words[0]];
    if matches!(words[0], "token" | "changes" | "report" | "audit" | "app") {
        command.extend(words.get(1));
    }
    command.push("--help");
    let help = run(&command);
    if help.code != 0 {
        return Some(format!("there is no command '{}'", words[..2].join(" ")));
    }
    let unknown = words.iter().find(|word| word.starts_with("--") && !help.out.contains(*word));
    unknown.map(|word| format!("'{}' has no option {word}", words[0]))
}

/// Every file of the sources that the comments name is there.
pub(super) fn of_names(texts: &Texts) -> Vec<String> {
    let mut wrong = Vec::new();
    for file in [COMPOSE, KUBERNETES, UNIT, ENV_FILE] {
        for line in told(&texts[file]) {
            for word in line.split([' ', '=']) {
                let (folder, name) = word.rsplit_once('/').unwrap_or_default();
                let is_ours = word.starts_with("examples/") || word.starts_with("mappings/");
                let (start, end) = name.split_once('*').unwrap_or((name, ""));
                let fits = |found: &str| {
                    if name.contains('*') {
                        found.starts_with(start) && found.ends_with(end)
                    } else {
                        found == name
                    }
                };
                let mut there = std::fs::read_dir(repository().join(folder)).into_iter().flatten();
                if is_ours
                    && !there.any(|entry| fits(&entry.unwrap().file_name().to_string_lossy()))
                {
                    wrong.push(format!("{file}: there is no {word}"));
                }
            }
        }
    }
    wrong
}
