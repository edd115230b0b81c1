//! `try` from outside: the real app is looked at and never written to; what is wrong is said in words.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use standin::Running;
use tempfile::TempDir;

use super::sessions::MAPPING as PAYROLL;
use super::support::payroll::{PASSWORD, Payroll};
use super::support::program::{Ran, run, run_with};
use super::support::text::{mapping_text, replaced};

/// A played app, and a folder with a mapping for it.
struct Bench {
    app: Running,
    folder: TempDir,
    name: &'static str,
}

impl Bench {
    async fn of(name: &'static str) -> Self {
        let app = standin::apps::by_name(name).unwrap().populated();
        Self::played(name, app, &mapping_text(name)).await
    }

    async fn played(name: &'static str, app: standin::App, mapping: &str) -> Self {
        let app = standin::start(app, "127.0.0.1:0".parse().unwrap()).await.unwrap();
        let bench = Self { app, folder: TempDir::new().unwrap(), name };
        bench.write(mapping);
        bench
    }

    async fn edited(name: &'static str, old: &str, new: &str) -> Self {
        let bench = Self::of(name).await;
        bench.write(&replaced(&mapping_text(name), old, new));
        bench
    }

    fn write(&self, mapping: &str) {
        std::fs::write(self.mapping(), mapping).unwrap();
    }

    fn mapping(&self) -> PathBuf {
        self.folder.path().join(format!("{}.yaml", self.name))
    }

    fn run(&self, more: &[&str]) -> Ran {
        self.run_with(more, &[])
    }

    fn run_with(&self, more: &[&str], other: &[(&str, &str)]) -> Ran {
        let given = self.app.env();
        let mut given: Vec<(&str, &str)> = given.iter().map(|(k, v)| (*k, v.as_str())).collect();
        given.retain(|(key, _)| !other.iter().any(|(other, _)| other == key));
        given.extend(other);
        let mapping = self.mapping();
        run_with(&[&["try", text(&mapping)], more].concat(), &given)
    }

