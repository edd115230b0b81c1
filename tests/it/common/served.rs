//! All apps behind one program: a credential is good for its own app, and the log keeps secrets.

use std::path::{Path, PathBuf};

use standin::Running;
use tempfile::TempDir;

use super::apps::{ADA, ada};
use super::shipped::all;
use crate::support::http::send;
use crate::support::people::PASSWORD;
use crate::support::program::{Server, run};
use crate::support::text::mapping_file;
use crate::support::world::authorization;

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The program with all mappings, a played app for each, and a token for each.
struct Bench {
    server: Server,
    tokens: Vec<(&'static str, String)>,
    apps: Vec<Running>,
    db: PathBuf,
    _folder: TempDir,
}

impl Bench {
    async fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let db = folder.path().join("bridge.db");
        let (mut environment, mut apps, mut arguments) = (Vec::new(), Vec::new(), Vec::new());
        for app in all() {
            let played = standin::apps::by_name(app.name).unwrap();
            let played = standin::start(played, "127.0.0.1:0".parse().unwrap()).await.unwrap();
            environment.extend(played.env().into_iter().map(|(key, value)| (key.into(), value)));
            arguments.push("--base-url".to_owned());
            arguments.push(format!("{}={}", app.name, played.url));
            apps.push(played);
        }
        let files: Vec<_> = all().iter().map(|app| mapping_file(app.name)).collect();
        let mut command = Server::serving(&files[0], &db, &environment);
        command.args(&files[1..]).args(arguments);
        let server = Server::start(command, &db.with_extension("ready"));
        let token = |name| {
            let made = run(&["token", "create", "--app", name, "--quiet", "--db", text(&db)]);
            (name, made.exits(0).out.trim().to_owned())
        };
        let tokens = all().iter().map(|app| token(app.name)).collect();
        Self { server, tokens, apps, db, _folder: folder }
    }
}

/// COM-20: a credential is good for its app and for no other one of the same bridge.
#[tokio::test(flavor = "multi_thread")]
async fn a_credential_is_good_for_its_own_app_only() {
    let bench = Bench::new().await;
    for (app, _) in &bench.tokens {
        for (owner, token) in &bench.tokens {
            let header = format!("Authorization: {}", authorization(token));
            let url = bench.server.scim(app);
            let answer = send(&url, "GET", "/Users?startIndex=1&count=1", &[&header], b"").await;
            let expected = if app == owner { 200 } else { 401 };
            assert_eq!(answer.unwrap().status, expected, "{owner}'s token at {app}");
        }
    }
    for (app, token) in &bench.tokens {
        let listed = run(&["token", "list", "--app", app, "--db", text(&bench.db)]).exits(0).out;
        let secret = token.rsplit([':', '_']).next().unwrap();
        assert!(!listed.contains(secret), "{listed}");
    }
}

/// COM-17: at the finest level of the log no password, no credential.
/// COM-22: the command line shows each change with its calls and their status.
#[tokio::test(flavor = "multi_thread")]
async fn the_log_keeps_secrets_and_the_command_line_tells_every_call() {
    let bench = Bench::new().await;
    let body = ada().to_string();
    for (app, token) in &bench.tokens {
        let header = format!("Authorization: {}", authorization(token));
        let headers = [header.as_str(), "Content-Type: application/scim+json"];
        let url = bench.server.scim(app);
        let made = send(&url, "POST", "/Users", &headers, body.as_bytes()).await.unwrap();
        assert_eq!(made.expect(201)["userName"], ADA);
        let list = ["changes", "list", "--app", app, "--format", "json", "--db", text(&bench.db)];
        let rows = run(&list).exits(0).json();
        assert_eq!(rows[0]["state"], "applied", "{app}: {rows}");
        let number = rows[0]["change"].to_string();
        let shown = run(&["changes", "show", &number, "--db", text(&bench.db)]).exits(0).out;
        assert!(shown.contains("POST /") && shown.contains("20"), "{app}: {shown}");
        assert!(!shown.contains(PASSWORD), "{app}: {shown}");
    }
    let (code, log) = bench.server.terminate();
    assert_eq!(code, Some(0));
    let mut secrets = vec![PASSWORD.to_owned()];
    secrets.extend(bench.tokens.iter().map(|(_, token)| token.clone()));
    for (app, played) in all().iter().zip(&bench.apps) {
        assert!(log.contains(app.name), "it logs at all");
        secrets.extend(played.env().into_iter().filter(|(key, _)| *key == app.secret).map(|e| e.1));
    }
    for secret in secrets {
        assert!(!log.contains(&secret), "{secret} is in the log:\n{log}");
    }
}
