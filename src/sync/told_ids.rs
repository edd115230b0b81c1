//! SCIM ids that an operator knows from outside: given before this journal began, by the identity
//! provider's word. What becomes of each is the journal's decision; here it is put into words.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::command::{CommandError, card};
use super::keys::fold;
use crate::change::{Kind, ResourceId};
use crate::journal::{FormerId, FormerIdEnd, Journal};

/// How many rows a command may bring.
pub const IDS_AT_ONCE: usize = 500;

/// A SCIM id and whose it is: by name, by the app's id, or by both (then the app's id counts).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdRow {
    /// Where it stands in its file; it comes back with what is said about it.
    pub line: u64,
    /// A group, not a user.
    pub group: bool,
    /// The SCIM id.
    pub id: String,
    /// `userName` or `displayName`.
    pub name: Option<String>,
    /// The id in the app.
    pub app_id: Option<String>,
}

/// Whether a text has the form of the SCIM ids that a bridge gives.
pub fn is_scim_id(text: &str) -> bool {
    ResourceId::read(text).is_some()
}

/// Takes the rows; says how many were taken, and what is wrong with the others.
///
/// # Errors
/// More than [`IDS_AT_ONCE`], an app that was never served, or the journal's.
pub(super) async fn tell(
    journal: &Journal,
    app: &str,
    rows: Vec<IdRow>,
    now: Timestamp,
) -> Result<Value, CommandError> {
    if rows.len() > IDS_AT_ONCE {
        let words = format!("at most {IDS_AT_ONCE} ids are taken at once, not {}", rows.len());
        return Err(CommandError::usage(&words));
    }
    let exact = card(journal, app).await?.names_differ_by_case;
    let mut refused = Vec::new();
    let (mut good, mut told) = (Vec::new(), Vec::new());
    for row in rows {
        match former(&row, exact) {
            Ok(former) => {
                good.push(row);
                told.push(former);
            }
            Err(why) => refused.push(complaint(&row, &why)),
        }
    }
    let ends = journal.former_ids(app, told, now).await.map_err(CommandError::journal)?;
    let (mut remembered, mut given, mut known) = (0, 0, 0);
    for (row, end) in good.iter().zip(ends) {
        match end {
            FormerIdEnd::Remembered => remembered += 1,
            FormerIdEnd::Given { .. } => given += 1,
            FormerIdEnd::Known => known += 1,
            FormerIdEnd::InUse { id } => {
                let why = format!("it has SCIM id {id} here and was written by it, so it keeps it");
                refused.push(complaint(row, &why));
            }
            FormerIdEnd::Taken => {
                refused.push(complaint(row, "this SCIM id is another one's here, or was"));
            }
        }
    }
    let waiting = journal.remembered_ids(app).await.map_err(CommandError::journal)?;
    Ok(json!({
        "app": app,
        "remembered": remembered,
        "given": given,
        "known": known,
        "refused": refused,
        "waiting": waiting,
    }))
}

/// `exact`: names of users that differ only in case are two users.
fn former(row: &IdRow, exact: bool) -> Result<FormerId, String> {
    let filled = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let id = ResourceId::read(&row.id)
        .ok_or_else(|| format!("'{}' is no id that a bridge gives", row.id))?;
    let (name, app_key) = (filled(&row.name), filled(&row.app_id));
    if name.is_none() && app_key.is_none() {
        return Err("it does not say whose id it is".to_owned());
    }
    let kind = if row.group { Kind::Group } else { Kind::User };
    let as_unique = |name: String| if exact && !row.group { name } else { fold(&name) };
    Ok(FormerId { id, kind, name: name.map(as_unique), app_key })
}

fn complaint(row: &IdRow, why: &str) -> Value {
    let who = row.name.as_ref().or(row.app_id.as_ref());
    json!({ "line": row.line, "id": row.id, "who": who, "why": why })
}
