//! A change from its acceptance to its end.

use crate::change::Failure;

use super::*;

#[tokio::test]
async fn a_create_goes_from_accept_to_applied() {
    on_both(async |journal| {
        let mut events = journal.events();
        let committed = accept(&journal, create("ann", 10)).await;
        assert_eq!((committed.version, committed.modified_at), (1, at(10)));
        assert_eq!(events.try_recv().unwrap(), Event::LaneReady { app: "demo".into() });

        let work = claim_one(&journal, 11).await;
        assert_eq!(work.resource.id, id("id-ann"));
        assert_eq!(work.changes.len(), 1);
        assert_eq!(work.changes[0].state, ChangeState::Queued);
        assert!(
            journal.claim("demo", 8, at(12)).await.unwrap().is_empty(),
            "one worker per resource"
        );

        let step =
            journal.begin_step(intent(committed.change, StepClass::Create, 12)).await.unwrap();
        assert_eq!(state(&journal, committed.change).await, ChangeState::Sending);
        let mut end = answered(201, 13);
        end.link = Some(link(4711));
        end.saved = Some(json!({"session": 1}));
        assert_eq!(journal.end_step(step, end.clone()).await.unwrap(), StepEnded::default());
        assert!(journal.end_step(step, end).await.is_err(), "a step ends once");

        let mut settlement = applied("id-ann", &[committed.change], 14);
        settlement.actual = Some(json!({"userName": "ann", "id": 4711}));
        settlement.history = Some(HistoryRow {
            change: committed.change,
            active: Some(true),
            roles: Some(json!(["reader"])),
            link: Some(json!(4711)),
            found: false,
        });
        assert_eq!(journal.settle(settlement).await.unwrap(), Settled::default());
        assert_eq!(
            events.try_recv().unwrap(),
            Event::ChangeEnded { change: committed.change, state: ChangeState::Applied }
        );

        let resource = user(&journal, "ann").await.unwrap();
        assert_eq!(resource.link, Some(link(4711)));
        assert_eq!(resource.actual_at, Some(at(14)));
        assert!(resource.written && resource.is_live());
        assert_eq!(resource.pending.len(), 1, "applied after the time that was asked for");
        assert_eq!(journal.next_due("demo").await.unwrap(), None);
        let detail = journal.change(committed.change).await.unwrap().unwrap();
        assert_eq!(detail.steps.len(), 1);
        assert_eq!(detail.steps[0].status, Some(201));
        assert_eq!(detail.row.ended_at, Some(at(14)));
    })
    .await;
}

#[tokio::test]
async fn last_modified_grows_even_when_the_clock_stands() {
    on_both(async |journal| {
        let first = accept(&journal, create("ann", 10)).await;
        let second = accept(&journal, later("ann", Verb::Replace, 1, 10)).await;
        let third = accept(&journal, later("ann", Verb::Patch, 2, 9)).await;
        assert!(first.modified_at < second.modified_at);
        assert!(second.modified_at < third.modified_at);
        assert_eq!(third.version, 3);
    })
    .await;
}

#[tokio::test]
async fn what_is_answered_now_is_what_is_read_later() {
    on_both(async |journal| {
        let mut precise = create("ann", 10);
        precise.now = Timestamp::from_nanosecond(10_123_456_789).unwrap();
        let committed = accept(&journal, precise).await;
        let ann = user(&journal, "ann").await.unwrap();
        assert_eq!(committed.modified_at, ann.modified_at);
        assert_eq!(ann.created_at, ann.modified_at);
        let mut precise = later("ann", Verb::Patch, 1, 11);
        precise.now = Timestamp::from_nanosecond(11_987_654_321).unwrap();
        let committed = accept(&journal, precise).await;
        let ann = user(&journal, "ann").await.unwrap();
        assert_eq!(committed.modified_at, ann.modified_at);
    })
    .await;
}

