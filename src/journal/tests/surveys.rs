//! Surveys: whom a walk met, who was not met, what differs in memberships.

use super::*;
use crate::journal::surveys::UNMET;

async fn begin(journal: &Journal, at_ms: i64) -> Survey {
    let id = journal.survey_begin("demo", SurveyKind::Reconcile, "test", at(at_ms)).await.unwrap();
    journal.survey("demo", Some(id)).await.unwrap().unwrap()
}

fn met(ids: &[&str]) -> Met {
    Met { seen: ids.iter().map(|text| id(text)).collect(), findings: Vec::new() }
}

#[tokio::test]
async fn who_was_not_met_is_known_and_who_came_since_is_not_missed() {
    on_both(async |journal| {
        for (name, number) in [("ann", 1), ("bob", 2), ("carl", 3)] {
            settled_user(&journal, name, number, 10).await;
        }
        let survey = begin(&journal, 100).await;
        settled_user(&journal, "dora", 4, 110).await;
        accept(&journal, later("carl", Verb::Replace, 1, 120)).await;
        assert!(
            journal.survey_note(survey.id, met(&["id-ann"]), json!({})).await.unwrap().is_empty()
        );
        let again = journal.survey_note(survey.id, met(&["id-ann"]), json!({ "n": 1 })).await;
        assert_eq!(again.unwrap(), [id("id-ann")], "met twice");
        let unmet = journal.survey_unmet(&survey, Kind::User, None, 10).await.unwrap();
        assert_eq!(
            unmet,
            [id("id-bob")],
            "not Carl, who is being written, nor Dora, who came since"
        );
        let after =
            journal.survey_unmet(&survey, Kind::User, Some(&id("id-bob")), 10).await.unwrap();
        assert!(after.is_empty());
        assert_eq!(journal.linked_count("demo", Kind::User).await.unwrap(), 4);
    })
    .await;
}

#[tokio::test]
async fn a_survey_that_a_crash_left_is_failed_and_takes_no_more() {
    on_both(async |journal| {
        let first = begin(&journal, 1).await;
        let second = begin(&journal, 2).await;
        assert!(journal.survey_note(first.id, met(&[]), json!({})).await.is_err());
        let first = journal.survey("demo", Some(first.id)).await.unwrap().unwrap();
        assert_eq!(first.state, SurveyState::Failed);
        assert!(first.words.is_some());
        let newest = journal.survey("demo", None).await.unwrap().unwrap();
        assert_eq!(newest.id, second.id);
        assert!(journal.survey("other", None).await.unwrap().is_none());
        let last = journal.last_survey("demo", SurveyKind::Reconcile).await.unwrap().unwrap();
        assert_eq!(last.id, first.id, "the second has not ended");
    })
    .await;
}

#[tokio::test]
async fn findings_are_paged_and_the_oldest_surveys_go_with_them() {
    on_both(async |journal| {
        for round in 0..22_i64 {
            let survey = begin(&journal, round).await;
            let finding = (Some(id("x")), json!({ "round": round }));
            let met = Met { seen: vec![id("x")], findings: vec![finding.clone(), finding] };
            journal.survey_note(survey.id, met, json!({})).await.unwrap();
            let done = SurveyState::Done;
            journal.survey_move(survey.id, done, json!({}), None, at(round)).await.unwrap();
        }
        while journal.survey_prune().await.unwrap() > 0 {}
        let newest = journal.survey("demo", None).await.unwrap().unwrap();
        let page = journal.findings(newest.id, 0, 1).await.unwrap();
        assert_eq!((page[0].pos, &page[0].body), (1, &json!({ "round": 21 })));
        let next = journal.findings(newest.id, 1, 10).await.unwrap();
        assert_eq!(next.len(), 1);
        let changed = vec![(2, Some(ChangeId(7)), json!({ "done": true }))];
        journal.findings_repaired(newest.id, changed).await.unwrap();
        let next = journal.findings(newest.id, 1, 10).await.unwrap();
        assert_eq!(
            (next[0].change.map(|c| c.0), &next[0].body),
            (Some(7), &json!({ "done": true }))
        );
        let oldest = SurveyId(newest.id.0 - 21);
        assert!(journal.survey("demo", Some(oldest)).await.unwrap().is_none());
        assert!(journal.findings(oldest, 0, 10).await.unwrap().is_empty());
        let kept = SurveyId(newest.id.0 - 19);
        assert!(journal.survey("demo", Some(kept)).await.unwrap().is_some());
    })
    .await;
}

/// A million accounts are compared by walking an index once, not by sorting or scanning a table.
#[tokio::test]
async fn who_was_not_met_is_found_along_an_index() {
    let journal = Journal::in_memory().unwrap();
    let plan = plan(&journal, UNMET.to_owned()).await;
    assert!(plan.contains("INDEX resources_live"), "{plan}");
    assert!(!plan.contains("TEMP B-TREE") && !plan.contains("SCAN"), "{plan}");
}

