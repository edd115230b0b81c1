//! What texts give, and that no value can change what they are.
#![allow(clippy::unwrap_used)]

use super::*;
use serde_json::json;

fn roots() -> Roots {
    Roots::new().with(
        "user",
        json!({
            "userName": "Ann.Lee@x.example", "n": 7, "on": true, "none": null,
            "name": { "familyName": "Lee", "givenName": "Ann" },
            "emails": [{ "value": "a" }], "list": ["x", "y"], "evil": "{{user.n}}"
        }),
    )
}

fn text(template: &str) -> Option<String> {
    Template::compile(template).unwrap().render(&roots())
}

#[test]
fn texts_join_their_parts() {
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(text("{{user.name.familyName}}, {{left user.name.givenName 1}}."), some("Lee, A."));
    assert_eq!(text("{{lower (before user.userName \"@\")}}"), some("ann.lee"));
    assert_eq!(text("{{ user.n }}/{{user.on}}"), some("7/true"));
    assert_eq!(text("{{user.emails[0].value}}"), some("a"));
    assert_eq!(text("{{replace user.userName '@' ' at '}}"), some("Ann.Lee at x.example"));
}

#[test]
fn a_missing_null_list_or_object_part_makes_the_whole_text_missing() {
    for part in ["user.nobody", "user.none", "user.list", "user.name", "lower user.nobody"] {
        assert_eq!(text(&format!("a {{{{{part}}}}}")), None, "{part}");
    }
}

#[test]
fn say_never_fails() {
    let say = |t: &str| Template::compile(t).unwrap().render_leniently(&roots());
    assert_eq!(say("A: {{user.list}}!"), "A: x; y!");
    assert_eq!(say("A: {{user.nobody}}!"), "A: !");
}

#[test]
fn what_a_value_holds_is_never_parsed() {
    assert_eq!(text("{{user.evil}}"), Some("{{user.n}}".to_owned()));
}

#[test]
fn values_with_the_signs_of_the_language_are_inert() {
    for evil in [
        "{{user.n}}",
        "{{{user.n}}}",
        "{{#if x}}",
        "}}{{lower",
        "{{> x}}",
        "\\{{x}}",
        "a\"b'c",
        "<&>",
        "{{!x}}",
        "p0",
        "\n {{p0}}",
        "$.user.n",
        "~}}",
        "]['",
    ] {
        let roots = Roots::new().with("user", json!({ "e": evil, "i": "I" }));
        let render = |text: &str| Template::compile(text).unwrap().render(&roots);
        assert_eq!(render("{{user.e}}").as_deref(), Some(evil));
        assert_eq!(render("<{{user.e}}|{{user.i}}>"), Some(format!("<{evil}|I>")));
        assert_eq!(render("{{trim (replace user.e \"\u{1}\" \"\")}}"), Some(evil.trim().into()));
        assert_eq!(render("{{replace \"x\" \"x\" user.e}}").as_deref(), Some(evil));
    }
}

#[test]
fn what_stands_around_is_taken_as_it_is() {
    for (before, after) in [
        ("  ", "  "),
        ("\n", "\n"),
        ("\\", "\\"),
        ("DOM\\\\", " }"),
        ("\\\\\\ ", "}"),
        ("\t\n ", "\r\n"),
        ("&<\"", "'>"),
        ("~", "~"),
        ("-- !", "{ { "),
        ("", "\u{2028}"),
    ] {
        let template = format!("{before}{{{{user.n}}}}{after}{{{{ user.on }}}}{before}");
        let wanted = format!("{before}7{after}true{before}");
        assert_eq!(text(&template), Some(wanted), "{template:?}");
    }
}

#[test]
fn constants_are_taken_as_they_are() {
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(text("{{replace \"a\\b\" '\\' \"/\"}}"), some("a/b"));
    assert_eq!(text("{{replace user.n 7 '\"}}{{'}}"), some("\"}}{{"));
    assert_eq!(text("{{replace user.n 7 007}}|{{left \"abc\" 2}}"), some("007|ab"));
    assert_eq!(text("{{lower (user.userName)}}"), some("ann.lee@x.example"));
    assert_eq!(text("{{left \"abc\" -1}}"), None);
}

#[test]
fn mistakes_are_found_with_their_place() {
    for wrong in [
        "{{user.name",
        "{{}}",
        "{{{user.n}}}",
        "{{#if user.n}}",
        "{{> x}}",
        "{{lower}}",
        "{{left user.n}}",
        "{{shout user.n}}",
        "{{lower (before user.n \"@\"}}",
        "{{a b}}",
        "{{lower \"x}}",
        "{{{{raw}}}}",
        "{{&user.n}}",
        "{{~user.n~}}",
        "{{lower user.n ~}}",
        "{{!-- x --}}",
        "{{*x user.n}}",
        "{{^}}",
        "{{lower x=user.n}}",
        "{{lower ../user.n}}",
        "{{@root.user.n}}",
        "{{lower user.n as |x|}}",
        "{{lower [user.n]}}",
        "{{lower {\"a\":1}}}",
        "{{lookup user.n \"x\"}}",
        "{{log user.n}}",
        "{{lower ((user.n))}}",
        "{{lower user.n)}}",
        "{{(lower user.n)}}",
        "{{lower ()}}",
    ] {
        assert!(Template::compile(wrong).is_err(), "{wrong}");
    }
    let error = Template::compile("ab {{lowr user.n}}").unwrap_err();
    assert_eq!(error.at, 5);
    assert!(error.message.contains("did you mean `lower`"), "{}", error.message);
}