#[tokio::test]
async fn a_stale_version_and_a_missing_resource_are_told_apart() {
    on_both(async |journal| {
        accept(&journal, create("ann", 10)).await;
        accept(&journal, later("ann", Verb::Replace, 1, 11)).await;
        let stale = journal.accept(later("ann", Verb::Patch, 1, 12)).await.unwrap();
        assert_eq!(stale, Accepted::Stale);
        let gone = journal.accept(later("bob", Verb::Patch, 1, 12)).await.unwrap();
        assert_eq!(gone, Accepted::Gone { deleted_by: None });
    })
    .await;
}

#[tokio::test]
async fn of_two_creates_with_one_name_one_wins() {
    on_both(async |journal| {
        let mut other = create("ann", 10);
        other.target = Target::New { id: id("other") };
        other.fingerprint = b"another body".to_vec();
        let (a, b) = tokio::join!(journal.accept(create("ann", 10)), journal.accept(other));
        let outcomes = [a.unwrap(), b.unwrap()];
        let won = outcomes.iter().filter(|o| matches!(o, Accepted::New(_))).count();
        let taken =
            outcomes.iter().filter(|o| matches!(o, Accepted::KeyTaken { twin: None, .. })).count();
        assert_eq!((won, taken), (1, 1));
    })
    .await;
}

#[tokio::test]
async fn the_clients_own_repetition_joins_until_the_change_has_ended() {
    on_both(async |journal| {
        let first = accept(&journal, create("ann", 10)).await;
        let mut again = create("ann", 10);
        again.target = Target::New { id: id("id-2") };
        assert_eq!(
            journal.accept(again.clone()).await.unwrap(),
            Accepted::Joined { change: first.change, id: id("id-ann") }
        );
        claim_one(&journal, 11).await;
        journal.settle(applied("id-ann", &[first.change], 12)).await.unwrap();
        // Ended, and nobody was told: the repetition may have its 201.
        let twin = |answered| Accepted::KeyTaken {
            id: id("id-ann"),
            twin: Some(Twin { change: first.change, state: ChangeState::Applied, answered }),
        };
        assert_eq!(journal.accept(again.clone()).await.unwrap(), twin(None));
        journal.answered(first.change, 201).await.unwrap();
        assert_eq!(journal.accept(again).await.unwrap(), twin(Some(201)));
    })
    .await;
}

#[tokio::test]
async fn add_remove_add_are_three_changes() {
    on_both(async |journal| {
        accept(&journal, create("ann", 10)).await;
        let patch = |version, print: &str| {
            let mut patch = later("ann", Verb::Patch, version, 11);
            patch.fingerprint = print.as_bytes().to_vec();
            patch
        };
        accept(&journal, patch(1, "add")).await;
        accept(&journal, patch(2, "remove")).await;
        accept(&journal, patch(3, "add")).await;
        let joined = journal.accept(patch(4, "add")).await.unwrap();
        assert!(matches!(joined, Accepted::Joined { .. }));
    })
    .await;
}

#[tokio::test]
async fn a_refused_create_leaves_no_resource_but_its_change() {
    on_both(async |journal| {
        let committed = accept(&journal, create("ann", 10)).await;
        claim_one(&journal, 11).await;
        let mut settlement = Settlement::of(id("id-ann"), at(12));
        settlement.ends = vec![(
            committed.change,
            End::Rejected {
                error: json!({"status": 400, "detail": "no"}),
                internal: Some("422 from the app".into()),
                late: false,
            },
        )];
        settlement.remove_resource = true;
        journal.settle(settlement).await.unwrap();
        assert_eq!(user(&journal, "ann").await, None);
        let row = journal.change(committed.change).await.unwrap().unwrap().row;
        assert_eq!(row.state, ChangeState::Rejected { late: false });
        assert_eq!(row.error, Some(json!({"status": 400, "detail": "no"})));
        assert_eq!(row.subject.as_deref(), Some("ann"));
        assert_eq!(journal.next_due("demo").await.unwrap(), None, "no lane");
        accept(&journal, create("ann", 20)).await;
    })
    .await;
}

