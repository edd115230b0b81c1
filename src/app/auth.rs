//! How the bridge shows the app who it is: the header of each kind of authentication.

use hyper::header::{AUTHORIZATION, HeaderName, HeaderValue};
use zeroize::Zeroizing;

use super::{AppAuth, Reference, SecretStore};

/// The header that an exchange carries for authentication; `None` without any.
///
/// # Errors
/// In words that name the secret, never its value.
pub(super) fn header(
    auth: &AppAuth,
    secrets: &dyn SecretStore,
) -> Result<Option<(HeaderName, HeaderValue)>, String> {
    let (name, text) = match auth {
        AppAuth::None => return Ok(None),
        AppAuth::Basic { user, password } => {
            let user = resolve(user, secrets)?;
            if user.contains(':') {
                // RFC 7617 section 2: the first colon ends the user.
                return Err("the user for Basic authentication holds a colon".to_owned());
            }
            let pair = Zeroizing::new(format!("{}:{}", *user, *resolve(password, secrets)?));
            let coded = Zeroizing::new(base64(pair.as_bytes()));
            (AUTHORIZATION, Zeroizing::new(format!("Basic {}", *coded)))
        }
        AppAuth::Bearer { value, word } => {
            let value = resolve(value, secrets)?;
            (AUTHORIZATION, Zeroizing::new(format!("{word} {}", *value)))
        }
        AppAuth::Header { name, value } => {
            let name = HeaderName::try_from(name.as_str())
                .map_err(|_| format!("'{name}' is no header name"))?;
            (name, resolve(value, secrets)?)
        }
        // Its headers come from the login.
        AppAuth::Session(_) => return Ok(None),
    };
    let mut value = header_value(&name, &text)?;
    // Keeps it out of debug output.
    value.set_sensitive(true);
    Ok(Some((name, value)))
}

/// A header value from text as UTF-8 (RFC 9110 section 5.5: opaque bytes above 0x7f).
///
/// # Errors
/// In words that do not quote the value, when it holds control characters.
pub(super) fn header_value(name: &HeaderName, text: &str) -> Result<HeaderValue, String> {
    HeaderValue::from_bytes(text.as_bytes()).map_err(|_| {
        format!("the value of the header '{name}' holds characters that no header can carry")
    })
}

/// The value behind a reference.
///
/// # Errors
/// In words, when the secret has none.
pub(super) fn resolve(
    reference: &Reference,
    secrets: &dyn SecretStore,
) -> Result<Zeroizing<String>, String> {
    match reference {
        Reference::Plain(text) => Ok(Zeroizing::new(text.clone())),
        Reference::Secret(name) => secret(name, secrets),
    }
}

/// The value of a secret.
///
/// # Errors
/// In words, when it has none.
pub(super) fn secret(name: &str, secrets: &dyn SecretStore) -> Result<Zeroizing<String>, String> {
    secrets.get(name).ok_or_else(|| format!("the secret '{name}' has no value"))
}

/// Standard base64 with padding (RFC 4648 section 4).
pub(super) fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let at = |n: usize| u32::from(three.get(n).copied().unwrap_or(0));
        let bits = (at(0) << 16) | (at(1) << 8) | at(2);
        for n in 0..4 {
            if n > three.len() {
                text.push('=');
            } else {
                let six = (bits >> (18 - 6 * n)) & 0x3f;
                text.push(char::from(LETTERS[six as usize]));
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    struct Store;

    impl SecretStore for Store {
        fn get(&self, name: &str) -> Option<Zeroizing<String>> {
            match name {
                "password" => Some(Zeroizing::new("s3cret-a".to_owned())),
                "broken" => Some(Zeroizing::new("line\nend".to_owned())),
                _ => None,
            }
        }
    }

    fn constant(text: &str) -> Reference {
        Reference::Plain(text.to_owned())
    }

    fn secret(name: &str) -> Reference {
        Reference::Secret(name.to_owned())
    }

    #[test]
    fn base64_as_in_rfc_4648() {
        let vectors = [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ];
        for (plain, coded) in vectors {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
        assert_eq!(base64(&[0xff, 0xef, 0xbe]), "/+++");
    }

    #[test]
    fn each_kind_has_its_header() {
        let basic = AppAuth::Basic { user: constant("ALTR-BRIDGE"), password: secret("password") };
        let (name, value) = header(&basic, &Store).unwrap().unwrap();
        assert_eq!(name, AUTHORIZATION);
        assert_eq!(value.as_bytes(), b"Basic QUxUUi1CUklER0U6czNjcmV0LWE=");
        assert!(value.is_sensitive());
        let bearer = AppAuth::Bearer { value: secret("password"), word: "token".to_owned() };
        assert_eq!(header(&bearer, &Store).unwrap().unwrap().1.as_bytes(), b"token s3cret-a");
        let own = AppAuth::Header { name: "X-Api-Key".to_owned(), value: secret("password") };
        let (name, value) = header(&own, &Store).unwrap().unwrap();
        assert_eq!((name.as_str(), value.as_bytes()), ("x-api-key", &b"s3cret-a"[..]));
        assert!(header(&AppAuth::None, &Store).unwrap().is_none());
    }

    #[test]
    fn what_cannot_be_sent_is_named_without_its_value() {
        let bearer = |value| AppAuth::Bearer { value, word: "Bearer".to_owned() };
        let missing = header(&bearer(secret("gone")), &Store).unwrap_err();
        assert!(missing.contains("'gone'"), "{missing}");
        let broken = header(&bearer(secret("broken")), &Store).unwrap_err();
        assert!(broken.contains("authorization") && !broken.contains("line"), "{broken}");
        let colon = AppAuth::Basic { user: constant("a:b"), password: constant("x") };
        assert!(header(&colon, &Store).is_err());
    }
}
