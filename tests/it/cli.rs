//! The program from outside: commands, exit codes, what is printed where.

use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::support::http::send;
use super::support::people::{PASSWORD, george};
use super::support::program::{Server, program, run, run_with};
use super::support::text::{mapping_file, mapping_text, replaced, repository};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A folder with a mapping and a place for a journal, and an app that is played.
struct Bench {
    folder: TempDir,
    app: standin::Running,
}

impl Bench {
    async fn new() -> Self {
        let app = standin::apps::by_name("altr").unwrap();
        let app = standin::start(app, "127.0.0.1:0".parse().unwrap()).await.unwrap();
        Self { folder: TempDir::new().unwrap(), app }
    }

    fn db(&self) -> std::path::PathBuf {
        self.folder.path().join("bridge.db")
    }

    fn serve(&self) -> Server {
        let environment: Vec<(String, String)> =
            self.app.env().into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        Server::serve(&mapping_file("altr"), &self.db(), &environment)
    }

    fn token(&self) -> String {
        let db = self.db();
        let made = run(&["token", "create", "--app", "altr", "--quiet", "--db", text(&db)]);
        made.exits(0).out.trim().to_owned()
    }
}

#[test]
fn check_is_content_with_the_mappings_that_come_along() {
    for app in standin::apps::names() {
        let file = mapping_file(app);
        run(&["check", text(&file)]).exits(0);
        let json = run(&["check", "--format", "json", text(&file)]).exits(0).json();
        assert_eq!(json, json!({ "files": 1, "mistakes": 0, "warnings": 0, "diagnostics": [] }));
    }
    run(&["check", text(mapping_file("altr").parent().unwrap().parent().unwrap())]).exits(0);
}

#[test]
fn schema_prints_what_editors_are_given() {
    let docs = repository().join("docs");
    for (arguments, file) in [
        (&["schema"][..], "mapping.schema.json"),
        (&["schema", "--tests"], "mapping.test.schema.json"),
    ] {
        let ran = run(arguments).exits(0);
        assert!(ran.out == std::fs::read_to_string(docs.join(file)).unwrap(), "{file}");
    }
    let tables = run(&["schema", "--tables"]).exits(0).out;
    assert!(
        tables.contains("## connect\n") && tables.contains("| `base_url` | VALUE | **Required.** ")
    );
    run(&["schema", "--tests", "--tables"]).exits(0);
}

#[test]
fn check_names_every_mistake_with_its_place_and_what_to_write() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("bad.yaml");
    let bad = replaced(&mapping_text("altr"), "immutable: refuse", "immutabel: refuse");
    let bad = replaced(&bad, "deactivate: [ disable ]", "deactivate: [ disabel ]");
    std::fs::write(&file, &bad).unwrap();
    let line_of = |word: &str| 1 + bad.lines().position(|line| line.contains(word)).unwrap();

    let shown = run(&["check", text(&file)]).exits(1);
    for words in ["bad.yaml:", "immutabel", "immutable", "disabel"] {
        assert!(shown.out.contains(words), "{words} is not in {}", shown.out);
    }
    let found = run(&["check", "--format", "json", text(&file)]).exits(1).json();
    assert_eq!((&found["files"], &found["mistakes"]), (&json!(1), &json!(2)), "{found}");
    assert_eq!(found["warnings"], 0, "{found}");
    for (word, code, instead) in
        [("immutabel", "M0201", "immutable"), ("disabel", "M0301", "disable")]
    {
        let line = bad.lines().nth(line_of(word) - 1).unwrap();
        let column = 1 + line.find(word).unwrap();
        let about = |d: &&Value| d["line"] == line_of(word);
        let diagnostic = found["diagnostics"].as_array().unwrap().iter().find(about);
        let diagnostic = diagnostic.unwrap_or_else(|| panic!("nothing about {word}: {found}"));
        let keys: Vec<&String> = diagnostic.as_object().unwrap().keys().collect();
        let all = [
            "code",
            "severity",
            "file",
            "line",
            "column",
            "end_line",
            "end_column",
            "message",
            "help",
            "suggestion",
        ];
        assert_eq!(keys, all);
        assert_eq!(diagnostic["severity"], "error");
        assert_eq!(diagnostic["code"], code, "{diagnostic}");
        assert!(diagnostic["file"].as_str().unwrap().ends_with("bad.yaml"));
        // The word as an editor marks and replaces it.
        assert_eq!(diagnostic["column"], column, "{diagnostic}");
        assert_eq!(diagnostic["end_line"], line_of(word), "{diagnostic}");
        assert_eq!(diagnostic["end_column"], column + word.len(), "{diagnostic}");
        assert_eq!(diagnostic["suggestion"], instead, "{diagnostic}");
    }
}

