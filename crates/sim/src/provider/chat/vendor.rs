//! What kind of chat endpoint is played: how long an answer takes, how many calls are let in, and what share of them fails.
//!
//! Everything can be changed while it serves, and everything that happened can be asked for.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use fastrand::Rng;
use serde_json::Value;

/// How long an answer takes: `base + per segment x segments`.
///
/// `L(B) = 0.375 s + 0.425 s x B` is what the figures of the founding system come to: 0.8 s for one segment, 45 minutes for
/// 200 interviews of 150 segments in calls of 10 to 20, five at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnswerTime {
    /// Of every call, in milliseconds.
    pub base_ms: u64,
    /// Of every segment in it, in milliseconds.
    pub per_segment_ms: u64,
}

impl AnswerTime {
    /// The founding system's.
    pub const FOUNDING: AnswerTime = AnswerTime {
        base_ms: 375,
        per_segment_ms: 425,
    };

    /// As long for any number of segments.
    #[must_use]
    pub const fn flat(base_ms: u64) -> AnswerTime {
        AnswerTime {
            base_ms,
            per_segment_ms: 0,
        }
    }

    /// For a call of so many segments.
    #[must_use]
    pub const fn of(self, segments: u64) -> Duration {
        Duration::from_millis(self.base_ms + self.per_segment_ms * segments)
    }
}

/// What is let in, and what goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChatTerms {
    /// How long an answer takes.
    pub answer: AnswerTime,
    /// Requests per minute; refilled evenly, `burst` at once.
    pub requests_per_minute: u64,
    /// Requests at once.
    pub burst: u64,
    /// Tokens per minute; refilled evenly, all at once.
    pub tokens_per_minute: u64,
    /// Share of calls that end with 500.
    pub failing_permille: u64,
    /// Share of answers that lack one of the segments asked for.
    pub short_permille: u64,
    /// All waits are divided by this.
    pub time_scale: u32,
}

impl Default for ChatTerms {
    /// A large account (the vendor's highest tier has 30,000 requests and 180 million tokens a minute).
    fn default() -> ChatTerms {
        ChatTerms {
            answer: AnswerTime::flat(120),
            requests_per_minute: 30_000,
            burst: 30_000,
            tokens_per_minute: 180_000_000,
            failing_permille: 0,
            short_permille: 0,
            time_scale: 1,
        }
    }
}

/// What happened.
#[derive(Clone, Debug, Default)]
pub struct ChatCounts {
    /// Requests of any kind.
    pub requests: u64,
    /// Refused with 429.
    pub refused: u64,
    /// Refused with 429 before any answer with headers was on its way.
    pub refused_before_headers: u64,
    /// Ended with 500.
    pub failed: u64,
    /// Answered.
    pub answered: u64,
    /// Segments that were asked about, once for each time.
    pub segments_asked: u64,
    /// Calls that code segments: when each was let in.
    pub codings: Vec<Instant>,
    /// When the last answer left.
    pub last_answer: Option<Instant>,
    /// Requests in flight, at most.
    pub most_in_flight: u64,
    in_flight: u64,
}

/// Calls that are remembered at most.
const LOG_MAX: usize = 100_000;

#[derive(Debug)]
struct State {
    terms: ChatTerms,
    counts: ChatCounts,
    requests: Level,
    tokens: Level,
    chance: Rng,
}

/// A bucket, in millionths.
#[derive(Debug)]
struct Level {
    micro: u64,
    at: Instant,
}

impl Level {
    fn refill(&mut self, now: Instant, per_minute: u64, capacity: u64) {
        let passed_us =
            u64::try_from(now.saturating_duration_since(self.at).as_micros()).unwrap_or(u64::MAX);
        let refilled = u128::from(passed_us) * u128::from(per_minute) / 60;
        let full = u128::from(capacity) * 1_000_000;
        self.micro =
            u64::try_from((u128::from(self.micro) + refilled).min(full)).unwrap_or(u64::MAX);
        self.at = now;
    }

    fn take(&mut self, units: u64) -> bool {
        let micro = units.saturating_mul(1_000_000);
        let room = self.micro >= micro;
        if room {
            self.micro -= micro;
        }
        room
    }
}

/// The endpoint, shared by whoever changes its terms and whoever serves.
#[derive(Debug)]
pub struct ChatVendor(Mutex<State>);

