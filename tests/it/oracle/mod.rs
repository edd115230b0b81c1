//! The same filters through our parser and through the crate `scim_v2`, which others wrote from
//! the same RFC: both refuse, or both read the same, or the difference has a name and a reason.

mod differences;
mod tree;

use proptest::prelude::*;
use regex::Regex;

use self::differences::{Difference, GRAMMAR, MEANING, Verdict};
use self::tree::{Tree, ours, ours_meant, theirs, without_core};

fn verdict(ours: Option<&Tree>, theirs: Option<&Tree>) -> Verdict {
    match (ours, theirs) {
        (ours, theirs) if ours == theirs => Verdict::Same,
        (Some(_), None) => Verdict::OnlyWeRead,
        (None, Some(_)) => Verdict::OnlyTheyRead,
        _ => Verdict::ReadOtherwise,
    }
}

/// The verdict, if it is a difference and no listed one.
fn unexplained(text: &str, verdict: Verdict, listed: &[Difference]) -> Option<Verdict> {
    let explains = |difference: &Difference| {
        difference.verdict == verdict && Regex::new(difference.pattern).unwrap().is_match(text)
    };
    (verdict != Verdict::Same && !listed.iter().any(explains)).then_some(verdict)
}

fn by_grammar(text: &str) -> Verdict {
    verdict(ours(text).as_ref(), theirs(text).as_ref())
}

fn by_meaning(text: &str) -> Verdict {
    verdict(ours_meant(text).as_ref(), theirs(text).map(without_core).as_ref())
}

/// Filters of RFC 7644, and such that clients send; read alike, without a listed difference.
const READ: &[&str] = &[
    r#"userName eq "bjensen""#,
    r#"name.familyName co "O'Malley""#,
    r#"userName sw "J""#,
    r#"urn:ietf:params:scim:schemas:core:2.0:User:userName sw "J""#,
    "title pr",
    r#"meta.lastModified gt "2011-05-13T04:42:34Z""#,
    r#"meta.lastModified ge "2011-05-13T04:42:34Z""#,
    r#"meta.lastModified lt "2011-05-13T04:42:34Z""#,
    r#"meta.lastModified le "2011-05-13T04:42:34Z""#,
    r#"title pr and userType eq "Employee""#,
    r#"title pr or userType eq "Intern""#,
    r#"schemas eq "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User""#,
    r#"userType eq "Employee" and (emails.value co "example.com" or emails.value co "x.org")"#,
    r#"userType ne "Employee" and not (emails.value co "example.com" or emails.type pr)"#,
    r#"userType eq "Employee" and (emails.type eq "work")"#,
    r#"userType eq "Employee" and emails[type eq "work" and value co "@example.com"]"#,
    r#"emails[type eq "work" and value co "@x"] or ims[type eq "xmpp" and value co "@foo.com"]"#,
    r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq "F""#,
    r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value eq "1""#,
    r#"title eq "a" or title eq "b" and title eq "c""#,
    r#"title eq "a" and title eq "b" or title eq "c""#,
    r#"(title eq "a" or title eq "b") and title eq "c""#,
    r#"not (title eq "a" and (title eq "b" or title eq "c"))"#,
    r#"((title pr))"#,
    r#"title eq "Ledger \"Analyst\" \\ \u00e9""#,
    r#"title eq """#,
    r#"title eq "and""#,
    r#"title EQ "x" AND NOT (active EQ true)"#,
    "active eq true",
    "active ne false",
    "title eq null",
    "floor gt -12",
    "floor eq 0",
    "quota le 1.5",
    "  title   pr  ",
    "emails[not (primary eq true)]",
];

/// Texts that both refuse.
const REFUSED: &[&str] = &[
    "",
    " ",
    "title",
    "title eq",
    r#"title = "x""#,
    r#"title eq "x"#,
    r#"title eq 'x'"#,
    r#"title eq "\x""#,
    r#"title eq "x" and"#,
    r#"and title eq "x""#,
    r#"title eq "x" title eq "y""#,
    "(title pr",
    "title pr)",
    "not title pr",
    "emails[type pr",
    "emails[]",
    "emails[emails[type pr]]",
    "\"title\" pr",
    "title pr pr",
    "title pr; drop",
    "()",
    "not ()",
];

