//! What the deployment files say, in one form for all of them. Must not judge: that is `rules`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::support::program::run;
use crate::support::text::{replaced, repository};

pub const COMPOSE: &str = "examples/compose.yaml";
pub const KUBERNETES: &str = "examples/kubernetes.yaml";
pub const UNIT: &str = "examples/systemd/scim-bridge.service";
pub const BACKUP: &str = "examples/systemd/scim-bridge-backup.service";
pub const TIMER: &str = "examples/systemd/scim-bridge-backup.timer";
pub const ENV_FILE: &str = "examples/systemd/scim-bridge.env";
pub const DOCKERFILE: &str = "Dockerfile";

/// The texts of all files that count, by their path in the repository.
#[derive(Clone)]
pub struct Texts(BTreeMap<&'static str, String>);

impl Texts {
    pub fn read() -> Self {
        let files = [COMPOSE, KUBERNETES, UNIT, BACKUP, TIMER, ENV_FILE, DOCKERFILE];
        let text = |file| std::fs::read_to_string(repository().join(file)).unwrap();
        Self(files.into_iter().map(|file| (file, text(file))).collect())
    }

    /// The same with another piece in one file, which must be there exactly once.
    #[track_caller]
    pub fn with(&self, file: &'static str, old: &str, new: &str) -> Self {
        let mut texts = self.clone();
        texts.0.insert(file, replaced(&self[file], old, new));
        texts
    }
}

impl std::ops::Index<&'static str> for Texts {
    type Output = String;

    fn index(&self, file: &'static str) -> &String {
        &self.0[file]
    }
}

/// A folder or volume that the bridge sees.
#[derive(Debug)]
pub struct Mount {
    pub at: String,
    pub writable: bool,
}

/// One bridge, as one of the files starts it.
#[derive(Debug)]
pub struct Place {
    /// The file that says so.
    pub file: &'static str,
    /// Variables whose values stand in the file, those of the image too.
    pub env: BTreeMap<String, String>,
    /// Variables that come from a file of secrets, with what its template says.
    pub secret_env: BTreeMap<String, String>,
    pub mounts: Vec<Mount>,
    /// Paths that are asked by HTTP for its health, and at which port.
    pub probes: Vec<(String, u64)>,
    /// Seconds between SIGTERM and SIGKILL.
    pub grace: u64,
    /// Seconds that it may take until it answers its first probe; none where nobody asks.
    pub start: Option<u64>,
    /// The port that clients are led to; none where nothing leads them.
    pub entry: Option<u64>,
}

impl Place {
    /// Its value of a variable, or what the program takes without.
    pub fn value(&self, name: &str, program: &Program) -> String {
        let default = || program.variables.get(name).cloned().unwrap_or_default();
        self.env.get(name).or(self.secret_env.get(name)).cloned().unwrap_or_else(default)
    }

    pub fn seconds(&self, name: &str, program: &Program) -> u64 {
        self.value(name, program).parse().unwrap_or(0)
    }
}

/// What the program itself says about its options.
pub struct Program {
    /// Variables of `serve` with their defaults (empty: none).
    pub variables: BTreeMap<String, String>,
    /// Its commands.
    pub commands: BTreeSet<String>,
}

impl Program {
    pub fn ask() -> Self {
        let help = run(&["serve", "--help"]).exits(0).out;
        let mut variables = BTreeMap::new();
        let mut last = String::new();
        for line in help.lines().map(str::trim) {
            if let Some(name) = line.strip_prefix("[env: ") {
                name.trim_end_matches("=]").clone_into(&mut last);
                variables.insert(last.clone(), String::new());
            } else if let Some(value) = line.strip_prefix("[default: ") {
                variables.insert(last.clone(), value.trim_end_matches(']').to_owned());
            }
        }
        assert!(variables.len() > 15 && variables["SCIM_BRIDGE_DRAIN"] == "10", "{variables:?}");
        let all = run(&["--help"]).exits(0).out;
        let listed = all.split("Commands:\n").nth(1).unwrap().lines();
        let commands = listed.take_while(|line| !line.is_empty());
        let first = |line: &str| line.split_whitespace().next().unwrap().to_owned();
        Self { variables, commands: commands.map(first).collect() }
    }
}

