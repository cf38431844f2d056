//! Thousands of interviews in which things break, and what becomes of them.

#[path = "fleet/run.rs"]
mod run;

use run::tally::Tally;

/// Seeds of single sessions that once broke a rule, and how.
const SEEDS_THAT_FAILED: [u64; 2] = [
    // A frame that could not be read was taken for a refusal of the greeting, which was then said twice.
    2_105_768_218_878_125_719,
    // The page was loaded again between the request for the greeting and its first word: greeted twice.
    14_720_453_728_588_255_805,
];

#[test]
fn who_comes_back_goes_on_whatever_broke() {
    let tally = run::run_fleet(20_261_127, 2_000);
    assert_eq!(tally.failed, []);
    assert_eq!(tally.returned_lost, 0);
    assert_eq!(tally.lost, tally.dropped - tally.returned);
    // A fleet to which nothing happens proves nothing.
    assert!(tally.dropped > 100 && tally.returned > 60, "{tally}");
    assert!(tally.lost > 20 && tally.restores > 80, "{tally}");
    assert!(
        tally.outcomes.len() >= 5 && tally.links.len() >= 8,
        "{tally}"
    );
}

#[test]
fn sessions_that_once_failed_hold() {
    let mut tally = Tally::default();
    for seed in SEEDS_THAT_FAILED {
        run::run_one(seed, &mut tally);
    }
    assert_eq!(tally.failed, []);
}