/// A look-up found what a lost call made, and the next call was refused.
#[tokio::test]
async fn a_create_that_is_refused_after_its_account_was_made_is_known_by_its_name() {
    on_both(async |journal| {
        let committed = accept(&journal, create("ann", 10)).await;
        claim_one(&journal, 11).await;
        journal.relink(&id("id-ann"), link(7), at(12)).await.unwrap();
        let mut settlement = Settlement::of(id("id-ann"), at(13));
        settlement.ends = vec![(
            committed.change,
            End::Rejected { error: json!({"status": 400}), internal: None, late: false },
        )];
        settlement.desired = DesiredNow::Forget;
        settlement.keys = Some(ResourceKeys::default());
        settlement.remove_resource = true;
        journal.settle(settlement).await.unwrap();
        let ann = user(&journal, "ann").await.unwrap();
        assert_eq!((ann.link, ann.written), (Some(link(7)), false));
        assert!(ann.desired.is_some(), "until it is read, all that is known of it");
        let named = journal.find("demo", Kind::User, By::Natural, "ann", at(0)).await.unwrap();
        assert_eq!(named.len(), 1, "the next create finds it");
    })
    .await;
}

#[tokio::test]
async fn a_resource_with_open_changes_is_not_removed() {
    on_both(async |journal| {
        let first = accept(&journal, create("ann", 10)).await;
        accept(&journal, later("ann", Verb::Patch, 1, 11)).await;
        let mut settlement = applied("id-ann", &[first.change], 12);
        settlement.remove_resource = true;
        let refused = journal.settle(settlement).await;
        assert!(matches!(refused, Err(JournalError::Refused(_))));
        assert_eq!(
            state(&journal, first.change).await,
            ChangeState::Queued,
            "nothing of the settlement was written"
        );
    })
    .await;
}

#[tokio::test]
async fn a_refused_rename_takes_its_effect_back_unless_the_name_is_gone() {
    on_both(async |journal| {
        settled_user(&journal, "ann", 1, 10).await;
        let mut rename = later("ann", Verb::Replace, 1, 11);
        rename.keys = keys("anna");
        let rename = accept(&journal, rename).await;
        let mut bob = create("ann", 12);
        bob.target = Target::New { id: id("id-bob") };
        accept(&journal, bob).await;

        let mut settlement = Settlement::of(id("id-ann"), at(13));
        settlement.ends = vec![(
            rename.change,
            End::Rejected { error: json!({"status": 400}), internal: None, late: false },
        )];
        settlement.desired = DesiredNow::Put(json!({"userName": "ann"}));
        settlement.keys = Some(keys("ann"));
        let settled = journal.settle(settlement).await.unwrap();
        assert_eq!(settled.key_held_by, Some(id("id-bob")));
        let ann = user(&journal, "ann").await;
        assert_eq!(value(&ann), Some(json!({"userName": "ann"})));
        assert_eq!(ann.unwrap().keys.natural, None);
    })
    .await;
}

#[tokio::test]
async fn a_deleted_name_is_free_and_its_tombstone_can_live_again() {
    on_both(async |journal| {
        settled_user(&journal, "ann", 1, 10).await;
        let delete = accept(&journal, later("ann", Verb::Delete, 1, 11)).await;
        let pending = user(&journal, "ann").await.unwrap();
        assert_eq!(pending.pending.last().unwrap().verb, Verb::Delete);
        claim_one(&journal, 12).await;
        let mut settlement = applied("id-ann", &[delete.change], 12);
        settlement.deleted = true;
        journal.settle(settlement).await.unwrap();
        journal.answered(delete.change, 204).await.unwrap();

        assert!(!user(&journal, "ann").await.unwrap().is_live());
        let live = journal.find("demo", Kind::User, By::Natural, "ann", at(0)).await.unwrap();
        assert!(live.is_empty());
        let again = journal.accept(later("ann", Verb::Delete, 2, 13)).await.unwrap();
        let Accepted::Gone { deleted_by: Some(twin) } = again else {
            panic!("{again:?}");
        };
        assert_eq!((twin.change, twin.answered), (delete.change, Some(204)));

        let dead = journal.find("demo", Kind::User, By::Tombstone, "ann", at(0)).await.unwrap();
        assert_eq!(dead[0].id, id("id-ann"));
        let mut revive = create("ann", 20);
        revive.target = Target::Revive { id: id("id-ann") };
        accept(&journal, revive).await;
        let ann = user(&journal, "ann").await.unwrap();
        assert!(ann.is_live());
        assert_eq!(ann.link, Some(link(1)));
    })
    .await;
}

