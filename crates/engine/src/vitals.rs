//! The six numbers that say whether the system is healthy, over rolling windows, with an hour of history.
//!
//! Time is cut into slots of a quarter of a minute; a window is so many slots. What happens goes into the slot of its moment, so
//! that a number forgets by itself, without a timer. Latency is counted in classes of 6 %: good enough to say on which side of a
//! threshold a percentile is, and small whatever happens.
//!
//! Targets and alerts: the founding system's (`docs/operating.md`, Numbers). Heard latency contains the silence that a study
//! asks for before a turn counts as over, so its limits are counted from there: a patient study is not a slow server.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::time::Mono;

/// Length of a slot.
pub const SLOT: Duration = Duration::from_secs(15);
/// Slots that are kept: an hour.
pub const SLOTS: usize = 240;
/// Slots that percentiles and rates are taken over: five minutes.
const WINDOW: usize = 20;
/// Latencies grow by this from one class to the next, from [`FIRST_MS`].
const GROWTH: f64 = 1.06;
const FIRST_MS: f64 = 10.0;
/// The last class: some two minutes.
const CLASSES: u8 = 165;

/// One of the numbers. Response latency is one of the six and shown twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Number {
    /// Sessions at once.
    Sessions,
    /// First participant audio in to first audible interviewer audio out, in milliseconds.
    FirstVoice,
    /// The provider's word that speech stopped to its first audio, in milliseconds.
    ProviderLatency,
    /// The participant's last voiced frame in to the first audible frame out, in milliseconds.
    HeardLatency,
    /// Share of what was asked of the worst provider that failed.
    ProviderErrors,
    /// Segments that wait for enrichment.
    Queue,
    /// Mean cost of ended sessions, as a share of their studies' targets.
    Cost,
}

/// How good a number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Health {
    /// Nothing was measured in its window.
    None,
    /// Within its target.
    Good,
    /// Neither.
    Watch,
    /// Above its alert.
    Alert,
}

/// What a number says now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// Percentiles are the 95th. None if nothing was measured.
    pub value: Option<f64>,
    /// Of latencies.
    pub median: Option<f64>,
    /// By what it is compared with.
    pub limits: Limits,
    /// By these.
    pub health: Health,
}

/// What a number is compared with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Up to here all is well.
    pub target: f64,
    /// Above this somebody should look.
    pub alert: f64,
    /// How much of both is the mean patience of the studies whose answers were heard, in milliseconds. 0 of all numbers but
    /// heard latency.
    pub patience_ms: f64,
}

impl Limits {
    /// How good this value is.
    #[must_use]
    pub fn health(&self, value: Option<f64>) -> Health {
        match value {
            None => Health::None,
            Some(value) if value > self.alert => Health::Alert,
            Some(value) if value > self.target => Health::Watch,
            Some(_) => Health::Good,
        }
    }
}

impl Number {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Number; 7] = [
        Number::Sessions,
        Number::FirstVoice,
        Number::ProviderLatency,
        Number::HeardLatency,
        Number::ProviderErrors,
        Number::Queue,
        Number::Cost,
    ];

    /// The name in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Number::Sessions => "sessions",
            Number::FirstVoice => "first_voice",
            Number::ProviderLatency => "provider_latency",
            Number::HeardLatency => "heard_latency",
            Number::ProviderErrors => "provider_errors",
            Number::Queue => "queue",
            Number::Cost => "cost",
        }
    }

    /// In what it is counted.
    #[must_use]
    pub const fn unit(self) -> &'static str {
        match self {
            Number::Sessions => "sessions",
            Number::FirstVoice | Number::ProviderLatency | Number::HeardLatency => "ms",
            Number::ProviderErrors => "share",
            Number::Queue => "segments",
            Number::Cost => "ratio",
        }
    }

    /// Up to here all is well; of heard latency beyond the patience of its study.
    const fn target(self) -> f64 {
        match self {
            Number::Sessions => 300.0,
            Number::FirstVoice => 2_000.0,
            Number::ProviderLatency | Number::HeardLatency => 500.0,
            Number::ProviderErrors => 0.005,
            Number::Queue => 100.0,
            Number::Cost => 1.0,
        }
    }

    /// Above this somebody should look; of heard latency beyond the patience of its study.
    const fn alert(self) -> f64 {
        match self {
            Number::Sessions => 400.0,
            Number::FirstVoice => 3_000.0,
            Number::ProviderLatency | Number::HeardLatency => 800.0,
            Number::ProviderErrors => 0.02,
            Number::Queue => 500.0,
            Number::Cost => 1.5,
        }
    }
}

impl Health {
    /// The name in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Health::None => "none",
            Health::Good => "good",
            Health::Watch => "watch",
            Health::Alert => "alert",
        }
    }
}

/// Counts of a latency by class.
type Classes = BTreeMap<u8, u32>;

