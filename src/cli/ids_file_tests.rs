//! Files of ids in every form that is read, and what is wrong with others.

#![allow(clippy::unwrap_used)]

use serde_json::json;

use super::*;

const ANN: &str = "019ab2c3-0000-7abc-8def-00000000000a";
const BEN: &str = "019ab2c3-0000-7abc-8def-00000000000b";

/// The rows of a file, or what is wrong with it without its folder.
fn rows(text: &str) -> Result<Vec<Option<IdRow>>, String> {
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("ids");
    std::fs::write(&file, text).unwrap();
    let mut rows = Vec::new();
    let done = read(&file, "wiki", |row| {
        rows.push(row);
        Ok(())
    });
    match done {
        Ok(()) => Ok(rows),
        Err(error) => Err(error.to_string().replace(&format!("{}:", file.display()), "")),
    }
}

fn user(line: u64, id: &str, name: &str) -> Option<IdRow> {
    Some(IdRow { line, id: id.into(), name: Some(name.into()), ..IdRow::default() })
}

fn group(line: u64, id: &str, name: &str) -> Option<IdRow> {
    Some(IdRow { group: true, ..user(line, id, name).unwrap() })
}

#[test]
fn columns_are_known_by_their_names_in_any_order_and_by_any_separator() {
    let expected = Ok(vec![user(2, ANN, "ann@corp.example"), user(3, BEN, "ben, the second")]);
    for text in [
        format!("id,userName\n{ANN},ann@corp.example\n{BEN},\"ben, the second\"\n"),
        format!("User Name;SCIM-Id\r\nann@corp.example;{ANN}\r\n\"ben, the second\";{BEN}"),
        format!(
            "\u{feff}externalId\tcredentials.userName\n{ANN}\tann@corp.example\n{BEN}\tben, the second\n"
        ),
    ] {
        assert_eq!(rows(&text), expected, "{text}");
    }
}

#[test]
fn without_a_header_the_ids_say_which_column_is_which() {
    let expected = Ok(vec![user(1, ANN, "ann"), user(3, BEN, "ben")]);
    assert_eq!(rows(&format!("ann,{ANN}\n\nben,{BEN}\n")), expected);
    assert_eq!(rows(&format!("{ANN},ann\n\n{BEN},ben")), expected);
}

#[test]
fn what_okta_gives_is_read_as_it_comes() {
    let one = |id: Value, name: &str| {
        json!({ "id": "00uOKTA", "externalId": id, "status": "ACTIVE", "scope": "USER",
                "credentials": { "userName": name }, "profile": { "email": name } })
    };
    // One who was never provisioned has no id there.
    let list = json!([one(json!(ANN), "ann"), one(json!(null), "cleo"), one(json!(BEN), "ben")]);
    let on_a_line = vec![user(1, ANN, "ann"), None, user(1, BEN, "ben")];
    assert_eq!(rows(&list.to_string()), Ok(on_a_line));
    let lines = [one(json!(ANN), "ann"), one(json!(BEN), "ben")].map(|one| one.to_string());
    assert_eq!(rows(&lines.join("\n")), Ok(vec![user(1, ANN, "ann"), user(2, BEN, "ben")]));
    // Two pages behind each other, written over several lines.
    let pages =
        format!("{:#}\n{:#}", json!([one(json!(ANN), "ann")]), json!([one(json!(BEN), "ben")]));
    let read = rows(&pages).unwrap();
    assert_eq!(read.iter().flatten().map(|row| row.id.as_str()).collect::<Vec<_>>(), [ANN, BEN]);
    assert!(read[1].as_ref().unwrap().line > 10, "{read:?}");
}

