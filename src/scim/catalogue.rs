//! Catalogues: fixed lists of resources that can only be read, such as the roles of an app.
//!
//! Their shape is that of Okta's Role and Entitlement resources; what is in them comes from
//! the mapping. A page of one is made here, as of any other list.

use serde_json::{Value, json};

use super::attribute::Attribute;
use super::error::{ScimError, ScimType};
use super::filter::Filter;
use super::list::{cursor_response, list_response};
use super::paging::Paging;
use super::path::shown;
use super::project::{Projection, project};
use super::schema::{ResourceType, Schema};
use super::search::SearchRequest;
use super::sort::Sort;

/// The namespace of Okta's Role.
pub const ROLE: &str = "urn:okta:scim:schemas:core:1.0:Role";
/// The namespace of Okta's Entitlement.
pub const ENTITLEMENT: &str = "urn:okta:scim:schemas:core:1.0:Entitlement";

/// Rows of a page when the client does not say, and the most.
const DEFAULT_COUNT: u64 = 100;
const LONGEST_PAGE: u64 = 1_000;

/// The longest description that Okta takes, in characters.
pub const LONGEST_DESCRIPTION: usize = 1_000;

/// What a catalogue holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CatalogueKind {
    /// Roles, at `/Roles`.
    Role,
    /// Entitlements, at `/Entitlements`.
    Entitlement,
}

/// An entry as the mapping says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogueEntry {
    /// Its id: the value of the attribute on a user.
    pub id: String,
    /// The name for people.
    pub display: String,
    /// What it means, for people; at most [`LONGEST_DESCRIPTION`] characters.
    pub description: Option<String>,
}

impl CatalogueKind {
    /// Its endpoint without slash, as it stands in a path: `Roles`.
    pub fn endpoint(self) -> &'static str {
        match self {
            Self::Role => "Roles",
            Self::Entitlement => "Entitlements",
        }
    }
}

/// A fixed list of resources.
#[derive(Debug, Clone, PartialEq)]
pub struct Catalogue {
    kind: CatalogueKind,
    resource_type: ResourceType,
    resources: Vec<Value>,
}

impl Catalogue {
    /// A catalogue of these entries, in this order.
    pub fn new(kind: CatalogueKind, entries: Vec<CatalogueEntry>) -> Self {
        let resource_type = resource_type(kind);
        let resources = entries.into_iter().map(|entry| resource(kind, &resource_type, entry));
        Self { kind, resources: resources.collect(), resource_type }
    }

    /// What it holds.
    pub fn kind(&self) -> CatalogueKind {
        self.kind
    }

    /// Its resource type, for discovery.
    pub fn resource_type(&self) -> &ResourceType {
        &self.resource_type
    }

    /// One entry as an answer shows it. `locate` gives the URL of an id.
    ///
    /// # Errors
    /// 404.
    pub fn get(
        &self,
        id: &str,
        projection: &Projection,
        locate: &dyn Fn(&str) -> String,
    ) -> Result<Value, ScimError> {
        // Ids of resources are compared with case (RFC 7643 section 3.1).
        let found = self.resources.iter().find(|resource| resource["id"] == id);
        let missing = || ScimError::not_found(&self.resource_type.name, &shown(id));
        found.map(|resource| self.shown(resource, projection, locate)).ok_or_else(missing)
    }

    /// A page, as a list answer: filter, order, paging by index and by cursor. `locate` gives
    /// the URL of an id.
    ///
    /// # Errors
    /// 400 for a filter, an order, a number or a cursor that is none.
    pub fn page(
        &self,
        query: &SearchRequest,
        locate: &dyn Fn(&str) -> String,
    ) -> Result<Value, ScimError> {
        let rt = &self.resource_type;
        let filter = query.filter.as_deref().map(|text| Filter::parse(text, rt)).transpose()?;
        let sort = Sort::parse(query.sort_by.as_deref(), query.sort_order.as_deref(), rt)?;
        let (start, count) = place(query)?;
        let fits = |one: &&Value| filter.as_ref().is_none_or(|filter| filter.matches(one));
        let mut found: Vec<&Value> = self.resources.iter().filter(fits).collect();
        if let Some(sort) = sort {
            found.sort_by_cached_key(|resource| sort.key(resource));
        }
        let total = found.len() as u64;
        let projection =
            Projection::parse(query.attributes.as_deref(), query.excluded_attributes.as_deref());
        let skip = usize::try_from(start - 1).unwrap_or(usize::MAX);
        let page = found.into_iter().skip(skip).take(usize::try_from(count).unwrap_or(usize::MAX));
        let page: Vec<Value> = page.map(|one| self.shown(one, &projection, locate)).collect();
        if query.cursor.is_none() {
            return Ok(list_response(total, start, page));
        }
        let next = start.saturating_add(page.len() as u64);
        let next = (next <= total && !page.is_empty()).then(|| next.to_string());
        let previous = (start > 1 && count > 0).then(|| start.saturating_sub(count).max(1));
        Ok(cursor_response(total, page, next, previous.map(|start| start.to_string())))
    }