/// What happened in a quarter of a minute.
#[derive(Clone, Debug, Default)]
struct Slot {
    sessions: Option<u32>,
    queue: Option<u32>,
    latencies: [Classes; 3],
    /// Answers that were heard, and the patience of their studies in milliseconds.
    patience: (u32, u64),
    /// Asked and failed, by provider.
    calls: BTreeMap<&'static str, (u32, u32)>,
    /// Sessions that ended, and what they cost in micro-dollars.
    ended: (u32, i64),
    /// Those with a target, and the sum of cost by target in thousandths.
    of_target: (u32, u64),
}

/// Counts what happens.
#[derive(Clone, Debug)]
pub struct Vitals {
    slots: VecDeque<Slot>,
    /// Number of the last slot since the start.
    last: u64,
}

impl Vitals {
    /// Nothing happened yet.
    #[must_use]
    pub fn new(now: Mono) -> Vitals {
        Vitals {
            slots: VecDeque::from([Slot::default()]),
            last: number(now),
        }
    }

    /// A latency was measured. Other numbers are not counted this way.
    pub fn latency(&mut self, now: Mono, of: Number, ms: u64) {
        if let Some(index) = latency_index(of) {
            *self.slot(now).latencies[index]
                .entry(class(ms))
                .or_default() += 1;
        }
    }

    /// An answer was heard so long after the participant's last voiced frame, `patience_ms` of which its study asks for.
    pub fn heard(&mut self, now: Mono, ms: u64, patience_ms: u32) {
        self.latency(now, Number::HeardLatency, ms);
        let patience = &mut self.slot(now).patience;
        patience.0 += 1;
        patience.1 += u64::from(patience_ms);
    }

    /// A provider was asked for a response.
    pub fn asked(&mut self, now: Mono, provider: &'static str) {
        self.slot(now).calls.entry(provider).or_default().0 += 1;
    }

    /// A provider failed.
    pub fn failed(&mut self, now: Mono, provider: &'static str) {
        self.slot(now).calls.entry(provider).or_default().1 += 1;
    }

    /// A session ended. `target_micro_usd` is what its study expects one to cost.
    pub fn ended(&mut self, now: Mono, cost_micro_usd: i64, target_micro_usd: Option<i64>) {
        let slot = self.slot(now);
        slot.ended.0 += 1;
        slot.ended.1 = slot.ended.1.saturating_add(cost_micro_usd);
        if let Some(target) = target_micro_usd.filter(|target| *target > 0) {
            let permille = i128::from(cost_micro_usd.max(0)) * 1_000 / i128::from(target);
            slot.of_target.0 += 1;
            let permille = u64::try_from(permille).unwrap_or(u64::MAX);
            slot.of_target.1 = slot.of_target.1.saturating_add(permille);
        }
    }

    /// How many sessions there are, and how many segments wait. Of several looks within a slot the largest counts.
    pub fn looked(&mut self, now: Mono, sessions: u32, queue: u32) {
        let slot = self.slot(now);
        slot.sessions = slot.sessions.max(Some(sessions));
        slot.queue = slot.queue.max(Some(queue));
    }

    /// What a number says now.
    #[must_use]
    pub fn reading(&mut self, now: Mono, of: Number) -> Reading {
        self.slot(now);
        let last = self.slots.len() - 1;
        let value = self.value(of, last);
        let median = latency_index(of).and_then(|index| self.percentile(index, last, 50));
        let limits = self.limits(of, last);
        Reading {
            value,
            median,
            limits,
            health: limits.health(value),
        }
    }

    /// What it said at the end of each slot, oldest first; the last is now.
    #[must_use]
    pub fn history(&mut self, now: Mono, of: Number) -> Vec<Option<f64>> {
        self.slot(now);
        (0..self.slots.len()).map(|at| self.value(of, at)).collect()
    }

    /// Mean cost of the sessions that ended within the hour, in micro-dollars; none if none did.
    #[must_use]
    pub fn mean_cost_micro_usd(&mut self, now: Mono) -> Option<i64> {
        self.slot(now);
        let (count, sum) = self
            .slots
            .iter()
            .fold((0_i64, 0_i64), |(count, sum), slot| {
                (
                    count + i64::from(slot.ended.0),
                    sum.saturating_add(slot.ended.1),
                )
            });
        (count > 0).then(|| sum / count)
    }

