//! The raw types: the mapping language as it is written, every key with its meaning.
//!
//! They are the reference of the language. Reading reports unknown keys, wrong types and
//! missing keys; it does not know what names mean (`compile` does).

mod attributes;
mod calls;
mod connect;
mod groups;
pub(crate) mod read;
mod scalars;
mod scim;
mod shape;
mod sync;
mod tables;
mod top;
mod users;

pub(crate) use attributes::{
    RawAbsent, RawAttribute, RawAttributeEntry, RawCase, RawEmpty, RawImmutable, RawPick, RawSend,
    RawShows, RawType,
};
pub(crate) use calls::{
    RawCall, RawErrorRow, RawFrom, RawIdFrom, RawInDoubt, RawIs, RawOnly, RawPaging, RawPagingBy,
    RawSave, RawUntil, RawVersion,
};
pub(crate) use connect::{
    RawAuth, RawConnect, RawFormLists, RawLogin, RawLogout, RawMaxRemovals, RawOAuth2,
    RawReadFormat, RawSendFormat, RawSession,
};
pub(crate) use groups::{
    RawFallBack, RawGroups, RawOnUser, RawPolicyCreate, RawPolicyDelete, RawPolicyExists,
    RawUnknownMembers,
};
pub(crate) use read::{Block, OneOrMany, Pairs, Read, Span, Spanned, block, words};
pub(crate) use scim::{RawClientAuth, RawRegenerate, RawScimSettings};
pub(crate) use shape::{BlockShape, KeyShape, Shape};
pub(crate) use sync::{RawAnswer, RawLate, RawMissing, RawRecreate, RawRepair, RawSync};
pub(crate) use tables::{RawTable, RawTableBody, RawTableRow, RawUnknown};
pub(crate) use top::{RawMapping, RawSecret, RawVar};
pub(crate) use users::{RawDelete, RawFind, RawIfExists, RawInactive, RawListEntry, RawUsers};
