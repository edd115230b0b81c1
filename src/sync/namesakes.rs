//! Several records of one name: which of them is meant, and what is said when nobody can tell.
//!
//! Names are compared without case, as SCIM does; an app may have `Alice` and `alice`, or two of
//! exactly one name. Only one of them has the name as its key in the journal. The app is asked only where what
//! is known has the name in another case.

use std::sync::Arc;

use super::engine::{App, Engine};
use super::keys::{name_of, unique_key};
use super::read::until;
use super::{Deadline, view};
use crate::change::Kind;
use crate::journal::{By, Resource};
use crate::mapping::{FindPlan, Found, ListedRow};
use crate::scim::{ScimError, ScimType, Slot};

/// Longest name that is repeated to a client.
const SHOWN_NAME: usize = 100;

impl Engine {
    /// The living resources of that name, as names are compared here, also those whose key another one has.
    pub(super) async fn namesakes(
        &self,
        app: &App,
        kind: Kind,
        natural: &str,
    ) -> Result<Vec<Resource>, ScimError> {
        let mut found = self.find(app, kind, By::Natural, natural).await?;
        let mut sharing = self.find(app, kind, By::Sharing, natural).await?;
        sharing.retain(|one| {
            unique_key(&app.mapping, kind, &view::attributes(app, one)).as_deref() == Some(natural)
        });
        found.extend(sharing);
        Ok(found)
    }

    /// The known one has the name but for its case: whether the app has one that has it to the
    /// letter, which is meant then.
    pub(super) async fn to_the_letter(
        self: &Arc<Self>,
        app: &Arc<App>,
        known: &Resource,
        wanted: &str,
        deadline: Deadline,
    ) -> Result<ToTheLetter, ScimError> {
        let kind = known.kind;
        let slot = match kind {
            Kind::User => Slot::new(["userName"]),
            Kind::Group => Slot::new(["displayName"]),
        };
        let Some(plan) = FindPlan::by_slot(&app.mapping, kind, &slot, wanted) else {
            return Ok(ToTheLetter::NoOther);
        };
        let until = until(deadline, app.mapping.sync().read_wait);
        match self.carry_read(app, plan, until).await {
            Ok(Found::One { id, current, .. }) => {
                let ids = self.adopt(app, kind, vec![ListedRow { id, current }]).await?;
                let found = self.resources(app, &ids).await?.pop();
                let exact = found.filter(|one| has_name(app, one, wanted));
                Ok(exact.map_or(ToTheLetter::NoOther, |one| ToTheLetter::One(Box::new(one))))
            }
            Ok(Found::Several { ids, inexact: false }) => Err(ambiguous(app, kind, wanted, &ids)),
            Ok(Found::Several { ids, .. }) => Ok(ToTheLetter::NoneOf(ids)),
            // What is known must do, also when the app does not answer.
            Ok(Found::Nobody) | Err(_) => Ok(ToTheLetter::NoOther),
        }
    }
}

/// What the app says of a name that is known in another case.
pub(super) enum ToTheLetter {
    /// This one has it.
    One(Box<Resource>),
    /// Several, none of them to the letter; their ids in the app.
    NoneOf(Vec<String>),
    /// There is no other, as far as the app tells.
    NoOther,
}

/// Of several, the only one that has the name to the letter.
///
/// # Errors
/// 409 that names all of them.
pub(super) fn meant(
    app: &App,
    kind: Kind,
    name: &str,
    mut found: Vec<Resource>,
) -> Result<Option<Resource>, ScimError> {
    if found.len() > 1 {
        if found.iter().filter(|one| has_name(app, one, name)).count() != 1 {
            return Err(ambiguous(app, kind, name, &ids_of(&found)));
        }
        found.retain(|one| has_name(app, one, name));
    }
    Ok(found.pop())
}

/// Whether it has this name to the letter.
pub(super) fn has_name(app: &App, one: &Resource, name: &str) -> bool {
    name_of(one.kind, &view::attributes(app, one)).as_deref() == Some(name)
}

/// How they are told apart in the app.
pub(super) fn ids_of(found: &[Resource]) -> Vec<String> {
    let id = |one: &Resource| one.link.as_ref().map_or(&one.id.0, |link| &link.app_key).clone();
    found.iter().map(id).collect()
}

/// Nobody can tell which of them is meant, and none is guessed.
pub(super) fn ambiguous(app: &App, kind: Kind, name: &str, ids: &[String]) -> ScimError {
    let name: String = name.chars().take(SHOWN_NAME).collect();
    let detail = format!(
        "{} has several of kind {} named '{name}' (their ids there: {}), and nobody can say which is \
         meant. Rename or remove all but one of them there.",
        app.name(),
        kind.resource_type(),
        ids.join(", ")
    );
    ScimError::typed(ScimType::Uniqueness, detail)
}
