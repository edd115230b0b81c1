//! A journal with many users, filled by the journal's own import, and the whole engine above it as
//! the server asks it, with the played app on the other side.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use scim_bridge::change::{Kind, ResourceId};
use scim_bridge::journal::{
    AccountSeen, Journal, Keys, Link, Open, ResourceKeys, SNAPSHOT_ROWS, Seen,
};
use scim_bridge::mapping::Source;
use scim_bridge::scim::{Patch, ScimError};
use scim_bridge::sync::{
    BaseUrls, Bridge, BridgeConfig, Caller, ListQuery, Listing, Members, Submission, Write, load,
};
use serde_json::json;
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::app::{App, GROUPS, login};

/// Imports that are under way together: they share commits.
const AT_ONCE: usize = 64;

/// An app of some size and the bridge before it.
pub struct World {
    /// The app.
    pub app: Arc<App>,
    /// The engine.
    pub bridge: Bridge,
    _folder: TempDir,
}

impl World {
    /// Fills a journal and starts the engine on it.
    pub async fn of(users: u64) -> Self {
        let folder = TempDir::new().unwrap();
        let open = Open {
            path: folder.path().join("bridge.db"),
            keys: Keys::from_bytes(&[7; 32]).unwrap(),
            allow_network_filesystem: true,
            restored: false,
            now: Timestamp::UNIX_EPOCH,
        };
        let (journal, _) = Journal::open(open).unwrap();
        fill(&journal, users).await;
        let app = App::start(users).await;
        let base = format!("http://{}", app.address);
        let environment = move |name: &str| match name {
            "DIRECTORY_URL" => Some(base.clone()),
            _ => Some("bench".to_owned()),
        };
        let text = include_str!("../../mappings/directory/directory.yaml").to_owned();
        let source = Source { file: "directory.yaml".into(), text };
        let mappings = load(&[source], &environment, &BaseUrls::default()).unwrap();
        let keys = Keys::from_bytes(&[7; 32]).unwrap();
        let config = BridgeConfig::new(journal, keys, mappings);
        Self { app, bridge: Bridge::start(config).await.unwrap(), _folder: folder }
    }

    /// A page of users; asks again while the list is being read, as clients do.
    pub async fn list(&self, query: ListQuery) -> Listing {
        loop {
            let asked = self.bridge.list(&caller(), Kind::User, query.clone(), deadline()).await;
            match asked {
                Ok(listing) => return listing,
                Err(ScimError { status: 429, .. }) => {}
                Err(error) => panic!("{query:?}: {error}"),
            }
        }
    }

    /// One more member for a group.
    pub async fn join(&self, group: usize, user: u64) {
        let add = json!({"op": "add", "path": "members", "value": [{"value": user_id(user)}]});
        let write = Write::Patch {
            kind: Kind::Group,
            id: group_id(group),
            patch: Patch::parse(&json!({"Operations": [add]})).unwrap(),
        };
        let write = Submission { members: Members::Spared, ..write.into() };
        self.bridge.submit(&caller(), write, deadline()).await.unwrap();
    }
}

/// The SCIM id of a user.
pub fn user_id(number: u64) -> String {
    format!("01234567-89ab-7def-8123-{number:012x}")
}

fn group_id(at: usize) -> String {
    format!("01234567-89ab-7def-9123-{at:012x}")
}

fn caller() -> Caller {
    Caller { app: "directory".into(), token: "bench".into() }
}

fn deadline() -> Instant {
    Instant::now() + Duration::from_secs(45)
}

async fn fill(journal: &Journal, users: u64) {
    let mut under_way = JoinSet::new();
    for from in (0..users).step_by(SNAPSHOT_ROWS) {
        if under_way.len() >= AT_ONCE {
            under_way.join_next().await.unwrap().unwrap();
        }
        let to = (from + SNAPSHOT_ROWS as u64).min(users);
        let seen = (from..to).map(seen_user).collect();
        let journal = journal.clone();
        under_way.spawn(async move {
            journal.adopt("directory", Kind::User, seen, Timestamp::UNIX_EPOCH).await.unwrap();
        });
    }
    under_way.join_all().await;
    for (at, members) in GROUPS.into_iter().enumerate().filter(|(_, members)| *members <= users) {
        let name = format!("Group {}", at + 1);
        let keys = ResourceKeys { natural: Some(name.to_lowercase()), ..ResourceKeys::default() };
        let seen = Seen {
            link: link(at as u64 + 1),
            actual: json!({"displayName": name}),
            keys,
            new_id: ResourceId(group_id(at)),
            mark: None,
            account: None,
        };
        let now = Timestamp::UNIX_EPOCH;
        journal.adopt("directory", Kind::Group, vec![seen], now).await.unwrap();
        let members = (0..members).map(|number| ResourceId(user_id(number))).collect();
        journal.set_members_read(&ResourceId(group_id(at)), members, now).await.unwrap();
    }
}

/// A user as the engine's own import hands it over; what the app shows of it comes with the walk.
fn seen_user(number: u64) -> Seen {
    let mail = format!("mail{number:07}@corp.example");
    let external = format!("00u{number:09}");
    Seen {
        link: link(number),
        actual: json!({
            "userName": login(number), "externalId": external, "active": true,
            "displayName": format!("Given Family {number}"),
            "emails": [{"value": mail, "type": "work", "primary": true}],
        }),
        keys: ResourceKeys {
            natural: Some(login(number)),
            external_id: Some(external),
            display_name: Some(format!("given family {number}")),
            email: Some(mail),
            active: Some(true),
        },
        new_id: ResourceId(user_id(number)),
        mark: None,
        account: Some(AccountSeen {
            active: Some(true),
            roles: None,
            lag_begin: Timestamp::UNIX_EPOCH,
        }),
    }
}

fn link(number: u64) -> Link {
    Link { app_id: json!(number), app_key: number.to_string() }
}
