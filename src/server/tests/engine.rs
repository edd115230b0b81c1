//! An engine that does what the id in the request says.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::sync::{Semaphore, watch};

use crate::scim::{self, ResourceType, ScimError};
use crate::server::engine::{Doing, Engine, HeaderLookup, Kind};
use crate::sync::{
    Caller, Certainty, Command, CommandError, Deadline, Denied, Door, ListQuery, Listing, Members,
    Page, Readiness, Shown, Submission, Unheard, Write, Written,
};

/// Ids: `missing`, `mirror`, `panics`, `never` (is not answered), `held` (until `release`, or
/// 429 at shutdown), `stuck` (until `release`), `crowd` (a group of 1,001); every other exists.
pub(crate) struct Scripted {
    pub log: Mutex<Vec<String>>,
    /// One permit for each request that got to `held` or `stuck`.
    pub entered: Semaphore,
    released: watch::Sender<bool>,
    pub ending: watch::Sender<bool>,
    pub readiness: Mutex<Readiness>,
}

impl Default for Scripted {
    fn default() -> Self {
        Self {
            log: Mutex::default(),
            entered: Semaphore::new(0),
            released: watch::Sender::new(false),
            ending: watch::Sender::new(false),
            readiness: Mutex::new(Readiness::Ready),
        }
    }
}

impl Scripted {
    pub fn release(&self) {
        self.released.send_replace(true);
    }

    /// What was asked of the engine since the last look.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.log.lock().unwrap())
    }

    fn note(&self, words: String) {
        self.log.lock().unwrap().push(words);
    }

    async fn act(&self, id: &str) -> Result<Certainty, ScimError> {
        let mut released = self.released.subscribe();
        let mut ending = self.ending.subscribe();
        match id {
            "missing" => Err(ScimError::not_found("User", id)),
            "mirror" => Ok(Certainty::Mirror),
            "panics" => panic!("scripted"),
            "never" => std::future::pending().await,
            "held" => {
                self.entered.add_permits(1);
                tokio::select! {
                    _ = released.wait_for(|r| *r) => Ok(Certainty::Confirmed),
                    _ = ending.wait_for(|e| *e) => {
                        Err(ScimError::new(429, "shutting down").retry_after(5))
                    }
                }
            }
            "stuck" => {
                self.entered.add_permits(1);
                released.wait_for(|r| *r).await.unwrap();
                Ok(Certainty::Confirmed)
            }
            _ => Ok(Certainty::Confirmed),
        }
    }
}

fn shown(id: &str, mut resource: Value, certainty: Certainty) -> Shown {
    resource["id"] = id.into();
    resource["meta"] = json!({"resourceType": "User"});
    if id == "crowd" {
        resource["members"] = (0..1001).map(|n| json!({"value": n.to_string()})).collect();
    }
    Shown { resource, id: id.into(), version: "W/\"3\"".into(), certainty }
}

fn resource_type(id: &str, schema: scim::Schema) -> ResourceType {
    ResourceType {
        id: id.into(),
        name: id.into(),
        endpoint: format!("/{id}s"),
        description: id.into(),
        schema,
        extensions: Vec::new(),
    }
}

impl Engine for Scripted {
    /// `altr` has users only, `full` has groups too, `off` is switched off.
    fn doors(&self) -> Arc<[Door]> {
        let door = |app: &str, resource_types| Door {
            app: app.into(),
            root: format!("/{app}/scim/v2"),
            resource_types,
            catalogues: Arc::default(),
            authentication: vec![scim::Authentication::BearerToken],
        };
        let user = || resource_type("User", scim::core::user());
        let group = || resource_type("Group", scim::core::group());
        Arc::new([
            door("altr", vec![user()]),
            door("full", vec![user(), group()]),
            door("off", vec![user()]),
        ])
    }

