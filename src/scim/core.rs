//! The schemas of RFC 7643: User, Group and the enterprise extension, complete.
//!
//! As section 8.7.1 lists them, with what sections 2 and 4 say where the two differ:
//! references and binaries are case exact, a group's `displayName` is required,
//! addresses may be `primary`, members have a `display`.

use super::attribute::{Attribute, AttributeType, Mutability, Returned, Uniqueness};
use super::schema::Schema;

/// The namespace of the core User schema.
pub const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
/// The namespace of the core Group schema.
pub const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
/// The namespace of the enterprise extension.
pub const ENTERPRISE_USER: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
/// Older namespaces of the enterprise extension that clients still write (OneLogin).
pub const ENTERPRISE_ALSO_READ: [&str; 2] =
    ["urn:scim:schemas:extension:enterprise:2.0", "urn:scim:schemas:extension:enterprise:1.0"];

fn boolean(name: &str, description: &str) -> Attribute {
    Attribute::new(name, AttributeType::Boolean, description)
}

fn primary(of: &str) -> Attribute {
    boolean(
        "primary",
        &format!("Whether this is the preferred {of}. True for at most one of them."),
    )
}

/// A multi-valued attribute of the usual shape: value, display, type, primary.
fn list(name: &str, one: &str, value: Attribute, types: &[&str]) -> Attribute {
    let parts = vec![
        value,
        Attribute::text("display", "A name for people, primarily for display."),
        Attribute::text("type", &format!("What kind of {one} this is.")).canonical(types),
        primary(one),
    ];
    Attribute::complex(name, &format!("The user's list of values: {one}."), parts).multi()
}

/// The core User schema (RFC 7643 section 4.1).
pub fn user() -> Schema {
    let mut attributes = singular();
    attributes.extend(plural());
    Schema {
        id: USER.to_owned(),
        name: "User".to_owned(),
        description: "User Account".to_owned(),
        attributes,
    }
}

/// Section 4.1.1.
fn singular() -> Vec<Attribute> {
    let name = vec![
        Attribute::text("formatted", "The full name, formatted for display."),
        Attribute::text("familyName", "The family name, or last name."),
        Attribute::text("givenName", "The given name, or first name."),
        Attribute::text("middleName", "The middle name or names."),
        Attribute::text("honorificPrefix", "The honorific prefix, or title, such as 'Ms.'."),
        Attribute::text("honorificSuffix", "The honorific suffix, such as 'III'."),
    ];
    vec![
        Attribute::text(
            "userName",
            "The unique name by which the user directly authenticates to the service provider.",
        )
        .required()
        .unique(Uniqueness::Server),
        Attribute::complex("name", "The components of the user's name.", name),
        Attribute::text("displayName", "The user's name, suitable for display."),
        Attribute::text("nickName", "The casual way to address the user."),
        Attribute::reference("profileUrl", "A URL of the user's online profile.", &["external"]),
        Attribute::text("title", "The user's title, such as 'Vice President'."),
        Attribute::text("userType", "The relationship between the organization and the user."),
        Attribute::text("preferredLanguage", "The preferred language, as in Accept-Language."),
        Attribute::text("locale", "The default location for localizing, such as 'en-US'."),
        Attribute::text("timezone", "The time zone, such as 'America/Los_Angeles'."),
        boolean("active", "The user's administrative status."),
        Attribute::text("password", "The user's password in clear text; it cannot be read.")
            .mutability(Mutability::WriteOnly)
            .returned(Returned::Never),
    ]
}

/// Section 4.1.2.
fn plural() -> Vec<Attribute> {
    let text = || Attribute::text("value", "The value.");
    let photo = Attribute::reference("value", "The URL of a photo.", &["external"]);
    let certificate =
        Attribute::new("value", AttributeType::Binary, "A DER-encoded X.509 certificate.");
    let usual = ["work", "home", "other"];
    vec![
        list("emails", "e-mail address", text(), &usual),
        list(
            "phoneNumbers",
            "phone number",
            text(),
            &["work", "home", "mobile", "fax", "pager", "other"],
        ),
        list(
            "ims",
            "instant messaging address",
            text(),
            &["aim", "gtalk", "icq", "xmpp", "msn", "skype", "qq", "yahoo"],
        ),
        list("photos", "photo", photo, &["photo", "thumbnail"]),
        addresses(&usual),
        groups_of_user(),
        list("entitlements", "entitlement", text(), &[]),
        list("roles", "role", text(), &[]),
        list("x509Certificates", "certificate", certificate, &[]),
    ]
}

