//! How many calls an endpoint gets: as many as it bears, never more than the operator allows.
//!
//! ```text
//!          first clean answer                429, or trouble in a row: half the calls, hold
//!  Cold ───────────────────────> Open <───────────────────────────────────────────────┐
//!   four at a time                 │  cap grows by one with each cap of clean answers   │
//!                                 │                                                    │
//!                                 └── key, quota or model refused ──> Stopped ── probe ┘
//!                                                                     one call a minute
//! ```
//!
//! Three things bound a call: the cap of calls in flight, a hold that the vendor asked for, and the budgets of requests and
//! tokens per minute that answers report. None of them looks at latency: an answer takes as long as it is, not as the queue
//! is (`docs/decisions/0013-limiter.md`).

mod bucket;

use std::time::Duration;

pub use bucket::Allowance;
use bucket::Bucket;

use crate::time::Mono;

/// Calls in flight until the first answer: an endpoint whose budget is small says so before it is overrun.
const COLD: u32 = 4;
/// Failures in a row that are as good as a 429.
const TROUBLE_IN_A_ROW: u32 = 4;
/// A hold where the vendor names none, and the longest that is believed.
const HOLD: Duration = Duration::from_secs(1);
const HOLD_MAX: Duration = Duration::from_secs(600);
/// Tokens of a call before any answer told: ten segments with their context.
const TOKENS_AT_FIRST: u64 = 3_000;

/// What bounds the calls of one endpoint and model.
#[derive(Debug)]
pub struct Limiter {
    ceiling: u32,
    probe_every: Duration,
    state: State,
    in_flight: u32,
    held_until: Mono,
    requests: Bucket,
    tokens: Bucket,
    /// What calls use by and by.
    typical_tokens: u64,
    calls: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Cold,
    Open {
        cap: u32,
        clean: u32,
        trouble: u32,
        /// Answers to calls before this one say nothing new about the cap.
        cut_at_call: u64,
    },
    Stopped {
        why: Stop,
        probe_at: Mono,
        probing: bool,
    },
}

/// Why no call can succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stop {
    /// The endpoint refuses the key, the quota, the model or the address. A person must look.
    Misconfigured,
}

/// The right to make one call.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a permit that is not settled is a call in flight for ever"]
pub struct Permit {
    call: u64,
    sent_at: Mono,
    reserved_tokens: u64,
    requests_then: u64,
    tokens_then: u64,
}

/// Whether a call may be made.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Yes, at once.
    Go(Permit),
    /// Ask again at this moment, or when a call was settled.
    Wait(Mono),
    /// Ask again when a call was settled.
    WaitForAnswer,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answered {
    /// It was answered; whether the answer is of use is another matter. Tokens as the vendor counts them, if it does.
    Fine {
        /// In and out.
        tokens: Option<u64>,
    },
    /// The vendor asks for fewer calls.
    Busy {
        /// For how long.
        retry_after: Option<Duration>,
    },
    /// The vendor or the network failed.
    Trouble,
    /// No call can succeed.
    Stop(Stop),
    /// It was not made.
    Unused,
}

/// What an answer reported about budgets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reported {
    /// Calls.
    pub requests: Option<Allowance>,
    /// Tokens.
    pub tokens: Option<Allowance>,
}

impl Limiter {
    /// At most `ceiling` calls in flight. A stopped endpoint is asked again every `probe_every`.
    #[must_use]
    pub fn new(ceiling: u32, probe_every: Duration) -> Limiter {
        Limiter {
            ceiling: ceiling.max(1),
            probe_every,
            state: State::Cold,
            in_flight: 0,
            held_until: Mono::ZERO,
            requests: Bucket::default(),
            tokens: Bucket::default(),
            typical_tokens: TOKENS_AT_FIRST,
            calls: 0,
        }
    }

    /// Whether a call may be made now. `tokens`: what it will use, if that is known better than by habit.
    pub fn next(&mut self, now: Mono, tokens: Option<u64>) -> Verdict {
        if self.in_flight >= self.cap() {
            return Verdict::WaitForAnswer;
        }
        let reserved_tokens = tokens.unwrap_or(self.typical_tokens);
        let stopped_until = match self.state {
            State::Stopped { probing: true, .. } => return Verdict::WaitForAnswer,
            State::Stopped { probe_at, .. } => probe_at,
            State::Cold | State::Open { .. } => Mono::ZERO,
        };
        let ready_at = self
            .held_until
            .max(stopped_until)
            .max(self.requests.ready_at(now, 1))
            .max(self.tokens.ready_at(now, reserved_tokens));
        if ready_at > now {
            return Verdict::Wait(ready_at);
        }
        if let State::Stopped { probing, .. } = &mut self.state {
            *probing = true;
        }
        self.in_flight += 1;
        self.calls += 1;
        self.requests.take(now, 1);
        self.tokens.take(now, reserved_tokens);
        Verdict::Go(Permit {
            call: self.calls,
            sent_at: now,
            reserved_tokens,
            requests_then: self.requests.taken(),
            tokens_then: self.tokens.taken(),
        })
    }

