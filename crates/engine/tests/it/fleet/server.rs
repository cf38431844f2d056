//! The server around one session: a process that can die, and a journal that it writes in batches.
//!
//! As in the real one, an output waits until every entry before it is durable; entries of a write that was under way when
//! the process died may be durable or not, and what had not been handed over is lost.

use std::collections::VecDeque;
use std::time::Duration;

use engine::journal::{Entry, Outcome};
use engine::session::{Input, Output, Past, PastEnd, Session};
use engine::time::Mono;

use super::luck::Luck;
use super::story::Story;

/// What every process finds on its clock when it starts.
const BOOT: Duration = Duration::from_secs(5);

/// The journal of a session.
#[derive(Debug, Default)]
pub(crate) struct Store {
    pub(crate) entries: Vec<Entry>,
}

/// Where the store says that a session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    NotBegun,
    Running,
    Paused,
    Closing(Outcome),
    Ended(Outcome),
}

impl Store {
    pub(crate) fn standing(&self) -> Standing {
        self.entries
            .iter()
            .rev()
            .find_map(|entry| match entry {
                Entry::PhaseEntered { .. } | Entry::Resumed { .. } => Some(Standing::Running),
                Entry::Paused { .. } => Some(Standing::Paused),
                Entry::Closing { outcome, .. } => Some(Standing::Closing(*outcome)),
                Entry::Ended { outcome, .. } => Some(Standing::Ended(*outcome)),
                _ => None,
            })
            .unwrap_or(Standing::NotBegun)
    }

    /// What a server does at its start with what another left running.
    pub(crate) fn take_over(&mut self) {
        let timeline_ms = Past::read(&self.entries).timeline_ms;
        match self.standing() {
            Standing::Running => self.entries.push(Entry::Paused { timeline_ms }),
            Standing::Closing(outcome) => self.entries.push(Entry::Ended {
                outcome,
                timeline_ms,
            }),
            Standing::NotBegun | Standing::Paused | Standing::Ended(_) => {}
        }
    }

    /// Whether the participant's link opens the session.
    pub(crate) fn is_open(&self) -> bool {
        match self.standing() {
            Standing::NotBegun | Standing::Running | Standing::Paused => true,
            Standing::Ended(Outcome::Partial) => Past::read(&self.entries).end == PastEnd::Lapsed,
            Standing::Closing(_) | Standing::Ended(_) => false,
        }
    }

    /// The study's window is over, and nobody has the session.
    pub(crate) fn lapse(&mut self) {
        if self.standing() == Standing::Paused {
            let timeline_ms = Past::read(&self.entries).timeline_ms;
            let outcome = Outcome::Partial;
            self.entries.push(Entry::Closing {
                outcome,
                timeline_ms,
            });
            self.entries.push(Entry::Ended {
                outcome,
                timeline_ms,
            });
        }
    }
}

/// A process with the session in it.
pub(crate) struct Process {
    pub(crate) session: Session,
    boot: Duration,
    outputs: VecDeque<Output>,
    unwritten: Vec<Entry>,
    /// Entries of the write that is under way.
    writing: Option<usize>,
}

impl Process {
    pub(crate) fn start(now: Duration, story: &Story, store: &Store) -> Process {
        let boot = now.saturating_sub(BOOT);
        let past = Past::read(&store.entries);
        let at = Mono::ZERO + (now - boot);
        let session = Session::restore(at, story.plan.clone(), story.capabilities, past);
        Process {
            session,
            boot,
            outputs: VecDeque::new(),
            unwritten: Vec::new(),
            writing: None,
        }
    }

    /// A moment of the world on this process's clock.
    pub(crate) fn mono(&self, at: Duration) -> Mono {
        Mono::ZERO + at.saturating_sub(self.boot)
    }

    /// When the session wants to be woken.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        let (at, _) = self.session.deadline()?;
        Some(self.boot + at.since(Mono::ZERO))
    }

    pub(crate) fn handle(&mut self, now: Duration, input: Input) -> Vec<Output> {
        let mut outputs = Vec::new();
        self.session.handle(self.mono(now), input, &mut outputs);
        outputs
    }

    /// An output that waits its turn.
    pub(crate) fn push(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    /// The next output that may be carried out now.
    pub(crate) fn next(&mut self) -> Option<Output> {
        loop {
            match self.outputs.pop_front()? {
                Output::Journal(entry) => self.unwritten.push(entry),
                output if self.unwritten.is_empty() => return Some(output),
                output => {
                    self.outputs.push_front(output);
                    return None;
                }
            }
        }
    }

    /// Begins a write if there is something to write and none is under way. Returns whether it did.
    pub(crate) fn write(&mut self) -> bool {
        if self.writing.is_some() || self.unwritten.is_empty() {
            return false;
        }
        self.writing = Some(self.unwritten.len());
        true
    }

    /// The write is durable.
    pub(crate) fn written(&mut self, store: &mut Store) {
        if let Some(count) = self.writing.take() {
            store.entries.extend(self.unwritten.drain(..count));
        }
    }

    /// The process is killed: a write under way may have been kept.
    pub(crate) fn die(mut self, luck: &mut Luck, store: &mut Store) {
        if luck.permille(500) {
            self.written(store);
        }
    }
}
