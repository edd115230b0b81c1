//! The login by password and API key, and tokens that run out.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::wire::{Reply, Request};

/// Environment variable, field of the login's form and right value; the API key is a header.
pub(super) const CREDENTIALS: [(&str, &str, &str); 5] = [
    ("ALPHASENSE_USER", "username", "svc-scim@your-company.example"),
    ("ALPHASENSE_PASSWORD", "password", "pa55-word+of the bridge"),
    ("ALPHASENSE_CLIENT_ID", "client_id", "enterprise-client"),
    ("ALPHASENSE_CLIENT_SECRET", "client_secret", "cl1ent-secret"),
    ("ALPHASENSE_API_KEY", API_KEY_HEADER, "k3y-of-your-company"),
];
const API_KEY_HEADER: &str = "x-api-key";

/// What a test can set.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Settings {
    /// How many seconds a token lasts that is given from now on.
    expires_in: Option<u64>,
    /// A refused token is told with status 200.
    auth_error_in_200: Option<bool>,
    /// All tokens end right before the next operation of that name.
    end_at: Option<String>,
    /// All tokens end now.
    end: Option<bool>,
}

/// The tokens.
#[derive(Debug)]
pub(super) struct Sessions {
    /// With the end of each.
    tokens: Vec<(String, Instant)>,
    expires_in: u64,
    auth_error_in_200: bool,
    end_at: Option<String>,
    /// Logins that worked.
    pub(super) logins: u64,
    /// Those of them that were made although a token was good.
    pub(super) early: u64,
}

impl Default for Sessions {
    fn default() -> Self {
        Self {
            tokens: Vec::new(),
            expires_in: 3600,
            auth_error_in_200: false,
            end_at: None,
            logins: 0,
            early: 0,
        }
    }
}

fn header<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    request.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

fn has_key(request: &Request) -> bool {
    let right = CREDENTIALS.iter().find(|(_, name, _)| *name == API_KEY_HEADER);
    header(request, API_KEY_HEADER) == right.map(|(_, _, value)| *value)
}

impl Sessions {
    pub(super) fn set(&mut self, record: &Value) -> Result<(), String> {
        let given: Settings =
            serde_json::from_value(record.clone()).map_err(|error| error.to_string())?;
        self.expires_in = given.expires_in.unwrap_or(self.expires_in);
        self.auth_error_in_200 = given.auth_error_in_200.unwrap_or(self.auth_error_in_200);
        self.end_at = given.end_at.or(self.end_at.take());
        if given.end == Some(true) {
            self.tokens.clear();
        }
        Ok(())
    }

    /// `POST /auth`: a form with exactly the right fields, and the API key.
    pub(super) fn log_in(&mut self, request: &Request) -> Result<Reply, Reply> {
        let refused = || Reply::json(401, json!({ "error": "invalid_grant" }));
        let kind = header(request, "content-type").unwrap_or_default();
        if !kind.starts_with("application/x-www-form-urlencoded") || !has_key(request) {
            return Err(refused());
        }
        let mut form: Vec<(String, String)> =
            form_urlencoded::parse(request.text.as_bytes()).into_owned().collect();
        let mut right: Vec<(String, String)> = CREDENTIALS
            .iter()
            .filter(|(_, name, _)| *name != API_KEY_HEADER)
            .map(|(_, name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        right.push(("grant_type".to_owned(), "password".to_owned()));
        form.sort();
        right.sort();
        if form != right {
            return Err(refused());
        }
        let now = Instant::now();
        self.tokens.retain(|(_, end)| now < *end);
        self.early += u64::from(!self.tokens.is_empty());
        self.logins += 1;
        let token = format!("alpha-token-{:06}", self.logins);
        self.tokens.push((token.clone(), now + Duration::from_secs(self.expires_in)));
        Ok(Reply::json(
            200,
            json!({
                "access_token": token, "token_type": "bearer", "expires_in": self.expires_in,
                "refresh_token": format!("alpha-refresh-{:06}", self.logins),
            }),
        ))
    }

    /// Lets an operation pass that has a good token and the API key.
    pub(super) fn check(&mut self, request: &Request, operation: &str) -> Result<(), Reply> {
        if self.end_at.as_deref() == Some(operation) {
            self.end_at = None;
            self.tokens.clear();
        }
        let now = Instant::now();
        let good =
            |token: &str| self.tokens.iter().any(|(known, end)| known == token && now < *end);
        if has_key(request) && request.bearer().is_some_and(good) {
            return Ok(());
        }
        let status = if self.auth_error_in_200 { 200 } else { 401 };
        let error =
            json!({ "message": "Unauthorized", "extensions": { "code": "UNAUTHENTICATED" } });
        Err(Reply::json(status, json!({ "errors": [error] })))
    }
}
