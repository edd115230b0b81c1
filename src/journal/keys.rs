//! The operator's key and what is made from it: fingerprints, hashes of given tokens, sealing, the
//! key of the audit chain.
//!
//! The key itself is never stored by the journal and never shown. Sub-keys come from it by HKDF,
//! so that none of them says anything about another.

use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ring::rand::{SecureRandom, SystemRandom};
use ring::{aead, hkdf, hmac};
use zeroize::Zeroizing;

use super::audit::Chain;
use super::lock::beside;

const KEY_LEN: usize = 32;
const NONCE_LEN: usize = aead::NONCE_LEN;
const TAG_LEN: usize = 16;
/// First byte of a sealed value: how it is built.
const SEALED_V1: u8 = 1;
/// version, nonce and wrapped key, nonce of the value.
const HEAD_LEN: usize = 1 + NONCE_LEN + KEY_LEN + TAG_LEN + NONCE_LEN;

/// The key cannot be had, or something sealed cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read or made.
    #[error("the key file {} cannot be used: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not a key.
    #[error(
        "the key file {} has {found} bytes; it must have exactly 32 (make one with \
         `head -c 32 /dev/urandom > FILE`)",
        path.display()
    )]
    Length {
        /// The file.
        path: PathBuf,
        /// How many bytes it has (33 stands for more).
        found: usize,
    },
    /// The system gives no random bytes.
    #[error("the system gives no random bytes")]
    Random,
    /// The journal is older than the key would be.
    #[error(
        "there is a journal, but no key file {}: name the journal's key with --key-file, or put it \
         back from where its copy is kept",
        path.display()
    )]
    Missing {
        /// Where the key would be.
        path: PathBuf,
    },
    /// Sealed with another key, or damaged.
    #[error(
        "a sealed value cannot be opened: it was sealed with another key, or it is damaged; \
         start with the key file that belongs to this journal"
    )]
    Unsealable,
}

/// Where the operator's key is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// In this file.
    File(PathBuf),
    /// In `FILE.key` beside the journal `FILE`; made there if neither is there.
    Beside(PathBuf),
}

/// A value that only the holder of the key can read.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(pub Vec<u8>);

impl std::fmt::Debug for Sealed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealed(…)")
    }
}

/// The sub-keys. Cheap to clone; wiped when the last clone goes.
#[derive(Clone)]
pub struct Keys {
    inner: Arc<SubKeys>,
}

struct SubKeys {
    fingerprints: Zeroizing<[u8; KEY_LEN]>,
    tokens: Zeroizing<[u8; KEY_LEN]>,
    secrets: Zeroizing<[u8; KEY_LEN]>,
    randoms: Zeroizing<[u8; KEY_LEN]>,
    audit: Zeroizing<[u8; KEY_LEN]>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys(…)")
    }
}

struct SubKeyLen;

impl hkdf::KeyType for SubKeyLen {
    fn len(&self) -> usize {
        KEY_LEN
    }
}

impl Keys {
    /// Reads the key, or makes it beside the journal. The text, if any, is a warning for the
    /// operator.
    ///
    /// # Errors
    /// [`KeyError`] if the file cannot be used.
    pub fn load(source: &KeySource) -> Result<(Self, Option<String>), KeyError> {
        match source {
            KeySource::File(path) => Ok((Self::read(path)?, None)),
            KeySource::Beside(journal) => {
                let path = beside(journal, ".key");
                if !path.exists() {
                    if journal.metadata().is_ok_and(|file| file.len() > 0) {
                        return Err(KeyError::Missing { path });
                    }
                    make(&path)?;
                }
                let warning = format!(
                    "the key is in {}, beside the journal; it is not in backups of the journal: \
                     keep a copy of it elsewhere, or name one with --key-file",
                    path.display()
                );
                Ok((Self::read(&path)?, Some(warning)))
            }
        }
    }

