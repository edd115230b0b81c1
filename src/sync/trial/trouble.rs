//! What went wrong in a trial, in plain words, and what to do about it. Decides nothing.

use crate::app::{InDoubt, Incoming, NotSent, Phase};
use crate::mapping::{
    Answer, AnswerClass, AppAuth, Body, Classified, Connect, Mapping, Missed, Origin, Reference,
    There,
};

/// Something that is not as the mapping says, or as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// The call, if it was one.
    pub call: Option<String>,
    /// How far it reaches.
    pub weight: Weight,
    /// What is wrong, in one sentence.
    pub what: String,
    /// What to look at or to write, each in one sentence.
    pub help: Vec<String>,
}

/// How far a trouble reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// No call can work: nobody answers.
    Unreachable,
    /// No call can work: the app refuses the bridge.
    Refused,
    /// This part does not work.
    Broken,
    /// It works, and is worth a look.
    Note,
}

impl Trouble {
    pub(super) fn broken(what: impl Into<String>, help: &[&str]) -> Self {
        let help = help.iter().map(|text| (*text).to_owned()).collect();
        Self { call: None, weight: Weight::Broken, what: what.into(), help }
    }

    pub(super) fn note(what: impl Into<String>, help: Vec<String>) -> Self {
        Self { call: None, weight: Weight::Note, what: what.into(), help }
    }

    pub(super) fn of_call(self, call: &str) -> Self {
        Self { call: Some(call.to_owned()), ..self }
    }

    fn weighing(self, weight: Weight) -> Self {
        Self { weight, ..self }
    }

    /// Whether further calls make no sense.
    pub fn ends_it(&self) -> bool {
        matches!(self.weight, Weight::Unreachable | Weight::Refused)
    }
}

/// A call that did not leave.
pub(super) fn not_sent(connect: &Connect, why: &NotSent) -> Trouble {
    let base = &connect.base_url;
    let at = format!("`connect.base_url` is now {base}");
    let words = why.to_string();
    let (weight, help): (Weight, Vec<String>) = match why.phase {
        Phase::Resolve => (
            Weight::Unreachable,
            vec![
                format!("{at}: is the name of the host spelt right?"),
                "an internal name needs this machine's own DNS or VPN".to_owned(),
            ],
        ),
        Phase::Connect => (
            Weight::Unreachable,
            vec![
                format!("{at}: is that the host and the port, and is the app running?"),
                "a firewall may stand between; a proxy is named by `connect.proxy`".to_owned(),
            ],
        ),
        Phase::Proxy => {
            (Weight::Unreachable, vec!["look at `connect.proxy`: its host, port, user".to_owned()])
        }
        Phase::Tls => (Weight::Unreachable, tls_help(&why.why, &at)),
        Phase::Login => (
            Weight::Unreachable,
            vec!["look at the login in `connect.auth`: its address, `save`, `errors`".to_owned()],
        ),
        Phase::Refused => (Weight::Refused, credential_help(connect, &[])),
        Phase::Send | Phase::Wait => (Weight::Unreachable, vec!["try again".to_owned()]),
        Phase::Prepare => (
            Weight::Broken,
            vec![
                "a call that is also part of create, update, delete or the like counts as \
                 writing: give the reading operation a call of its own"
                    .to_owned(),
            ],
        ),
    };
    let refs: Vec<&str> = help.iter().map(String::as_str).collect();
    Trouble::broken(words, &refs).weighing(weight)
}

fn tls_help(why: &str, at: &str) -> Vec<String> {
    let lower = why.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    let first = if has(&["unknownissuer", "unknown issuer", "self-signed", "selfsigned"]) {
        "the app's certificate is signed by an authority that this machine does not know: name \
         its PEM file as `connect.ca`"
    } else if has(&["notvalidforname", "not valid for name"]) {
        "the certificate is for another name: write that name into `base_url`"
    } else if has(&["expired"]) {
        "the app's certificate has expired: who runs the app must renew it"
    } else if has(&["certificaterequired", "certificate required"]) {
        "the app wants a certificate of the bridge: `connect.client_cert: { cert, key }`"
    } else {
        "does the app speak TLS 1.2 or 1.3 at that port? Many use another port for https"
    };
    vec![first.to_owned(), at.to_owned()]
}

