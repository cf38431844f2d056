//! The same inputs bring the same outputs, to the byte.

use std::fmt::Write;

use engine::link::Capabilities;
use engine::plan::Plan;
use engine::session::{Input, Output, Session, State};
use engine::time::Mono;

use crate::walk::world::World;

/// A session's inputs as they were recorded.
struct Log {
    begun: Mono,
    plan: Plan,
    capabilities: Capabilities,
    inputs: Vec<(Mono, Input)>,
}

/// Records one session to its end, or until it is left to the next process.
fn record(world: &mut World) -> (Log, String) {
    let (plan, capabilities) = world.begin();
    let begun = world.now;
    let mut session = Session::new(begun, plan.clone(), capabilities);
    let (mut inputs, mut text, mut outputs) = (Vec::new(), String::new(), Vec::new());
    while session.state() != State::Ended && !outputs.contains(&Output::Park) {
        let (now, input) = world.next(session.deadline());
        inputs.push((now, input.clone()));
        outputs.clear();
        session.handle(now, input, &mut outputs);
        world.observe(&outputs);
        writeln!(text, "{outputs:?} {:?}", session.deadline()).unwrap();
    }
    (
        Log {
            begun,
            plan,
            capabilities,
            inputs,
        },
        text,
    )
}

fn replay(log: &Log) -> String {
    let mut session = Session::new(log.begun, log.plan.clone(), log.capabilities);
    let (mut text, mut outputs) = (String::new(), Vec::new());
    for (now, input) in &log.inputs {
        outputs.clear();
        session.handle(*now, input.clone(), &mut outputs);
        writeln!(text, "{outputs:?} {:?}", session.deadline()).unwrap();
    }
    text
}

#[test]
fn a_recorded_log_replays_to_the_byte() {
    let mut world = World::new(7);
    for _ in 0..40 {
        let (log, recorded) = record(&mut world);
        assert!(
            log.inputs.len() > 1 && recorded == replay(&log),
            "a replay differs"
        );
    }
}

#[test]
fn one_changed_input_changes_the_replay() {
    let (mut log, recorded) = record(&mut World::new(7));
    let offer = log
        .inputs
        .iter()
        .position(|(_, input)| matches!(input, Input::PeerOffered(_)))
        .unwrap();
    log.inputs[offer].1 = Input::Timeout;
    assert_ne!(recorded, replay(&log));
}
