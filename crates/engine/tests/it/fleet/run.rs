//! A fleet of simulated interviews, each in a world of its own, each checked against the reference.
//!
//! Shared by the tests and `examples/fleet.rs`. The same seed makes the same session.

use std::panic::{AssertUnwindSafe, catch_unwind};

mod act;
mod happen;
mod luck;
mod media;
mod reference;
mod server;
mod story;
pub(crate) mod tally;
mod vendor;
mod world;

use luck::seed_of;
use tally::Tally;
use world::World;

/// Runs one session.
pub(crate) fn run_one(seed: u64, tally: &mut Tally) {
    let run = catch_unwind(AssertUnwindSafe(|| {
        let mut world = World::new(seed);
        world.run();
        world
    }));
    match run {
        Ok(world) => tally.count(seed, &world),
        Err(panic) => {
            let words = panic.downcast_ref::<String>().cloned();
            let words = words.unwrap_or_else(|| "it panicked".to_owned());
            tally.failed.push((seed, words));
        }
    }
}

/// Runs a fleet. Every core takes its share; what comes out does not depend on how many there are.
pub(crate) fn run_fleet(fleet: u64, sessions: u64) -> Tally {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut sum = Tally::default();
    std::thread::scope(|scope| {
        let share = |core: usize| {
            let mut tally = Tally::default();
            for place in (core as u64..sessions).step_by(cores) {
                run_one(seed_of(fleet, place), &mut tally);
            }
            tally
        };
        let parts: Vec<_> = (0..cores)
            .map(|core| scope.spawn(move || share(core)))
            .collect();
        for part in parts {
            let part = part.join();
            sum.add(part.expect("a panic of a session is caught where it runs"));
        }
    });
    sum.failed.sort_unstable();
    sum
}