    /// Share of failures of each provider that was asked within five minutes.
    #[must_use]
    pub fn error_shares(&mut self, now: Mono) -> BTreeMap<&'static str, f64> {
        self.slot(now);
        self.shares(self.slots.len() - 1)
    }

    /// The slot of this moment. A moment before the last slot counts as now.
    fn slot(&mut self, now: Mono) -> &mut Slot {
        let passed = number(now).saturating_sub(self.last);
        for _ in 0..passed.min(SLOTS as u64) {
            self.slots.push_back(Slot::default());
            if self.slots.len() > SLOTS {
                self.slots.pop_front();
            }
        }
        self.last += passed;
        self.slots
            .back_mut()
            .expect("there is a slot from the start, and each that goes is followed by another")
    }

    fn value(&self, of: Number, at: usize) -> Option<f64> {
        match of {
            Number::Sessions => self.latest(at, |slot| slot.sessions),
            Number::Queue => self.latest(at, |slot| slot.queue),
            Number::ProviderErrors => {
                let shares = self.shares(at);
                shares.into_values().max_by(f64::total_cmp)
            }
            Number::Cost => self.of_target(at),
            Number::FirstVoice | Number::ProviderLatency | Number::HeardLatency => {
                self.percentile(latency_index(of)?, at, 95)
            }
        }
    }

    fn limits(&self, of: Number, at: usize) -> Limits {
        let heard = self.window(at).map(|slot| slot.patience);
        let (count, sum_ms) = heard.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        let patience_ms = match of {
            Number::HeardLatency if count > 0 => {
                #[expect(clippy::cast_precision_loss, reason = "seconds in milliseconds")]
                let sum_ms = sum_ms as f64;
                (sum_ms / f64::from(count)).round()
            }
            Number::Sessions
            | Number::FirstVoice
            | Number::ProviderLatency
            | Number::HeardLatency
            | Number::ProviderErrors
            | Number::Queue
            | Number::Cost => 0.0,
        };
        Limits {
            target: of.target() + patience_ms,
            alert: of.alert() + patience_ms,
            patience_ms,
        }
    }

    /// The last look, if it is not older than a slot: nobody looked is not nobody there.
    fn latest(&self, at: usize, of: impl Fn(&Slot) -> Option<u32>) -> Option<f64> {
        let slots = self.slots.range(at.saturating_sub(1)..=at).rev();
        slots.filter_map(of).next().map(f64::from)
    }

    fn window(&self, at: usize) -> impl Iterator<Item = &Slot> {
        self.slots.range((at + 1).saturating_sub(WINDOW)..=at)
    }

    fn shares(&self, at: usize) -> BTreeMap<&'static str, f64> {
        let mut calls: BTreeMap<&'static str, (u32, u32)> = BTreeMap::new();
        for (provider, (asked, failed)) in self.window(at).flat_map(|slot| &slot.calls) {
            let sum = calls.entry(provider).or_default();
            sum.0 += asked;
            sum.1 += failed;
        }
        let share = |(provider, (asked, failed)): (&'static str, (u32, u32))| {
            // A failure that nothing was asked before (a connection that never was) is one of one.
            let of = asked.max(failed).max(1);
            (provider, f64::from(failed) / f64::from(of))
        };
        calls.into_iter().map(share).collect()
    }

    fn of_target(&self, at: usize) -> Option<f64> {
        let mut sum = (0_u32, 0_u64);
        for slot in self.slots.range(..=at) {
            sum.0 += slot.of_target.0;
            sum.1 = sum.1.saturating_add(slot.of_target.1);
        }
        #[expect(clippy::cast_precision_loss, reason = "thousandths of a ratio")]
        let permille = sum.1 as f64;
        (sum.0 > 0).then(|| permille / 1_000.0 / f64::from(sum.0))
    }

    /// The nearest rank, as the upper end of its class.
    fn percentile(&self, index: usize, at: usize, percent: u64) -> Option<f64> {
        let mut classes = Classes::new();
        for (class, count) in self.window(at).flat_map(|slot| &slot.latencies[index]) {
            *classes.entry(*class).or_default() += count;
        }
        let all: u64 = classes.values().map(|count| u64::from(*count)).sum();
        let rank = (all * percent).div_ceil(100);
        let mut seen = 0;
        for (class, count) in classes {
            seen += u64::from(count);
            if rank > 0 && seen >= rank {
                return Some(upper_ms(class).round());
            }
        }
        None
    }
}

fn number(now: Mono) -> u64 {
    now.as_millis() / u64::try_from(SLOT.as_millis()).unwrap_or(u64::MAX)
}

const fn latency_index(of: Number) -> Option<usize> {
    match of {
        Number::FirstVoice => Some(0),
        Number::ProviderLatency => Some(1),
        Number::HeardLatency => Some(2),
        Number::Sessions | Number::ProviderErrors | Number::Queue | Number::Cost => None,
    }
}

/// Class 0 ends at [`FIRST_MS`].
fn class(ms: u64) -> u8 {
    #[expect(clippy::cast_precision_loss, reason = "a latency in milliseconds")]
    let ms = ms as f64;
    let class = ((ms / FIRST_MS).ln() / GROWTH.ln()).ceil();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to the classes that there are"
    )]
    let class = class.clamp(0.0, f64::from(CLASSES)) as u8;
    class
}

fn upper_ms(class: u8) -> f64 {
    FIRST_MS * GROWTH.powi(i32::from(class))
}