/// The commands that a file's comments tell to run: comment lines that are indented.
pub fn told(text: &str) -> Vec<String> {
    let mut told: Vec<String> = Vec::new();
    let mut goes_on = false;
    for line in text.lines() {
        let Some(command) = line.strip_prefix("#   ") else { continue };
        let command = command.trim();
        let whole = command.trim_end_matches('\\');
        match told.last_mut() {
            Some(last) if goes_on => last.push_str(whole),
            _ => told.push(whole.to_owned()),
        }
        goes_on = command.ends_with('\\');
    }
    told
}

/// `NAME=value` lines.
pub fn variables(text: &str) -> BTreeMap<String, String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    let pairs = lines.filter_map(|line| line.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// What the comments write into the file of secrets: `echo NAME=value > scim-bridge.env`.
fn echoed(text: &str) -> BTreeMap<String, String> {
    let told = told(text);
    let echoes = told.iter().filter_map(|line| line.split_once("echo ")?.1.split_once(" > "));
    echoes.flat_map(|(words, _)| variables(words)).collect()
}

/// The image's own variables, and its user.
pub fn image(texts: &Texts) -> (BTreeMap<String, String>, String) {
    let text = texts[DOCKERFILE].replace("\\\n", " ");
    let line = |word: &str| {
        let mut found = text.lines().filter_map(|line| line.strip_prefix(word)).map(str::trim);
        found.next_back().unwrap_or_else(|| panic!("the Dockerfile has no {word}")).to_owned()
    };
    let env = line("ENV ").split_whitespace().flat_map(variables).collect();
    (env, line("USER "))
}

/// The Compose file, with `${NAME:-default}` replaced by the default.
pub fn compose(texts: &Texts) -> Value {
    let mut text = texts[COMPOSE].clone();
    while let Some((before, rest)) = text.split_once("${") {
        let (variable, after) = rest.split_once('}').expect("it ends");
        let (_, default) = variable.split_once(":-").expect("it has a default");
        text = format!("{before}{default}{after}");
    }
    serde_saphyr::from_str(&text).unwrap_or_else(|e| panic!("{COMPOSE}: {e}"))
}

/// The Kubernetes file's objects by kind.
pub fn kubernetes(texts: &Texts) -> BTreeMap<String, Value> {
    let objects: Vec<Value> = serde_saphyr::from_multiple(&texts[KUBERNETES])
        .unwrap_or_else(|e| panic!("{KUBERNETES}: {e}"));
    let kind = |object: &Value| object["kind"].as_str().expect("each has a kind").to_owned();
    objects.into_iter().map(|object| (kind(&object), object)).collect()
}

/// The values of a key in a unit, in all sections.
pub fn unit<'t>(text: &'t str, key: &str) -> Vec<&'t str> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let pairs = lines.filter_map(|line| line.split_once('='));
    pairs.filter(|(name, _)| *name == key).map(|(_, value)| value).collect()
}

fn texts_of(value: &Value) -> BTreeMap<String, String> {
    let object = value.as_object().expect("variables are a map");
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    object.iter().map(|(name, value)| (name.clone(), text(value))).collect()
}

/// `30s` or `2m`.
fn span(text: &str) -> u64 {
    let (number, unit) = text.split_at(text.len() - 1);
    number.parse::<u64>().expect("a number") * if unit == "m" { 60 } else { 1 }
}

