//! The documents a client discovers the service by (RFC 7643 sections 5 to 8.7).
//!
//! `base` is the URL of the SCIM root, without or with a slash at its end.

use serde_json::{Map, Value, json};

use super::attribute::{Attribute, AttributeType};
use super::schema::{ResourceType, Schema};

/// What the service can do, as ServiceProviderConfig tells it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Features {
    /// Where people read about the service.
    pub documentation_uri: Option<String>,
    /// PATCH works.
    pub patch: bool,
    /// Bulk works, with at most (operations, bytes).
    pub bulk: Option<(u64, u64)>,
    /// Filters work, with at most this many results.
    pub filter: Option<u64>,
    /// Passwords can be set.
    pub change_password: bool,
    /// `sortBy` works.
    pub sort: bool,
    /// Entity tags work.
    pub etag: bool,
    /// Pages by cursor, RFC 9865; none if only `startIndex` works.
    pub cursor: Option<CursorFeatures>,
    /// How clients may authenticate, the preferred way first.
    pub authentication: Vec<Authentication>,
}

/// What RFC 9865 lets a service tell about its cursors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CursorFeatures {
    /// Rows on a page without `count`.
    pub default_page_size: u64,
    /// The most rows on a page.
    pub max_page_size: u64,
    /// Seconds a cursor stays valid after it was given out.
    pub timeout: u64,
}

/// A way to authenticate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authentication {
    /// `Authorization: Bearer`.
    BearerToken,
    /// `Authorization: Basic`.
    Basic,
}

impl Authentication {
    fn document(self, primary: bool) -> Value {
        let (kind, name, description, spec) = match self {
            Self::BearerToken => (
                "oauthbearertoken",
                "Bearer token",
                "Authentication by a token in the Authorization header.",
                "https://www.rfc-editor.org/info/rfc6750",
            ),
            Self::Basic => (
                "httpbasic",
                "HTTP Basic",
                "Authentication by a user name and a password.",
                "https://www.rfc-editor.org/info/rfc7617",
            ),
        };
        json!({"type": kind, "name": name, "description": description, "specUri": spec,
               "primary": primary})
    }
}

/// `/ServiceProviderConfig`.
pub fn service_provider_config(features: &Features, base: &str) -> Value {
    let mut document = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
    });
    if let Some(uri) = &features.documentation_uri {
        document["documentationUri"] = uri.as_str().into();
    }
    let (operations, bytes) = features.bulk.unwrap_or_default();
    let supported = |yes: bool| json!({"supported": yes});
    document["patch"] = supported(features.patch);
    document["bulk"] = json!({"supported": features.bulk.is_some(), "maxOperations": operations,
                              "maxPayloadSize": bytes});
    document["filter"] = json!({"supported": features.filter.is_some(),
                                "maxResults": features.filter.unwrap_or_default()});
    document["changePassword"] = supported(features.change_password);
    document["sort"] = supported(features.sort);
    document["etag"] = supported(features.etag);
    document["pagination"] = json!({"cursor": features.cursor.is_some(), "index": true,
                                    "defaultPaginationMethod": "index"});
    if let Some(cursor) = features.cursor {
        document["pagination"]["defaultPageSize"] = cursor.default_page_size.into();
        document["pagination"]["maxPageSize"] = cursor.max_page_size.into();
        document["pagination"]["cursorTimeout"] = cursor.timeout.into();
    }
    let ways = features.authentication.iter().enumerate();
    document["authenticationSchemes"] = ways.map(|(n, way)| way.document(n == 0)).collect();
    document["meta"] = meta("ServiceProviderConfig", base, "/ServiceProviderConfig");
    document
}

/// One of `/ResourceTypes`.
pub fn resource_type_document(rt: &ResourceType, base: &str) -> Value {
    let mut document = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],
        "id": rt.id,
        "name": rt.name,
        "description": rt.description,
        "endpoint": rt.endpoint,
        "schema": rt.schema.id,
    });
    let extensions = rt.extensions.iter();
    let extensions: Value = extensions
        .map(|extension| json!({"schema": extension.schema.id, "required": extension.required}))
        .collect();
    document["schemaExtensions"] = extensions;
    document["meta"] = meta("ResourceType", base, &format!("/ResourceTypes/{}", rt.id));
    document
}

/// One of `/Schemas`.
pub fn schema_document(schema: &Schema, base: &str) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Schema"],
        "id": schema.id,
        "name": schema.name,
        "description": schema.description,
        "attributes": schema.attributes.iter().map(attribute_document).collect::<Vec<_>>(),
        "meta": meta("Schema", base, &format!("/Schemas/{}", schema.id)),
    })
}

fn meta(kind: &str, base: &str, path: &str) -> Value {
    json!({"resourceType": kind, "location": format!("{}{path}", base.trim_end_matches('/'))})
}

