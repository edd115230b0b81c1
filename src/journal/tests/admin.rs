//! Tokens, figures, and what is kept per app.

use super::*;

fn credential(id: &str, now: i64) -> Credential {
    Credential {
        id: id.into(),
        app: "demo".into(),
        label: "okta".into(),
        kind: CredentialKind::Bearer,
        user: None,
        hash: CredentialHash { kind: HashKind::Sha256, bytes: id.as_bytes().to_vec() },
        created_at: at(now),
        expires_at: Some(at(100_000)),
    }
}

async fn token(journal: &Journal, id: &str) -> Token {
    journal.token_by_id(id).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_token_is_good_until_it_is_taken_back() {
    on_both(async |journal| {
        journal.token_insert(credential("t1", 10)).await.unwrap();
        assert!(journal.token_insert(credential("t1", 10)).await.is_err());
        let kept = token(&journal, "t1").await;
        assert_eq!(kept.credential, credential("t1", 10));
        assert!(kept.is_good(at(20)));
        assert!(!kept.is_good(at(100_200)), "expired");
        let by_hash = journal.tokens_by_hash("demo", b"t1".to_vec()).await;
        assert_eq!(by_hash.unwrap().len(), 1);
        let elsewhere = journal.tokens_by_hash("other", b"t1".to_vec()).await;
        assert!(elsewhere.unwrap().is_empty());
        assert!(journal.token_revoke("t1", at(30)).await.unwrap());
        assert!(!journal.token_revoke("t1", at(31)).await.unwrap());
        assert!(!token(&journal, "t1").await.is_good(at(30)));
    })
    .await;
}

#[tokio::test]
async fn rotation_overlaps_only_as_long_as_told() {
    on_both(async |journal| {
        journal.token_insert(credential("t1", 10)).await.unwrap();
        assert!(
            journal.token_rotate("t1", credential("t2", 20), Some(at(500)), at(20)).await.unwrap()
        );
        let old = token(&journal, "t1").await;
        assert!(old.is_good(at(499)) && !old.is_good(at(500)));
        assert!(journal.token_rotate("t2", credential("t3", 30), None, at(30)).await.unwrap());
        assert!(!token(&journal, "t2").await.is_good(at(30)));
        assert!(token(&journal, "t3").await.is_good(at(30)));
        assert!(!journal.token_rotate("t2", credential("t4", 40), None, at(40)).await.unwrap());
        assert_eq!(journal.token_by_id("t4").await.unwrap(), None);
        assert_eq!(journal.tokens(Some("demo")).await.unwrap().len(), 3);
        assert!(journal.tokens(Some("other")).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_use_is_noted_once_a_minute() {
    on_both(async |journal| {
        journal.token_insert(credential("t1", 10)).await.unwrap();
        // The writer works in order: what follows a touch comes after it.
        let touch = async |now| {
            journal.token_touch("t1", at(now));
            journal.set_app_enabled("demo", true, at(1)).await.unwrap();
            token(&journal, "t1").await.last_used_at
        };
        assert_eq!(touch(100).await, Some(at(100)));
        assert_eq!(touch(159).await, Some(at(100)));
        assert_eq!(touch(160).await, Some(at(160)));
    })
    .await;
}

#[tokio::test]
async fn changes_are_counted_and_listed() {
    on_both(async |journal| {
        settled_user(&journal, "ann", 1, 10).await;
        let bob = accept(&journal, create("bob", 20)).await;
        accept(&journal, later("ann", Verb::Patch, 1, 30)).await;
        let counts = journal.counts().await.unwrap();
        let demo = &counts.apps["demo"];
        assert_eq!(demo.by_state["applied"], 1);
        assert_eq!(demo.by_state["queued"], 2);
        assert_eq!((demo.queued, demo.oldest), (2, Some(at(20))));

        let list = async |query: ChangeQuery| {
            let rows = journal.changes(query).await.unwrap();
            rows.into_iter().map(|r| r.change.0).collect::<Vec<_>>()
        };
        let all = ChangeQuery { limit: 10, ..ChangeQuery::default() };
        assert_eq!(list(all.clone()).await, [3, 2, 1]);
        let of_ann = ChangeQuery { subject: Some("AN".into()), ..all.clone() };
        assert_eq!(list(of_ann).await, [3, 1]);
        let by_id = ChangeQuery { subject: Some("id-bob".into()), ..all.clone() };
        assert_eq!(list(by_id).await, [bob.change.0]);
        let queued_before = ChangeQuery {
            app: Some("demo".into()),
            state: Some("queued".into()),
            since: Some(at(15)),
            before: Some(ChangeId(3)),
            ..all
        };
        assert_eq!(list(queued_before).await, [2]);
    })
    .await;
}

#[tokio::test]
async fn apps_and_mappings_are_kept() {
    on_both(async |journal| {
        assert_eq!(journal.app_origin("demo").await.unwrap(), None);
        assert!(journal.app_enabled("demo").await.unwrap());
        journal.set_app_enabled("demo", false, at(1)).await.unwrap();
        journal.set_app_origin("demo", "https://a:1/x#id").await.unwrap();
        assert_eq!(journal.app_origin("demo").await.unwrap().as_deref(), Some("https://a:1/x#id"));
        assert!(!journal.app_enabled("demo").await.unwrap());
        assert_eq!(journal.app_card("demo").await.unwrap(), None);
        journal.set_app_card("demo", json!({"path": "/scim"})).await.unwrap();
        assert_eq!(journal.app_card("demo").await.unwrap(), Some(json!({"path": "/scim"})));
        journal.mapping_text_put("d1", "demo", "app: demo").await.unwrap();
        assert_eq!(journal.mapping_text("d1").await.unwrap().as_deref(), Some("app: demo"));
        assert!(journal.quick_check().await.unwrap().is_empty());
    })
    .await;
}

#[test]
fn sealed_values_open_with_their_key_only() {
    let keys = Keys::from_bytes(&[7; 32]).unwrap();
    let sealed = keys.seal(b"correct horse").unwrap();
    assert_ne!(sealed, keys.seal(b"correct horse").unwrap());
    assert_eq!(keys.open(&sealed).unwrap().as_slice(), b"correct horse");
    let other = Keys::from_bytes(&[8; 32]).unwrap();
    assert!(matches!(other.open(&sealed), Err(KeyError::Unsealable)));
    for at in 0..sealed.0.len() {
        let mut broken = sealed.clone();
        broken.0[at] ^= 1;
        assert!(keys.open(&broken).is_err(), "byte {at}");
    }
    for len in 0..sealed.0.len() {
        assert!(keys.open(&Sealed(sealed.0[..len].to_vec())).is_err());
    }
    assert_eq!(format!("{keys:?} {sealed:?}"), "Keys(…) Sealed(…)");
    assert_ne!(keys.fingerprint(b"x"), keys.token_hash(b"x"));
    assert_eq!(keys.fingerprint(b"x").len(), 32);
}

#[test]
fn the_key_is_made_once_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let disk = Disk::new();
    let source = KeySource::Beside(disk.path());
    let (keys, warning) = Keys::load(&source).unwrap();
    assert!(warning.unwrap().contains("not in backups"));
    let file = disk.dir.path().join("bridge.db.key");
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let (again, _) = Keys::load(&source).unwrap();
    assert_eq!(keys.fingerprint(b"x"), again.fingerprint(b"x"));
    let (named, warning) = Keys::load(&KeySource::File(file.clone())).unwrap();
    assert_eq!(warning, None);
    assert_eq!(named.fingerprint(b"x"), keys.fingerprint(b"x"));
    std::fs::write(&file, [1; 33]).unwrap();
    assert!(matches!(Keys::load(&source), Err(KeyError::Length { found: 33, .. })));
}
