//! `report access`: who had which account, role and group at a moment, and which change made it so.
//!
//! Pages of rows for the command line. What the journal does not know is said to be unknown, never
//! to be *no access*. Must not call the app.

mod rows;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::command::{AppCard, CommandError, card, moment_since};
use super::keys::fold;
use crate::change::{Kind, ResourceId};
use crate::journal::{AccessHead, By, Journal, Whom};
use rows::Told;

/// Whose access is reported, and when.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessWanted {
    /// In this app.
    pub app: String,
    /// At the end of this day (UTC), at this time (RFC 3339), or so long ago; now without it.
    pub at: Option<String>,
    /// Of this user (name or SCIM id) only, who is answered for in any case.
    pub user: Option<String>,
}

/// A page of rows, and where the next one begins.
///
/// # Errors
/// A moment that is none, lies ahead, or of which the journal does not know any more; somebody
/// whom it does not know; the journal's.
pub(super) async fn page(
    journal: &Journal,
    wanted: AccessWanted,
    after: Option<String>,
    now: Timestamp,
) -> Result<Value, CommandError> {
    let AccessWanted { app, at, user } = wanted;
    let at = moment(at.as_deref(), now)?;
    let card = card(journal, &app).await?;
    let head = match after {
        None => Some(journal.access_head(&app, at).await.map_err(CommandError::journal)?),
        Some(_) => None,
    };
    if let Some(head) = &head {
        is_known(&app, head, at)?;
    }
    let one = user.is_some();
    let whom = match user {
        Some(user) => Whom::These(people_of(journal, &app, &card, &user).await?),
        None => Whom::Everybody { after: after.map(ResourceId) },
    };
    let page = journal.access_at(&app, whom, at).await.map_err(CommandError::journal)?;
    let tokens = journal.tokens(Some(&app)).await.map_err(CommandError::journal)?;
    let labels = tokens.into_iter().map(|t| (t.credential.id, t.credential.label)).collect();
    let told = Told { at, page: &page, labels };
    let rows: Vec<Value> = page.people.iter().flat_map(|person| told.person(person, one)).collect();
    let with_access = page.people.iter().filter(|p| told.now_of(p).is_some()).count();
    Ok(json!({
        "app": app,
        "at": at.to_string(),
        "known_from": head.as_ref().and_then(known_from).map(|from| from.to_string()),
        "warnings": head.as_ref().map(|head| warnings(head, &app)).unwrap_or_default(),
        "access": rows,
        "people": with_access,
        "first_seen_later": page.first_seen_later,
        "next": page.next.as_ref().map(|id| id.0.clone()),
    }))
}

/// The moment that is meant. A day means its end, so that whoever had access in its last moment is
/// in the report, and who lost it on that day is not.
fn moment(text: Option<&str>, now: Timestamp) -> Result<Timestamp, CommandError> {
    let Some(text) = text else { return Ok(whole(now)) };
    let day = if text.len() == 10 { text.parse::<Date>().ok() } else { None };
    let at = match day.map(end_of) {
        Some(Some(end)) => end,
        Some(None) => return Err(CommandError::usage(&format!("'{text}' is no day"))),
        None => moment_since(text, now).map_err(|_| {
            CommandError::usage(&format!(
                "'{text}' is neither a day (2026-11-01, its end in UTC), nor a time (RFC 3339), nor \
                 a duration back (24h)"
            ))
        })?,
    };
    if at > now {
        let words = match day {
            Some(_) => format!("the day {text} ends at {at} (UTC), and it is {now}"),
            None => format!("{at} lies ahead: it is {now}"),
        };
        return Err(CommandError::usage(&format!("{words}; leave --at out to ask for now")));
    }
    Ok(whole(at))
}

/// The last moment of a day that the journal can tell from the next.
fn end_of(day: Date) -> Option<Timestamp> {
    let next = day.tomorrow().ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp();
    next.checked_sub(SignedDuration::from_millis(1)).ok()
}

/// As the journal keeps times.
fn whole(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at)
}

fn known_from(head: &AccessHead) -> Option<Timestamp> {
    head.known_from.map(|known| head.forgotten_to.map_or(known, |to| known.max(to)))
}

/// Refuses to answer for a time of which nothing is known.
fn is_known(app: &str, head: &AccessHead, at: Timestamp) -> Result<(), CommandError> {
    let Some(from) = known_from(head).filter(|from| at < *from) else { return Ok(()) };
    let why = match head.forgotten_to {
        Some(to) if at < to => {
            "what ended before was taken away (--keep-access); a backup from then may tell"
        }
        _ => "nothing was known of its accounts before; who had access then cannot be told",
    };
    Err(CommandError::finding(&format!(
        "the journal can say who had access to '{app}' from {from} on, not at {at}: {why}"
    )))
}

fn warnings(head: &AccessHead, app: &str) -> Vec<String> {
    let lost = head.lost.iter().map(|(from, to)| {
        format!(
            "the journal was restored at {to}: what changed in '{app}' after {from} and before \
             that is not known"
        )
    });
    let nobody = head.known_from.is_none().then(|| format!("no user of '{app}' is known yet"));
    lost.chain(nobody).collect()
}

/// Everybody whom a name (or SCIM id) means: also those who were deleted under it, and those whose
/// key another one has.
async fn people_of(
    journal: &Journal,
    app: &str,
    card: &AppCard,
    user: &str,
) -> Result<Vec<ResourceId>, CommandError> {
    let id = ResourceId(user.to_owned());
    let by_id = journal.resource(app, Kind::User, &id, Timestamp::MAX).await;
    let mut found: Vec<ResourceId> =
        by_id.map_err(CommandError::journal)?.into_iter().map(|resource| resource.id).collect();
    // As `keys::unique_key` makes it.
    let name = if card.names_differ_by_case { user.to_owned() } else { fold(user) };
    for by in [By::Natural, By::Sharing, By::Tombstone] {
        let named = journal.find(app, Kind::User, by, &name, Timestamp::MAX).await;
        found.extend(named.map_err(CommandError::journal)?.into_iter().map(|r| r.id));
    }
    found.sort();
    found.dedup();
    if found.is_empty() {
        return Err(CommandError::finding(&format!(
            "the journal has no user of '{app}' with the name or SCIM id '{user}'; that says nothing \
             about accounts which the bridge never saw. Who had that name once: `scim-bridge changes \
             list --app {app} --user NAME --format json` tells the SCIM id (`resource`)"
        )));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_day_means_its_end_and_no_moment_lies_ahead() {
        let now = time("2026-11-05T12:00:00.123456Z");
        let at = |text| moment(Some(text), now).map(|at| at.to_string());
        assert_eq!(at("2026-11-01").unwrap(), "2026-11-01T23:59:59.999Z");
        assert_eq!(at("2026-11-01T00:00:00Z").unwrap(), "2026-11-01T00:00:00Z");
        assert_eq!(at("2026-11-01T01:00:00+02:00").unwrap(), "2026-10-31T23:00:00Z");
        assert_eq!(at("24h").unwrap(), "2026-11-04T12:00:00.123Z");
        assert_eq!(moment(None, now).unwrap().to_string(), "2026-11-05T12:00:00.123Z");
        for wrong in
            ["2026-11-05", "2027-01-01T00:00:00Z", "yesterday", "2026-11-01T10:00:00", "2026-13-01"]
        {
            assert_eq!(at(wrong).unwrap_err().exit, 2, "{wrong}");
        }
    }
}