    /// The values of the app's secrets, which must be found nowhere.
    #[track_caller]
    fn keeps_secrets(&self, text: &str) {
        for (key, value) in self.app.env() {
            assert!(key.ends_with("URL") || !text.contains(&value), "{key} is shown:\n{text}");
        }
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[track_caller]
fn has(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "{word} is not in\n{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_app_is_shown_as_scim_with_what_each_attribute_came_from() {
    let bench = Bench::of("altr").await;
    let out = bench.run(&[]).exits(0).out;
    has(
        &out,
        &[
            "1. page  GET /administrators?sortBy=username&orderBy=asc&limit=50&offset=0  -> 200, ",
            "header   authorization: Basic <secret key_name>:<secret key_secret>",
            "People, one page: ",
            "from userStatus",
            "row 1 of its table",
            "Looked up by userName",
            "displayName",
            "<- shows",
            "What was tried works.",
        ],
    );
    bench.keeps_secrets(&out);
    assert!(bench.app.writes().is_empty());

    let json = bench.run(&["--format", "json"]).exits(0).json();
    let methods: Vec<&Value> =
        json["calls"].as_array().unwrap().iter().map(|call| &call["method"]).collect();
    assert_eq!(methods, ["GET", "GET", "GET"]);
    let one = &json["users"]["one"];
    let from = one["from"].as_array().unwrap();
    let name = from.iter().find(|one| one["scim"] == "userName").unwrap();
    assert_eq!(name["field"], "username");
    assert_eq!(name["raw"], one["scim"]["userName"]);
    assert_eq!(json["groups"], Value::Null);
    bench.keeps_secrets(&json.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_are_read_with_their_members_and_a_person_by_name() {
    let bench = Bench::of("directory").await;
    let user = bench.app.state()["users"][2]["login"].as_str().map(str::to_owned);
    let json = bench.run(&["--format", "json"]).exits(0).json();
    let members = json["groups"]["one"]["members"].as_array().unwrap();
    assert!(!members.is_empty(), "{json}");
    assert!(bench.app.writes().is_empty());

    let first = json["users"]["page"]["resources"][1].clone();
    let name = user.unwrap_or_else(|| first["scim"]["userName"].as_str().unwrap().to_owned());
    let json = bench.run(&["--user", &name, "--format", "json"]).exits(0).json();
    assert_eq!(json["users"]["found"]["wanted"], name);
    assert_eq!(json["users"]["one"]["scim"]["userName"], name);
    let out = bench.run(&["--user", "nobody-of-that-name"]).exits(1).out;
    has(&out, &["nobody has userName 'nobody-of-that-name'"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_name_of_an_app_is_enough_where_its_mapping_is_known() {
    let bench = Bench::of("altr").await;
    let given = bench.app.env();
    let mut given: Vec<(&str, &str)> = given.iter().map(|(k, v)| (*k, v.as_str())).collect();
    given.push(("SCIM_BRIDGE_MAPPINGS", text(bench.folder.path())));
    run_with(&["try", "altr"], &given).exits(0);
    let ran = run_with(&["try", "nobody"], &given).exits(3);
    has(&ran.err, &["no mapping of an app of that name", "SCIM_BRIDGE_MAPPINGS"]);
}

/// A call that reads and writes is refused below the plan; the control: as a call that only reads
/// the same request is made.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_may_write_is_never_made() {
    let bench = Bench::of("directory").await;
    let old = "user_read: { call: \"GET /users/{{id}}\", record: $.body }";
    let new =
        "user_read: { call: \"POST /users/{{id}}/touch\", record: $.body, if_in_doubt: resend }";
    let reads = replaced(&mapping_text("directory"), old, new);
    let writes =
        replaced(&reads, "update:     [ user_change ]", "update:     [ user_change, user_read ]");
    let posts = |bench: &Bench| bench.app.calls().iter().filter(|c| c.method == "POST").count();
    bench.write(&writes);
    let out = bench.run(&[]).exits(1).out;
    has(&out, &["call `user_read`", "may write", "a call of its own"]);
    assert_eq!(posts(&bench), 0);
    bench.write(&reads);
    bench.run(&[]).exits(1);
    assert_eq!(posts(&bench), 1, "the control");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_leads_nowhere_is_shown_with_what_is_there() {
    let text = mapping_text("altr")
        .replace("$.body.data.administrators[*]", "$.body.data.administrator[*]");
    let bench = Bench::of("altr").await;
    bench.write(&text);
    let out = bench.run(&[]).exits(1).out;
    has(
        &out,
        &[
            "call `page`: `records: $.body.data.administrator[*]` leads nowhere: $.body.data has no `administrator`",
            "$.body.data has: administrators, count",
            "did you mean `records: $.body.data.administrators[*]`?",
        ],
    );

    bench.write(&replaced(
        &mapping_text("altr"),
        "call: GET /administrators/{{id}}\n    record: $.body.data",
        "call: GET /administrators/{{id}}\n    record: $.body.dta",
    ));
    let out = bench.run(&[]).exits(1).out;
    has(
        &out,
        &["call `read`: `record: $.body.dta` leads nowhere", "did you mean `record: $.body.data`?"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_that_never_have_a_value_and_ids_that_come_twice_are_told() {
    let bench = Bench::of("altr").await;
    let text = mapping_text("altr").replace("firstName", "fristName");
    bench.write(&text);
    let out = bench.run(&[]).exits(0).out;
    has(
        &out,
        &[
            "name.givenName (from `fristName`) never had a value",
            "the app has a field `firstName`: did you mean that?",
        ],
    );
    let again = json!({ "id": 900, "username": "again", "firstName": "A", "lastName": "B",
        "email": "again@altr.example", "role": "ADMINISTRATOR", "userStatus": "active" });
    bench.app.seed("administrators", &again).unwrap();
    bench.write(&replaced(&mapping_text("altr"), "users:\n  id: id\n", "users:\n  id: role\n"));
    let out = bench.run(&[]).exits(1).out;
    has(&out, &["the same id stands in several rows", "is `id` the field"]);
    bench.write(&replaced(&mapping_text("altr"), "users:\n  id: id\n", "users:\n  id: idd\n"));
    let out = bench.run(&[]).exits(1).out;
    has(&out, &["`users.id: idd` leads nowhere", "did you mean `users.id: id`?"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_without_a_row_in_its_table_is_told() {
    let bench = Bench::edited("altr", "        - { scim: true,  app: active }\n", "").await;
    let out = bench.run(&[]).exits(0).out;
    has(&out, &["values of `userStatus` that fit no row of the table for active: \"active\""]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_address_and_a_wrong_credential_are_told_apart() {
    let bench = Bench::of("altr").await;
    let wrong = bench.run_with(&[], &[("ALTR_KEY_SECRET", "not-the-one")]).exits(1).out;
    has(
        &wrong,
        &[
            "the app refuses the bridge's own credential (401)",
            "`connect.auth` says Basic with the secret key_name and the secret key_secret",
            "sent was authorization: Basic <secret key_name>:<secret key_secret>",
            "the secret key_secret is the environment variable ALTR_KEY_SECRET",
        ],
    );
    assert!(!wrong.contains("not-the-one"), "{wrong}");
    let url = format!("{}/elsewhere", bench.app.url);
    let out = bench.run_with(&[], &[("ALTR_URL", &url)]).exits(1).out;
    has(&out, &["there is nothing at this address", "`connect.base_url` is now http://127.0.0.1:"]);
    let url = bench.app.url.replace("http://", "https://");
    let out = bench.run_with(&[], &[("ALTR_URL", &url)]).exits(3).out;
    has(&out, &["no secure connection", "does the app speak TLS 1.2 or 1.3 at that port?"]);
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let out = bench.run_with(&[], &[("ALTR_URL", &format!("http://{nobody}"))]).exits(3).out;
    has(&out, &["the app could not be reached", "is that the host and the port"]);
    assert!(out.matches("the app could not be reached").count() == 1, "said once:\n{out}");
}

/// Answers every request on a free port with these bytes.
fn answering(bytes: &'static str) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = [0; 4096];
            let _ = stream.read(&mut head).unwrap();
            stream.write_all(bytes.as_bytes()).unwrap();
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn a_web_page_and_a_redirect_are_called_what_they_are() {
    let bench = Bench::of("altr").await;
    let page = answering(
        "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\ncontent-length: 66\r\n\r\n\
         <!DOCTYPE html><html><title>Sign in \u{1b}[31m</title><body></body></html>",
    );
    let out = bench.run_with(&[], &[("ALTR_URL", &format!("http://{page}"))]).exits(1).out;
    has(&out, &["with a web page (\"Sign in ", "often a part such as /api is missing"]);
    assert!(!out.contains('\u{1b}'), "{out}");
    let moved = answering(
        "HTTP/1.1 302 Found\r\nlocation: https://elsewhere.example/login\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
    );
    let out = bench.run_with(&[], &[("ALTR_URL", &format!("http://{moved}"))]).exits(1).out;
    has(&out, &["sends us elsewhere (302): https://elsewhere.example/login", "never followed"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_is_a_test_that_passes_and_holds_no_secret() {
    for name in ["altr", "directory"] {
        let bench = Bench::of(name).await;
        let file = bench.folder.path().join(format!("{name}.recorded.test.yaml"));
        let ran = bench.run(&["--record", text(&file)]).exits(0);
        has(&ran.err, &["It holds data of real people."]);
        let recorded = std::fs::read_to_string(&file).unwrap();
        bench.keeps_secrets(&recorded);
        has(
            &recorded,
            &["recorded: a page of people", "recorded: one person", "recorded: looked up by"],
        );
        if name == "directory" {
            has(&recorded, &["recorded: a group and its members"]);
        }
        // Again without the app and its environment.
        let tested = run(&["test", text(&file)]).exits(0).out;
        has(&tested, &["0 failed"]);
        // A planted fault is caught: the recording really says what the mapping must do.
        let broken = mapping_text(name).replace("scim: userName", "scim: nickName");
        let broken = broken.replace("by: userName", "by: nickName");
        bench.write(&broken);
        run(&["test", text(&file)]).exits(1);
        bench.run(&["--record", text(&file)]).exits(2);
        bench.run(&["--record", text(&bench.folder.path().join("x.yaml"))]).exits(2);
        assert!(bench.app.writes().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_is_made_shown_and_recorded_without_what_it_gave() {
    let bench = Bench::played("payroll", Payroll::with_uses(1_000), PAYROLL).await;
    let file = bench.folder.path().join("payroll.recorded.test.yaml");
    let ran = bench.run(&["--record", text(&file)]).exits(0);
    has(
        &ran.out,
        &[
            "1. connect.auth.session.login  POST /login.do",
            "j_password",
            "<secret password>",
            "x-csrf: <secret session>",
        ],
    );
    let recorded = std::fs::read_to_string(&file).unwrap();
    for shown in [&ran.out, &recorded] {
        assert!(!shown.contains(PASSWORD) && !shown.contains("only-for-the-bridge"), "{shown}");
    }
    has(&recorded, &["POST /login.do", "secret session"]);
    run(&["test", text(&file)]).exits(0);
    assert_eq!(bench.app.state()["logouts"], json!(1));
}
