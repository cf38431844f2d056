//! A fleet of whole sessions in virtual time, each with drops, returns, kills, deploys and faults of its provider, each
//! judged by a naive reference. `make simulate` does the same with a hundred thousand.

mod blows;
mod judge;
mod luck;
mod model;
mod stage;
mod story;
mod study;

use judge::judge;
use stage::Stage;
use story::{FOUNDING, Rates};

/// Run and session of what once went wrong: nobody was heard for 6.4 s after a link that had noticed nothing, and for 33 s
/// after speech that began while the interviewer spoke. Both have a test of their own in `care.rs`, too.
const SEEDS: [(u64, u64); 2] = [(7, 761), (7, 1_842)];

fn verdicts(rates: Rates, seed: u64, sessions: u64) -> Vec<judge::Verdict> {
    let verdict = |index| match judge(&Stage::play(rates, seed, index)) {
        Ok(verdict) => verdict,
        Err(wrong) => panic!("run {seed}, session {index}: {wrong}"),
    };
    (0..sessions).map(verdict).collect()
}

#[test]
fn of_those_who_drop_and_come_back_none_is_lost() {
    let verdicts = verdicts(FOUNDING, 7, 3_000);
    let count = |what: fn(&judge::Verdict) -> bool| verdicts.iter().filter(|one| what(one)).count();
    assert_eq!(count(|one| one.returned && one.lost), 0);
    let lost = count(|one| one.lost);
    // 2.4 % of 3,000 are 72; four standard deviations are 34.
    assert!((38..=106).contains(&lost), "{lost} lost");
    assert!(count(|one| one.restarts > 0) > 100);
    assert!(count(|one| one.links > 1) > 200);
}

#[test]
fn sessions_with_every_trouble_at_once_are_not_lost() {
    let stormy = Rates {
        drop: 1_000,
        back: 1_000,
        kill: 500,
        park: 300,
        fault: 1_000,
    };
    assert!(verdicts(stormy, 11, 1_500).iter().all(|one| !one.lost));
}

#[test]
fn sessions_that_were_hard_once_are_played_again() {
    for (seed, index) in SEEDS {
        judge(&Stage::play(FOUNDING, seed, index)).unwrap();
    }
}
