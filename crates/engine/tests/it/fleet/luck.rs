//! Chance, from one number: the same seed makes the same fleet, and each session has a seed of its own.

use std::time::Duration;

/// SplitMix64 (Steele, Lea, Flood 2014).
#[derive(Clone, Debug)]
pub(crate) struct Luck(u64);

/// The seed of the session at that place in a fleet.
pub(crate) fn seed_of(fleet: u64, place: u64) -> u64 {
    Luck(fleet ^ place.wrapping_mul(0xD134_2543_DE82_EF95)).next()
}

impl Luck {
    pub(crate) fn new(seed: u64) -> Luck {
        Luck(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number from `from` up to but not including `to`.
    pub(crate) fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.next() % to.saturating_sub(from).max(1)
    }

    /// A span of that many milliseconds, to the microsecond.
    pub(crate) fn ms(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_micros(self.between(from * 1_000, to * 1_000))
    }

    /// True that often in a thousand.
    pub(crate) fn permille(&mut self, often: u64) -> bool {
        self.between(0, 1_000) < often
    }

    /// One of these.
    pub(crate) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[usize::try_from(self.between(0, of.len() as u64)).unwrap_or(0)]
    }
}
