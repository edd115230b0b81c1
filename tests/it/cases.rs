//! `test` and `explain` from outside: the cases of every mapping pass, and what is planted is caught.

use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::support::program::{Ran, run};
use super::support::text::{mapping_file, repository};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A copy of a shipped mapping with its cases, changed.
fn changed(app: &str, change: impl Fn(&str) -> String, cases: impl Fn(&str) -> String) -> TempDir {
    let folder = TempDir::new().unwrap();
    let file = mapping_file(app);
    let read = |path: &Path| std::fs::read_to_string(path).unwrap();
    let write =
        |name: String, text: String| std::fs::write(folder.path().join(name), text).unwrap();
    write(format!("{app}.yaml"), change(&read(&file)));
    write(format!("{app}.test.yaml"), cases(&read(&file.with_extension("test.yaml"))));
    folder
}

fn same(text: &str) -> String {
    text.to_owned()
}

#[track_caller]
fn swapped(text: &str, old: &str, new: &str) -> String {
    assert!(text.contains(old), "{old} stands there");
    text.replacen(old, new, 1)
}

fn test(folder: &TempDir) -> Ran {
    run(&["test", text(folder.path())])
}

#[test]
fn the_cases_of_every_mapping_pass_and_leave_nothing_out() {
    let mappings = repository().join("mappings");
    let ran = run(&["test", "--coverage", "100", text(&mappings)]).exits(0);
    for file in std::fs::read_dir(&mappings).unwrap() {
        let folder = file.unwrap().path();
        let Some(name) = folder.file_name().filter(|_| folder.is_dir()) else { continue };
        let cases = format!("{}.test.yaml", name.to_str().unwrap());
        assert!(ran.out.contains(&cases), "{cases} was run\n{}", ran.out);
    }
    assert!(!ran.out.contains("\n  never "), "{}", ran.out);
}

#[test]
fn mappings_of_other_shapes_pass_their_cases() {
    run(&["test", "--coverage", "100", text(&repository().join("tests/mappings"))]).exits(0);
}

/// The control: one planted fault in the mapping, and the case that sees it says where.
#[test]
fn a_fault_in_the_mapping_is_caught_and_shown_beside_what_was_expected() {
    let folder =
        changed("altr", |m| swapped(m, "default: ADMINISTRATOR", "default: DATA_CONSUMER"), same);
    let out = test(&folder).exits(1).out;
    assert!(out.contains("FAILED  without a level somebody becomes an administrator"), "{out}");
    assert!(out.contains("- body.role: \"ADMINISTRATOR\""), "{out}");
    assert!(out.contains("+ body.role: \"DATA_CONSUMER\""), "{out}");
    assert!(out.contains("altr.test.yaml:"), "{out}");
}

#[test]
fn a_call_too_many_one_too_few_and_another_answer_are_caught() {
    let few = |cases: &str| {
        swapped(cases, "reply: crash\n      - call: GET", "reply: crash\n      - call: DELETE")
    };
    let out = test(&changed("altr", same, few)).exits(1).out;
    assert!(out.contains("- method: DELETE") && out.contains("+ method: GET"), "{out}");

    let told = |cases: &str| swapped(cases, "answer: { status: 404 }", "answer: { status: 200 }");
    let out = test(&changed("altr", same, told)).exits(1).out;
    assert!(out.contains("- status: 200") && out.contains("+ status: 404"), "{out}");

    let find = |mapping: &str| {
        swapped(mapping, "if_in_doubt: find                       #", "if_in_doubt: stop #")
    };
    let out = test(&changed("altr", find, same)).exits(1).out;
    assert!(out.contains("was expected and not made"), "{out}");
}

#[test]
fn a_look_that_comes_too_early_is_caught() {
    let early = |cases: &str| {
        swapped(
            cases,
            "      - call: POST /administrators                   # at once",
            "      - after: settle\n      - call: POST /administrators  # at once",
        )
    };
    let out = test(&changed("altr", same, early)).exits(1).out;
    assert!(out.contains("it came before the settle time"), "{out}");
}

