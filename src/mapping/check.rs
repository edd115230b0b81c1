//! The dry run before anything is journaled: whether the table can take what a request asks.
//!
//! Refuses with 400, or, when the request takes access away, leaves out what it would refuse.

use std::sync::Arc;

use serde_json::Value;

use super::attribute::{Immutable, Pick, Row, is_nothing};
use super::record::touches;
use super::roots::Roots;
use super::side::Side;
use crate::scim::{ScimError, ScimType, Slot, Written, values_equal};

impl Side {
    /// Checks `required`, tables, types and `immutable` against what the resource shows now
    /// (`base`, None on create). Ignored attributes get their old value and leave `asserted`.
    /// With `ending_access` (the request makes `active` false) nothing is refused because of
    /// another attribute: offending ones are left out. Returns what was left out, in words.
    ///
    /// # Errors
    /// 400 `invalidValue` or `mutability`, naming the SCIM attribute.
    pub fn check_write(
        &self,
        base: Option<&Value>,
        written: &mut Written,
        ending_access: bool,
    ) -> Result<Vec<String>, ScimError> {
        let mut warnings = Vec::new();
        for row in &self.attributes {
            let asserted =
                row.sources.iter().any(|source| touches(&written.asserted, &source.slot));
            if base.is_some() && !asserted && !row.is_password() {
                continue;
            }
            let is_fixed = match row.immutable {
                Immutable::No => false,
                Immutable::Refuse | Immutable::Ignore => true,
                // Nobody gets another account in order to be switched off.
                Immutable::Recreate => ending_access && !self.removes_inactive(),
            };
            if let Some(base) = base.filter(|base| is_fixed && changed(row, base, &written.desired))
            {
                let name = row.scim_name();
                if row.immutable == Immutable::Refuse && !ending_access {
                    let detail = format!("{name} cannot be changed in the app.");
                    return Err(ScimError::typed(ScimType::Mutability, detail));
                }
                warnings.push(format!("{name} cannot be changed in the app; the old value stays."));
                leave_out(row, Some(base), written);
                continue;
            }
            let Err(error) = self.fits(row, base, written, ending_access) else {
                continue;
            };
            if base.is_some_and(|base| !changed(row, base, &written.desired)) {
                // The client only echoes what it was shown.
                leave_out(row, base, written);
            } else if ending_access {
                warnings.push(format!("Left out because access is taken away: {}", error.detail));
                leave_out(row, base, written);
            } else {
                return Err(error);
            }
        }
        Ok(warnings)
    }

    fn fits(
        &self,
        row: &Row,
        base: Option<&Value>,
        written: &Written,
        ending_access: bool,
    ) -> Result<(), ScimError> {
        let mut desired = written.desired.clone();
        if let (true, Some(password)) = (row.is_password(), &written.password) {
            desired["password"] = Value::String(password.clone());
        }
        let roots =
            Roots::new().with(self.resource_root(), desired).with("vars", Arc::clone(&self.vars));
        let value = match row.outward(&roots, self.resource_root()) {
            Ok(value) => value,
            // The app may have got the value meanwhile: its table is read again before the write.
            Err(misfit) if misfit.ask.is_some() && !ending_access => return Ok(()),
            Err(misfit) => return Err(misfit.error),
        };
        let had = |base: &Value| row.sources.iter().any(|s| !is_nothing(&s.picked(base, row.pick)));
        let needed = row.required && base.is_none_or(had) && (base.is_none() || !row.is_password());
        if needed && value.is_none() {
            return Err(ScimError::invalid_value(format!(
                "{} is required and has no value.",
                row.scim_name()
            )));
        }
        Ok(())
    }
}

/// Whether what the row picks is another value than before, by the attribute's rule.
fn changed(row: &Row, base: &Value, desired: &Value) -> bool {
    let pick = |resource: &Value| {
        let mut values =
            row.sources.iter().map(|source| (source, source.picked(resource, row.pick)));
        values.find(|(_, value)| !is_nothing(value)).map_or(Value::Null, |(_, value)| value)
    };
    let Some(source) = row.sources.first() else {
        return false;
    };
    let mut attribute = source.leaf.clone();
    attribute.case_exact = row.case_exact;
    attribute.multi_valued |= row.pick == Pick::All;
    !values_equal(&pick(base), &pick(desired), &attribute)
}

/// Takes the row's attributes out of the request.
fn leave_out(row: &Row, base: Option<&Value>, written: &mut Written) {
    let nothing = Value::Object(serde_json::Map::new());
    for source in &row.sources {
        source.slot.copy(base.unwrap_or(&nothing), &mut written.desired);
        written.asserted.retain(|slot: &Slot| *slot != source.slot);
    }
}
