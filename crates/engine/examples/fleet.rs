//! Simulates a fleet of interviews in which participants drop out, servers die and providers fail.
//!
//! `cargo run --release -p engine --example fleet [--sessions N] [--seed S]` runs the fleet and prints what became of it;
//! `--one SEED` runs a single session again. Exits with 1 if any session broke a rule, or if anybody who came back was lost.
#![expect(clippy::print_stdout, reason = "a simulation prints its figures")]
#![expect(
    clippy::disallowed_methods,
    reason = "a simulation reads the clock and its arguments; the engine does not"
)]

use std::process::ExitCode;
use std::time::Instant;

#[path = "../tests/it/fleet/run.rs"]
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the world looks at what concerns it"
)]
mod run;

use run::tally::Tally;

/// Sessions of which the seeds are printed if they fail.
const SHOWN_MAX: usize = 10;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let option = |name: &str| {
        let place = arguments.iter().position(|argument| argument == name)?;
        arguments.get(place + 1)?.parse::<u64>().ok()
    };
    let sessions = option("--sessions").unwrap_or(100_000);
    let fleet = option("--seed").unwrap_or(1);
    let clock = Instant::now();
    let tally = match option("--one") {
        Some(seed) => {
            let mut tally = Tally::default();
            run::run_one(seed, &mut tally);
            tally
        }
        None => run::run_fleet(fleet, sessions),
    };
    let seconds = clock.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a rate for people to read")]
    let rate = tally.sessions as f64 / seconds;
    println!("{tally}seed {fleet}, {seconds:.1} s, {rate:.0} sessions/s");
    for (seed, complaint) in tally.failed.iter().take(SHOWN_MAX) {
        println!("FAILED --one {seed}: {complaint}");
    }
    if tally.failed.is_empty() && tally.returned_lost == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