#[test]
fn kept_filters_are_read_alike() {
    for text in READ {
        assert!(theirs(text).is_some(), "{text}: scim_v2 refuses it");
        assert_eq!(by_grammar(text), Verdict::Same, "{text}: {:?} {:?}", ours(text), theirs(text));
        assert_eq!(by_meaning(text), Verdict::Same, "{text}: {:?}", ours_meant(text));
    }
}

#[test]
fn kept_texts_are_refused_alike() {
    for text in REFUSED {
        let (ours, meant, theirs) = (ours(text), ours_meant(text), theirs(text));
        assert!(meant.is_none() && theirs.is_none(), "{text}: {ours:?} {meant:?} {theirs:?}");
    }
}

/// A listed difference that is none any more hides the next one.
#[test]
fn listed_differences_do_differ() {
    for (listed, judge) in
        [(GRAMMAR, by_grammar as fn(&str) -> Verdict), (MEANING, by_meaning as fn(&str) -> Verdict)]
    {
        for Difference { name, why, verdict, pattern, texts } in listed {
            assert!(!why.is_empty() && !texts.is_empty(), "{name}");
            for text in *texts {
                assert_eq!(judge(text), *verdict, "{name}: {text}");
                assert!(Regex::new(pattern).unwrap().is_match(text), "{name}: {text}");
            }
        }
    }
}

/// The comparison does compare: readings that differ are told apart.
#[test]
fn different_filters_are_told_apart() {
    for (one, other) in [
        ("a pr and b pr or c pr", "a pr and (b pr or c pr)"),
        ("not (a pr and b pr)", "not (a pr) and b pr"),
        ("a eq 1", "a eq \"1\""),
        ("a[b pr and c pr]", "a[b pr] and c pr"),
    ] {
        assert_eq!(verdict(ours(one).as_ref(), theirs(other).as_ref()), Verdict::ReadOtherwise);
    }
    let planted = unexplained("title pr", Verdict::OnlyWeRead, GRAMMAR);
    assert_eq!(planted, Some(Verdict::OnlyWeRead));
}

fn any_literal() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => any::<String>().prop_map(|text| serde_json::Value::from(text).to_string()),
        2 => any::<i64>().prop_map(|number| number.to_string()),
        1 => any::<i32>().prop_map(|n| serde_json::Value::from(f64::from(n) / 8.0).to_string()),
        1 => prop::sample::select(vec!["true", "false", "null", "-0.5e3", "1E2"]).prop_map(str::to_owned),
        1 => "[a-z][a-z0-9]{0,5}",
    ]
}

fn any_test() -> impl Strategy<Value = String> {
    let path = prop::sample::select(vec![
        "userName",
        "a",
        "name.givenName",
        "x-y_z1",
        "notes",
        "order.value",
        "urn:x:y:dept",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value",
        "$ref",
    ]);
    let operator = prop::sample::select(vec![
        "eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le", "EQ", "Co",
    ]);
    prop_oneof![
        path.clone().prop_map(|path| format!("{path} pr")),
        (path, operator, any_literal())
            .prop_map(|(path, op, literal)| format!("{path} {op} {literal}")),
    ]
}

/// Joins what `atom` gives, with brackets and negations.
fn joined(atom: BoxedStrategy<String>) -> BoxedStrategy<String> {
    let negation = prop::sample::select(vec!["", "not ", "NOT ", "not"]);
    atom.prop_recursive(4, 16, 3, move |inner| {
        let word = prop::sample::select(vec![" and ", " or ", " AND ", "  or "]);
        prop_oneof![
            (inner.clone(), word, inner.clone()).prop_map(|(a, word, b)| format!("{a}{word}{b}")),
            (negation.clone(), inner).prop_map(|(not, inside)| format!("{not}({inside})")),
        ]
    })
    .boxed()
}