impl Default for ChatVendor {
    fn default() -> ChatVendor {
        ChatVendor::new(ChatTerms::default(), 1)
    }
}

/// Whether a call is let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// It is, and ends like this after that time.
    In { end: End, takes: Duration },
    /// It is not; there is room again after so many milliseconds.
    Refused { retry_after_ms: u64 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Answer,
    /// Without one of its segments.
    Short,
    Failure,
}

/// What stands in the headers of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) limit_requests: u64,
    pub(crate) remaining_requests: u64,
    pub(crate) reset_requests_ms: u64,
    pub(crate) limit_tokens: u64,
    pub(crate) remaining_tokens: u64,
    pub(crate) reset_tokens_ms: u64,
}

impl Standing {
    /// Of the addresses that count nothing.
    pub(crate) const ROOMY: Standing = Standing {
        limit_requests: 5_000,
        remaining_requests: 4_999,
        reset_requests_ms: 12,
        limit_tokens: 200_000,
        remaining_tokens: 200_000,
        reset_tokens_ms: 0,
    };
}

impl ChatVendor {
    /// With these terms; the same seed lets the same calls fail.
    #[must_use]
    pub fn new(terms: ChatTerms, seed: u64) -> ChatVendor {
        let at = Instant::now();
        ChatVendor(Mutex::new(State {
            requests: Level {
                micro: terms.burst.saturating_mul(1_000_000),
                at,
            },
            tokens: Level {
                micro: terms.tokens_per_minute.saturating_mul(1_000_000),
                at,
            },
            terms,
            counts: ChatCounts::default(),
            chance: Rng::with_seed(seed),
        }))
    }

    /// From now on these terms hold; budgets are full.
    pub fn set(&self, terms: ChatTerms) {
        let mut state = self.state();
        state.terms = terms;
        state.requests.micro = terms.burst.saturating_mul(1_000_000);
        state.tokens.micro = terms.tokens_per_minute.saturating_mul(1_000_000);
    }

    /// What happened so far.
    #[must_use]
    pub fn counts(&self) -> ChatCounts {
        self.state().counts.clone()
    }

    /// What happened so far is forgotten.
    pub fn forget(&self) {
        let mut state = self.state();
        let in_flight = state.counts.in_flight;
        state.counts = ChatCounts {
            in_flight,
            ..ChatCounts::default()
        };
    }

    pub(super) fn enter(&self, now: Instant, tokens: u64, segments: u64) -> (Entry, Standing) {
        let mut state = self.state();
        let State {
            terms,
            counts,
            requests,
            tokens: budget,
            chance,
        } = &mut *state;
        requests.refill(now, terms.requests_per_minute, terms.burst);
        budget.refill(now, terms.tokens_per_minute, terms.tokens_per_minute);
        counts.requests += 1;
        let room = requests.take(1) && budget.take(tokens);
        let standing = standing(terms, requests, budget);
        if !room {
            counts.refused += 1;
            counts.refused_before_headers += u64::from(counts.answered + counts.failed == 0);
            let missing = 1_000_000_u64.saturating_sub(requests.micro);
            let wait_us = missing.saturating_mul(60) / terms.requests_per_minute.max(1);
            let retry_after_ms = (wait_us / 1_000).max(1);
            return (Entry::Refused { retry_after_ms }, standing);
        }
        counts.in_flight += 1;
        counts.most_in_flight = counts.most_in_flight.max(counts.in_flight);
        counts.segments_asked += segments;
        if segments > 0 && counts.codings.len() < LOG_MAX {
            counts.codings.push(now);
        }
        let drawn = chance.u64(..1_000);
        let end = if drawn < terms.failing_permille {
            End::Failure
        } else if segments > 1 && drawn < terms.failing_permille + terms.short_permille {
            End::Short
        } else {
            End::Answer
        };
        let takes = terms.answer.of(segments) / terms.time_scale.max(1);
        (Entry::In { end, takes }, standing)
    }