pub fn in_compose(texts: &Texts) -> Place {
    let file = compose(texts);
    let bridge = &file["services"]["bridge"];
    let (mut env, _) = image(texts);
    env.extend(texts_of(&bridge["environment"]));
    let mounts = bridge["volumes"].as_array().expect("it has volumes").iter().map(|volume| {
        let parts: Vec<&str> = volume.as_str().expect("the short form").split(':').collect();
        Mount { at: parts[1].to_owned(), writable: parts.get(2) != Some(&"ro") }
    });
    let proxy = file["services"]["proxy"]["command"].as_str().unwrap_or_default();
    Place {
        file: COMPOSE,
        env,
        secret_env: echoed(&texts[COMPOSE]),
        mounts: mounts.collect(),
        probes: Vec::new(),
        grace: bridge["stop_grace_period"].as_str().map_or(10, span),
        start: bridge["healthcheck"]["start_period"].as_str().map(span),
        entry: proxy.rsplit_once("bridge:").and_then(|(_, port)| port.parse().ok()),
    }
}

/// The containers of the pod: the app's, and the bridge's.
pub fn containers(deployment: &Value) -> (&Value, &Value) {
    let all = deployment["spec"]["template"]["spec"]["containers"].as_array();
    let all = all.expect("there are containers");
    let named = |name: &str| all.iter().find(|container| container["name"] == name);
    (named("app").expect("the app"), named("scim-bridge").expect("the bridge"))
}

pub fn in_kubernetes(texts: &Texts) -> Place {
    let objects = kubernetes(texts);
    let pod = &objects["Deployment"]["spec"]["template"]["spec"];
    let (_, bridge) = containers(&objects["Deployment"]);
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let (mut env, _) = image(texts);
    for pair in list(&bridge["env"]) {
        let text = |key: &str| pair[key].as_str().unwrap_or_default().to_owned();
        env.insert(text("name"), text("value"));
    }
    let mounts = list(&bridge["volumeMounts"]).into_iter().map(|mount| Mount {
        at: mount["mountPath"].as_str().expect("a path").to_owned(),
        writable: mount["readOnly"] != true,
    });
    let port = |name: &Value| -> u64 {
        let ports = list(&bridge["ports"]);
        let found = ports.iter().find(|port| port["name"] == *name);
        found.and_then(|port| port["containerPort"].as_u64()).unwrap_or(0)
    };
    let kinds = ["startupProbe", "livenessProbe", "readinessProbe"];
    let probes = kinds.iter().map(|kind| &bridge[*kind]["httpGet"]).filter(|get| !get.is_null());
    let start = &bridge["startupProbe"];
    let number = |key: &str| start[key].as_u64().unwrap_or(0);
    Place {
        file: KUBERNETES,
        env,
        secret_env: echoed(&texts[KUBERNETES]),
        mounts: mounts.collect(),
        probes: probes
            .map(|get| (get["path"].as_str().unwrap_or_default().to_owned(), port(&get["port"])))
            .collect(),
        grace: pod["terminationGracePeriodSeconds"].as_u64().unwrap_or(30),
        start: Some(number("periodSeconds") * number("failureThreshold")),
        entry: Some(port(&objects["Service"]["spec"]["ports"][0]["targetPort"])),
    }
}

pub fn under_systemd(texts: &Texts) -> Place {
    let text = &texts[UNIT];
    let states = unit(text, "StateDirectory").into_iter().flat_map(str::split_whitespace);
    let etc = Mount { at: "/etc/scim-bridge".into(), writable: false };
    let state = |name: &str| Mount { at: format!("/var/lib/{name}"), writable: true };
    Place {
        file: UNIT,
        env: unit(text, "Environment").into_iter().flat_map(variables).collect(),
        secret_env: variables(&texts[ENV_FILE]),
        mounts: states.map(state).chain([etc]).collect(),
        probes: Vec::new(),
        grace: unit(text, "TimeoutStopSec").last().map_or(90, |text| text.parse().unwrap()),
        start: None,
        entry: None,
    }
}
