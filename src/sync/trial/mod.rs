//! A trial: an app looked at through its mapping, read-only: probe, one page of a list, one person,
//! one look-up, one group with its members.
//!
//! The plans, the reading and the client are those of production. Nothing here can write: the
//! client that is used refuses every call that is not a read ([`AppClient::reading`]).

mod page;
mod reader;
mod record;
mod sides;
mod tape;
mod trouble;

use std::sync::Arc;

use serde_json::Value;

use self::reader::Reader;
use super::mappings::Loaded;
use super::start::connection_of;
use crate::app::{AppClient, AppError};
use crate::mapping::{Kind, Source, Traced};

pub use page::{PageAttribute, TriedPage};
pub use record::Recording;
pub use tape::TriedCall;
pub use trouble::{Trouble, Weight};

/// What is to be tried.
pub struct TrialOrder {
    /// The mapping with its secrets.
    pub loaded: Loaded,
    /// Its text and file, for a recording.
    pub source: Source,
    /// What its variables were given, for a recording.
    pub vars: Vec<(String, String)>,
    /// Whom to look up; without it the first person of the page.
    pub user: Option<String>,
    /// Whether the exchange becomes a test file.
    pub record: bool,
}

/// What was seen.
#[derive(Debug)]
pub struct Tried {
    /// The app's name.
    pub app: String,
    /// Where it is.
    pub base_url: String,
    /// Every call, in order.
    pub calls: Vec<TriedCall>,
    /// Users, then groups where the mapping has some.
    pub sides: Vec<TriedSide>,
    /// What is wrong or worth a look.
    pub troubles: Vec<Trouble>,
    /// The test file, if one was wanted and something could be recorded.
    pub recording: Option<Recording>,
}

/// What was seen of users or of groups.
#[derive(Debug)]
pub struct TriedSide {
    /// Which of the two.
    pub kind: Kind,
    /// One page of the list.
    pub page: Option<TriedPage>,
    /// A look-up by a name.
    pub found: Option<TriedFind>,
    /// One of them, read by its key.
    pub one: Option<TriedOne>,
}

/// A look-up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TriedFind {
    /// The SCIM attribute that was looked by.
    pub by: String,
    /// The value.
    pub wanted: String,
    /// The key of who was found.
    pub id: Option<String>,
}

/// A record that was read by its key.
#[derive(Debug)]
pub struct TriedOne {
    /// The app's key.
    pub id: Value,
    /// As SCIM shows it.
    pub resource: Value,
    /// What each attribute came from.
    pub traced: Vec<Traced>,
    /// Fields of the app that the mapping does not read.
    pub unread: Vec<String>,
    /// Of a group: the keys of its members, if the mapping can read them.
    pub members: Option<Vec<String>>,
}

/// Tries an app.
///
/// # Errors
/// When no client can be made for it; everything else is told in [`Tried::troubles`].
pub async fn try_app(order: TrialOrder) -> Result<Tried, AppError> {
    let mapping = order.loaded.mapping.clone();
    let tape = Arc::new(tape::Tape::default());
    let connection = connection_of(mapping.connect());
    let secrets = order.loaded.secrets.clone();
    let client = AppClient::reading(connection, secrets.clone(), None, tape.clone())?;
    let mut reader = Reader::new(mapping.clone(), client, secrets, tape.clone());
    let sides = sides::look(&mut reader, order.user.as_deref()).await;
    reader.log_out().await;
    let redactor = reader.redactor();
    let host = authority(&mapping.connect().base_url);
    let taped = tape.all();
    let calls = taped.iter().map(|taped| taped.shown(&host, &redactor)).collect();
    let recording = match order.record {
        true => {
            let (scenes, troubles) = (&reader.scenes, &mut reader.troubles);
            // A rehearsal has a runtime of its own, which none may begin inside of another.
            std::thread::scope(|scope| {
                let work = || record::recording(&order, scenes, &taped, &redactor, troubles);
                scope.spawn(work).join().ok().flatten()
            })
        }
        false => None,
    };
    let troubles = reader.troubles.iter().map(|trouble| clean(trouble, &redactor)).collect();
    Ok(Tried {
        app: mapping.app().to_owned(),
        base_url: mapping.connect().base_url.clone(),
        calls,
        sides,
        troubles,
        recording,
    })
}

/// The words of an app may hold a secret; ours name them only.
fn clean(trouble: &Trouble, redactor: &crate::app::Redactor) -> Trouble {
    let text = |text: &String| redactor.text(text, tape::LONGEST);
    Trouble {
        call: trouble.call.clone(),
        weight: trouble.weight,
        what: text(&trouble.what),
        help: trouble.help.iter().map(text).collect(),
    }
}

/// Host and port as they stand in the `host` header.
fn authority(base_url: &str) -> String {
    let (tls, rest) = match base_url.split_once("://") {
        Some((scheme, rest)) => (!scheme.eq_ignore_ascii_case("http"), rest),
        None => (true, base_url),
    };
    let host = rest.split('/').next().unwrap_or_default();
    let own = if tls { ":443" } else { ":80" };
    host.strip_suffix(own).unwrap_or(host).to_owned()
}