/// What a finding offers is right: a file with all of it put in has fewer mistakes.
#[test]
fn suggestions_put_in_mend_the_file() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("bad.yaml");
    let bad = replaced(&mapping_text("altr"), "immutable: refuse", "immutabel: refuse");
    let bad = replaced(&bad, "deactivate: [ disable ]", "deactivate: [ disabel ]");
    std::fs::write(&file, &bad).unwrap();
    let found = run(&["check", "--format", "json", text(&file)]).exits(1).json();
    let mut lines: Vec<Vec<char>> = bad.lines().map(|line| line.chars().collect()).collect();
    for one in found["diagnostics"].as_array().unwrap() {
        let number = |key: &str| one[key].as_u64().unwrap() as usize - 1;
        if let Some(instead) = one["suggestion"].as_str() {
            let place = number("column")..number("end_column");
            lines[number("line")].splice(place, instead.chars());
        }
    }
    let lines: Vec<String> = lines.into_iter().map(|line| line.into_iter().collect()).collect();
    std::fs::write(&file, lines.join("\n") + "\n").unwrap();
    run(&["check", text(&file)]).exits(0);
}

#[test]
fn exit_codes_tell_findings_from_wrong_usage_and_from_the_machine() {
    let folder = TempDir::new().unwrap();
    let nowhere = folder.path().join("nowhere.db");
    run(&["check", text(&folder.path().join("none.yaml"))]).exits(3);
    run(&["no-such-command"]).exits(2);
    run(&["token", "create"]).exits(2);
    run(&["demo", "--app", "no-such-app"]).exits(2);
    run(&["token", "list", "--db", text(&nowhere)]).exits(3);
    assert!(!nowhere.exists(), "a command that reads makes no journal");
    run(&["health", "--admin", "127.0.0.1:1"]).exits(3);
    run(&["--help"]).exits(0);
    run(&["--version"]).exits(0);
}

#[test]
fn serve_does_not_start_without_its_secrets_and_says_which() {
    let folder = TempDir::new().unwrap();
    let db = folder.path().join("bridge.db");
    let mapping = mapping_file("altr");
    let arguments = ["serve", text(&mapping), "--db", text(&db)];
    let given = [("ALTR_URL", "http://127.0.0.1:9/api"), ("ALTR_KEY_NAME", "x")];
    let ran = run_with(&arguments, &given).exits(1);
    assert!(ran.err.contains("ALTR_KEY_SECRET") && ran.err.contains("altr.yaml:"), "{}", ran.err);
}

