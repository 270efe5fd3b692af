//! Storage that breaks: every call failing in turn, and the power going at every sync. What was acknowledged must be there
//! afterwards, what was not acknowledged is there whole or not at all, and nothing is acknowledged after a failure.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod storage;

use storage::audit::{self, Contents};
use storage::broken::{Broken, Call};
use storage::play::{self, Played, play};
use storage::power_cut::{Fate, PowerCut};
use storage::scenes::{self, Scene};

/// The contents after opening and after each step, when nothing breaks.
fn unbroken(scene: &Scene) -> Vec<Contents> {
    let mut states = Vec::new();
    play(Broken::whole(scene.before.clone()), &scene.steps, |store| states.push(audit::contents(store)));
    assert_eq!(states.len(), scene.steps.len() + 1, "{}: every step is done", scene.name);
    for state in &states {
        audit::agree(state);
    }
    states
}

/// Opens what survived and compares it with what a whole storage held after as many steps as were acknowledged, or one more:
/// a commit that failed may have reached the disk.
fn check(scene: &Scene, states: &[Contents], played: &Played, bytes: Vec<u8>, how: &str) {
    let place = format!("{}, {how}, {} steps acknowledged", scene.name, played.steps);
    let store = play::open(Broken::whole(bytes)).unwrap_or_else(|error| panic!("{place}: {error}"));
    let found = audit::contents(&store);
    let allowed = &states[played.steps..states.len().min(played.steps + 2)];
    assert!(allowed.contains(&found), "{place}: neither what was before the failure nor after\n{found:#?}");
}

fn every_call_fails(scene: &Scene) {
    let states = unbroken(scene);
    let whole = Broken::whole(scene.before.clone());
    play(whole.clone(), &scene.steps, |_| {});
    let calls = whole.calls();
    for kind in [Call::Write, Call::Sync] {
        assert!(calls.contains(&kind), "{}: no {kind:?} to fail", scene.name);
    }
    for (at, call) in calls.iter().enumerate() {
        // After one failure the store is given up, so a disk that goes on failing tells little more than one that does not.
        for for_ever in [false, true].into_iter().take(if at % 4 == 0 { 2 } else { 1 }) {
            let memory = Broken::failing(scene.before.clone(), at, for_ever);
            let played = play(memory.clone(), &scene.steps, |_| {});
            assert!(memory.has_failed());
            check(scene, &states, &played, memory.bytes(), &format!("call {at} ({call:?}) failed"));
        }
    }
}

fn the_power_goes_at_every_sync(scene: &Scene) {
    let states = unbroken(scene);
    let whole = PowerCut::over(scene.before.clone(), None);
    play(whole.clone(), &scene.steps, |_| {});
    let begin = fastrand::u64(..);
    for sync in 0..whole.syncs() {
        let disk = PowerCut::over(scene.before.clone(), Some(sync));
        let played = play(disk.clone(), &scene.steps, |_| {});
        let seeds = (0..6).map(|round| begin.wrapping_add(round));
        let fates = seeds.flat_map(|seed| [Fate::Some(seed), Fate::Shuffled(seed)]);
        for fate in [Fate::Lost, Fate::Kept].into_iter().chain(fates) {
            check(scene, &states, &played, disk.survivors(fate), &format!("power lost at sync {sync}, {fate:?}"));
        }
    }
}

macro_rules! scenes {
    ($($test:ident: $name:literal),+ $(,)?) => {
        mod every_storage_call_failing_in_turn_loses_nothing_acknowledged_while {
            $(#[test]
            fn $test() {
                super::every_call_fails(&super::scene($name));
            })+
        }

        mod a_power_cut_at_every_sync_loses_nothing_acknowledged_while {
            $(#[test]
            fn $test() {
                super::the_power_goes_at_every_sync(&super::scene($name));
            })+
        }

        #[test]
        fn no_scene_is_left_out() {
            let names: Vec<&str> = scenes::all().iter().map(|scene| scene.name).collect();
            assert_eq!(names, [$($name),+]);
        }
    };
}

fn scene(name: &str) -> Scene {
    scenes::all().into_iter().find(|scene| scene.name == name).unwrap()
}

scenes! {
    opening_for_the_first_time: "first open",
    taking_webhooks_in: "ingest",
    settling: "settle",
    keeping_results: "results",
    carrying_out_decisions: "decisions",
    sweeping: "sweep",
    setting_a_standing: "standing",
    keeping_refused_requests: "refused",
    opening_again: "reopen",
}
