//! Small histories of an Okta that behaves like Okta, against the built program and a directory that
//! fails: `tests/real/run directory` lives through long ones.

use std::path::Path;

use okta::Dialect;
use real::apps::Directory;
use real::history::{HistoryPlan, Size, lived};
use real::scenarios;

const PROGRAM: &str = env!("CARGO_BIN_EXE_scim-bridge");

async fn history(seed: u64, dialect: Dialect) {
    let folder = tempfile::tempdir().unwrap();
    let size = Size {
        actions: 250,
        people: 30,
        groups: 4,
        workers: 5,
        faults: 12,
        restarts: 1,
        kills: 2,
        planted: true,
        dialect,
    };
    let app = Directory::start().await.unwrap();
    let plan = HistoryPlan { seed, size };
    let agrees = lived(app, Path::new(PROGRAM), folder.path(), &plan).await.unwrap();
    assert!(agrees, "application, bridge and Okta differ: the lines above say where");
}

#[tokio::test(flavor = "multi_thread")]
async fn application_bridge_and_okta_agree_after_a_history_of_puts() {
    history(1, Dialect::Aiw).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn application_bridge_and_okta_agree_after_a_history_of_patches() {
    history(2, Dialect::Oin).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_step_of_an_administrator_arrives_in_a_directory() {
    let folder = tempfile::tempdir().unwrap();
    let app = Directory::start().await.unwrap();
    assert!(scenarios::all(app, Path::new(PROGRAM), folder.path()).await.unwrap());
}
