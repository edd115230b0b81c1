//! `diff` from outside: whom a changed mapping would change, with and without a running server.

use serde_json::{Value, json};
use tempfile::TempDir;

use super::support::http::send;
use super::support::people::{user, with_level};
use super::support::program::{Server, run};
use super::support::text::{mapping_file, mapping_text, replaced};

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_table_shows_whom_it_changes_and_calls_nothing() {
    let app = standin::apps::by_name("altr").unwrap();
    let app = standin::start(app, "127.0.0.1:0".parse().unwrap()).await.unwrap();
    let folder = TempDir::new().unwrap();
    let db = folder.path().join("bridge.db");
    let db_text = db.to_str().unwrap().to_owned();
    let environment: Vec<(String, String)> =
        app.env().into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    let server = Server::serve(&mapping_file("altr"), &db, &environment);
    let token =
        run(&["token", "create", "--app", "altr", "--quiet", "--db", &db_text]).exits(0).out;
    let header = format!("Authorization: Bearer {}", token.trim());
    let headers = [header.as_str(), "Content-Type: application/scim+json"];
    for (name, level) in
        [("george", "SUPERADMINISTRATOR"), ("=1+1", "ADMINISTRATOR"), ("dora", "DATA_CONSUMER")]
    {
        let body = with_level(user(name, "Given", "Family"), level).to_string();
        let made = send(&server.scim("altr"), "POST", "/Users", &headers, body.as_bytes()).await;
        made.unwrap().expect(201);
    }
    let calls = app.calls().len();

    let old = mapping_file("altr");
    let new = folder.path().join("new.yaml");
    let text = mapping_text("altr");
    let changed = replaced(&text, "app: SUPERADMINISTRATOR, ", "app: ADMINISTRATOR,      ");
    let changed = replaced(&changed, "app: DATA_CONSUMER, ", "app: READER,        ");
    std::fs::write(&new, &changed).unwrap();
    let arguments = ["diff", old.to_str().unwrap(), new.to_str().unwrap(), "--db", &db_text];
    let with = |more: &[&str]| run(&[&arguments[..], more].concat());
    let out = with(&[]).exits(0).out;
    for words in [
        "george (id ",
        "role: \"SUPERADMINISTRATOR\" -> \"ADMINISTRATOR\"",
        "role: \"DATA_CONSUMER\" -> \"READER\"",
        "by change",
        "people in the journal: 3; changed: 2 (values: 2); refused: 0",
    ] {
        assert!(out.contains(words), "{words} is not in\n{out}");
    }
    assert!(!out.contains("=1+1"), "who stays the same is not listed\n{out}");
    let json: Value = with(&["--format", "json"]).exits(0).json();
    assert_eq!(json["totals"], json!({ "people": 3, "changed": 2, "refused": 0, "fields": 2 }));

    // The same file changes nobody; without the server the answer is the same.
    let same =
        run(&["diff", old.to_str().unwrap(), old.to_str().unwrap(), "--db", &db_text]).exits(0);
    assert!(same.out.contains("changed: 0 (values: 0); refused: 0"), "{}", same.out);
    server.terminate();
    assert_eq!(with(&[]).exits(0).out, out);

    // A row that goes refuses whoever has its value; a call that comes is told.
    let refusing = replaced(
        &text,
        "      - { scim: ADMINISTRATOR,      app: ADMINISTRATOR,      display: Administrator }\n",
        "",
    );
    let refusing =
        replaced(&refusing, "  update:     [ change ]", "  update:     [ change, touch ]");
    let refusing = replaced(&refusing, "default: ADMINISTRATOR ", "default: DATA_CONSUMER ");
    let touch = "calls:\n  touch: { call: \"PUT /administrators/{{id}}/touch\" }\n";
    std::fs::write(&new, replaced(&refusing, "\ncalls:\n", &format!("\n{touch}"))).unwrap();
    let ran = with(&[]).exits(1);
    for words in [
        "=1+1 (id ",
        "REFUSED: ",
        "call: nothing -> touch",
        "update: change -> change, touch",
        "refused: 1",
    ] {
        assert!(ran.out.contains(words), "{words} is not in\n{}", ran.out);
    }
    let csv = with(&["--format", "csv"]).exits(1).out;
    assert!(
        csv.starts_with("user,id,field,old,new,calls,refused\n") && csv.contains("\n'=1+1,"),
        "{csv}"
    );
    assert_eq!(app.calls().len(), calls, "nothing is called");
    run(&[
        "diff",
        old.to_str().unwrap(),
        mapping_file("directory").to_str().unwrap(),
        "--db",
        &db_text,
    ])
    .exits(2);
}
