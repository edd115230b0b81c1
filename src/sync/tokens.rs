//! Credentials of identity providers: made, checked, replaced, revoked.
//!
//! A token is shown once; the journal has its hash. `scb_<id>_<secret>`: the id finds the row,
//! the secret (256 random bits) proves it, compared in constant time.

use base64::Engine as _;
use std::time::Duration;

use jiff::Timestamp;
use ring::digest;
use ring::rand::{SecureRandom, SystemRandom};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::engine::{App, Engine};
use super::{Caller, CommandError, Denied};
use crate::app::SecretStore;
use crate::journal::{Credential, CredentialHash, CredentialKind, HashKind, Token};
use crate::mapping::{ClientAuth, Reference};

/// How every token of ours begins, so that scanners for leaked secrets can know it.
const PREFIX: &str = "scb_";

/// A token at the only moment at which it is known.
pub struct Minted {
    /// Its id.
    pub id: String,
    /// The bearer token, or the password of a Basic pair.
    pub secret: Zeroizing<String>,
    /// The user of a Basic pair.
    pub user: Option<String>,
}

/// Makes a token and what the journal keeps of it.
///
/// # Errors
/// When there is no randomness.
pub(super) fn mint(
    app: &str,
    label: &str,
    kind: CredentialKind,
    expires_at: Option<Timestamp>,
    now: Timestamp,
) -> Result<(Minted, Credential), CommandError> {
    let id = random_hex::<8>()?;
    let secret = random_hex::<32>()?;
    let (token, user) = match kind {
        CredentialKind::Bearer => (Zeroizing::new(format!("{PREFIX}{}_{}", *id, *secret)), None),
        CredentialKind::Basic => (secret.clone(), Some(format!("{PREFIX}{}", *id))),
    };
    let credential = Credential {
        id: id.to_string(),
        app: app.to_owned(),
        label: label.to_owned(),
        kind,
        user: user.clone(),
        hash: CredentialHash { kind: HashKind::Sha256, bytes: sha256(token.as_bytes()) },
        created_at: now,
        expires_at,
    };
    Ok((Minted { id: id.to_string(), secret: token, user }, credential))
}

impl Engine {
    /// Checks the credential of a request.
    ///
    /// # Errors
    /// [`Denied`] with what to answer; the reason never tells whether a token exists.
    pub async fn authenticate(
        &self,
        app: &str,
        header: &(dyn Fn(&str) -> Option<String> + Sync),
    ) -> Result<Caller, Denied> {
        let Some(app) = &self.find_app(app) else { return Err(refuse_unknown()) };
        let accepted = &app.mapping.scim().auth;
        let presented = present(accepted, header);
        let checked = match &presented {
            Presented::Nothing => None,
            presented if is_supplied(app, presented) => Some(SUPPLIED.to_owned()),
            Presented::Bearer(token) => self.check_bearer(app, token).await,
            Presented::Pair { user, secret } => self.check_pair(app, user, secret).await,
        };
        let token = checked.ok_or_else(|| refuse(app, &presented))?;
        if !app.is_enabled() {
            return Err(Denied::Disabled);
        }
        Ok(Caller { app: app.name().to_owned(), token })
    }

    async fn check_bearer(&self, app: &App, token: &str) -> Option<String> {
        let id = token.strip_prefix(PREFIX)?.split('_').next()?;
        self.check(app, id, token, CredentialKind::Bearer).await
    }

    async fn check_pair(&self, app: &App, user: &str, secret: &str) -> Option<String> {
        let id = user.strip_prefix(PREFIX)?;
        self.check(app, id, secret, CredentialKind::Basic).await
    }

    async fn check(
        &self,
        app: &App,
        id: &str,
        secret: &str,
        kind: CredentialKind,
    ) -> Option<String> {
        let now = self.clock.now();
        let token = self.journal.token_by_id(id).await.ok().flatten()?;
        let hash = match token.credential.hash.kind {
            HashKind::Sha256 => sha256(secret.as_bytes()),
            HashKind::Hmac => self.keys.token_hash(secret.as_bytes()),
        };
        let right: bool = hash.ct_eq(&token.credential.hash.bytes).into();
        let good = right
            && token.credential.kind == kind
            && token.credential.app == app.name()
            && token.is_good(now);
        if !good {
            return None;
        }
        self.journal.token_touch(id, now);
        Some(token.credential.id)
    }

    /// Seconds until each good token expires, for /metrics and the warning before it.
    pub(super) async fn token_expiries(&self, app: &str) -> Vec<(String, f64)> {
        let now = self.clock.now();
        let tokens = self.journal.tokens(Some(app)).await.unwrap_or_default();
        tokens
            .iter()
            .filter(|token| token.is_good(now))
            .filter_map(|Token { credential, .. }| {
                let left = credential.expires_at?.duration_since(now);
                Some((credential.label.clone(), left.as_secs_f64()))
            })
            .collect()
    }
}

/// How the journal names the credential that the installation gives.
const SUPPLIED: &str = "supplied";