#[test]
fn an_export_of_an_earlier_journal_gives_users_and_groups_of_this_app() {
    let change = |app: &str, kind: &str, id: &str, who: &str, verb: &str, state: &str| {
        json!({ "change": 1, "app": app, "type": kind, "resource": id, "subject": who,
                "verb": verb, "state": state, "token": "t" })
        .to_string()
    };
    let lines = [
        change("wiki", "User", ANN, "ann", "create", "applied"),
        change("wiki", "Group", BEN, "Writers", "patch", "superseded"),
        change("other", "User", ANN, "ann", "create", "applied"),
        change("wiki", "User", ANN, "ann", "create", "rejected"),
        change("wiki", "User", ANN, "ann", "delete", "applied"),
    ];
    let expected = vec![user(1, ANN, "ann"), group(2, BEN, "Writers"), None, None, None];
    assert_eq!(rows(&lines.join("\n")), Ok(expected));
    let csv = format!(
        "change,app,type,resource,subject,verb,state\r\n1,wiki,User,{ANN},\"'=ann\",create,applied\r\n"
    );
    assert_eq!(rows(&csv), Ok(vec![user(2, ANN, "=ann")]));
}

#[test]
fn the_apps_own_id_and_groups_may_be_named() {
    let read = rows(&format!("scim_id,app_id\n{ANN},7\n")).unwrap();
    let row = read[0].as_ref().unwrap();
    assert_eq!((row.id.as_str(), row.app_id.as_deref(), row.group), (ANN, Some("7"), false));
    let text = format!("id,displayName\n{ANN},Writers\n");
    assert_eq!(rows(&text), Ok(vec![group(2, ANN, "Writers")]));
    let scim = json!({ "Resources": [
        { "id": ANN, "userName": "ann", "displayName": "Ann", "externalId": "00u1" },
        { "id": BEN, "displayName": "Writers", "meta": { "resourceType": "Group" } },
    ] });
    let expected = vec![user(1, ANN, "ann"), group(1, BEN, "Writers")];
    assert_eq!(rows(&scim.to_string()), Ok(expected));
}

#[test]
fn what_is_wrong_is_said_with_its_line() {
    for (text, line, words) in [
        ("name,mail\nann,x\n", 1, "no column with SCIM ids"),
        (&format!("{ANN},ann,b"), 1, "more than two columns need a header"),
        (&format!("id,userName\n{ANN}\n"), 2, "1 cells, and the first line has 2"),
        (&format!("id,userName\n{ANN},\"ann\nben,x\n"), 2, "has no end"),
        (&format!("id,userName\n{ANN},an\"n\"\n"), 2, "a quote stands inside a cell"),
        (&format!("{{\"id\":\"{ANN}\",\"userName\":\"ann\"}}\n{{\"id\":"), 2, "this is no JSON"),
        (&format!("[\n {{\"id\":\"{ANN}\"}},\n oops\n]"), 3, "this is no JSON"),
    ] {
        let said = rows(text).unwrap_err();
        assert!(said.starts_with(&format!("{line}: ")) && said.contains(words), "{text}: {said}");
    }
}

#[test]
fn batches_have_at_most_500_rows_and_what_is_refused_has_its_line() {
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("ids.csv");
    let mut text = "id,userName\n".to_owned();
    for number in 0..1_001 {
        text += &format!("019ab2c3-0000-7abc-8def-{number:012x},user{number}\n");
    }
    std::fs::write(&file, text + "nonsense,last\n").unwrap();
    let mut sizes = Vec::new();
    let told = tell(&file, "wiki", |command| {
        let Command::TellIds { app, rows } = command else { panic!("{command:?}") };
        assert_eq!(app, "wiki");
        sizes.push(rows.len());
        let last = rows.last().unwrap();
        let refused = json!([{ "line": last.line, "id": last.id, "who": last.name, "why": "no" }]);
        Ok(json!({ "remembered": rows.len() - 1, "given": 1, "known": 0, "refused": refused,
                   "waiting": 7 }))
    });
    let told = told.unwrap();
    assert_eq!(sizes, [500, 500, 2]);
    assert_eq!((told.remembered, told.given, told.waiting), (999, 3, 7));
    let last = format!("{}:1003: last: no", file.display());
    assert_eq!((told.refused.len(), &told.refused[2]), (3, &last));
}