#[tokio::test]
async fn the_history_is_closed_by_the_next_row() {
    on_both(async |journal| {
        let first = settled_user(&journal, "ann", 1, 10).await;
        for (second, active) in [(20, true), (30, false)] {
            let mut settlement = Settlement::of(id("id-ann"), at(second));
            settlement.history = Some(HistoryRow {
                change: first.change,
                active: Some(active),
                roles: None,
                link: Some(json!(1)),
                found: false,
            });
            journal.settle(settlement).await.unwrap();
        }
        let mut settlement = Settlement::of(id("id-ann"), at(40));
        settlement.deleted = true;
        journal.settle(settlement).await.unwrap();
        let history = journal.history(&id("id-ann")).await.unwrap();
        let times: Vec<_> = history.iter().map(|h| (h.at, h.until)).collect();
        assert_eq!(times, [(at(20), Some(at(30))), (at(30), Some(at(40)))]);
        assert_eq!(history[1].row.active, Some(false));
    })
    .await;
}

#[tokio::test]
async fn what_steps_saved_is_there_at_the_next_claim() {
    on_both(async |journal| {
        let first = accept(&journal, create("ann", 10)).await;
        let second = accept(&journal, later("ann", Verb::Patch, 1, 11)).await;
        claim_one(&journal, 12).await;
        let mut both = intent(first.change, StepClass::Create, 12);
        both.also = vec![second.change];
        let step = journal.begin_step(both).await.unwrap();
        assert_eq!(state(&journal, second.change).await, ChangeState::Sending);
        let mut end = answered(201, 13);
        end.saved = Some(json!({"a": 1, "b": 1}));
        journal.end_step(step, end).await.unwrap();
        let step =
            journal.begin_step(intent(second.change, StepClass::Idempotent, 14)).await.unwrap();
        let mut end = answered(200, 15);
        end.saved = Some(json!({"b": 2}));
        journal.end_step(step, end).await.unwrap();
        let mut more = Settlement::of(id("id-ann"), at(16));
        more.next = LaneNext::Ready;
        journal.settle(more).await.unwrap();
        let work = claim_one(&journal, 16).await;
        assert_eq!(work.changes[0].saved, json!({"a": 1, "b": 1}));
        assert_eq!(work.changes[1].saved, json!({"a": 1, "b": 2}));
    })
    .await;
}

#[tokio::test]
async fn a_doubt_stays_open_until_it_is_resolved() {
    on_both(async |journal| {
        let committed = accept(&journal, create("ann", 10)).await;
        claim_one(&journal, 11).await;
        let step =
            journal.begin_step(intent(committed.change, StepClass::Create, 12)).await.unwrap();
        journal.end_step(step, in_doubt(13)).await.unwrap();
        assert_eq!(state(&journal, committed.change).await, ChangeState::InDoubt);

        // A call that may overtake the doubt (a deactivation) does not end it.
        let overtaking =
            journal.begin_step(intent(committed.change, StepClass::Idempotent, 14)).await.unwrap();
        journal.end_step(overtaking, answered(200, 15)).await.unwrap();
        assert_eq!(state(&journal, committed.change).await, ChangeState::InDoubt);

        journal
            .wait(Wait {
                resource: id("id-ann"),
                changes: vec![committed.change],
                reason: WaitReason::Settle,
                until: at(73),
                internal: None,
                failure: Failure::None,
                now: at(15),
            })
            .await
            .unwrap();
        assert_eq!(state(&journal, committed.change).await, ChangeState::InDoubt);
        let work = claim_one(&journal, 73).await;
        assert_eq!(work.open_steps.len(), 1);
        assert_eq!(work.open_steps[0].step, step);
        assert_eq!(work.open_steps[0].doubtful_since, at(13));

        journal
            .resolve_step(
                step,
                Resolution {
                    words: "found by e-mail".into(),
                    saved: None,
                    link: Some(link(7)),
                    replaces: false,
                    now: at(74),
                },
            )
            .await
            .unwrap();
        assert_eq!(state(&journal, committed.change).await, ChangeState::Queued);
        assert_eq!(user(&journal, "ann").await.unwrap().link, Some(link(7)));
    })
    .await;
}

