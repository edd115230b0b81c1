//! `sync.marker`: a field of the app's record that holds the SCIM id, so that the record itself says
//! whose it is (docs/mapping.md section 16).
//!
//! Only what a record says. Whether there is such a user is the journal's to say.

use serde_json::Value;

use super::attribute::Row;
use super::side::Side;
use super::template::scalar_text;

impl Side {
    /// The row that holds the SCIM id, if the mapping has one.
    pub fn marker(&self) -> Option<&Row> {
        self.attributes.iter().find(|row| row.is_marker())
    }

    /// What the marker of a record holds; nothing where it is empty.
    pub fn mark_of(&self, current: &Value) -> Option<String> {
        let held = scalar_text(&self.marker()?.field.get(current)?)?;
        let mark = held.trim();
        (!mark.is_empty()).then(|| mark.to_owned())
    }
}