    /// Keys from 32 bytes, for rehearsals and tests.
    ///
    /// # Errors
    /// [`KeyError::Random`] if sub-keys cannot be derived.
    pub fn from_bytes(key: &[u8; KEY_LEN]) -> Result<Self, KeyError> {
        let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, b"scim-bridge");
        let root = salt.extract(key);
        let derive = |label: &[u8]| {
            let mut sub = Zeroizing::new([0; KEY_LEN]);
            root.expand(&[label], SubKeyLen)
                .and_then(|okm| okm.fill(sub.as_mut_slice()))
                .map_err(|_| KeyError::Random)?;
            Ok(sub)
        };
        Ok(Self {
            inner: Arc::new(SubKeys {
                fingerprints: derive(b"fingerprints")?,
                tokens: derive(b"tokens")?,
                secrets: derive(b"secrets")?,
                randoms: derive(b"random values")?,
                audit: derive(b"audit chain")?,
            }),
        })
    }

    fn read(path: &Path) -> Result<Self, KeyError> {
        let io = |source| KeyError::Io { path: path.to_owned(), source };
        let file = std::fs::File::open(path).map_err(io)?;
        let mut bytes = Zeroizing::new(Vec::with_capacity(KEY_LEN + 1));
        file.take(KEY_LEN as u64 + 1).read_to_end(&mut bytes).map_err(io)?;
        let found = bytes.len();
        let key: Zeroizing<[u8; KEY_LEN]> = Zeroizing::new(
            bytes
                .as_slice()
                .try_into()
                .map_err(|_| KeyError::Length { path: path.to_owned(), found })?,
        );
        Self::from_bytes(&key)
    }

    /// HMAC-SHA-256 of a canonical body. Keyed, since bodies can hold passwords and a bare hash
    /// could be tried against a dictionary.
    pub fn fingerprint(&self, canonical: &[u8]) -> Vec<u8> {
        mac(&self.inner.fingerprints, canonical)
    }

    /// 32 bytes that only the holder of the key can know: the same for the same words, so that what
    /// is made from them need not be stored.
    pub fn seed(&self, words: &[u8]) -> Zeroizing<[u8; KEY_LEN]> {
        let mut seed = Zeroizing::new([0; KEY_LEN]);
        let made = Zeroizing::new(mac(&self.inner.randoms, words));
        seed.iter_mut().zip(made.iter()).for_each(|(to, from)| *to = *from);
        seed
    }

    /// The key of the audit chain.
    pub(super) fn chain(&self) -> Chain {
        Chain::new(self.inner.audit.as_slice())
    }

    /// HMAC-SHA-256 of a token that was given to the bridge (one that it made itself is random
    /// enough for a bare SHA-256).
    pub fn token_hash(&self, token: &[u8]) -> Vec<u8> {
        mac(&self.inner.tokens, token)
    }

    /// Seals a value under a fresh key of its own, which is wrapped by the sub-key: with the row
    /// gone, copies of the wrapped bytes in logs and backups are all that is left, and `key
    /// rotate` need only wrap again.
    ///
    /// # Errors
    /// [`KeyError::Random`] if the system gives no random bytes.
    pub fn seal(&self, plain: &[u8]) -> Result<Sealed, KeyError> {
        let random = SystemRandom::new();
        let mut own = Zeroizing::new([0; KEY_LEN]);
        fill(&random, own.as_mut_slice())?;
        let mut sealed = vec![SEALED_V1];
        encrypt(&random, &self.inner.secrets, own.as_slice(), &mut sealed)?;
        encrypt(&random, &own, plain, &mut sealed)?;
        Ok(Sealed(sealed))
    }

    /// Opens a sealed value.
    ///
    /// # Errors
    /// [`KeyError::Unsealable`] if it was sealed with another key or is damaged.
    pub fn open(&self, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let bytes = &sealed.0;
        if bytes.first() != Some(&SEALED_V1) || bytes.len() < HEAD_LEN + TAG_LEN {
            return Err(KeyError::Unsealable);
        }
        let (wrapped, value) = bytes[1..].split_at(NONCE_LEN + KEY_LEN + TAG_LEN);
        let own = decrypt(&self.inner.secrets, wrapped)?;
        let own: &[u8; KEY_LEN] = own.as_slice().try_into().map_err(|_| KeyError::Unsealable)?;
        decrypt(own, value)
    }
}

fn mac(key: &[u8; KEY_LEN], data: &[u8]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, data).as_ref().to_vec()
}

fn fill(random: &SystemRandom, bytes: &mut [u8]) -> Result<(), KeyError> {
    random.fill(bytes).map_err(|_| KeyError::Random)
}

fn aead_key(key: &[u8; KEY_LEN]) -> Result<aead::LessSafeKey, KeyError> {
    aead::UnboundKey::new(&aead::CHACHA20_POLY1305, key)
        .map(aead::LessSafeKey::new)
        .map_err(|_| KeyError::Unsealable)
}

/// Appends nonce, ciphertext and tag to `out`.
fn encrypt(
    random: &SystemRandom,
    key: &[u8; KEY_LEN],
    plain: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), KeyError> {
    let mut nonce = [0; NONCE_LEN];
    fill(random, &mut nonce)?;
    let mut text = Zeroizing::new(plain.to_vec());
    let tag = aead_key(key)?
        .seal_in_place_separate_tag(
            aead::Nonce::assume_unique_for_key(nonce),
            aead::Aad::from([SEALED_V1]),
            &mut text,
        )
        .map_err(|_| KeyError::Unsealable)?;
    out.extend_from_slice(&nonce);
    out.extend_from_slice(&text);
    out.extend_from_slice(tag.as_ref());
    Ok(())
}

/// Reads what [`encrypt`] wrote.
fn decrypt(key: &[u8; KEY_LEN], bytes: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let (nonce, text) = bytes.split_first_chunk::<NONCE_LEN>().ok_or(KeyError::Unsealable)?;
    let mut text = Zeroizing::new(text.to_vec());
    let len = aead_key(key)?
        .open_in_place(
            aead::Nonce::assume_unique_for_key(*nonce),
            aead::Aad::from([SEALED_V1]),
            &mut text,
        )
        .map_err(|_| KeyError::Unsealable)?
        .len();
    text.truncate(len);
    Ok(text)
}

/// Makes a key file that only its owner can read. Never overwrites one.
fn make(path: &Path) -> Result<(), KeyError> {
    let io = |source| KeyError::Io { path: path.to_owned(), source };
    let mut key = Zeroizing::new([0; KEY_LEN]);
    fill(&SystemRandom::new(), key.as_mut_slice())?;
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(io)?;
    file.write_all(key.as_slice()).map_err(io)?;
    file.sync_all().map_err(io)
}