/// Whether it is the credential that the installation gives.
fn is_supplied(app: &App, presented: &Presented) -> bool {
    let Some(supplied) = &app.mapping.scim().supplied else { return false };
    let Some(secret) = app.secrets.get(&supplied.secret) else { return false };
    let user = match &supplied.user {
        None => None,
        Some(Reference::Plain(text)) => Some(Zeroizing::new(text.clone())),
        Some(Reference::Secret(name)) => Some(app.secrets.get(name).unwrap_or_default()),
    };
    let same = |given: &str, wanted: &str| -> bool {
        // Hashes: how long a comparison takes tells nothing about lengths either.
        !wanted.is_empty() && sha256(given.as_bytes()).ct_eq(&sha256(wanted.as_bytes())).into()
    };
    match (presented, user) {
        (Presented::Bearer(token), None) => same(token, &secret),
        (Presented::Pair { user: given, secret: word }, Some(user)) => {
            same(given, &user) & same(word, &secret)
        }
        _ => false,
    }
}

/// What a request presents.
enum Presented {
    Nothing,
    Bearer(String),
    Pair { user: String, secret: String },
}

fn present(accepted: &[ClientAuth], header: &(dyn Fn(&str) -> Option<String> + Sync)) -> Presented {
    let authorization = header("authorization").unwrap_or_default();
    for kind in accepted {
        let presented = match kind {
            ClientAuth::Bearer => word(&authorization, "bearer").map(Presented::Bearer),
            ClientAuth::Basic => word(&authorization, "basic").and_then(|text| pair(&text)),
            ClientAuth::BearerPair => word(&authorization, "bearer").and_then(|text| pair(&text)),
            ClientAuth::Header(name) => header(name).map(Presented::Bearer),
        };
        if let Some(presented) = presented {
            return presented;
        }
    }
    Presented::Nothing
}

/// The rest of a header value that begins with that word, in any case.
fn word(value: &str, word: &str) -> Option<String> {
    let (first, rest) = value.split_once(' ')?;
    first.eq_ignore_ascii_case(word).then(|| rest.trim().to_owned())
}

fn pair(text: &str) -> Option<Presented> {
    let decoded = base64_decode(text)?;
    let decoded = String::from_utf8(decoded).ok()?;
    let (user, secret) = decoded.split_once(':')?;
    Some(Presented::Pair { user: user.to_owned(), secret: secret.to_owned() })
}

fn refuse(app: &App, presented: &Presented) -> Denied {
    let first = app.mapping.scim().auth.first();
    let (challenge, wanted) = match first {
        Some(ClientAuth::Basic) => ("Basic realm=\"scim\"", "user name and password (Basic Auth)"),
        Some(ClientAuth::Header(_)) => ("Bearer realm=\"scim\"", "token in its header"),
        _ => ("Bearer realm=\"scim\"", "token as 'Authorization: Bearer <token>'"),
    };
    let detail = match presented {
        Presented::Nothing => format!("No usable credential was sent; this app wants a {wanted}."),
        // Okta adds the word itself: a pasted "Bearer x" arrives as "Bearer Bearer x".
        Presented::Bearer(token) if word(token, "bearer").is_some() => {
            "The token begins with the word Bearer; paste the token alone, Okta adds the word."
                .to_owned()
        }
        _ => "The credential is not valid for this app (wrong, expired or revoked).".to_owned(),
    };
    Denied::Unauthorized { challenge: challenge.to_owned(), detail }
}

fn refuse_unknown() -> Denied {
    Denied::Unauthorized {
        challenge: "Bearer realm=\"scim\"".to_owned(),
        detail: "The credential is not valid here.".to_owned(),
    }
}

fn sha256(bytes: &[u8]) -> Vec<u8> {
    digest::digest(&digest::SHA256, bytes).as_ref().to_vec()
}

fn base64_decode(text: &str) -> Option<Vec<u8>> {
    base64::engine::general_purpose::STANDARD.decode(text).ok()
}

/// A key for the control routes, made at each start.
///
/// # Errors
/// When the system gives no random bytes.
pub fn new_control_key() -> Result<Zeroizing<String>, CommandError> {
    random_hex::<32>()
}

/// N random bytes in hexadecimal.
pub(super) fn random_hex<const N: usize>() -> Result<Zeroizing<String>, CommandError> {
    let mut bytes = [0_u8; N];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| CommandError::environment("the system gives no random bytes"))?;
    Ok(Zeroizing::new(bytes.iter().map(|byte| format!("{byte:02x}")).collect()))
}

/// `90d`, `12h`, `30m` from now.
///
/// # Errors
/// What to write instead.
pub(super) fn moment_in(text: &str, now: Timestamp) -> Result<Timestamp, CommandError> {
    now.checked_add(span(text)?).map_err(|_| no_span(text))
}

/// `90d`, `12h`, `30m`, `45s`.
///
/// # Errors
/// What to write instead.
pub fn span(text: &str) -> Result<Duration, CommandError> {
    let unit = text.char_indices().last().map_or(0, |(at, _)| at);
    let (number, unit) = text.split_at(unit);
    let number: u64 = number.parse().map_err(|_| no_span(text))?;
    let seconds = match unit {
        "d" => number.checked_mul(86_400),
        "h" => number.checked_mul(3_600),
        "m" => number.checked_mul(60),
        "s" => Some(number),
        _ => None,
    };
    seconds.map(Duration::from_secs).ok_or_else(|| no_span(text))
}

fn no_span(text: &str) -> CommandError {
    CommandError::usage(&format!("'{text}' is no duration; write it like 90d, 12h or 30m"))
}
