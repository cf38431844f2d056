//! The random walk: more than a million inputs, each checked against a naive reference.

use std::collections::{BTreeMap, VecDeque};

use engine::session::{Input, Output, Session, State};
use engine::time::Mono;

mod reference;
pub(crate) mod world;

use reference::Reference;
use world::World;

/// Inputs of a walk; there are two, so that two cores can walk. More than a million in all.
const STEPS: usize = 600_000;

#[test]
fn a_walk_through_one_world_breaks_no_rule() {
    walk(0xC0_1109);
}

#[test]
fn a_walk_through_another_world_breaks_no_rule() {
    walk(20_261_123);
}

fn walk(seed: u64) {
    let steps = STEPS;
    let mut world = World::new(seed);
    let mut seen = [0_usize; 6];
    let mut outcomes = BTreeMap::new();
    let mut left = steps;
    let mut log = Log::default();
    let mut outputs: Vec<Output> = Vec::new();
    while left > 0 {
        let (plan, capabilities) = world.begin();
        let mut reference = Reference::new(plan.clone(), capabilities, world.now);
        let mut session = Session::new(world.now, plan, capabilities);
        // An ended session is told a few things more: it must swallow them.
        let mut after_end = 5;
        while left > 0 && after_end > 0 {
            left -= 1;
            let (now, input) = world.next(session.deadline());
            outputs.clear();
            session.handle(now, input.clone(), &mut outputs);
            log.keep(now, &input, &outputs);
            reference.check(now, &input, &outputs, &session);
            world.observe(&outputs);
            seen[session.state() as usize] += 1;
            // A session that is left to another process swallows what it is told, as one that ended does.
            if session.state() == State::Ended || reference.is_parked() {
                after_end -= 1;
            }
        }
        *outcomes.entry(session.snapshot().outcome).or_insert(0) += 1;
    }
    // A walk that never gets anywhere proves nothing.
    assert!(
        seen.iter().all(|count| *count > steps / 2_000),
        "states seen: {seen:?}"
    );
    assert!(outcomes.len() >= 5, "outcomes seen: {outcomes:?}");
}

/// The latest steps, printed if a rule breaks.
#[derive(Default)]
struct Log(VecDeque<(Mono, Input, Vec<Output>)>);

impl Log {
    fn keep(&mut self, now: Mono, input: &Input, outputs: &[Output]) {
        if self.0.len() >= 40 {
            self.0.pop_front();
        }
        self.0.push_back((now, input.clone(), outputs.to_vec()));
    }
}

impl Drop for Log {
    #[expect(clippy::print_stderr, reason = "shown only when a test fails")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            for (now, input, outputs) in &self.0 {
                eprintln!("{} us {input:?} => {outputs:?}", now.as_micros());
            }
        }
    }
}