#[tokio::test]
async fn a_kept_doubt_outlives_its_change() {
    on_both(async |journal| {
        let committed = accept(&journal, create("ann", 10)).await;
        claim_one(&journal, 11).await;
        let step =
            journal.begin_step(intent(committed.change, StepClass::Other, 12)).await.unwrap();
        journal.end_step(step, in_doubt(13)).await.unwrap();
        let mut settlement = applied("id-ann", &[committed.change], 14);
        settlement.doubts = Doubts::Kept;
        settlement.next = LaneNext::Wait { until: at(70), reason: WaitReason::Settle };
        journal.settle(settlement).await.unwrap();
        let work = claim_one(&journal, 70).await;
        assert!(work.changes.is_empty());
        assert_eq!(work.open_steps.len(), 1);
        journal.settle(Settlement::of(id("id-ann"), at(71))).await.unwrap();
        accept(&journal, later("ann", Verb::Patch, 1, 80)).await;
        assert!(claim_one(&journal, 80).await.open_steps.is_empty());
    })
    .await;
}

#[tokio::test]
async fn an_illegal_move_writes_nothing() {
    on_both(async |journal| {
        let committed = accept(&journal, create("ann", 10)).await;
        claim_one(&journal, 11).await;
        journal.settle(applied("id-ann", &[committed.change], 12)).await.unwrap();
        let refused = journal.begin_step(intent(committed.change, StepClass::Other, 13)).await;
        assert!(matches!(refused, Err(JournalError::Refused(_))));
        let detail = journal.change(committed.change).await.unwrap().unwrap();
        assert!(detail.steps.is_empty());
    })
    .await;
}

#[tokio::test]
async fn reads_are_recorded_without_touching_the_change() {
    on_both(async |journal| {
        let committed = accept(&journal, create("ann", 10)).await;
        journal
            .record_read(ReadStep {
                change: committed.change,
                call: "find".into(),
                attempt: 1,
                method: "GET".into(),
                target: "/users?name=…".into(),
                request: None,
                outcome: StepOutcome::InDoubt {
                    words: "timed out".into(),
                    status: None,
                    answer: None,
                },
                started_at: at(11),
                ended_at: at(12),
            })
            .await
            .unwrap();
        // A read is not in doubt for anybody.
        let work = claim_one(&journal, 13).await;
        assert!(work.open_steps.is_empty());
        let detail = journal.change(committed.change).await.unwrap().unwrap();
        assert_eq!(detail.steps[0].class, StepClass::Read);
        assert_eq!(detail.row.state, ChangeState::Queued);
    })
    .await;
}

#[tokio::test]
async fn a_link_belongs_to_one_live_resource() {
    on_both(async |journal| {
        settled_user(&journal, "ann", 1, 10).await;
        let bob = accept(&journal, create("bob", 11)).await;
        let step = journal.begin_step(intent(bob.change, StepClass::Create, 12)).await.unwrap();
        let mut end = answered(201, 13);
        end.link = Some(link(1));
        let ended = journal.end_step(step, end).await.unwrap();
        assert_eq!(ended.link_taken_by, Some(id("id-ann")));
        assert_eq!(user(&journal, "bob").await.unwrap().link, None);
        assert_eq!(
            state(&journal, bob.change).await,
            ChangeState::Queued,
            "the answer is recorded all the same"
        );
        journal.unlink(&id("id-ann")).await.unwrap();
        let taken = journal.relink(&id("id-bob"), link(1), at(14)).await.unwrap();
        assert_eq!(taken, None);
        let found = journal.find("demo", Kind::User, By::AppKey, "1", at(0)).await.unwrap();
        assert_eq!(found[0].id, id("id-bob"));
    })
    .await;
}

