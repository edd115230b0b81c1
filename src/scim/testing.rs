//! Resource types that the tests of this room share.

use super::attribute::Attribute;
use super::core;
use super::schema::{Extension, ResourceType, Schema};

/// A User with everything of RFC 7643.
pub(crate) fn user() -> ResourceType {
    ResourceType {
        id: "User".to_owned(),
        name: "User".to_owned(),
        endpoint: "/Users".to_owned(),
        description: "User Account".to_owned(),
        schema: core::user(),
        extensions: vec![Extension {
            schema: core::enterprise_user(),
            required: false,
            also_read: core::ENTERPRISE_ALSO_READ.map(str::to_owned).to_vec(),
        }],
    }
}

/// A User with the extension whose namespace is a bare word.
pub(crate) fn altr_user() -> ResourceType {
    let level = Attribute::text("ALTR_ADMIN_LEVEL", "The administrator's level.")
        .exact()
        .canonical(&["ADMINISTRATOR", "SUPERADMINISTRATOR", "DATA_CONSUMER"]);
    let mut rt = user();
    rt.extensions.push(Extension {
        schema: Schema {
            id: "ALTR_ADMIN_LEVEL".to_owned(),
            name: "ALTR_ADMIN_LEVEL".to_owned(),
            description: "ALTR".to_owned(),
            attributes: vec![level],
        },
        required: false,
        also_read: Vec::new(),
    });
    rt
}

/// A Group of RFC 7643.
pub(crate) fn group() -> ResourceType {
    ResourceType {
        id: "Group".to_owned(),
        name: "Group".to_owned(),
        endpoint: "/Groups".to_owned(),
        description: "Group".to_owned(),
        schema: core::group(),
        extensions: Vec::new(),
    }
}
