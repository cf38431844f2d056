//! The luck of the walk, and the studies that it draws.

use std::time::Duration;

use engine::cost::{Component, MicroUsd, Prices};
use engine::link::Patience;
use engine::plan::{HoldLine, Limits, Need, Next, Phase, Plan, Topic, Wording};

/// SplitMix64 (Steele, Lea, Flood 2014): small, seedable, good enough to walk with.
pub(crate) struct Prng(pub(crate) u64);

impl Prng {
    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound.max(1)
    }

    /// True once in `n`.
    pub(crate) fn once_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// One of these.
    pub(crate) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[usize::try_from(self.below(of.len() as u64)).unwrap_or(0)]
    }
}

/// A study of three phases with short limits, some of them zero.
pub(crate) fn draw(rng: &mut Prng) -> Plan {
    let limits = Limits {
        session: Duration::from_secs(60 + rng.below(900)),
        wrapup: Duration::from_secs(rng.below(120)),
        ..Limits::default()
    };
    Plan {
        title: "A walk".to_owned(),
        organisation: "the Lab".to_owned(),
        language: "en".to_owned(),
        voice: None,
        persona: "Calm.".to_owned(),
        greeting: "Hello.".to_owned(),
        closing: "Goodbye.".to_owned(),
        phases: (0..3).map(|place| phase(rng, place)).collect(),
        hold: HoldLine {
            text: "One moment, please.".to_owned(),
            audio_ms: 2_000,
        },
        patience: Patience {
            silence_ms: 700,
            threshold_permille: 500,
            prefix_ms: 300,
        },
        limits,
        budget: rng
            .once_in(3)
            .then(|| MicroUsd(i64::try_from(rng.below(400_000)).unwrap_or(1) + 1)),
        prices: Prices::new(vec![
            (Component::AudioIn, 32_000_000),
            (Component::ConnectionMs, 833_333),
        ]),
    }
}

fn phase(rng: &mut Prng, place: usize) -> Phase {
    let next = [["p1", "p2"], ["p2", "end"], ["end", "p1"]][place];
    let need = if rng.once_in(2) {
        Need::Required
    } else {
        Need::Optional
    };
    let target = 10 + rng.below(100);
    Phase {
        id: format!("p{place}").as_str().into(),
        title: "A phase".to_owned(),
        objective: "To walk.".to_owned(),
        instructions: "Walk.".to_owned(),
        topics: vec![Topic {
            id: format!("t{place}").as_str().into(),
            question: "Why?".to_owned(),
            wording: Wording::Free,
            need,
        }],
        triggers: Vec::new(),
        probes_max: 1,
        min: Duration::from_secs(rng.below(20)),
        target: Duration::from_secs(target),
        max: Duration::from_secs(target + rng.below(60)),
        next: next
            .iter()
            .map(|n| {
                if *n == "end" {
                    Next::End
                } else {
                    Next::Phase((*n).into())
                }
            })
            .collect(),
    }
}