fn attribute_document(attribute: &Attribute) -> Value {
    let mut document = Map::new();
    let mut put = |key: &str, value: Value| document.insert(key.to_owned(), value);
    put("name", attribute.name.as_str().into());
    put("type", attribute.kind.keyword().into());
    if attribute.is_complex() {
        let parts = attribute.sub_attributes.iter().map(attribute_document);
        put("subAttributes", parts.collect());
    }
    put("multiValued", attribute.multi_valued.into());
    put("description", attribute.description.as_str().into());
    put("required", attribute.required.into());
    if !attribute.canonical_values.is_empty() {
        put("canonicalValues", attribute.canonical_values.clone().into());
    }
    if !matches!(attribute.kind, AttributeType::Complex | AttributeType::Boolean) {
        put("caseExact", attribute.case_exact.into());
    }
    put("mutability", attribute.mutability.keyword().into());
    put("returned", attribute.returned.keyword().into());
    put("uniqueness", attribute.uniqueness.keyword().into());
    if attribute.kind == AttributeType::Reference {
        put("referenceTypes", attribute.reference_types.clone().into());
    }
    Value::Object(document)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scim::core;
    use crate::scim::testing::altr_user;

    #[test]
    fn the_service_tells_what_it_can() {
        let features = Features {
            patch: true,
            filter: Some(200),
            etag: true,
            authentication: vec![Authentication::BearerToken, Authentication::Basic],
            ..Features::default()
        };
        let document = service_provider_config(&features, "https://b.example/altr/scim/v2/");
        assert_eq!(document["patch"], json!({"supported": true}));
        assert_eq!(document["filter"], json!({"supported": true, "maxResults": 200}));
        let bulk = json!({"supported": false, "maxOperations": 0, "maxPayloadSize": 0});
        assert_eq!(document["bulk"], bulk);
        for no in ["changePassword", "sort"] {
            assert_eq!(document[no], json!({"supported": false}));
        }
        assert_eq!(document["pagination"]["cursor"], false);
        assert_eq!(document["authenticationSchemes"][0]["type"], "oauthbearertoken");
        assert_eq!(document["authenticationSchemes"][1]["primary"], false);
        assert_eq!(
            document["meta"],
            json!({"resourceType": "ServiceProviderConfig",
                   "location": "https://b.example/altr/scim/v2/ServiceProviderConfig"})
        );
    }

    #[test]
    fn cursors_are_advertised_with_their_limits() {
        let cursor = CursorFeatures { default_page_size: 100, max_page_size: 500, timeout: 1800 };
        let features = Features { cursor: Some(cursor), ..Features::default() };
        assert_eq!(
            service_provider_config(&features, "")["pagination"],
            json!({"cursor": true, "index": true, "defaultPaginationMethod": "index",
                   "defaultPageSize": 100, "maxPageSize": 500, "cursorTimeout": 1800})
        );
    }

    #[test]
    fn resource_types_name_their_schemas() {
        let document = resource_type_document(&altr_user(), "https://b");
        assert_eq!(
            document,
            json!({
                "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],
                "id": "User", "name": "User", "description": "User Account",
                "endpoint": "/Users", "schema": core::USER,
                "schemaExtensions": [
                    {"schema": core::ENTERPRISE_USER, "required": false},
                    {"schema": "ALTR_ADMIN_LEVEL", "required": false},
                ],
                "meta": {"resourceType": "ResourceType", "location": "https://b/ResourceTypes/User"},
            })
        );
    }

    #[test]
    fn schemas_list_attributes_with_all_their_characteristics() {
        let rt = altr_user();
        let document = schema_document(&rt.extensions[1].schema, "https://b");
        assert_eq!(
            document["attributes"],
            json!([{
                "name": "ALTR_ADMIN_LEVEL", "type": "string", "multiValued": false,
                "description": "The administrator's level.", "required": false,
                "canonicalValues": ["ADMINISTRATOR", "SUPERADMINISTRATOR", "DATA_CONSUMER"],
                "caseExact": true, "mutability": "readWrite", "returned": "default",
                "uniqueness": "none",
            }])
        );
        assert_eq!(document["meta"]["location"], "https://b/Schemas/ALTR_ADMIN_LEVEL");
        let user = schema_document(&core::user(), "https://b");
        let name = |name: &str| {
            let list = user["attributes"].as_array().cloned().unwrap_or_default();
            list.into_iter().find(|a| a["name"] == name).unwrap_or_default()
        };
        assert_eq!(name("userName")["uniqueness"], "server");
        assert_eq!(name("userName")["required"], true);
        assert_eq!(name("active").get("caseExact"), None);
        assert_eq!(name("password")["returned"], "never");
        assert_eq!(name("groups")["subAttributes"][1]["referenceTypes"], json!(["User", "Group"]));
        assert_eq!(
            name("emails")["subAttributes"][2]["canonicalValues"],
            json!(["work", "home", "other"])
        );
    }
}
