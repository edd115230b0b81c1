//! The decision core explored over every interleaving of a small world: one identity provider, one
//! app, a user, a second client that repeats the create, and a group.
//!
//! [`world`] is what is around the core: disk, app, network, time. [`worker`] carries out what the
//! core commands, as the engine does. [`search`] visits every state. What is explored is the core as
//! it is shipped; what stands around it is as small as it can be.

mod plan;
mod search;
mod worker;
mod world;

use search::{Verdict, explore};
use world::{Fault, Request, World};

/// All that happens to a user: made, changed, put into a group, switched off.
const SCRIPT: [Request; 3] = [Request::Create, Request::Update, Request::Leave];
/// The same, and back again.
const RETURN: [Request; 3] = [Request::Create, Request::Leave, Request::Return];

fn world(script: &[Request], unique: bool) -> World {
    World::new(script, unique)
}

/// Nothing is wrong in any of so many states and more.
fn assert_sound_beyond(least: usize, name: &str, world: &World) {
    let verdict = explore(world);
    println!("{name}: {verdict}");
    assert!(verdict.wrong.is_none(), "{name}: {}", verdict.history());
    assert_eq!(verdict.stuck, 0, "{name}: {}", verdict.history());
    assert!(verdict.states > least, "{name} explores something: {verdict}");
}

fn assert_sound(name: &str, world: &World) {
    assert_sound_beyond(1_000, name, world);
}

fn assert_caught(name: &str, worlds: &[World], fault: Fault) -> Verdict {
    for world in worlds {
        let verdict = explore(&world.clone().with(fault));
        if verdict.wrong.is_some() || verdict.stuck > 0 {
            println!("{name}: {}", verdict.history());
            return verdict;
        }
    }
    panic!("{name} was not caught: the exploration sees nothing");
}

#[test]
fn nothing_is_lost_doubled_or_left_active_without_a_unique_key() {
    assert_sound("update", &world(&SCRIPT, false));
    assert_sound("return", &world(&RETURN, false));
}

#[test]
fn nothing_is_lost_doubled_or_left_active_with_a_unique_key() {
    assert_sound("update", &world(&SCRIPT, true));
    assert_sound("return", &world(&RETURN, true));
}

#[test]
fn what_may_be_sent_again_is_as_safe() {
    assert_sound("resend", &world(&SCRIPT, false).resending());
}

#[test]
fn what_is_refused_is_not_done_afterwards() {
    for unique in [false, true] {
        assert_sound("refused", &world(&SCRIPT, unique).resending().refusing());
        // One request alone has few states.
        assert_sound_beyond(100, "refused create", &world(&[Request::Create], unique).refusing());
    }
}

#[test]
fn a_membership_waits_for_its_member_and_is_not_lost() {
    assert_sound("group", &world(&[Request::Create, Request::Join, Request::Leave], false));
}

#[test]
fn who_repeats_a_create_gets_no_second_account() {
    assert_sound("repeat", &world(&[Request::Create, Request::Repeat], false));
}

/// The test of the test: each rule taken away must be missed.
#[test]
fn every_planted_fault_is_caught() {
    let both = |script: &[Request]| [world(script, false), world(script, true)];
    assert_caught("no intent", &both(&SCRIPT), Fault::NoIntent);
    assert_caught("no settle", &both(&SCRIPT), Fault::NoSettle);
    assert_caught("acknowledged before journal", &both(&SCRIPT), Fault::ToldBeforeKept);
    assert_caught("overtaken without a second look", &both(&SCRIPT), Fault::NoSecondLook);
    let group = [Request::Create, Request::Join];
    assert_caught("dependency ignored", &both(&group), Fault::NoDependency);
    let create = [world(&[Request::Create], true).refusing()];
    assert_caught("refused while a call may land", &create, Fault::RefusedAtOnce);
    let repeat = [Request::Create, Request::Repeat];
    assert_caught("dedupe off", &both(&repeat), Fault::NoDedupe);
}

/// Also with a unique key in the app a late update can switch a leaver on again.
#[test]
fn a_unique_key_does_not_replace_the_settle_time_of_updates() {
    let verdict = assert_caught("no settle", &[world(&SCRIPT, true)], Fault::NoSettle);
    assert!(verdict.wrong.is_some());
}