    fn shown(
        &self,
        resource: &Value,
        projection: &Projection,
        locate: &dyn Fn(&str) -> String,
    ) -> Value {
        let mut resource = resource.clone();
        let location = resource["id"].as_str().map(locate);
        resource["meta"] = json!({ "resourceType": self.resource_type.name, "location": location });
        project(resource, &self.resource_type, projection)
    }
}

/// Where the page begins, and how many rows it has. The list never changes while a mapping is
/// loaded, so a cursor (RFC 9865) is the number of a row.
fn place(query: &SearchRequest) -> Result<(u64, u64), ScimError> {
    let rows = |count: Option<u64>| count.unwrap_or(DEFAULT_COUNT).min(LONGEST_PAGE);
    let Some(cursor) = &query.cursor else {
        let paging = Paging::parse(query.start_index.as_deref(), query.count.as_deref())?;
        return Ok((paging.start_index, rows(paging.count)));
    };
    let paging = Paging::parse(None, query.count.as_deref())
        .map_err(|error| ScimError::typed(ScimType::InvalidCount, error.detail))?;
    let start = match cursor.as_str() {
        "" => Some(1),
        text if text.bytes().all(|b| b.is_ascii_digit()) => text.parse().ok().filter(|n| *n > 0),
        _ => None,
    };
    let invalid = || {
        let detail = "This is no cursor of this list; begin anew with an empty one.";
        ScimError::typed(ScimType::InvalidCursor, detail)
    };
    Ok((start.ok_or_else(invalid)?, rows(paging.count)))
}

fn resource_type(kind: CatalogueKind) -> ResourceType {
    let (name, namespace, description) = match kind {
        CatalogueKind::Role => ("Role", ROLE, "A role that a user can have in the app."),
        CatalogueKind::Entitlement => {
            ("Entitlement", ENTITLEMENT, "An entitlement that a user can have in the app.")
        }
    };
    let mut attributes = vec![
        Attribute::text("displayName", "The name, suitable for display.").required().read_only(),
        Attribute::text("description", "What it means, in at most 1000 characters.").read_only(),
    ];
    if kind == CatalogueKind::Entitlement {
        let description = "The name of the resource type that the entitlement is listed under.";
        attributes.push(Attribute::text("type", description).required().read_only());
    }
    let schema = Schema {
        id: namespace.to_owned(),
        name: name.to_owned(),
        description: description.to_owned(),
        attributes,
    };
    ResourceType {
        id: name.to_owned(),
        name: name.to_owned(),
        endpoint: format!("/{}", kind.endpoint()),
        description: description.to_owned(),
        schema,
        extensions: Vec::new(),
    }
}

