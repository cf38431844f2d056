//! A hundred thousand sessions in virtual time: how many are lost, and whether one that should not be was.
//!
//! `cargo run --release -p engine --example simulate -- [sessions] [seed]` plays them on all cores and prints a table. It
//! exits with 1, and names the session that can be replayed alone, if the engine and the reference disagree on one.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program prints its result"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "the program reads the clock and its arguments; the engine does not"
)]

use std::process::ExitCode;
use std::time::Instant;

#[path = "../tests/it/fleet/blows.rs"]
mod blows;
#[path = "../tests/it/fleet/judge.rs"]
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the judge looks at what concerns it"
)]
mod judge;
#[path = "../tests/it/fleet/luck.rs"]
mod luck;
#[path = "../tests/it/fleet/model.rs"]
mod model;
#[path = "../tests/it/fleet/stage.rs"]
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the stage looks at what concerns it"
)]
mod stage;
#[path = "../tests/it/fleet/story.rs"]
mod story;
#[path = "../tests/it/fleet/study.rs"]
mod study;

use judge::{Verdict, judge};
use stage::Stage;
use story::FOUNDING;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default: u64| {
        arguments
            .next()
            .map_or(Ok(default), |text| text.replace('_', "").parse())
    };
    let (Ok(sessions), Ok(seed)) = (number(100_000), number(1)) else {
        eprintln!("simulate: not a number; use `simulate [sessions] [seed]`");
        return ExitCode::FAILURE;
    };
    let clock = Instant::now();
    let threads = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
    let (verdicts, wrong) = play(sessions, seed, threads);
    let seconds = clock.elapsed().as_secs_f64();
    print(&verdicts, seed, seconds);
    for (index, what) in wrong.iter().take(20) {
        println!("  WRONG: session {index} of seed {seed}: {what}");
    }
    if wrong.is_empty() {
        println!("  engine and reference agree on every one");
        ExitCode::SUCCESS
    } else {
        println!("  {} WRONG", wrong.len());
        ExitCode::FAILURE
    }
}

type Judged = (Vec<Verdict>, Vec<(u64, String)>);

fn play(sessions: u64, seed: u64, threads: u64) -> Judged {
    let share = |first: u64| {
        let mut judged: Judged = (Vec::new(), Vec::new());
        for index in (first..sessions).step_by(usize::try_from(threads).unwrap_or(1)) {
            match judge(&Stage::play(FOUNDING, seed, index)) {
                Ok(verdict) => judged.0.push(verdict),
                Err(wrong) => judged.1.push((index, wrong)),
            }
        }
        judged
    };
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads)
            .map(|first| scope.spawn(move || share(first)))
            .collect();
        let mut all: Judged = (Vec::new(), Vec::new());
        for thread in running {
            let (verdicts, wrong) = thread.join().expect("a panic is a bug that is to be seen");
            all.0.extend(verdicts);
            all.1.extend(wrong);
        }
        all
    })
}

#[expect(clippy::cast_precision_loss, reason = "rates for people to read")]
fn print(verdicts: &[Verdict], seed: u64, seconds: f64) {
    let count = |what: fn(&Verdict) -> bool| verdicts.iter().filter(|one| what(one)).count();
    let share = |count: usize| 100.0 * count as f64 / verdicts.len().max(1) as f64;
    let row =
        |name: &str, count: usize| println!("  {name:<52} {count:>8}  {:>6.2} %", share(count));
    println!("simulate: {} sessions, seed {seed}", verdicts.len());
    row("whose participant dropped", count(|one| one.dropped));
    row(
        "  of them back in time, each time",
        count(|one| one.dropped && one.returned),
    );
    row(
        "whose process ended under them",
        count(|one| one.restarts > 0),
    );
    row(
        "whose provider link was opened more than once",
        count(|one| one.links > 1),
    );
    row("lost", count(|one| one.lost));
    row(
        "gone at least once, kills and deploys included",
        count(|one| one.gone),
    );
    row(
        "lost although their participant came back",
        count(|one| one.returned && one.lost),
    );
    println!(
        "  {seconds:.1} s, {:.0} sessions a second",
        verdicts.len() as f64 / seconds
    );
}