#[test]
fn every_option_of_serve_is_an_environment_variable_too() {
    let folder = TempDir::new().unwrap();
    let db = folder.path().join("elsewhere.db");
    let given = [
        ("SCIM_BRIDGE_MAPPINGS", "/some/mappings"),
        ("SCIM_BRIDGE_DB", text(&db)),
        ("SCIM_BRIDGE_KEY_FILE", "/some/key"),
        ("SCIM_BRIDGE_LISTEN", "127.0.0.1:4711"),
        ("SCIM_BRIDGE_ADMIN_LISTEN", "127.0.0.1:4712"),
        ("SCIM_BRIDGE_TLS_CERT", "/some/cert"),
        ("SCIM_BRIDGE_TLS_KEY", "/some/private"),
        ("SCIM_BRIDGE_PUBLIC_URL", "https://scim.corp.example"),
        ("SCIM_BRIDGE_TRUST_PROXY", "10.1.0.0/16"),
        ("SCIM_BRIDGE_READY_FILE", "/some/ready"),
        ("SCIM_BRIDGE_KEEP", "31d"),
        ("SCIM_BRIDGE_KEEP_BODIES", "32d"),
        ("SCIM_BRIDGE_KEEP_ACCESS", "33d"),
    ];
    let printed = run_with(&["serve", "--print-config"], &given).exits(0).out;
    for (name, value) in given {
        assert!(printed.contains(value), "{name} has no effect: {printed}");
    }
    assert!(!db.exists(), "it only prints");
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_made_with_and_without_a_running_server() {
    let bench = Bench::new().await;
    let db = bench.db();
    let server = bench.serve();
    let made = run(&["token", "create", "--app", "altr", "--label", "okta", "--db", text(&db)]);
    let made = made.exits(0);
    assert!(made.out.contains(&server.scim("altr")), "the base URL to paste: {}", made.out);
    assert_eq!(made.out.matches("scb_").count(), 1);
    let again = run(&["token", "create", "--app", "altr", "--db", text(&db)]).exits(1);
    assert!(again.err.contains("revoke"), "{}", again.err);
    assert_eq!(server.terminate().0, Some(0));

    let list = || run(&["token", "list", "--db", text(&db), "--format", "json"]).exits(0).json();
    let id = list()[0]["id"].as_str().unwrap().to_owned();
    run(&["token", "revoke", &id, "--app", "altr", "--db", text(&db)]).exits(0);
    assert_eq!(list()[0]["state"], "revoked");
    let token = bench.token();
    let server = bench.serve();
    let header = format!("Authorization: Bearer {token}");
    let answer = send(&server.scim("altr"), "GET", "/Users?count=1", &[&header], b"").await;
    answer.unwrap().expect(200);
    run(&["token", "create", "--app", "nobody", "--db", text(&db)]).exits(1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_is_switched_with_and_without_a_running_server() {
    let bench = Bench::new().await;
    let db = bench.db();
    let environment = bench.app.env();
    let environment: Vec<(&str, &str)> =
        environment.iter().map(|(key, value)| (*key, value.as_str())).collect();
    let switch = |word: &str, environment: &[(&str, &str)]| {
        run_with(&["app", word, "altr", "--db", text(&db)], environment)
    };
    let modes = || -> Vec<String> {
        bench.app.writes().iter().map(|call| call.body["mode"].to_string()).collect()
    };
    let server = bench.serve();
    let header = format!("Authorization: Bearer {}", bench.token());
    let list = async |server: &Server| {
        send(&server.scim("altr"), "GET", "/Users?count=1", &[&header], b"").await.unwrap()
    };
    // The server has the secrets.
    switch("disable", &[]).exits(0);
    list(&server).await.expect_error(403);
    switch("enable", &[]).exits(0);
    list(&server).await.expect(200);
    server.terminate();

    let told = switch("disable", &[]).exits(1).err;
    assert!(told.contains("is disabled") && told.contains("ALTR_URL"), "{told}");
    switch("disable", &environment).exits(0);
    let server = bench.serve();
    list(&server).await.expect_error(403);
    server.terminate();
    let told = switch("enable", &environment[..1]).exits(1).err;
    assert!(told.contains("altr.yaml"), "{told}");
    let apps = run(&["app", "list", "--format", "json", "--db", text(&db)]).exits(0).json();
    assert_eq!(apps[0]["enabled"], false);
    switch("enable", &environment).exits(0);
    let shown = run(&["app", "list", "--db", text(&db)]).exits(0).out;
    assert!(shown.contains("enabled") && shown.contains("close_manual"), "{shown}");
    let server = bench.serve();
    list(&server).await.expect(200);
    let (manual, external) = ("\"manual\"".to_owned(), "\"external\"".to_owned());
    assert_eq!(modes(), [manual.clone(), external.clone(), manual, external]);
    run(&["app", "disable", "nobody", "--db", text(&db)]).exits(1);
}

/// COM-22: the command line shows each change with its calls and their status.
#[tokio::test(flavor = "multi_thread")]
async fn changes_are_printed_for_people_and_for_programs() {
    let bench = Bench::new().await;
    let db = bench.db();
    let server = bench.serve();
    let header = format!("Authorization: Bearer {}", bench.token());
    let body = george().to_string();
    let headers = [header.as_str(), "Content-Type: application/scim+json"];
    let made = send(&server.scim("altr"), "POST", "/Users", &headers, body.as_bytes()).await;
    made.unwrap().expect(201);
    let rows = run(&["changes", "list", "--format", "json", "--db", text(&db)]).exits(0).json();
    let number = rows[0]["change"].to_string();
    let table = run(&["changes", "list", "--db", text(&db)]).exits(0).out;
    assert!(table.contains("applied") && table.contains("create"), "{table}");
    let shown = run(&["changes", "show", &number, "--db", text(&db)]).exits(0).out;
    assert!(shown.contains("POST /administrators") && shown.contains("201"), "{shown}");
    run(&["changes", "show", "99999", "--db", text(&db)]).exits(1);
    run(&["changes", "list", "--state", "nonsense", "--db", text(&db)]).exits(2);

    server.terminate();
    let after = run(&["changes", "show", &number, "--db", text(&db)]).exits(0).out;
    assert_eq!(after, shown, "the same without a server");
}

/// COM-17: a password is not logged either.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_secret_is_logged_even_at_the_finest_level() {
    let bench = Bench::new().await;
    let server = bench.serve();
    let token = bench.token();
    let header = format!("Authorization: Bearer {token}");
    let headers = [header.as_str(), "Content-Type: application/scim+json"];
    let body = george().to_string();
    let made = send(&server.scim("altr"), "POST", "/Users", &headers, body.as_bytes()).await;
    made.unwrap().expect(201);
    let wrong = format!("Authorization: Bearer {token}x");
    let refused = send(&server.scim("altr"), "GET", "/Users", &[&wrong], b"").await;
    refused.unwrap().expect_error(401);
    let (code, log) = server.terminate();
    assert_eq!(code, Some(0));
    assert!(log.contains("/administrators") || log.contains("call"), "it logs at all: {log}");
    for secret in [token.as_str(), PASSWORD, "s3cret-a"] {
        assert!(!log.contains(secret), "{secret} is in the log:\n{log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_server_on_one_journal_is_refused_with_the_firsts_pid() {
    let bench = Bench::new().await;
    let server = bench.serve();
    let db = bench.db();
    let mapping = mapping_file("altr");
    let environment = bench.app.env();
    let environment: Vec<(&str, &str)> =
        environment.iter().map(|(k, v)| (*k, v.as_str())).collect();
    let arguments = [
        "serve",
        text(&mapping),
        "--db",
        text(&db),
        "--listen",
        "127.0.0.1:0",
        "--admin-listen",
        "127.0.0.1:0",
    ];
    let second = run_with(&arguments, &environment).exits(3);
    assert!(second.err.contains(&server.pid().to_string()), "{}", second.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn health_asks_the_running_server() {
    let bench = Bench::new().await;
    let server = bench.serve();
    let admin = server.admin();
    run(&["health", "--admin", &admin]).exits(0);
    run(&["health", "--ready", "--admin", &admin]).exits(0);
    run_with(&["health"], &[("SCIM_BRIDGE_ADMIN_LISTEN", &admin)]).exits(0);
    server.terminate();
    run(&["health", "--admin", &admin]).exits(3);
}

#[tokio::test]
async fn demo_is_ready_to_be_tried_and_shows_what_happens() {
    let folder = TempDir::new().unwrap();
    let mut command = program();
    command.args(["demo", "--listen", "127.0.0.1:0"]);
    let server = Server::start(command, &folder.path().join("ready.json"));
    let token = server.ready["token"].as_str().expect("the ready file has the token").to_owned();
    assert!(server.ready["app_url"].is_string() && server.ready["admin"].is_string());
    let header = format!("Authorization: Bearer {token}");
    let base = server.scim("altr");
    let list = send(&base, "GET", "/Users?startIndex=1&count=2", &[&header], b"").await.unwrap();
    assert_eq!(list.expect(200)["itemsPerPage"], 2);
    let headers = [header.as_str(), "Content-Type: application/scim+json"];
    let mut body = george();
    body["title"] = json!("\u{1b}[31mred\u{7}");
    let made = send(&base, "POST", "/Users", &headers, body.to_string().as_bytes()).await.unwrap();
    made.expect(201);
    let (code, shown) = server.terminate();
    assert_eq!(code, Some(0), "{shown}");
    for words in [base.as_str(), "curl ", "SCIM POST", "POST /administrators"] {
        assert!(shown.contains(words), "{words} is not in {shown}");
    }
    assert!(
        !shown.contains('\u{1b}') && !shown.contains('\u{7}'),
        "control characters are escaped"
    );
    assert!(!shown.contains(PASSWORD), "{shown}");
}
