//! How many inputs a session handles in a second.
//!
//! `cargo run --release -p engine --example walk [inputs]` walks at random through the world of the tests, records every
//! input, and then handles the record again, which is what is timed. It prints one line of `name value` pairs:
//! `inputs`, `sessions`, `outputs`, `seconds`, `inputs_per_s`.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(
    clippy::disallowed_methods,
    reason = "a benchmark reads the clock and its arguments; the engine does not"
)]

use std::time::Instant;

use engine::link::Capabilities;
use engine::plan::Plan;
use engine::session::{Input, Output, Session, State};
use engine::time::Mono;

#[path = "../tests/it/walk/world.rs"]
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the world looks at what concerns it"
)]
mod world;

use world::World;

/// One session as it was walked.
struct Walk {
    begun: Mono,
    plan: Plan,
    capabilities: Capabilities,
    inputs: Vec<(Mono, Input)>,
}

fn main() {
    let inputs: usize = std::env::args()
        .nth(1)
        .and_then(|text| text.parse().ok())
        .unwrap_or(1_000_000);
    let walks = record(inputs);
    let sessions = walks.len();
    let mut outputs: Vec<Output> = Vec::new();
    let mut produced = 0;
    let clock = Instant::now();
    for walk in walks {
        let mut session = Session::new(walk.begun, walk.plan, walk.capabilities);
        for (now, input) in walk.inputs {
            session.handle(now, input, &mut outputs);
            produced += outputs.len();
            outputs.clear();
        }
    }
    let seconds = clock.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a rate for people to read")]
    let rate = inputs as f64 / seconds;
    println!(
        "inputs {inputs} sessions {sessions} outputs {produced} seconds {seconds:.3} inputs_per_s {rate:.0}"
    );
}

fn record(inputs: usize) -> Vec<Walk> {
    let mut world = World::new(1);
    let mut walks: Vec<Walk> = Vec::new();
    let mut outputs = Vec::new();
    let mut left = inputs;
    while left > 0 {
        let (plan, capabilities) = world.begin();
        let begun = world.now;
        let mut session = Session::new(begun, plan.clone(), capabilities);
        let mut inputs = Vec::new();
        while left > 0 && session.state() != State::Ended {
            let (now, input) = world.next(session.deadline());
            inputs.push((now, input.clone()));
            outputs.clear();
            session.handle(now, input, &mut outputs);
            world.observe(&outputs);
            left -= 1;
        }
        walks.push(Walk {
            begun,
            plan,
            capabilities,
            inputs,
        });
    }
    walks
}
