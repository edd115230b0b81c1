//! Cursors of RFC 9865: which list a client pages through, and where it is.
//!
//! Opaque and authenticated: a cursor is good for the token, the resource type, the filter and
//! the order it was made for, and cannot be made up. It holds no data of anybody.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;

use crate::journal::{Keys, SnapshotId, SnapshotKey};
use crate::scim::{ScimError, ScimType};

/// List and row, eight bytes each.
const HEAD: usize = 16;
/// Bytes of the HMAC that are kept: 128 bits.
const TAG: usize = 16;

/// A place in a list that was begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cursor {
    pub list: SnapshotId,
    /// The first row of the page, from 1.
    pub start: u64,
}

impl Cursor {
    /// As the client gets it.
    pub fn write(self, keys: &Keys, of: &SnapshotKey) -> String {
        let mut bytes = Vec::with_capacity(HEAD + TAG);
        bytes.extend(self.list.0.to_be_bytes());
        bytes.extend(self.start.to_be_bytes());
        let tag = tag(keys, of, &bytes);
        bytes.extend(tag);
        BASE64.encode(bytes)
    }

    /// From what a client sent.
    ///
    /// # Errors
    /// 400 `invalidCursor` for one that was not made here for this very list.
    pub fn read(text: &str, keys: &Keys, of: &SnapshotKey) -> Result<Self, ScimError> {
        let invalid = || {
            let detail = "The cursor is not one of this list: send it as it was given, with the \
                          same filter and order, or begin anew with an empty cursor.";
            ScimError::typed(ScimType::InvalidCursor, detail)
        };
        let bytes = BASE64.decode(text.trim()).map_err(|_| invalid())?;
        let (head, given) = bytes.split_at_checked(HEAD).ok_or_else(invalid)?;
        let (list, start) = head.split_at_checked(HEAD / 2).ok_or_else(invalid)?;
        let expected = tag(keys, of, head);
        let differs = given.iter().zip(&expected).fold(0, |sum, (a, b)| sum | (a ^ b));
        if given.len() != TAG || expected.len() != TAG || differs != 0 {
            return Err(invalid());
        }
        Ok(Self {
            list: SnapshotId(i64::from_be_bytes(list.try_into().map_err(|_| invalid())?)),
            start: u64::from_be_bytes(start.try_into().map_err(|_| invalid())?),
        })
    }
}

/// 400 `expiredCursor`.
pub(super) fn expired() -> ScimError {
    let detail = "The list of this cursor is no longer kept (30 minutes after its last page); \
                  begin anew with an empty cursor.";
    ScimError::typed(ScimType::ExpiredCursor, detail)
}

fn tag(keys: &Keys, of: &SnapshotKey, head: &[u8]) -> Vec<u8> {
    let mut text = b"cursor\n".to_vec();
    for part in [&of.token, &of.app, &of.filter] {
        text.extend(part.len().to_be_bytes());
        text.extend(part.as_bytes());
    }
    text.extend(of.kind.resource_type().as_bytes());
    text.extend(head);
    let mut tag = keys.fingerprint(&text);
    tag.truncate(TAG);
    tag
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::change::Kind;

    #[test]
    fn a_cursor_is_good_for_its_own_list_only() {
        let keys = Keys::from_bytes(&[7; 32]).unwrap();
        let key = |token: &str, kind, filter: &str| SnapshotKey {
            token: token.into(),
            app: "demo".into(),
            kind,
            filter: filter.into(),
        };
        let own = key("t", Kind::User, "active eq true");
        let cursor = Cursor { list: SnapshotId(3), start: 101 };
        let text = cursor.write(&keys, &own);
        assert_eq!(Cursor::read(&text, &keys, &own), Ok(cursor));
        let others = [
            key("u", Kind::User, "active eq true"),
            key("t", Kind::Group, "active eq true"),
            key("t", Kind::User, ""),
        ];
        for other in others {
            assert!(Cursor::read(&text, &keys, &other).is_err(), "{other:?}");
        }
        let other_keys = Keys::from_bytes(&[8; 32]).unwrap();
        assert!(Cursor::read(&text, &other_keys, &own).is_err());
    }

    #[test]
    fn nothing_else_is_a_cursor() {
        let keys = Keys::from_bytes(&[7; 32]).unwrap();
        let own = SnapshotKey {
            token: "t".into(),
            app: "demo".into(),
            kind: Kind::User,
            filter: String::new(),
        };
        let good = Cursor { list: SnapshotId(3), start: 101 }.write(&keys, &own);
        let cut = &good[..good.len() - 2];
        let longer = format!("{good}AA");
        for text in ["x", "", "AAAA", cut, &longer, &"A".repeat(43), "\u{e9}", &"A".repeat(9000)] {
            let error = Cursor::read(text, &keys, &own).unwrap_err();
            assert_eq!(error.scim_type, Some(ScimType::InvalidCursor), "{text}");
        }
    }
}
