//! The files that people copy first (`examples/compose.yaml`, `examples/kubernetes.yaml`,
//! `examples/systemd/`) say nothing that is not so: options, paths, ports, users, times, commands.
//! Each of them is started as it says. Every rule is shown to catch a planted fault.

mod reading;
mod rules;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::support::http::send;
use super::support::program::{Server, program, run, run_with};
use super::support::text::repository;
use reading::{
    BACKUP, COMPOSE, DOCKERFILE, ENV_FILE, KUBERNETES, Place, Program, TIMER, Texts, UNIT,
};

type Variables = BTreeMap<String, String>;

#[test]
fn the_files_say_nothing_that_is_not_so() {
    let faults = rules::faults(&Texts::read(), &Program::ask());
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

/// File, what stands there, what is planted in its place, and words of the finding.
const PLANTED: &[(&str, &str, &str, &str)] = &[
    (COMPOSE, "SCIM_BRIDGE_LOG:", "SCIM_BRIDGE_LOGS:", "the variable SCIM_BRIDGE_LOGS"),
    (COMPOSE, "LOG: json", "LOG: jason", "serve does not take that"),
    (COMPOSE, "FIRST_URL:", "FIRST_URI:", "the mapping asks for FIRST_URL"),
    (COMPOSE, "echo FIRST_TOKEN=", "echo SECOND_TOKEN=", "the mapping asks for FIRST_TOKEN"),
    (COMPOSE, "      FIRST_URL:", "      FIRST_TOKEN: x\n      FIRST_URL:", "FIRST_TOKEN stands"),
    (COMPOSE, "- data:/data", "- data:/var/data", "the journal's folder is not writable"),
    (COMPOSE, ":/etc/scim-bridge/mappings:ro", ":/etc/mappings:ro", "the folder of mappings"),
    (COMPOSE, "bridge:/data/scim-bridge.db.key", "bridge:/data/key", "nothing takes the key"),
    (COMPOSE, "stop_grace_period: 30s", "stop_grace_period: 10s", "killed while it drains"),
    (COMPOSE, "start_period: 120s", "start_period: 20s", "before it has the lock"),
    (COMPOSE, "--to bridge:8080", "--to bridge:8000", "led to another port"),
    (COMPOSE, "subnet: 172.30.93.0/24", "subnet: 172.31.93.0/24", "another network"),
    (COMPOSE, "\n  certificates:", "\n  certs:", "volumes and their uses differ"),
    (COMPOSE, "\"0.0.0.0:9001\"", "\"0.0.0.0:9002\"", "the app listens elsewhere"),
    (COMPOSE, "env_file: scim-bridge.env", "env_file: .env", "nothing makes env_file"),
    (COMPOSE, "health, --ready", "health, --readiness", "has no option --readiness"),
    (COMPOSE, "scim-bridge token create", "scim-bridge token make", "no command 'token make'"),
    (COMPOSE, "cp examples/compose.yaml", "cp examples/compose.yml", "no examples/compose.yml"),
    (COMPOSE, "    cap_drop: [ALL]\n", "", "the bridge has capabilities"),
    (COMPOSE, "172.30.93.0/24 # the", "\"\" # the", "SCIM comes in clear text"),
    (KUBERNETES, "value: \"0.0.0.0:9090\"", "value: \"127.0.0.1:9090\"", "probes from outside"),
    (KUBERNETES, "containerPort: 9090", "containerPort: 9091", "probes ask another port"),
    (KUBERNETES, "containerPort: 8080", "containerPort: 8081", "led to another port"),
    (KUBERNETES, "failureThreshold: 60", "failureThreshold: 20", "before it has the lock"),
    (
        KUBERNETES,
        "/healthz, port: admin }\n            periodSeconds: 2",
        "/livez, port: admin }\n            periodSeconds: 2",
        "path is not served",
    ),
    (KUBERNETES, "replicas: 1 ", "replicas: 2 ", "two processes"),
    (KUBERNETES, "type: Recreate", "type: RollingUpdate", "a new pod begins"),
    (KUBERNETES, "runAsUser: 10001", "runAsUser: 1000", "the user is not the image's"),
    (DOCKERFILE, "USER 10001:10001", "USER 65532:65532", "the user is not the image's"),
    (DOCKERFILE, "SCIM_BRIDGE_DB=/data/", "SCIM_BRIDGE_DB=/state/", "journal's folder"),
    (DOCKERFILE, "CMD [\"serve\"]", "CMD [\"server\"]", "no command 'server'"),
    (KUBERNETES, "fsGroup: 10001", "fsGroup: 1001", "its group has no volume"),
    (KUBERNETES, "key/scim-bridge.key }", "key/bridge.key }", "nothing makes the key file"),
    (KUBERNETES, "mountPath: /etc/scim-bridge/key,", "mountPath: /etc/key,", "the key's folder"),
    (KUBERNETES, "secretName: scim-bridge-key,", "secretName: bridge-key,", "makes a secret"),
    (
        KUBERNETES,
        "configMap: { name: scim-bridge-mappings",
        "configMap: { name: maps",
        "config map",
    ),
    (KUBERNETES, "claimName: scim-bridge-data", "claimName: data", "the claim"),
    (KUBERNETES, "selector: { app: legacy-app }\n  pub", "selector: { app: app }\n  pub", "labels"),
    (KUBERNETES, "port: { name: scim } } }", "port: { name: http } } }", "ingress leads elsewhere"),
    (KUBERNETES, "- host: scim.corp", "- host: okta.corp", "the ingress has another name"),
    (KUBERNETES, "127.0.0.1:9001\"]", "127.0.0.1:9002\"]", "the app listens elsewhere"),
    (KUBERNETES, "PeriodSeconds: 30 ", "PeriodSeconds: 15 ", "killed while it drains"),
    (UNIT, "ExitStatus=1 2", "ExitStatus=1 3", "it stops at another exit code"),
    (UNIT, "ExitStatus=1 2", "ExitStatus=1 2 7", "it stops at another exit code"),
    (UNIT, "StateDirectory=scim-bridge ", "StateDirectory=scim ", "journal's folder"),
    (UNIT, "StopSec=30", "StopSec=20", "killed while it drains"),
    (UNIT, "scim-bridge serve", "scim-bridge serves", "no command 'serves'"),
    (UNIT, "StartLimitIntervalSec=0", "StartLimitIntervalSec=10", "gives up"),
    (UNIT, "> /etc/scim-bridge/scim-bridge.key)", "> /etc/scim-bridge.key)", "makes the key file"),
    (BACKUP, "backups/scim-bridge.db", "../backup.db", "may not write the backup"),
    (BACKUP, "audit verify", "audit check", "no command 'audit check'"),
    (BACKUP, "DB=/var/lib/scim-bridge/", "DB=/var/lib/bridge/", "another journal"),
    (UNIT, " scim-bridge-backup.timer\n#", "\n#", "nothing enables a unit"),
    (UNIT, "--shell /usr/sbin/nologin scim-bridge", "--shell /usr/sbin/nologin bridge", "the user"),
    (UNIT, "ExecStart=/usr/local/bin/", "ExecStart=/usr/bin/", "another program"),
    (
        UNIT,
        "release/scim-bridge /usr/local/bin/",
        "release/scim-bridge /opt/",
        "installs the program",
    ),
    (UNIT, "EnvironmentFile=/etc/scim-bridge/scim", "EnvironmentFile=/etc/sc", "environment file"),
    (BACKUP, "User=scim-bridge", "User=root", "another user"),
    (COMPOSE, "    read_only: true\n    cap_drop", "    cap_drop", "the bridge's root"),
    (COMPOSE, "    cap_drop", "    user: root\n    cap_drop", "not the image's user"),
    (
        COMPOSE,
        "caddy reverse-proxy --from https",
        "caddy reverse-proxy --from http",
        "another name",
    ),
    (KUBERNETES, "runAsNonRoot: true", "runAsNonRoot: false", "it may be root"),
    (KUBERNETES, "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", "root can be"),
    (KUBERNETES, "Escalation: false", "Escalation: true", "more rights"),
    (KUBERNETES, "drop: [ALL]", "drop: [NET_RAW]", "has capabilities"),
    (KUBERNETES, "Policy: OnRootMismatch", "Policy: Always", "readable for a group"),
    (KUBERNETES, "NotReadyAddresses: true", "NotReadyAddresses: false", "takes it away"),
    (KUBERNETES, "secretName: scim-bridge-tls", "secretName: tls", "certificate's secret"),
    (KUBERNETES, "secretRef: { name: scim-bridge-env", "secretRef: { name: env", "makes a secret"),
    (KUBERNETES, "- { name: key, mount", "- { name: keys, mount", "volumes and their uses differ"),
    (KUBERNETES, "kind: Ingress ", "kind: Secret\n---\nkind: Ingress ", "a secret stands"),
    (ENV_FILE, "ALTR_KEY_SECRET=", "ALTR_KEY_SECRET=hunter2", "a secret stands in the file"),
    (ENV_FILE, "ALTR_URL=", "ALTR_HOST=", "the mapping asks for ALTR_URL"),
    (ENV_FILE, "SCIM_BRIDGE_PUBLIC_URL=", "#", "what Okta calls it"),
];

#[test]
fn a_planted_fault_is_found() {
    let (texts, program) = (Texts::read(), Program::ask());
    for (file, old, new, words) in PLANTED {
        let found = rules::faults(&texts.with(file, old, new), &program);
        let about = |fault: &String| fault.contains(words);
        assert!(found.iter().any(about), "{file}: {old} -> {new}: {words} is not in {found:#?}");
    }
}

/// What `systemd-analyze verify` says, or nothing where it does not exist. The program of the tests
/// stands in for the installed one.
fn verified(texts: &Texts) -> Option<String> {
    let folder = TempDir::new().unwrap();
    let ours = program().get_program().to_string_lossy().into_owned();
    let mut command = Command::new("systemd-analyze");
    command.arg("verify");
    for file in [UNIT, BACKUP, TIMER] {
        let to = folder.path().join(Path::new(file).file_name().unwrap());
        std::fs::write(&to, texts[file].replace("/usr/local/bin/scim-bridge", &ours)).unwrap();
        command.arg(to);
    }
    let output = command.output().ok()?;
    Some(String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn systemd_has_nothing_to_say_against_the_units() {
    let texts = Texts::read();
    let Some(said) = verified(&texts) else {
        eprintln!("there is no systemd-analyze here");
        return;
    };
    assert_eq!(said, "");
    let wrong = texts.with(UNIT, "RestartSec=5", "RestartSecs=5");
    assert!(verified(&wrong).unwrap().contains("RestartSecs"));
}

/// The place's own variables, with what this machine cannot have replaced: folders, ports, the app.
fn here(place: &Place, mapping: &str, folder: &Path, app: &standin::Running) -> Variables {
    let key = folder.join("key");
    std::fs::write(&key, [7; 32]).unwrap();
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let given: BTreeMap<&str, String> = app.env().into_iter().collect();
    let mut env = place.env.clone();
    env.extend(place.secret_env.clone());
    for (name, value) in &mut env {
        match name.as_str() {
            "SCIM_BRIDGE_KEY_FILE" => *value = text(&key),
            name if name.starts_with("SCIM_BRIDGE_") => {}
            name if name.ends_with("_URL") => app.url.clone_into(value),
            // The template leaves secrets empty.
            name if value.is_empty() => given[name].clone_into(value),
            _ => {}
        }
    }
    for (name, value) in [
        ("SCIM_BRIDGE_DB", text(&folder.join("bridge.db"))),
        ("SCIM_BRIDGE_MAPPINGS", text(&repository().join(mapping))),
        ("SCIM_BRIDGE_LISTEN", "127.0.0.1:0".into()),
        ("SCIM_BRIDGE_ADMIN_LISTEN", "127.0.0.1:0".into()),
        ("SCIM_BRIDGE_DRAIN_DELAY", "0".into()),
        ("SCIM_BRIDGE_ALLOW_NETWORK_FILESYSTEM", "true".into()),
    ] {
        env.insert(name.into(), value);
    }
    env
}

fn serve(env: &Variables, folder: &Path) -> Server {
    let mut command = program();
    command.arg("serve").envs(env);
    Server::start(command, &folder.join("ready"))
}

async fn status(url: &str, path: &str, headers: &[&str]) -> u16 {
    send(url, "GET", path, headers, b"").await.unwrap().status
}

#[tokio::test(flavor = "multi_thread")]
async fn each_is_started_as_it_says_and_serves() {
    let texts = Texts::read();
    for place in rules::places(&texts) {
        let mapping = rules::mapping_of(&texts[place.file]);
        let name = Path::new(&mapping).file_stem().unwrap().to_str().unwrap();
        let app = standin::apps::by_name(if name == "first" { "directory" } else { name });
        let app = standin::start(app.unwrap(), "127.0.0.1:0".parse().unwrap()).await.unwrap();
        let folder = TempDir::new().unwrap();
        let mut env = here(&place, &mapping, folder.path(), &app);
        let server = serve(&env, folder.path());
        assert!(server.scim(name).starts_with("https://"), "what Okta calls it");
        let admin = format!("http://{}", server.admin());
        // The paths that the documents name are served, and not just any.
        for (path, wanted) in [("/healthz", 200), ("/readyz", 200), ("/livez", 404)] {
            assert_eq!(status(&admin, path, &[]).await, wanted, "{path}");
        }
        for (path, _) in &place.probes {
            assert_eq!(status(&admin, path, &[]).await, 200, "{}: {path}", place.file);
        }
        run(&["health", "--ready", "--admin", &server.admin()]).exits(0);
        let (code, said) = server.terminate();
        assert_eq!(code, Some(0), "{said}");

        // Once more under its own address, where a request can reach it.
        env.remove("SCIM_BRIDGE_PUBLIC_URL");
        let server = serve(&env, folder.path());
        let given: Vec<(&str, &str)> = env.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        let made = run_with(&["token", "create", "--app", name, "--quiet"], &given).exits(0);
        let token = format!("Authorization: Bearer {}", made.out.trim());
        let users = status(&server.scim(name), "/Users?count=2", &[&token]).await;
        assert_eq!(users, 200, "{}: {}", place.file, server.said());
        let copy = folder.path().join("copy.db");
        run_with(&["backup", copy.to_str().unwrap()], &given).exits(0);
        run_with(&["audit", "verify"], &given).exits(0);
    }
}