#[test]
fn mistakes_in_a_test_file_are_shown_at_their_line() {
    let wrong = |cases: &str| swapped(cases, "reply: timeout", "reply: timeuot");
    let ran = test(&changed("altr", same, wrong)).exits(1);
    assert!(ran.out.contains("did you mean `timeout`?"), "{}", ran.out);
    assert!(ran.out.contains("mistakes: 1, files: 1"), "{}", ran.out);

    let vars =
        |cases: &str| swapped(cases, "for: altr.yaml", "for: altr.yaml\nvars: { altr_ulr: x }");
    let out = test(&changed("altr", same, vars)).exits(1).out;
    assert!(out.contains("did you mean `altr_url`?"), "{out}");
}

#[test]
fn what_no_case_exercises_is_listed_and_can_be_demanded() {
    let more = |mapping: &str| {
        let paths = "error_text: [ $.body.data.message, $.body.dta.message ]";
        let mapping = swapped(mapping, "error_text: [ $.body.data.message ]", paths);
        format!("{mapping}  - {{ status: 418, is: rejected }}\n")
    };
    let folder = changed("altr", more, same);
    let file = folder.path().join("altr.yaml");
    let ran = run(&["test", text(&file)]).exits(0);
    assert!(ran.out.contains("never met: status 418: rejected"), "{}", ran.out);
    assert!(
        ran.out.contains("never found anything: error_text: $.body.dta.message"),
        "{}",
        ran.out
    );
    run(&["test", "--coverage", "100", text(&file)]).exits(1);
    let json = run(&["test", "--format", "json", text(&file)]).exits(0).json();
    assert_eq!(json["failed"], 0);
    assert_eq!(json["files"][0]["coverage"]["never_met"][0]["what"], "status 418: rejected");
}

#[test]
fn failures_and_mistakes_are_told_to_editors_with_their_line() {
    let wrong = |cases: &str| swapped(cases, "for: altr.yaml", "for: altr.yaml\nvasr: {}");
    let folder = changed("altr", same, wrong);
    let json = run(&["test", "--format", "json", text(folder.path())]).exits(1).json();
    let found = json["diagnostics"].as_array().unwrap();
    let key = found.iter().find(|d| d["code"] == "M0201").unwrap_or_else(|| panic!("{json}"));
    assert_eq!((&key["suggestion"], &key["severity"]), (&json!("vars"), &json!("error")));
    assert_eq!((&key["column"], &key["end_column"]), (&json!(1), &json!(5)));

    let wrong = |cases: &str| {
        let cases = swapped(cases, "test: deactivated", "test: deactivated ünd");
        swapped(&cases, "body: { userStatus: disabled }", "body: { userStatus: \"off\" }")
    };
    let folder = changed("altr", same, wrong);
    let json = run(&["test", "--format", "json", text(folder.path())]).exits(1).json();
    assert_eq!(json["failed"], json!(json["diagnostics"].as_array().unwrap().len()));
    let one = &json["diagnostics"][0];
    assert!(one["message"].as_str().unwrap().starts_with("deactivated ünd: "), "{one}");
    assert_eq!((&one["code"], &one["severity"]), (&json!("test"), &json!("error")));
    let file = std::fs::read_to_string(folder.path().join("altr.test.yaml")).unwrap();
    let line = one["line"].as_u64().unwrap() as usize;
    let near = file.lines().take(line + 2).skip(line.saturating_sub(3)).collect::<String>();
    assert!(near.contains("off"), "{one}\n{near}");
    assert!(one["file"].as_str().unwrap().ends_with("altr.test.yaml"));
}

#[test]
fn some_of_the_tests_can_be_chosen() {
    let file = mapping_file("altr");
    let json =
        run(&["test", "--only", "deactivated", "--format", "json", text(&file)]).exits(0).json();
    let names: Vec<&Value> =
        json["files"][0]["tests"].as_array().unwrap().iter().map(|t| &t["name"]).collect();
    assert!(names.contains(&&json!("deactivated")) && names.len() < 5, "{names:?}");
    let ran = run(&["test", "--only", "no such test", text(&file)]).exits(1);
    assert!(ran.err.contains("no test has 'no such test'"), "{}", ran.err);
    run(&["test", text(&repository().join("docs"))]).exits(3);
}

