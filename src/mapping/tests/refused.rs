//! What a mapping may not say because it would have no effect.

use super::*;

#[test]
fn keys_that_would_do_nothing_are_refused() {
    for (part, instead) in [
        ("users:", "sync: { read: { before_write: on_doubt } }\nusers:"),
        ("users:", "sync: { read: { before_write: never } }\nusers:"),
    ] {
        assert_eq!(codes(&small_with(part, instead)), ["M0901"], "{instead}");
    }
    let always = small_with("users:", "sync: { read: { before_write: always } }\nusers:");
    assert_eq!(codes(&always), Vec::<&str>::new());
}

#[test]
fn a_text_names_only_what_the_resource_can_have() {
    let with = |value: &str| {
        small_with(
            "given: name.givenName",
            &format!("given: {{ scim: name.givenName, to_app: '{value}' }}"),
        )
    };
    for legal in [
        "{{user.userName}}",
        "$.user.name.givenName",
        "{{user.emails[type eq \"work\"].value}}",
        "$.user.emails[0].value",
        "{{user.password}}",
        "$.user.id",
        "$.user.externalId",
        "{{user.title}}",
        "{{user.active}}",
        "$.user",
    ] {
        assert_eq!(codes(&with(legal)), Vec::<&str>::new(), "{legal}");
    }
    for wrong in [
        "{{user.username}}",
        "$.user.name.familyName",
        "{{user.nickName}}",
        "{{user.title.x}}",
        "$.user.enterprise.department",
        "{{lower user.emails.display}}",
    ] {
        assert_eq!(codes(&with(wrong)), ["M0407"], "{wrong}");
    }
    let condition = small_with("call: POST /users,", "call: POST /users, when: user.nickName pr,");
    assert_eq!(codes(&condition), ["M0407"]);
    let source = text(&with("{{user.titel}}"));
    let found = loaded(&source).diagnostics.remove(0);
    assert_eq!(found.message, "`user` has no attribute `titel`");
    let help = found.help.unwrap();
    assert!(help.contains("did you mean `title`?") && help.contains("scim.keep"), "{help}");
}

#[test]
fn rows_of_all_pages_are_there_where_rows_are_read_and_saved() {
    let read = |keys: &str| {
        let guard = small_with("update: [ change ]", "update: [ rows, change ]");
        codes(&(guard + &format!("  rows: {{ call: GET /rows, {keys} }}\n")))
    };
    assert_eq!(read("records: \"$.body[*]\", save: { n: \"$.records[*].n\" }"), [""; 0]);
    assert_eq!(read("save: { n: \"$.records[*].n\" }"), ["M0406"], "no rows");
    assert_eq!(read("records: \"$.body[*]\", query: { n: $.records }"), ["M0406"], "too early");
}
