//! The attribute table both ways, without a call.

use serde_json::Value;

use crate::mapping::attribute::{Row, SendRule};
use crate::mapping::model::Mapping;
use crate::mapping::record::{Carried, FieldState};
use crate::mapping::roots::Roots;
use crate::scim::{self, Slot};

/// The two outcomes of a round trip.
#[derive(Debug, Clone, PartialEq)]
pub struct RoundTrip {
    /// The app's record that the table makes of the user; where it makes nothing of a field
    /// that is read only, what was given.
    pub app: Value,
    /// The user that the table reads from the record.
    pub user: Value,
    /// The user as given, without what no row reads back.
    pub readable: Value,
}

impl Mapping {
    /// A user without what only the bridge keeps, and what rows only write.
    fn readable(&self, mut user: Value) -> Value {
        let rows = &self.users.attributes;
        let feeds = |row: &Row, slot: &Slot| row.sources.iter().any(|one| one.slot == *slot);
        let written = rows.iter().flat_map(|row| &row.sources).map(|source| &source.slot);
        let lost = written.filter(|slot| !rows.iter().any(|r| r.is_readable() && feeds(r, slot)));
        for slot in lost.chain(&self.scim.keep) {
            slot.remove(&mut user);
        }
        user
    }

    /// Sends a user through the table and a record back.
    ///
    /// # Errors
    /// Why the table or SCIM refuses the user.
    pub fn round_trip(&self, user: &Value, app: &Value) -> Result<RoundTrip, String> {
        let side = &self.users;
        let body = self.with_namespaces(user.clone());
        let password = body.get("password").cloned();
        let incoming =
            scim::normalise(body, &side.resource_type, None).map_err(|error| error.detail)?;
        let mut wanted = incoming.resource.clone();
        if let Some(password) = &password {
            wanted["password"] = password.clone();
        }
        let carried = Carried::everything(password.is_some());
        let roots = Roots::new().with("user", wanted);
        let record =
            side.app_record(&roots, true, &carried).map_err(|refusal| refusal.to_string())?;
        let mut made = record.tree().clone();
        for row in &side.attributes {
            // Only read, or fed by another row: the table has nothing to say on the way out.
            let silent = *record.state(row.id) == FieldState::Absent || row.send == SendRule::Never;
            if let Some(given) = row.field.get(app).filter(|_| silent)
                && row.field.get(&made).is_none()
            {
                row.field.put(&mut made, given, app);
            }
        }
        let id = side.id_of(app).unwrap_or_default();
        let user = side.read_back(app, &id);
        Ok(RoundTrip { app: made, user, readable: self.readable(incoming.resource) })
    }
}