fn addresses(types: &[&str]) -> Attribute {
    let parts = vec![
        Attribute::text("formatted", "The full address, formatted for display."),
        Attribute::text("streetAddress", "House number, street, P.O. box and the like."),
        Attribute::text("locality", "The city or locality."),
        Attribute::text("region", "The state or region."),
        Attribute::text("postalCode", "The zip or postal code."),
        Attribute::text("country", "The country, as an ISO 3166-1 alpha-2 code."),
        Attribute::text("type", "What kind of address this is.").canonical(types),
        primary("address"),
    ];
    Attribute::complex("addresses", "The physical mailing addresses of the user.", parts).multi()
}

fn groups_of_user() -> Attribute {
    let parts = vec![
        Attribute::text("value", "The id of the group.").read_only(),
        Attribute::reference("$ref", "The URI of the group.", &["User", "Group"]).read_only(),
        Attribute::text("display", "The name of the group.").read_only(),
        Attribute::text("type", "How the user belongs to the group.")
            .canonical(&["direct", "indirect"])
            .read_only(),
    ];
    Attribute::complex("groups", "The groups to which the user belongs.", parts).multi().read_only()
}

/// The core Group schema (RFC 7643 section 4.2).
pub fn group() -> Schema {
    let members = vec![
        Attribute::text("value", "The id of the member.").mutability(Mutability::Immutable),
        Attribute::reference("$ref", "The URI of the member.", &["User", "Group"])
            .mutability(Mutability::Immutable),
        Attribute::text("type", "What kind of resource the member is.")
            .canonical(&["User", "Group"])
            .mutability(Mutability::Immutable),
        // RFC 7643 section 8.7.1 has no such part of members, and clients that compare what they
        // wrote with what they read stumble over it; who wants it asks for `members.display`.
        Attribute::text("display", "The name of the member.")
            .read_only()
            .returned(Returned::Request),
    ];
    Schema {
        id: GROUP.to_owned(),
        name: "Group".to_owned(),
        description: "Group".to_owned(),
        attributes: vec![
            Attribute::text("displayName", "The name of the group.").required(),
            Attribute::complex("members", "The members of the group.", members).multi(),
        ],
    }
}

/// The enterprise extension of User (RFC 7643 section 4.3).
pub fn enterprise_user() -> Schema {
    let manager = vec![
        Attribute::text("value", "The id of the user's manager."),
        Attribute::reference("$ref", "The URI of the user's manager.", &["User"]),
        Attribute::text("displayName", "The displayName of the user's manager.").read_only(),
    ];
    Schema {
        id: ENTERPRISE_USER.to_owned(),
        name: "EnterpriseUser".to_owned(),
        description: "Enterprise User".to_owned(),
        attributes: vec![
            Attribute::text("employeeNumber", "The number by which the organization knows them."),
            Attribute::text("costCenter", "The name of a cost center."),
            Attribute::text("organization", "The name of an organization."),
            Attribute::text("division", "The name of a division."),
            Attribute::text("department", "The name of a department."),
            Attribute::complex("manager", "The user's manager.", manager),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names of RFC 7643 section 8.7.1, in its order.
    #[test]
    fn the_schemas_are_complete() {
        let names = |schema: &Schema| {
            schema.attributes.iter().map(|a| a.name.clone()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(
            names(&user()),
            "userName name displayName nickName profileUrl title userType preferredLanguage \
             locale timezone active password emails phoneNumbers ims photos addresses groups \
             entitlements roles x509Certificates"
        );
        assert_eq!(names(&group()), "displayName members");
        assert_eq!(
            names(&enterprise_user()),
            "employeeNumber costCenter organization division department manager"
        );
    }

    #[test]
    fn the_password_can_never_be_read() {
        let user = user();
        let password = user.attribute("password").map(|a| (a.mutability, a.returned));
        assert_eq!(password, Some((Mutability::WriteOnly, Returned::Never)));
    }

    #[test]
    fn user_names_ignore_case_and_references_do_not() {
        let user = user();
        let exact = |name: &str| user.attribute(name).map(|a| a.case_exact);
        assert_eq!(exact("USERNAME"), Some(false));
        assert_eq!(exact("profileUrl"), Some(true));
    }
}
