//! The six numbers over rolling windows, against a naive reading of everything that ever happened.

use engine::time::Mono;
use engine::vitals::{Health, Number, SLOT, SLOTS, Vitals};

use crate::walk::world::study::Prng;

fn at(seconds: u64) -> Mono {
    Mono::from_millis(seconds * 1_000)
}

/// The model: all of it, with its moment.
#[derive(Default)]
struct Naive {
    latencies: Vec<(u64, Number, u64)>,
    calls: Vec<(u64, &'static str, bool)>,
    ended: Vec<(u64, i64, Option<i64>)>,
}

impl Naive {
    /// From the beginning of the slot that lies so many slots before that of `now_s`.
    fn since(now_s: u64, slots: u64) -> u64 {
        let slot_s = SLOT.as_secs();
        (now_s / slot_s + 1).saturating_sub(slots) * slot_s
    }

    fn percentile(&self, now_s: u64, of: Number, percent: usize) -> Option<u64> {
        let since = Naive::since(now_s, 20);
        let mut within: Vec<u64> = self
            .latencies
            .iter()
            .filter(|(at, number, _)| *at >= since && *number == of)
            .map(|(_, _, ms)| *ms)
            .collect();
        within.sort_unstable();
        let rank = (within.len() * percent).div_ceil(100);
        within.get(rank.checked_sub(1)?).copied()
    }

    fn errors(&self, now_s: u64) -> Option<f64> {
        let since = Naive::since(now_s, 20);
        ["one", "other"]
            .iter()
            .filter_map(|provider| {
                let (mut asked, mut failed) = (0_u32, 0_u32);
                for (at, who, bad) in &self.calls {
                    if *at >= since && who == provider {
                        if *bad { failed += 1 } else { asked += 1 }
                    }
                }
                let of = asked.max(failed);
                (of > 0).then(|| f64::from(failed) / f64::from(of))
            })
            .max_by(f64::total_cmp)
    }