#[test]
fn control_characters_of_a_test_file_do_not_reach_the_terminal() {
    let hostile = |cases: &str| {
        let cases = swapped(cases, "test: deactivated", "test: \"deactivated \\e[2J\"");
        swapped(&cases, "body: { userStatus: disabled }", "body: { userStatus: \"\\e]0;x\" }")
    };
    let out = test(&changed("altr", same, hostile)).exits(1).out;
    assert!(out.contains("FAILED  deactivated"), "{out}");
    assert!(!out.contains('\u{1b}'), "{out}");
}

#[test]
fn explain_shows_the_calls_of_a_request_and_why_each_is_made_or_not() {
    let file = mapping_file("altr");
    let out = run(&["explain", text(&file), "create", "user"]).exits(0).out;
    for words in [
        "1. search  GET /administrators?username=iris.okafor&",
        "header   authorization: Basic {secret: key_name}:{secret: key_secret}",
        "2. add  POST /administrators",
        "role: nothing -> \"ADMINISTRATOR\"",
        "body.data.message co \"already exists\" (conflict): it stops; Okta gets 409 uniqueness",
        "it looks first",
        "Okta is told 201",
    ] {
        assert!(out.contains(words), "{words}\n{out}");
    }
    let json =
        run(&["explain", "--format", "json", text(&file), "deactivate", "user"]).exits(0).json();
    let steps = json["steps"].as_array().unwrap();
    let made: Vec<_> =
        steps.iter().filter(|s| s["made"] == true).map(|s| s["call"].as_str().unwrap()).collect();
    assert_eq!(made, ["read", "disable", "read"]);
    assert_eq!(steps[1]["body"], json!({ "userStatus": "disabled" }));
    let skipped: Vec<_> = steps.iter().filter(|s| s["made"] == false).collect();
    assert_eq!(skipped[0]["call"], "change");
    assert_eq!(json["answer"]["status"], 200);
    for words in ["update user", "reactivate user", "delete user"] {
        let words: Vec<&str> = words.split(' ').collect();
        run(&[&["explain", text(&file)], words.as_slice()].concat()).exits(0);
    }
}

#[test]
fn explain_shows_what_follows_a_call_and_no_random_value() {
    let file = repository().join("tests/mappings/hosting.yaml");
    let explained = |words: &[&str]| run(&[&["explain", text(&file)], words].concat()).exits(0).out;
    let created = explained(&["create", "user"]);
    for words in ["\"<random>\"", "by_mail  GET /people?like=", "is not done until this says so"] {
        assert!(created.contains(words), "{words}\n{created}");
    }
    assert_eq!(created.matches("POST /invitations").count(), 1, "{created}");
    let updated = explained(&["update", "user"]);
    assert!(updated.contains("if-match: \"1\""), "{updated}");
    let deleted = explained(&["delete", "user"]);
    assert!(deleted.contains("404: it is done"), "{deleted}");
    let file = repository().join("tests/mappings/registry.yaml");
    let created = run(&["explain", text(&file), "create", "user"]).exits(0).out;
    assert!(created.contains("idempotency-key: <key>"), "{created}");
}

#[test]
fn explain_takes_a_request_and_a_record_from_files() {
    let folder = TempDir::new().unwrap();
    let write = |name: &str, value: Value| {
        let path = folder.path().join(name);
        std::fs::write(&path, value.to_string()).unwrap();
        path
    };
    let body = write("body.json", json!({ "userName": "tom", "password": "hunter2-secret" }));
    let current = write("current.json", json!({ "id": "u7", "login": "tom", "active": true }));
    let file = mapping_file("directory");
    let base = ["explain", text(&file), "POST", "/Users", "--body", text(&body)];
    let out = run(&base).exits(0).out;
    assert!(out.contains("user_add  POST /users"), "{out}");
    assert!(!out.contains("hunter2"), "{out}");
    let taken = run(&[&base[..], &["--current", text(&current)]].concat()).exits(0).out;
    assert!(taken.contains("Okta is told 409"), "{taken}");

    for words in [
        ["add", "member"],
        ["remove", "member"],
        ["rename", "group"],
        ["create", "group"],
        ["delete", "group"],
    ] {
        run(&["explain", text(&file), words[0], words[1]]).exits(0);
    }
    let ran = run(&["explain", text(&file), "crate", "user"]).exits(2);
    assert!(ran.err.contains("create, update"), "{}", ran.err);
    let ran = run(&["explain", text(&file), "PATCH", "/Users/u7"]).exits(2);
    assert!(ran.err.contains("--body"), "{}", ran.err);
}

