//! What will befall a session, drawn from its seed before it begins.

use super::luck::Prng;

/// How long who dropped can come back, in milliseconds: the plan's recovery window.
pub(crate) const WINDOW_MS: u64 = 120_000;

/// How often things happen, in thousandths.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rates {
    /// Sessions whose participant drops at least once.
    pub(crate) drop: u64,
    /// Of those, that come back in time.
    pub(crate) back: u64,
    /// Sessions whose server is killed.
    pub(crate) kill: u64,
    /// Sessions that a deploy parks.
    pub(crate) park: u64,
    /// Sessions whose provider fails in some way.
    pub(crate) fault: u64,
}

/// The founding figures (8 % drop, 70 % of those come back), and trouble enough beside them.
pub(crate) const FOUNDING: Rates = Rates {
    drop: 80,
    back: 700,
    kill: 40,
    park: 30,
    fault: 100,
};

/// A drop, and whether its participant comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// After so many milliseconds, within the window.
    Back(u64),
    /// Never.
    Away,
}

/// Something that happens by itself, in milliseconds after the participant's link was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blow {
    Drop(Way),
    /// The process dies; the next one is up after so many milliseconds.
    Kill(u64),
    /// A deploy: the session is left to the next process, which is up after so many milliseconds.
    Park(u64),
    /// The provider's connection ends, and this many openings after it fail.
    LinkEnds(u32),
    /// The provider takes everything and answers no more.
    Stall,
    /// The network was silent for so many milliseconds.
    Gap(u64),
}

/// A session's fate.
#[derive(Clone, Debug)]
pub(crate) struct Story {
    pub(crate) blows: Vec<(u64, Blow)>,
}

/// An interview takes about a minute and a half; what comes later hits nobody.
const BLOWS_MS: u64 = 80_000;

impl Story {
    pub(crate) fn draw(rates: Rates, rng: &mut Prng) -> Story {
        let mut blows = Vec::new();
        // Not before the interview has begun: who never came has not dropped.
        let at = |rng: &mut Prng| 2_000 + rng.below(BLOWS_MS);
        if rng.below(1_000) < rates.drop {
            let early = 2_000 + rng.below(30_000);
            let way = if rng.below(1_000) < rates.back {
                Way::Back(back(rng))
            } else {
                Way::Away
            };
            blows.push((early, Blow::Drop(way)));
            if way != Way::Away && rng.once_in(4) {
                // A second drop has its own window.
                blows.push((
                    early + 500 + rng.below(60_000),
                    Blow::Drop(Way::Back(back(rng))),
                ));
            }
        }
        if rng.below(1_000) < rates.kill {
            for _ in 0..=rng.below(2) {
                blows.push((at(rng), Blow::Kill(500 + rng.below(9_500))));
            }
        }
        if rng.below(1_000) < rates.park {
            blows.push((at(rng), Blow::Park(500 + rng.below(2_500))));
        }
        if rng.below(1_000) < rates.fault {
            let blow = match rng.below(3) {
                0 => Blow::LinkEnds(0),
                1 => Blow::LinkEnds(1),
                _ => Blow::Stall,
            };
            blows.push((at(rng), blow));
        }
        if rng.once_in(10) {
            blows.push((at(rng), Blow::Gap(1_000 + rng.below(15_000))));
        }
        Story { blows }
    }
}

/// From the drop to being connected again: mostly soon, sometimes at the very end of the window.
fn back(rng: &mut Prng) -> u64 {
    match rng.below(20) {
        0 => WINDOW_MS,
        1 => WINDOW_MS - 1,
        2..8 => 1 + rng.below(WINDOW_MS),
        _ => 500 + rng.below(15_000),
    }
}