    fn cost(&self, now_s: u64) -> Option<f64> {
        let since = Naive::since(now_s, SLOTS as u64);
        let shares: Vec<f64> = self
            .ended
            .iter()
            .filter(|(at, _, _)| *at >= since)
            .filter_map(|(_, cost, target)| Some(*cost as f64 / (*target)? as f64))
            .collect();
        (!shares.is_empty()).then(|| shares.iter().sum::<f64>() / shares.len() as f64)
    }
}

#[test]
fn numbers_agree_with_a_naive_reading_of_all_that_happened() {
    const LATENCIES: [Number; 3] = [
        Number::FirstVoice,
        Number::ProviderLatency,
        Number::HeardLatency,
    ];
    for seed in 1..20 {
        let mut chance = Prng(seed);
        let mut vitals = Vitals::new(at(0));
        let mut naive = Naive::default();
        let mut now_s = 0;
        for _ in 0..600 {
            // Long rests too: windows empty themselves.
            now_s += if chance.once_in(40) {
                chance.below(5_000)
            } else {
                chance.below(20)
            };
            match chance.below(4) {
                0 => {
                    let of = chance.pick(&LATENCIES);
                    let ms = chance.below(4_000);
                    vitals.latency(at(now_s), of, ms);
                    naive.latencies.push((now_s, of, ms));
                }
                1 => {
                    let (provider, failed) = (chance.pick(&["one", "other"]), chance.once_in(10));
                    if failed {
                        vitals.failed(at(now_s), provider)
                    } else {
                        vitals.asked(at(now_s), provider)
                    }
                    naive.calls.push((now_s, provider, failed));
                }
                2 => {
                    let cost = i64::try_from(chance.below(4_000_000)).unwrap();
                    let target = i64::try_from(chance.below(2_000_000) + 100_000).unwrap();
                    let target = (chance.below(2) == 0).then_some(target);
                    vitals.ended(at(now_s), cost, target);
                    naive.ended.push((now_s, cost, target));
                }
                _ => {}
            }
            for of in [
                Number::FirstVoice,
                Number::ProviderLatency,
                Number::HeardLatency,
            ] {
                let reading = vitals.reading(at(now_s), of);
                for (found, percent) in [(reading.value, 95), (reading.median, 50)] {
                    match (found, naive.percentile(now_s, of, percent)) {
                        (None, None) => {}
                        // Within a class, and never below.
                        (Some(found), Some(true_ms)) => {
                            let true_ms = true_ms as f64;
                            assert!(
                                found + 0.5 >= true_ms && found <= (true_ms * 1.06).max(10.0) + 0.5,
                                "{found} for {true_ms}"
                            );
                        }
                        other => panic!("{other:?} for {of:?}"),
                    }
                }
            }
            let errors = vitals.reading(at(now_s), Number::ProviderErrors).value;
            assert_eq!(errors, naive.errors(now_s));
            match (
                vitals.reading(at(now_s), Number::Cost).value,
                naive.cost(now_s),
            ) {
                (None, None) => {}
                (Some(found), Some(true_ratio)) => assert!(
                    (found - true_ratio).abs() < 0.002,
                    "{found} for {true_ratio}"
                ),
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn a_number_is_good_up_to_its_target_and_alarming_above_its_alert() {
    for of in Number::ALL {
        let limits = Vitals::new(at(0)).reading(at(0), of).limits;
        let (target, alert) = (limits.target, limits.alert);
        assert!(target < alert, "{of:?}");
        assert_eq!(limits.health(Some(target)), Health::Good);
        assert_eq!(limits.health(Some(target * 1.01)), Health::Watch);
        assert_eq!(limits.health(Some(alert)), Health::Watch);
        assert_eq!(limits.health(Some(alert * 1.01)), Health::Alert);
        assert_eq!(limits.health(None), Health::None);
    }
}

#[test]
fn an_hour_is_kept_and_what_nobody_looked_at_is_a_gap() {
    let mut vitals = Vitals::new(at(0));
    vitals.looked(at(1), 3, 40);
    vitals.looked(at(2), 2, 10);
    // Half an hour in which nobody looked.
    vitals.looked(at(1_801), 7, 0);
    let sessions = vitals.history(at(1_801), Number::Sessions);
    assert_eq!(sessions.len(), 121);
    assert_eq!(
        (sessions[0], sessions[1], sessions[2]),
        (Some(3.0), Some(3.0), None)
    );
    assert_eq!(sessions[120], Some(7.0));
    assert_eq!(vitals.history(at(1_801), Number::Queue)[0], Some(40.0));
    assert_eq!(vitals.history(at(40_000), Number::Sessions).len(), SLOTS);
    assert_eq!(vitals.reading(at(40_000), Number::Sessions).value, None);
}

#[test]
fn a_moment_before_the_last_counts_as_now_and_none_of_it_is_lost() {
    let mut vitals = Vitals::new(at(100));
    vitals.latency(at(200), Number::HeardLatency, 400);
    vitals.latency(at(150), Number::HeardLatency, 600);
    let reading = vitals.reading(at(200), Number::HeardLatency);
    assert!(reading.value.is_some_and(|ms| ms >= 600.0), "{reading:?}");
    assert!(reading.median.is_some_and(|ms| ms < 430.0), "{reading:?}");
}

#[test]
fn the_patience_of_a_study_is_no_slowness_of_the_server() {
    let mut vitals = Vitals::new(at(0));
    for _ in 0..20 {
        vitals.heard(at(10), 1_300, 700);
    }
    let reading = vitals.reading(at(10), Number::HeardLatency);
    let limits = (reading.limits.target, reading.limits.alert);
    assert_eq!(
        (limits, reading.limits.patience_ms),
        ((1_200.0, 1_500.0), 700.0)
    );
    assert!(reading.value.is_some_and(|ms| ms >= 1_300.0), "as heard");
    assert_eq!(reading.health, Health::Watch);
    // Half of the answers are of a more patient study: so much more is asked for in the mean.
    for _ in 0..20 {
        vitals.heard(at(10), 1_300, 1_200);
    }
    let reading = vitals.reading(at(10), Number::HeardLatency);
    assert_eq!(reading.limits.alert, 1_750.0);
    assert_eq!(reading.health, Health::Good);
    // Nobody is heard any more: nothing is asked for.
    let reading = vitals.reading(at(1_000), Number::HeardLatency);
    assert_eq!(
        (reading.limits.target, reading.health),
        (500.0, Health::None)
    );
    let other = vitals.reading(at(10), Number::ProviderLatency);
    assert_eq!(other.limits.alert, 800.0);
}