    /// Learns from the end of a call. `jitter_permille` (0 to 1,000) spreads the ends of holds of several processes.
    pub fn settle(
        &mut self,
        now: Mono,
        permit: Permit,
        answered: Answered,
        reported: Reported,
        jitter_permille: u32,
    ) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.budgets(now, &permit, answered, reported);
        match answered {
            Answered::Fine { tokens } => {
                if let Some(tokens) = tokens {
                    self.typical_tokens = (self.typical_tokens * 7 + tokens) / 8;
                }
                self.clean(&permit);
            }
            Answered::Busy { retry_after } => {
                self.requests.empty(now);
                let hold = retry_after.unwrap_or(HOLD).min(HOLD_MAX);
                let hold = hold + hold * jitter_permille.min(1_000) / 10_000;
                self.held_until = self.held_until.max(now + hold);
                self.cut(&permit);
            }
            Answered::Trouble => self.trouble(now, &permit, jitter_permille),
            Answered::Stop(why) => {
                self.state = State::Stopped {
                    why,
                    probe_at: now + self.probe_every,
                    probing: false,
                };
            }
            Answered::Unused => {
                if let State::Stopped { probing, .. } = &mut self.state {
                    *probing = false;
                }
            }
        }
    }

    /// Calls that may be in flight now.
    #[must_use]
    pub fn cap(&self) -> u32 {
        match self.state {
            State::Cold => COLD.min(self.ceiling),
            State::Open { cap, .. } => cap,
            State::Stopped { .. } => 1,
        }
    }

    /// Calls that are in flight.
    #[must_use]
    pub const fn in_flight(&self) -> u32 {
        self.in_flight
    }

    /// Why no call is made, if it is so.
    #[must_use]
    pub const fn stopped(&self) -> Option<Stop> {
        match self.state {
            State::Stopped { why, .. } => Some(why),
            State::Cold | State::Open { .. } => None,
        }
    }

    fn budgets(&mut self, now: Mono, permit: &Permit, answered: Answered, reported: Reported) {
        let reserved = permit.reserved_tokens;
        match answered {
            Answered::Unused => {
                self.requests.correct(now, 1, 0);
                self.tokens.correct(now, reserved, 0);
            }
            Answered::Fine {
                tokens: Some(tokens),
            } => self.tokens.correct(now, reserved, tokens),
            // What was refused or failed counts against the minute all the same.
            Answered::Fine { tokens: None }
            | Answered::Busy { .. }
            | Answered::Trouble
            | Answered::Stop(_) => {}
        }
        let sent_at = permit.sent_at;
        if let Some(said) = reported.requests {
            self.requests
                .learn(now, sent_at, permit.requests_then, said);
        }
        if let Some(said) = reported.tokens {
            self.tokens.learn(now, sent_at, permit.tokens_then, said);
        }
    }

    fn clean(&mut self, permit: &Permit) {
        let ceiling = self.ceiling;
        match &mut self.state {
            State::Open {
                cap,
                clean,
                trouble,
                cut_at_call,
            } => {
                *trouble = 0;
                if permit.call <= *cut_at_call {
                    return;
                }
                *clean += 1;
                if *clean >= *cap {
                    *clean = 0;
                    *cap = (*cap + 1).min(ceiling);
                }
            }
            State::Cold | State::Stopped { .. } => {
                self.state = State::Open {
                    cap: ceiling,
                    clean: 0,
                    trouble: 0,
                    cut_at_call: 0,
                };
            }
        }
    }

    fn trouble(&mut self, now: Mono, permit: &Permit, jitter_permille: u32) {
        match &mut self.state {
            State::Open { trouble, .. } => {
                *trouble += 1;
                if *trouble < TROUBLE_IN_A_ROW {
                    return;
                }
                *trouble = 0;
                self.held_until = self
                    .held_until
                    .max(now + HOLD + HOLD * jitter_permille.min(1_000) / 10_000);
                self.cut(permit);
            }
            State::Stopped {
                probe_at, probing, ..
            } => {
                *probing = false;
                *probe_at = now + self.probe_every;
            }
            State::Cold => {}
        }
    }

    /// Half the calls; once for all that were in flight when the first of them was refused.
    fn cut(&mut self, permit: &Permit) {
        let (cap, cut_at_call) = match self.state {
            State::Cold => (COLD.min(self.ceiling), 0),
            State::Open {
                cap, cut_at_call, ..
            } => (cap, cut_at_call),
            State::Stopped { .. } => (1, 0),
        };
        if permit.call <= cut_at_call {
            return;
        }
        self.state = State::Open {
            cap: (cap / 2).max(1),
            clean: 0,
            trouble: 0,
            cut_at_call: self.calls,
        };
    }
}