async fn drifted(journal: &Journal) -> Vec<(String, bool)> {
    let drift = journal.member_drift("demo", None, 10).await.unwrap();
    drift.into_iter().map(|drift| (drift.user.0, drift.missing)).collect()
}

/// A change of the group, whatever was read of it meanwhile.
async fn group(journal: &Journal, verb: Verb, members: MemberOps, now: i64) -> Accept {
    let known = journal.resource("demo", Kind::Group, &id("g"), at(0)).await.unwrap();
    let target = match known {
        None => Target::New { id: id("g") },
        Some(known) => Target::Existing { id: id("g"), expected_version: known.version },
    };
    Accept { members, ..change_of(Kind::Group, target, verb, "team", now) }
}

fn all(names: &[&str]) -> MemberOps {
    MemberOps::Replace(names.iter().map(|name| id(name)).collect())
}

fn one(name: &str, wanted: bool) -> MemberOps {
    MemberOps::Edges(vec![MemberEdge { user: id(name), wanted }])
}

/// Carries a change of the group out.
async fn carry(journal: &Journal, change: Accept, edges: &[(&str, bool)], now: i64) {
    let committed = accept(journal, change).await;
    journal.claim("demo", 8, at(now)).await.unwrap();
    let mut settlement = applied("g", &[committed.change], now);
    let end = |(user, wanted): &(&str, bool)| EdgeEnd {
        group: id("g"),
        user: id(user),
        wanted: *wanted,
        outcome: EdgeOutcome::Applied,
    };
    settlement.edges = edges.iter().map(end).collect();
    journal.settle(settlement).await.unwrap();
}

async fn shows(journal: &Journal, names: &[&str], now: i64) {
    let users = names.iter().map(|name| id(name)).collect();
    journal.set_members_read(&id("g"), users, at(now)).await.unwrap();
}

#[tokio::test]
async fn memberships_made_and_ended_by_hand_are_told_from_those_that_were_asked_for() {
    on_both(async |journal| {
        for (number, name) in [(1, "a"), (2, "b"), (3, "c")] {
            settled_user(&journal, name, number, 10).await;
        }
        let made = group(&journal, Verb::Create, all(&["id-a", "id-b"]), 20).await;
        carry(&journal, made, &[("id-a", true), ("id-b", true)], 20).await;
        assert!(drifted(&journal).await.is_empty());

        shows(&journal, &["id-a", "id-c"], 30).await;
        let both = [("id-b".to_owned(), true), ("id-c".to_owned(), false)];
        assert_eq!(drifted(&journal).await, both);
        // Put right by hand: as asked for again, nobody's drift.
        shows(&journal, &["id-a", "id-b"], 40).await;
        assert!(drifted(&journal).await.is_empty());
        shows(&journal, &["id-a", "id-c"], 50).await;
        assert_eq!(drifted(&journal).await, both);

        // Asked away after it was gone: nobody wants it back. Asked for after it was there: it is wanted.
        let out = group(&journal, Verb::Patch, one("id-b", false), 60).await;
        carry(&journal, out, &[], 60).await;
        assert_eq!(drifted(&journal).await, [("id-c".to_owned(), false)]);
        let inside = group(&journal, Verb::Patch, one("id-c", true), 70).await;
        carry(&journal, inside, &[], 70).await;
        assert!(drifted(&journal).await.is_empty());
        shows(&journal, &["id-a"], 80).await;
        assert_eq!(drifted(&journal).await, [("id-c".to_owned(), true)]);
        // The whole list speaks about everybody.
        let whole = group(&journal, Verb::Replace, all(&["id-a"]), 90).await;
        carry(&journal, whole, &[], 90).await;
        assert!(drifted(&journal).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_refused_change_asked_for_nothing() {
    on_both(async |journal| {
        settled_user(&journal, "a", 1, 10).await;
        carry(&journal, group(&journal, Verb::Create, all(&[]), 20).await, &[], 20).await;
        shows(&journal, &["id-a"], 30).await;
        assert_eq!(drifted(&journal).await, [("id-a".to_owned(), false)]);
        let asked =
            accept(&journal, group(&journal, Verb::Patch, one("id-a", true), 40).await).await;
        journal.claim("demo", 8, at(40)).await.unwrap();
        let mut settlement = Settlement::of(id("g"), at(40));
        let refusal = End::Rejected { error: json!({}), internal: None, late: false };
        settlement.ends = vec![(asked.change, refusal)];
        journal.settle(settlement).await.unwrap();
        assert_eq!(drifted(&journal).await, [("id-a".to_owned(), false)]);
    })
    .await;
}