/// A call that was sent and has no complete answer.
pub(super) fn no_answer(
    connect: &Connect,
    doubt: &InDoubt,
    timeout: std::time::Duration,
) -> Trouble {
    let base = &connect.base_url;
    let what = format!("{doubt} (`timeout` is {} s)", timeout.as_secs_f64());
    let port = format!("`connect.base_url` is now {base}: http spoken to an https port looks so");
    let help =
        ["is the app slow? `timeout` in `connect` or in the call says how long is waited", &port];
    Trouble::broken(what, &help)
}

/// An answer that is an error by the mapping or by HTTP.
pub(super) fn refused(
    mapping: &Mapping,
    said: &Classified,
    answer: &Answer,
    sent: &[String],
) -> Trouble {
    let status = answer.status;
    let words = format!("the app answered {status}: {}", said.say);
    let connect = mapping.connect();
    match said.class {
        AnswerClass::LoginAgain | AnswerClass::Stop => {
            let what = format!("the app refuses the bridge's own credential ({status}): {}", said.say);
            let mut help = credential_help(connect, sent);
            if let Some(wants) = answer.header("www-authenticate") {
                help.push(format!("the app says that it wants: {wants}"));
            }
            with_help(what, help).weighing(Weight::Refused)
        }
        AnswerClass::Retry if status == 404 && matches!(answer.body, Body::Unreadable(_)) => with_help(
            words,
            vec![
                format!("`connect.base_url` is now {}: often a part such as /api is missing", connect.base_url),
                "or the app is not up yet, and what stands in front of it answers: try again later".to_owned(),
                "if the app itself says so of somebody who is not there, add `- { status: 404, is: not_found }` to `errors`".to_owned(),
            ],
        ),
        AnswerClass::Retry => with_help(
            words,
            vec!["the app is busy or down for now: try again later".to_owned()],
        ),
        AnswerClass::Forbidden => with_help(
            words,
            vec!["the credential is good, but may not read this: give its account more rights in the app".to_owned()],
        ),
        AnswerClass::NotFound => with_help(
            format!("there is nothing at this address: {words}"),
            vec![
                format!("`connect.base_url` is now {}; the path of the call is added to it", connect.base_url),
                "look for a part that is missing or stands in both, such as /api or a version".to_owned(),
            ],
        ),
        _ if (300..400).contains(&status) => {
            let to = answer.header("location").unwrap_or("nowhere");
            with_help(
                format!("the app sends us elsewhere ({status}): {to}"),
                vec!["redirects are never followed: write the address it names into `base_url` or the call".to_owned()],
            )
        }
        _ => with_help(
            words,
            vec!["look at the call's `query`, `headers` and `body`: is something missing that the app's manual names?".to_owned()],
        ),
    }
}

fn with_help(what: String, help: Vec<String>) -> Trouble {
    Trouble { call: None, weight: Weight::Broken, what, help }
}

/// Where the credential comes from and how it was shown.
fn credential_help(connect: &Connect, sent: &[String]) -> Vec<String> {
    let kind = match &connect.auth {
        AppAuth::None => "`connect.auth` says no credential at all".to_owned(),
        AppAuth::Basic { user, password } => {
            format!("`connect.auth` says Basic with {} and {}", named(user), named(password))
        }
        AppAuth::Bearer { value, word } => {
            format!("`connect.auth` says the word {word} and {}", named(value))
        }
        AppAuth::Header { name, value } => {
            format!("`connect.auth` says the header {name} with {}", named(value))
        }
        AppAuth::Session(_) => "`connect.auth` says a login".to_owned(),
    };
    let mut help = vec![format!("{kind}: is that the kind that the app's manual asks for?")];
    help.extend(sent.iter().map(|line| format!("sent was {line}")));
    help.push(
        "is the secret the right one, and not expired? A space or a line end may have slipped in"
            .into(),
    );
    help
}

