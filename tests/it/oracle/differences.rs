//! The differences between our parser and `scim_v2` that are meant, each with its reason.
//!
//! One that is no longer a difference fails too: take it off then.

/// How the two readings of a text stand to each other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Verdict {
    Same,
    OnlyWeRead,
    OnlyTheyRead,
    ReadOtherwise,
}

/// A difference that is meant.
pub struct Difference {
    pub name: &'static str,
    pub why: &'static str,
    pub verdict: Verdict,
    /// What a text looks like that may differ so.
    pub pattern: &'static str,
    /// Texts that do.
    pub texts: &'static [&'static str],
}

/// Differences of the grammar.
pub const GRAMMAR: &[Difference] = &[
    Difference {
        name: "not(a pr)",
        why: "RFC 7644's ABNF writes `not` with an optional blank; scim_v2 wants one",
        verdict: Verdict::OnlyWeRead,
        pattern: r"(?i)\bnot\(",
        texts: &["not(a pr)", "NOT(a eq 1) and b pr"],
    },
    Difference {
        name: "$ref",
        why: "RFC 7643 section 2.4 has the name `$ref`, which the ABNF's ATTRNAME forgot",
        verdict: Verdict::OnlyWeRead,
        pattern: r"\$ref",
        texts: &[r#"$ref eq "x""#, r#"members[$ref eq "x"]"#, "members.$ref pr"],
    },
    Difference {
        name: "comparison behind a bracket",
        why: "outside the ABNF; clients send it",
        verdict: Verdict::OnlyWeRead,
        pattern: r"\]\.",
        texts: &[r#"emails[type eq "work"].value eq "x""#, r#"emails[type eq "work"].value pr"#],
    },
    Difference {
        name: "literal without quotes",
        why: "Entra sends `externalId eq jyoung`",
        verdict: Verdict::OnlyWeRead,
        pattern: r"(?i) (eq|ne|co|sw|ew|gt|ge|lt|le) +[^ ()\[\]]",
        texts: &["externalId eq jyoung", "a eq 00042", "a eq True", "a eq urn:x"],
    },
    Difference {
        name: "number in another form than the plain one",
        why: "may be an id (`externalId eq 1.50`): kept as written until the type is known",
        verdict: Verdict::ReadOtherwise,
        pattern: r"(?i) -?\d+(\.\d+)?e[+-]?\d+|\.\d+0\b| -0\b|\d{17}",
        texts: &["a eq 1E2", "a eq -0.5e3", "a eq 1.50", "a eq -0", "a eq 18446744073709551621"],
    },
    Difference {
        name: "blank before a bracket",
        why: "the ABNF has none there; scim_v2 skips it",
        verdict: Verdict::OnlyTheyRead,
        pattern: r"[^ (\[]\s+\[",
        texts: &["emails [type pr]", r#"a pr and emails [type eq "x"]"#],
    },
    Difference {
        name: "blank left out beside a bracket or quote",
        why: "the ABNF wants one; what is meant is clear without",
        verdict: Verdict::OnlyWeRead,
        pattern: r#"(?i)[)\]"](and|or)\b|\b(and|or|eq|ne|co|sw|ew|gt|ge|lt|le)[("]"#,
        texts: &[r#"a eq"x""#, r#"a eq "x"and b pr"#, "(a pr)or b pr", "a pr and(b pr)"],
    },
    Difference {
        name: "attribute called like a word of the grammar",
        why: "the ABNF allows it as an ATTRNAME; scim_v2's lexer does not",
        verdict: Verdict::OnlyWeRead,
        pattern: r"(^|[ (\[])(?i:not|true|false|null)[ \[]",
        texts: &["not pr", "true eq 1", "null pr", "true[a pr]"],
    },
];

/// Differences of what names mean.
pub const MEANING: &[Difference] = &[
    Difference {
        name: "namespace alone",
        why: "it names no attribute; scim_v2 takes its last part, `User`, for one",
        verdict: Verdict::OnlyTheyRead,
        pattern: r":2\.0:User (pr|eq)",
        texts: &[
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User pr",
            r#"urn:ietf:params:scim:schemas:core:2.0:User eq "x""#,
        ],
    },
    Difference {
        name: "unknown attribute",
        why: "an error here: it must not match everybody; scim_v2 has no schema to know it by",
        verdict: Verdict::OnlyTheyRead,
        pattern: "nosuch",
        texts: &[r#"nosuch eq "x""#, "emails[nosuch pr]", "name.nosuch pr", "urn:nosuch:title pr"],
    },
    Difference {
        name: "operator or value that does not fit the type",
        why: "RFC 7644 table 3; scim_v2 has no schema",
        verdict: Verdict::OnlyTheyRead,
        pattern: r#"active (gt|co|eq "maybe")|floor co|hired gt "y|title gt null|^name eq"#,
        texts: &[
            "active gt true",
            r#"active co "t""#,
            r#"active eq "maybe""#,
            "floor co 1",
            r#"hired gt "yesterday""#,
            "title gt null",
            r#"name eq "x""#,
        ],
    },
    Difference {
        name: "password",
        why: "RFC 7643 section 4.1.1: never returned, so never searched",
        verdict: Verdict::OnlyTheyRead,
        pattern: "password",
        texts: &["password pr", r#"password eq "x""#],
    },
    Difference {
        name: "complex attribute",
        why: "clients mean its value",
        verdict: Verdict::ReadOtherwise,
        pattern: r"(emails|manager|email) (eq|co|sw)",
        texts: &[r#"emails eq "x""#, r#"emails co "x""#, r#"manager eq "x""#, r#"email eq "x""#],
    },
    Difference {
        name: "extension's attribute without its namespace",
        why: "Entra writes `manager` and `department`",
        verdict: Verdict::ReadOtherwise,
        pattern: r"^(department|manager)",
        texts: &[r#"department eq "x""#, r#"manager.value eq "x""#],
    },
    Difference {
        name: "namespace that is a word",
        why: "Okta's custom attributes have such; scim_v2 wants a URI before the colon",
        verdict: Verdict::OnlyWeRead,
        pattern: "LEVEL:LEVEL",
        texts: &["LEVEL:LEVEL pr", r#"LEVEL:LEVEL eq "x""#],
    },
    Difference {
        name: "namespace that is a word, shortened",
        why: "Okta sends these forms too; they mean the one attribute in it",
        verdict: Verdict::ReadOtherwise,
        pattern: r"^LEVEL( |\.)",
        texts: &["LEVEL pr", r#"LEVEL.LEVEL eq "x""#],
    },
    Difference {
        name: "spelling of names",
        why: "names ignore case; ours become the schema's, theirs stay as written",
        verdict: Verdict::ReadOtherwise,
        pattern: "USERNAME|givenname",
        texts: &["USERNAME pr", r#"name.givenname eq "x""#],
    },
    Difference {
        name: "boolean or number as text",
        why: "Entra sends \"True\"; ours becomes the attribute's type",
        verdict: Verdict::ReadOtherwise,
        pattern: r#"(active|primary) eq "[Tt]rue|floor eq ""#,
        texts: &[r#"active eq "True""#, r#"emails[primary eq "true"]"#, r#"floor eq "12""#],
    },
];