fn any_filter() -> impl Strategy<Value = String> {
    let inside = joined(any_test().boxed());
    let behind =
        prop_oneof![6 => Just(String::new()), 1 => any_test().prop_map(|t| format!(".{t}"))];
    let elements = (prop::sample::select(vec!["emails", "urn:x:y:list"]), inside, behind)
        .prop_map(|(path, inside, behind)| format!("{path}[{inside}]{behind}"));
    joined(prop_oneof![3 => any_test().boxed(), 1 => elements.boxed()].boxed())
}

/// The text with one of its words taken away, doubled, or replaced.
fn damaged() -> impl Strategy<Value = String> {
    let other = prop::sample::select(vec![
        "and", "or", "not", "(", ")", "[", "]", "pr", "eq", "\"x\"", "a", "1", "true", ".", " ", "",
    ]);
    (any_filter(), any::<prop::sample::Index>(), other, any::<bool>()).prop_map(
        |(text, at, other, doubles)| {
            let words = Regex::new(r#""(\\.|[^"\\])*"|[()\[\]]|[^\s()\[\]"]+|\s+"#).unwrap();
            let mut words: Vec<&str> = words.find_iter(&text).map(|found| found.as_str()).collect();
            let at = at.index(words.len());
            if doubles {
                words.insert(at, other);
            } else {
                words[at] = other;
            }
            words.concat()
        },
    )
}

/// Filters whose operators and values fit a User.
fn fitting_filter() -> impl Strategy<Value = String> {
    let text = any::<String>().prop_map(|text| serde_json::Value::from(text).to_string());
    let of_text = (
        prop::sample::select(vec![
            "userName",
            "title",
            "name.givenName",
            "emails.value",
            "externalId",
            "id",
            "urn:ietf:params:scim:schemas:core:2.0:User:userName",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value",
        ]),
        prop::sample::select(vec!["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"]),
        text.clone(),
    );
    let of_flag = (
        prop::sample::select(vec!["active", "emails.primary"]),
        prop::sample::select(vec!["eq", "ne"]),
        any::<bool>().prop_map(|flag| flag.to_string()),
    );
    let of_number = (
        Just("floor"),
        prop::sample::select(vec!["eq", "ne", "gt", "le"]),
        any::<i64>().prop_map(|number| number.to_string()),
    );
    let of_time = (
        prop::sample::select(vec!["hired", "meta.created"]),
        prop::sample::select(vec!["eq", "ne", "gt", "le"]),
        "20[0-2][0-9]-0[1-9]-1[0-9]T1[0-9]:00:00Z".prop_map(|time| format!("\"{time}\"")),
    );
    let written = |(path, op, value): (&str, &str, String)| format!("{path} {op} {value}");
    let part = (
        prop::sample::select(vec!["value", "type", "display"]),
        prop::sample::select(vec!["eq", "ne", "sw"]),
        text,
    )
        .prop_map(written);
    let elements = joined(part.boxed()).prop_map(|inside| format!("emails[{inside}]"));
    let of_any = prop_oneof![
        4 => of_text.prop_map(written), 1 => of_flag.prop_map(written), 1 => of_number.prop_map(written),
        1 => of_time.prop_map(written), 2 => elements, 1 => Just("title pr".to_owned()),
    ];
    joined(of_any.boxed())
}

proptest! {
    #[test]
    fn generated_filters_are_read_alike(text in any_filter()) {
        let differs = unexplained(&text, by_grammar(&text), GRAMMAR);
        prop_assert_eq!(differs, None, "{:?}\n{:?}", ours(&text), theirs(&text));
    }

    #[test]
    fn damaged_filters_are_read_or_refused_alike(text in damaged()) {
        let differs = unexplained(&text, by_grammar(&text), GRAMMAR);
        prop_assert_eq!(differs, None, "{:?}\n{:?}", ours(&text), theirs(&text));
    }

    #[test]
    fn filters_that_fit_the_schema_mean_the_same(text in fitting_filter()) {
        let verdict = by_meaning(&text);
        let is_listed = unexplained(&text, verdict, GRAMMAR).is_none();
        prop_assert!(is_listed, "{:?}: {:?}\n{:?}", verdict, ours_meant(&text), theirs(&text));
    }
}