fn resource(kind: CatalogueKind, rt: &ResourceType, entry: CatalogueEntry) -> Value {
    let mut resource = json!({
        "schemas": [rt.schema.id],
        "id": entry.id,
        "displayName": entry.display,
    });
    if let Some(description) = entry.description {
        resource["description"] = description.into();
    }
    if kind == CatalogueKind::Entitlement {
        resource["type"] = rt.name.as_str().into();
    }
    resource
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn locate(id: &str) -> String {
        format!("https://b.example/x/scim/v2/Roles/{}", id.replace(' ', "%20"))
    }

    fn roles() -> Catalogue {
        let entry = |id: &str, display: &str, description: Option<&str>| CatalogueEntry {
            id: id.to_owned(),
            display: display.to_owned(),
            description: description.map(str::to_owned),
        };
        Catalogue::new(
            CatalogueKind::Role,
            vec![
                entry("ADMIN", "Administrator", Some("May do everything")),
                entry("READ ONLY", "Reader", None),
                entry("write", "author", None),
            ],
        )
    }

    fn ids(query: SearchRequest) -> (u64, Vec<String>) {
        let page = roles().page(&query, &locate).unwrap();
        let rows = page["Resources"].as_array().unwrap().iter();
        let ids = rows.map(|row| row["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
        assert_eq!(page["itemsPerPage"], ids.len());
        (page["totalResults"].as_u64().unwrap(), ids)
    }

    fn text(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn an_entry_has_the_shape_that_okta_reads() {
        let shown = roles().get("READ ONLY", &Projection::default(), &locate).unwrap();
        assert_eq!(
            shown,
            json!({
                "schemas": [ROLE], "id": "READ ONLY", "displayName": "Reader",
                "meta": { "resourceType": "Role", "location": locate("READ ONLY") },
            })
        );
        let names = Projection::parse(Some("displayName"), None);
        let shown = roles().get("ADMIN", &names, &locate).unwrap();
        assert_eq!(
            shown,
            json!({ "schemas": [ROLE], "id": "ADMIN", "displayName": "Administrator" })
        );
        for unknown in ["admin", "", "READ"] {
            assert_eq!(roles().get(unknown, &names, &locate).unwrap_err().status, 404);
        }
        let entry = CatalogueEntry { id: "lic-1".into(), display: "Pro".into(), description: None };
        let licences = Catalogue::new(CatalogueKind::Entitlement, vec![entry]);
        let shown = licences.get("lic-1", &Projection::default(), &locate).unwrap();
        assert_eq!(
            (&shown["type"], &shown["schemas"]),
            (&json!("Entitlement"), &json!([ENTITLEMENT]))
        );
        assert!(licences.resource_type().attribute("type").unwrap().required);
    }

    #[test]
    fn a_list_is_paged_filtered_and_sorted_as_every_other() {
        let all = |ids: &[&str]| (3, ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>());
        assert_eq!(ids(SearchRequest::default()), all(&["ADMIN", "READ ONLY", "write"]));
        let page = SearchRequest { start_index: text("2"), count: text("1"), ..Default::default() };
        assert_eq!(ids(page), all(&["READ ONLY"]));
        let none = SearchRequest { count: text("0"), ..Default::default() };
        assert_eq!(ids(none), all(&[]));
        let sorted = SearchRequest { sort_by: text("displayName"), ..Default::default() };
        assert_eq!(ids(sorted), all(&["ADMIN", "write", "READ ONLY"]));
        for (filter, found) in [
            ("id eq \"ADMIN\"", "ADMIN"),
            ("displayName eq \"READER\"", "READ ONLY"),
            ("description pr", "ADMIN"),
            ("displayName co \"auth\" and not (description pr)", "write"),
        ] {
            let query = SearchRequest { filter: text(filter), ..Default::default() };
            assert_eq!(ids(query), (1, vec![found.to_owned()]), "{filter}");
        }
    }

    #[test]
    fn cursors_lead_through_it() {
        let page = |cursor: &str| {
            let query =
                SearchRequest { cursor: text(cursor), count: text("2"), ..Default::default() };
            roles().page(&query, &locate)
        };
        let first = page("").unwrap();
        assert_eq!((&first["nextCursor"], first.get("previousCursor")), (&json!("3"), None));
        let second = page("3").unwrap();
        assert_eq!((second.get("nextCursor"), &second["previousCursor"]), (None, &json!("1")));
        assert_eq!(second["Resources"][0]["id"], "write");
        for wrong in ["x", "0", "-1", "99999999999999999999"] {
            assert_eq!(
                page(wrong).unwrap_err().scim_type,
                Some(ScimType::InvalidCursor),
                "{wrong}"
            );
        }
    }

    #[test]
    fn what_is_no_question_is_refused() {
        let refused = |query: SearchRequest| roles().page(&query, &locate).unwrap_err().scim_type;
        let filter = SearchRequest { filter: text("userName pr"), ..Default::default() };
        assert_eq!(refused(filter), Some(ScimType::InvalidFilter));
        let sort = SearchRequest { sort_by: text("nosuch"), ..Default::default() };
        assert_eq!(refused(sort), Some(ScimType::InvalidValue));
        let count = SearchRequest { cursor: text(""), count: text("two"), ..Default::default() };
        assert_eq!(refused(count), Some(ScimType::InvalidCount));
    }
}