#[test]
fn what_never_touch_asks_beside_the_table_protects_no_example() {
    let groups = "groups:\n  id: id\n";
    for (part, guard) in [
        (groups, "current.kind eq \"system\""),
        (groups, "current.owner.kind ne \"team\" or record.locked pr"),
        ("users:\n  id: id\n", "current.kind eq \"root\" or not (record.person eq true)"),
    ] {
        let guarded = format!("{part}  never_touch: {guard}\n");
        let folder = changed("directory", |text| swapped(text, part, &guarded), same);
        let file = folder.path().join("directory.yaml");
        for words in ["rename group", "add member", "remove member", "delete group", "update user"]
        {
            let out = run(&["explain", text(&file), words]).exits(0).out;
            assert!(!out.contains("Okta is told 404"), "{words}: {guard}\n{out}");
        }
    }
}

#[test]
fn explain_follows_a_membership_to_the_members_record() {
    let told = |app: &str, words: &str| {
        let file = repository().join(format!("tests/mappings/{app}.yaml"));
        let ran = run(&["explain", "--format", "json", text(&file), words]).exits(0);
        let json = ran.json();
        let steps = json["steps"].as_array().cloned().unwrap_or_default();
        let made = steps.into_iter().filter(|step| step["target"].is_string());
        made.map(|step| {
            let body = step["body"].as_object().map(|_| format!(" {}", step["body"]));
            let (method, target) = (step["method"].as_str(), step["target"].as_str());
            format!("{} {}{}", method.unwrap(), target.unwrap(), body.unwrap_or_default())
        })
        .collect::<Vec<_>>()
    };
    let read = "GET /people/USER-ID";
    let level = |level: u32| format!("PATCH /people/USER-ID {{\"level\":{level}}}");
    assert_eq!(told("levels", "add member"), ["GET /departments", read, &level(90)]);
    assert_eq!(told("levels", "remove member"), ["GET /departments", read, &level(10)]);
    let grant = "PUT /rights/orders/USER-ID {\"may\":\"write\",\"name\":\"iris.okafor\"}";
    assert_eq!(told("rights", "add member"), [read, grant, read]);
    assert_eq!(told("rights", "remove member"), [read, "DELETE /rights/orders/USER-ID", read]);
    // `Public` alone is the row's default: no group, so it goes with the first one.
    let roles = "PATCH /people/USER-ID {\"roles\":[{\"name\":\"An example\"}]}";
    let role = "GET /roles/ID";
    assert_eq!(told("roles", "add member"), [role, read, roles, role]);
}

#[test]
fn explain_logs_in_first_where_the_app_wants_a_login() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("payroll.yaml");
    let oauth2 = |text: &str| {
        let begin = text.find("    session:\n").unwrap();
        let end = text.find("sync:").unwrap();
        let login = "    oauth2: { token_url: \"https://app.example/token\", client_id: bridge, client_secret: { secret: password } }\n";
        format!("{}{login}{}", &text[..begin], &text[end..])
    };
    let json = |text: &str| text.replace("  sends: xml\n  reads: xml\n", "");
    let session = json(super::sessions::MAPPING);
    for (login, mapping) in [("/login.do", session.clone()), ("/token", oauth2(&session))] {
        std::fs::write(&file, mapping).unwrap();
        let out = run(&["explain", text(&file), "create", "user"]).exits(0).out;
        let at = |words: &str| out.find(words).unwrap_or_else(|| panic!("{words}\n{out}"));
        assert!(at(&format!("POST {login}")) < at("search  GET /employees"), "{out}");
        assert!(at("search  GET /employees") < at("add  POST /employees"), "{out}");
        assert_eq!(out.matches(login).count(), 1, "once: {out}");
        assert!(!out.contains("password="), "{out}");
    }
}
