//! The session machine.

use std::time::Duration;

use crate::cost::MicroUsd;
use crate::ids::{PhaseId, TopicId};
use crate::journal::Outcome;
use crate::link::Capabilities;
use crate::plan::Plan;
use crate::time::Mono;

pub mod io;
mod timers;

pub use io::{Input, MediaFact, Notice, Output, Request, State};
pub use timers::Timer;
use timers::TimerTable;

/// One participant's interview, from invitation to outcome.
#[derive(Debug)]
pub struct Session {
    plan: Plan,
    capabilities: Capabilities,
    state: State,
    timers: TimerTable,
    now: Mono,
}

/// What can be seen of a session from outside, as of the last input that it handled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Its state.
    pub state: State,
    /// The phase that it is in, or was in when it ended. None before the interview began.
    pub phase: Option<PhaseId>,
    /// Cost so far.
    pub cost: MicroUsd,
    /// Time since the interview began; zero before.
    pub elapsed: Duration,
    /// Time until its planned end.
    pub left: Duration,
    /// Topics covered, in the order in which they were.
    pub covered: Vec<TopicId>,
    /// Why it ended, or is ending.
    pub outcome: Option<Outcome>,
    /// Facts of older peers and links that were dropped.
    pub stale_facts: u64,
}

impl Session {
    /// Makes a session that nobody has come to yet.
    #[must_use]
    pub fn new(now: Mono, plan: Plan, capabilities: Capabilities) -> Session {
        Session {
            plan,
            capabilities,
            state: State::Invited,
            timers: TimerTable::default(),
            now,
        }
    }

    /// Applies one fact; appends what must now be done.
    pub fn handle(&mut self, now: Mono, input: Input, out: &mut Vec<Output>) {
        self.now = now;
        let _ = (&input, &out, &self.capabilities);
        while self.timers.take_due(now).is_some() {}
    }

    /// The earliest deadline, and which timer it is. The caller sends [`Input::Timeout`] when it has come.
    #[must_use]
    pub fn deadline(&self) -> Option<(Mono, Timer)> {
        self.timers.next()
    }

    /// The state.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// What can be seen from outside.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            state: self.state,
            phase: None,
            cost: MicroUsd::ZERO,
            elapsed: Duration::ZERO,
            left: self.plan.limits.session,
            covered: Vec::new(),
            outcome: None,
            stale_facts: 0,
        }
    }
}