/// An app that gives ids again gives one before the bridge has the answer to the deletion.
#[tokio::test]
async fn who_is_being_deleted_has_no_link_to_keep() {
    on_both(async |journal| {
        settled_user(&journal, "ann", 1, 10).await;
        let gone = accept(&journal, later("ann", Verb::Delete, 1, 11)).await;
        let bob = accept(&journal, create("bob", 11)).await;
        let made = async |now| {
            let step =
                journal.begin_step(intent(bob.change, StepClass::Create, now)).await.unwrap();
            let mut end = answered(201, now);
            end.link = Some(link(1));
            journal.end_step(step, end).await.unwrap().link_taken_by
        };
        assert_eq!(made(12).await, Some(id("id-ann")), "no call of the deletion was made yet");
        journal.claim("demo", 8, at(13)).await.unwrap();
        let delete = intent(gone.change, StepClass::Idempotent, 13);
        let delete = journal.begin_step(delete).await.unwrap();
        assert_eq!(made(14).await, None);
        assert_eq!(user(&journal, "bob").await.unwrap().link, Some(link(1)));
        journal.end_step(delete, answered(204, 15)).await.unwrap();
        assert_eq!(user(&journal, "bob").await.unwrap().link, Some(link(1)));
    })
    .await;
}

#[tokio::test]
async fn a_parked_change_gives_way_to_a_person_or_a_newer_one() {
    on_both(async |journal| {
        let first = accept(&journal, create("ann", 10)).await;
        claim_one(&journal, 11).await;
        let mut park = Settlement::of(id("id-ann"), at(12));
        park.ends = vec![(first.change, End::Parked { internal: "two accounts".into() })];
        journal.settle(park).await.unwrap();
        assert_eq!(state(&journal, first.change).await, ChangeState::Parked);
        assert!(journal.claim("demo", 8, at(99)).await.unwrap().is_empty());

        journal.retry(first.change, at(100)).await.unwrap();
        assert_eq!(state(&journal, first.change).await, ChangeState::Queued);
        let mut park = Settlement::of(id("id-ann"), at(102));
        claim_one(&journal, 101).await;
        park.ends = vec![(first.change, End::Parked { internal: "still two".into() })];
        journal.settle(park).await.unwrap();

        accept(&journal, later("ann", Verb::Replace, 1, 103)).await;
        let work = claim_one(&journal, 103).await;
        assert_eq!(work.changes[0].state, ChangeState::Parked);
        assert_eq!(work.changes.len(), 2);
        let second = work.changes[1].change;
        let mut end = applied("id-ann", &[second], 104);
        end.ends.push((first.change, End::Superseded { by: second }));
        journal.settle(end).await.unwrap();
        assert_eq!(state(&journal, first.change).await, ChangeState::Superseded { by: second });

        let third = accept(&journal, later("ann", Verb::Patch, 2, 110)).await;
        let withdrawal = |version| Withdrawal {
            change: third.change,
            version,
            desired: DesiredNow::Put(json!({"userName": "ann"})),
            keys: None,
            remove_resource: false,
            only_unsent: false,
            now: at(111),
        };
        assert_eq!(journal.withdraw(withdrawal(2)).await.unwrap(), Withdrawn::Stale);
        assert_eq!(journal.withdraw(withdrawal(3)).await.unwrap(), Withdrawn::Done);
        assert_eq!(state(&journal, third.change).await, ChangeState::Discarded);
    })
    .await;
}
