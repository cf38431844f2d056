//! The session machine: one participant's interview, from invitation to outcome.
//!
//! Facts go in, outputs come out, in one synchronous call. Each input is handled in three steps: timers that are due fire
//! (so that whoever comes after a deadline is too late, however late the timeout itself is delivered), the fact is
//! applied, and then `pump` does what has become possible: send owed tool results, make a due change, speak, close.
//! Reactions therefore only note what is wanted; when it may happen is decided in one place.
//!
//! It never waits, never fails, and never looks at a clock.

use std::time::Duration;

use crate::cost::MicroUsd;
use crate::ids::{PeerNo, PhaseId, TopicId, TurnNo};
use crate::journal::{Entry, MoveCause, Outcome};
use crate::link::{Capabilities, Speaker};
use crate::plan::Plan;
use crate::time::Mono;

mod arguments;
mod care;
mod ending;
mod hearing;
pub mod io;
mod latency;
mod links;
mod meter;
mod past;
mod peers;
mod phase;
mod playout;
pub mod prompt;
mod pump;
mod responses;
mod restore;
mod speech;
mod state;
mod talk;
mod timers;
mod tools;
mod turns;
mod wake;

pub use io::{Input, MediaFact, Notice, Output, Request, State};
pub use past::{Past, PastEnd, PastInterview, PastTurn};
pub use state::is_transition_valid;
pub use timers::Timer;

use care::Care;
use latency::Latency;
use meter::Meter;
use peers::Peer;
use phase::Phases;
use playout::Playout;
use speech::Speech;
use state::Stage;
use talk::Talk;
use timers::TimerTable;

/// Rounds of timers that one input may set off. A plan whose limits are all zero could otherwise go on for ever.
const ROUNDS_MAX: usize = 32;

/// One participant's interview.
#[derive(Debug)]
pub struct Session {
    plan: Plan,
    capabilities: Capabilities,
    stage: Stage,
    timers: TimerTable,
    /// The moment of the input that is being handled.
    now: Mono,
    /// Zero of the recording's timeline: the first participant audio of the session.
    zero: Option<Mono>,
    /// What that timeline shows there: more than nothing if an earlier process began it.
    zero_ms: u64,
    /// When the interview began, here.
    started: Option<Mono>,
    /// Time of the interview in earlier processes.
    elapsed_before: Duration,
    /// When it ended.
    ended: Option<Mono>,
    peer: Option<Peer>,
    peer_latest: PeerNo,
    /// Gaps of the network written down.
    network_gaps: u32,
    talk: Talk,
    care: Care,
    playout: Playout,
    /// When anything last happened to the playout, for its watchdog.
    playout_moved: Mono,
    /// When the link last said anything, or was asked to.
    link_moved: Mono,
    /// Faults of the link written down; a vendor that repeats itself does not fill the journal.
    faults: u32,
    speech: Speech,
    phases: Phases,
    due: Option<Due>,
    latency: Latency,
    meter: Meter,
    silence: Silence,
    microphone: Microphone,
    recording: Recording,
    turn_latest: TurnNo,
    history: Vec<Remembered>,
    stale_facts: u64,
}

/// A change that waits for a settled moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Due {
    change: Change,
    patience: SettlePatience,
}

/// What is to change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    /// The model is told that time is short.
    Nudge,
    /// The interview moves to the phase at this place.
    Move { place: usize, cause: MoveCause },
    /// The interview ends.
    End,
}

/// Whether a change still waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SettlePatience {
    Waiting,
    Exhausted,
}

/// How long nobody has said anything. Prompts do not count: the ladder is about the participant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Silence {
    since: Mono,
    /// Rungs climbed: 0 to 3.
    rung: u32,
    quiet: Quiet,
}

/// Whether nobody is speaking or about to, prompts not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quiet {
    Yes,
    No,
}

/// The participant's microphone, as the page says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Microphone {
    Open,
    Muted,
}

/// Whether the recording is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Recording {
    Whole,
    Broken,
}