fn named(reference: &Reference) -> String {
    match reference {
        Reference::Plain(text) => format!("'{text}'"),
        Reference::Secret(name) => format!("the secret {name}"),
    }
}

/// Where each secret of the mapping comes from.
pub(super) fn origins(mapping: &Mapping) -> Vec<String> {
    let words = |source: &crate::mapping::SecretSource| match &source.origin {
        Origin::Env(name) => {
            format!("the secret {} is the environment variable {name}", source.name)
        }
        Origin::File(path) => format!("the secret {} is in the file {path}", source.name),
    };
    mapping.secrets().iter().map(words).collect()
}

/// An answer that could not be read as the mapping says.
pub(super) fn unreadable(
    why: &str,
    answer: &Answer,
    incoming: Option<&Incoming>,
    missed: Option<&Missed>,
    connect: &Connect,
) -> Trouble {
    if let Body::Unreadable(_) = &answer.body {
        return not_the_format(why, answer, incoming, connect);
    }
    match missed {
        Some(missed) => nowhere(missed),
        None => with_help(why.to_owned(), Vec::new()),
    }
}

fn not_the_format(
    why: &str,
    answer: &Answer,
    incoming: Option<&Incoming>,
    connect: &Connect,
) -> Trouble {
    let bytes = incoming.map(|incoming| incoming.body.as_slice()).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(64 * 1024)]).into_owned();
    let start = text.trim_start().to_lowercase();
    if start.starts_with("<!doctype html") || start.starts_with("<html") {
        let title = title(&text).map(|title| format!(" (\"{title}\")")).unwrap_or_default();
        return with_help(
            format!("the app answered {} with a web page{title}, not with data", answer.status),
            vec![
                format!("`connect.base_url` is now {}: often a part such as /api is missing", connect.base_url),
                "or it is a login page: the credential was not taken; then add `- { status: 200, type: text/html, is: login_again }` to `errors`".to_owned(),
            ],
        );
    }
    let kind = answer.header("content-type").unwrap_or("no content type");
    let mut help = vec![format!(
        "the app calls it {kind}; `reads: json`, `xml` or `text` in `connect` or in the call says how it is read"
    )];
    let begin: String = text.trim_start().chars().take(60).collect();
    if !begin.is_empty() {
        help.push(format!("it begins with: {begin}"));
    }
    with_help(why.to_owned(), help)
}

fn title(page: &str) -> Option<String> {
    let lower = page.to_ascii_lowercase();
    let from = lower.find("<title")?;
    let from = from + lower[from..].find('>')? + 1;
    let to = from + lower[from..].find('<')?;
    let words: Vec<&str> = page.get(from..to)?.split_whitespace().collect();
    let title: String = words.join(" ").chars().take(80).collect();
    (!title.is_empty()).then_some(title)
}

fn nowhere(missed: &Missed) -> Trouble {
    let Missed { key, path, name, at, there, instead } = missed;
    let what = match there {
        There::Names(_) => format!("`{key}: {path}` leads nowhere: {at} has no `{name}`"),
        There::List(count) => format!("`{key}: {path}` leads nowhere: {at} is a list of {count}"),
        There::Other(what) => format!("`{key}: {path}` leads nowhere: {at} is {what}"),
    };
    let mut help = Vec::new();
    if let There::Names(names) = there {
        help.push(match names.is_empty() {
            true => format!("{at} is empty"),
            false => format!("{at} has: {}", names.join(", ")),
        });
    }
    if let Some(instead) = instead {
        help.push(format!("did you mean `{key}: {instead}`?"));
    }
    with_help(what, help)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_title_of_a_page_is_found() {
        assert_eq!(title("<html><Title lang=x>\n Sign  in </title>").as_deref(), Some("Sign in"));
        assert_eq!(title("<html>"), None);
    }
}