    fn authenticate<'a>(
        &'a self,
        app: &'a str,
        header: &'a HeaderLookup<'a>,
    ) -> Doing<'a, Result<Caller, Denied>> {
        Box::pin(async move {
            match header("authorization").as_deref() {
                _ if app == "off" => Err(Denied::Disabled),
                Some("Bearer good") => Ok(Caller { app: app.into(), token: "t".into() }),
                _ => Err(Denied::Unauthorized {
                    challenge: "Bearer realm=\"scim\"".into(),
                    detail: "The token is not valid.".into(),
                }),
            }
        })
    }

    fn submit<'a>(
        &'a self,
        caller: &'a Caller,
        submission: Submission,
        _: Deadline,
    ) -> Doing<'a, Result<Written, ScimError>> {
        Box::pin(async move {
            let Submission { write, when, members, .. } = submission;
            let spared = if members == Members::Spared { " without members" } else { "" };
            self.note(format!("{} {write:?}{spared}", caller.app));
            when.check("W/\"3\"")?;
            let pending = Certainty::Pending(serde_json::from_str("7").unwrap());
            match write {
                Write::Create { body, .. } if body["userName"] == "pending" => {
                    Ok(Written::Created(shown("7", body, pending)))
                }
                Write::Create { body, .. } => {
                    Ok(Written::Created(shown("a/b", body, Certainty::Confirmed)))
                }
                Write::Replace { id, body, .. } => {
                    let certainty = self.act(&id).await?;
                    Ok(Written::Updated(shown(&id, body, certainty)))
                }
                Write::Patch { id, .. } => {
                    let certainty = self.act(&id).await?;
                    Ok(Written::Updated(shown(&id, json!({}), certainty)))
                }
                Write::Delete { id, .. } if id == "pending" => Ok(Written::Deleted(pending)),
                Write::Delete { id, .. } => Ok(Written::Deleted(self.act(&id).await?)),
            }
        })
    }

    fn heard<'a>(&'a self, _: &'a Unheard) -> Doing<'a, ()> {
        Box::pin(async move { self.note("heard".into()) })
    }

    fn get<'a>(
        &'a self,
        caller: &'a Caller,
        kind: Kind,
        id: &'a str,
        members: Members,
        _: Deadline,
    ) -> Doing<'a, Result<Shown, ScimError>> {
        Box::pin(async move {
            let spared = if members == Members::Spared { " without members" } else { "" };
            self.note(format!("{} get {kind:?} {id}{spared}", caller.app));
            let certainty = self.act(id).await?;
            Ok(shown(id, json!({"userName": "ada"}), certainty))
        })
    }

    fn list<'a>(
        &'a self,
        caller: &'a Caller,
        kind: Kind,
        query: ListQuery,
        _: Deadline,
    ) -> Doing<'a, Result<Listing, ScimError>> {
        Box::pin(async move {
            self.note(format!("{} list {kind:?} {query:?}", caller.app));
            let one = shown("1", json!({"userName": "ada"}), Certainty::Confirmed);
            let next = matches!(query.page, Page::Cursor(_)).then(|| "next".to_owned());
            let resources = vec![one.resource];
            Ok(Listing { total: 30, resources, next_cursor: next, previous_cursor: None })
        })
    }

    fn command(&self, command: Command) -> Doing<'_, Result<Value, CommandError>> {
        Box::pin(async move {
            self.note(format!("{command:?}"));
            match command {
                Command::ChangesShow { id: 404 } => {
                    Err(CommandError { message: "there is no change 404".into(), exit: 1 })
                }
                _ => Ok(json!({"done": true})),
            }
        })
    }

    fn held_since_restore(&self) -> Option<String> {
        None
    }

    fn disabled(&self) -> Vec<String> {
        Vec::new()
    }

    fn readiness(&self) -> Readiness {
        self.readiness.lock().unwrap().clone()
    }

    fn refresh_metrics(&self) -> Doing<'_, ()> {
        Box::pin(async move { self.note("refresh".into()) })
    }

    fn begin_shutdown(&self) {
        self.ending.send_replace(true);
    }
}