/// A turn as a rebuilt link is told of it.
#[derive(Clone, Debug)]
struct Remembered {
    start_ms: u64,
    turn: TurnNo,
    speaker: Speaker,
    text: String,
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
    ///
    /// # Panics
    ///
    /// If the plan has no phase.
    #[must_use]
    pub fn new(now: Mono, plan: Plan, capabilities: Capabilities) -> Session {
        assert!(!plan.phases.is_empty(), "a plan has at least one phase");
        Session {
            meter: Meter::new(capabilities),
            plan,
            capabilities,
            stage: Stage::Invited,
            timers: TimerTable::default(),
            now,
            zero: None,
            zero_ms: 0,
            started: None,
            elapsed_before: Duration::ZERO,
            ended: None,
            peer: None,
            peer_latest: PeerNo(0),
            network_gaps: 0,
            talk: Talk::new(),
            care: Care::default(),
            playout: Playout::default(),
            playout_moved: now,
            link_moved: now,
            faults: 0,
            speech: Speech::default(),
            phases: Phases::new(),
            due: None,
            latency: Latency::new(),
            silence: Silence {
                since: now,
                rung: 0,
                quiet: Quiet::No,
            },
            microphone: Microphone::Open,
            recording: Recording::Whole,
            turn_latest: TurnNo(0),
            history: Vec::new(),
            stale_facts: 0,
        }
    }

    /// Applies one fact; appends what must now be done. A session that ended or was parked does nothing any more.
    pub fn handle(&mut self, now: Mono, input: Input, out: &mut Vec<Output>) {
        if self.is_over() {
            return;
        }
        self.now = self.now.max(now);
        self.wake(out);
        self.apply(input, out);
        self.pump(out);
        for _ in 0..ROUNDS_MAX {
            if !self.wake(out) {
                break;
            }
            self.pump(out);
        }
    }

    /// The earliest deadline, and which timer it is. The caller sends [`Input::Timeout`] when it has come.
    #[must_use]
    pub fn deadline(&self) -> Option<(Mono, Timer)> {
        self.timers.next()
    }

    /// The state.
    #[must_use]
    pub fn state(&self) -> State {
        self.stage.state()
    }

    /// What can be seen from outside.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            state: self.state(),
            phase: self
                .started
                .map(|_| self.phases.phase(&self.plan).id.clone()),
            cost: self.meter.cost(),
            elapsed: self.elapsed(),
            left: self.left(),
            covered: self.phases.covered().cloned().collect(),
            outcome: self.stage.outcome(),
            stale_facts: self.stale_facts,
        }
    }

    fn apply(&mut self, input: Input, out: &mut Vec<Output>) {
        if self.is_over() {
            return;
        }
        match input {
            Input::PeerOffered(peer) => self.on_peer_offered(peer, out),
            Input::Media(peer, fact) => self.on_media(peer, fact, out),
            Input::Link(link, event) => self.on_link(link, event, out),
            Input::Participant(request) => self.on_request(request, out),
            Input::OperatorEnd => self.close(self.early_outcome(), ending::Manner::Gently, out),
            Input::Park => self.park("server_restarts", out),
            Input::Timeout => {}
        }
    }

    /// Changes the state, and tells the page unless that is told of the end in other words.
    ///
    /// # Panics
    ///
    /// If there is no such way: a bug, which ends this session and no other.
    fn enter(&mut self, stage: Stage, out: &mut Vec<Output>) {
        let (from, to) = (self.state(), stage.state());
        assert!(
            is_transition_valid(from, to),
            "a session cannot go from {from:?} to {to:?}"
        );
        self.stage = stage;
        if to != State::Ended {
            out.push(Output::Tell(Notice::State(to)));
        }
    }

    fn elapsed(&self) -> Duration {
        self.started.map_or(Duration::ZERO, |started| {
            self.elapsed_before
                .saturating_add(self.ended.unwrap_or(self.now).since(started))
        })
    }

    fn left(&self) -> Duration {
        if self.ended.is_some() {
            return Duration::ZERO;
        }
        let most = self.plan.limits.session.saturating_sub(self.elapsed());
        self.phases.left(&self.plan, self.now, most)
    }

    /// A moment on the recording's timeline.
    fn timeline_ms(&self, at: Mono) -> u64 {
        let here = self.zero.map_or(0, |zero| {
            at.as_micros().saturating_sub(zero.as_micros()) / 1_000
        });
        self.zero_ms.saturating_add(here)
    }

    fn next_turn(&mut self) -> TurnNo {
        self.turn_latest = self.turn_latest.next();
        self.turn_latest
    }

    /// Whether the interview has begun and is not being closed.
    fn is_interviewing(&self) -> bool {
        matches!(self.stage, Stage::Active | Stage::Paused { .. })
    }
}

fn journal(entry: Entry, out: &mut Vec<Output>) {
    out.push(Output::Journal(entry));
}

fn tell(notice: Notice, out: &mut Vec<Output>) {
    out.push(Output::Tell(notice));
}