    pub(super) fn leave(&self, end: End) {
        let mut state = self.state();
        let counts = &mut state.counts;
        counts.in_flight = counts.in_flight.saturating_sub(1);
        counts.last_answer = Some(Instant::now());
        match end {
            End::Answer | End::Short => counts.answered += 1,
            End::Failure => counts.failed += 1,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn standing(terms: &ChatTerms, requests: &Level, tokens: &Level) -> Standing {
    let reset_ms = |level: &Level, capacity: u64, per_minute: u64| {
        let missing = capacity
            .saturating_mul(1_000_000)
            .saturating_sub(level.micro);
        u64::try_from(u128::from(missing) * 60 / u128::from(per_minute.max(1)) / 1_000)
            .unwrap_or(u64::MAX)
    };
    Standing {
        limit_requests: terms.requests_per_minute,
        remaining_requests: requests.micro / 1_000_000,
        reset_requests_ms: reset_ms(requests, terms.burst, terms.requests_per_minute),
        limit_tokens: terms.tokens_per_minute,
        remaining_tokens: tokens.micro / 1_000_000,
        reset_tokens_ms: reset_ms(tokens, terms.tokens_per_minute, terms.tokens_per_minute),
    }
}

/// The keys of an answer that are segments: `s` and a number.
pub(super) fn segments(schema: Option<&Value>) -> u64 {
    let required = schema.and_then(|schema| schema["required"].as_array());
    let is_segment = |key: &&Value| {
        let number = key.as_str().and_then(|key| key.strip_prefix('s'));
        number.is_some_and(|number| number.parse::<u64>().is_ok())
    };
    required.map_or(0, |keys| keys.iter().filter(is_segment).count() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vendor(terms: ChatTerms) -> ChatVendor {
        ChatVendor::new(terms, 7)
    }

    fn enters(vendor: &ChatVendor, now: Instant) -> bool {
        matches!(vendor.enter(now, 10, 1).0, Entry::In { .. })
    }

    #[test]
    fn a_burst_is_let_in_and_then_as_many_as_time_refills_and_headers_say_so() {
        let vendor = vendor(ChatTerms {
            requests_per_minute: 600,
            burst: 10,
            ..ChatTerms::default()
        });
        let start = Instant::now();
        let (_, standing) = vendor.enter(start, 10, 1);
        assert_eq!(
            (
                standing.limit_requests,
                standing.remaining_requests,
                standing.reset_requests_ms
            ),
            (600, 9, 100)
        );
        assert_eq!((0..20).filter(|_| enters(&vendor, start)).count(), 9);
        let (refused, _) = vendor.enter(start, 10, 1);
        assert_eq!(
            refused,
            Entry::Refused {
                retry_after_ms: 100
            }
        );
        let later = start + Duration::from_millis(250);
        assert_eq!((0..20).filter(|_| enters(&vendor, later)).count(), 2);
        assert!(vendor.counts().refused_before_headers > 0);
    }

    #[test]
    fn tokens_are_a_budget_of_their_own() {
        let vendor = vendor(ChatTerms {
            tokens_per_minute: 60_000,
            ..ChatTerms::default()
        });
        let start = Instant::now();
        let large = |now| matches!(vendor.enter(now, 40_000, 1).0, Entry::In { .. });
        assert!(large(start));
        assert!(!large(start));
        assert!(large(start + Duration::from_secs(20)));
    }

    #[test]
    fn shares_of_failures_and_short_answers_are_about_what_was_asked_for() {
        let vendor = vendor(ChatTerms {
            failing_permille: 20,
            short_permille: 100,
            ..ChatTerms::default()
        });
        let (mut failed, mut short) = (0, 0);
        for _ in 0..5_000 {
            match vendor.enter(Instant::now(), 1, 10).0 {
                Entry::In {
                    end: End::Failure, ..
                } => failed += 1,
                Entry::In {
                    end: End::Short, ..
                } => short += 1,
                Entry::In { .. } | Entry::Refused { .. } => {}
            }
        }
        assert!((60..140).contains(&failed), "{failed}");
        assert!((400..600).contains(&short), "{short}");
    }

    #[test]
    fn an_answer_takes_the_founding_systems_time_divided_by_the_scale() {
        assert_eq!(AnswerTime::FOUNDING.of(1), Duration::from_millis(800));
        assert_eq!(AnswerTime::FOUNDING.of(15), Duration::from_millis(6_750));
        let vendor = vendor(ChatTerms {
            answer: AnswerTime::FOUNDING,
            time_scale: 10,
            ..ChatTerms::default()
        });
        let (entry, _) = vendor.enter(Instant::now(), 1, 1);
        let takes = Duration::from_millis(80);
        assert_eq!(
            entry,
            Entry::In {
                end: End::Answer,
                takes
            }
        );
    }
}
