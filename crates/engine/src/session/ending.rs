//! How a session ends: a statement with a deadline, and then the end. Nothing has to arrive for it to come.

use crate::journal::{Entry, Outcome};
use crate::session::{Notice, Output, Session, State, Timer};

use super::state::{Stage, Statement};
use super::talk::Purpose;
use super::{journal, tell};

/// How the closing statement treats what is being said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// It waits for it.
    Gently,
    /// It cuts it: the participant wants to go.
    AtOnce,
}

impl Session {
    /// Begins to close, unless that has begun.
    ///
    /// Before the interview there is nothing to close, and without a link nobody to say it: then the session ends at once.
    pub(super) fn close(&mut self, outcome: Outcome, manner: Manner, out: &mut Vec<Output>) {
        if matches!(
            self.stage,
            Stage::Closing { .. } | Stage::Ended { .. } | Stage::Parked
        ) {
            return;
        }
        let interviewed = self.is_interviewing();
        if manner == Manner::AtOnce {
            self.cut(out);
            self.cancel_response(out);
        }
        for timer in [
            Timer::Join,
            Timer::PhaseTarget,
            Timer::PhaseMax,
            Timer::Settle,
            Timer::Silence,
            Timer::Wrapup,
            Timer::Limit,
            Timer::Recovery,
            Timer::Clock,
        ] {
            self.timers.stop(timer);
        }
        self.due = None;
        self.phases.pause(self.now);
        journal(
            Entry::Closing {
                outcome,
                timeline_ms: self.timeline_ms(self.now),
            },
            out,
        );
        self.enter(
            Stage::Closing {
                outcome,
                statement: Statement::Due,
            },
            out,
        );
        if !interviewed || (!self.can_speak() && self.playout.is_empty()) {
            return self.end(out);
        }
        self.timers
            .set(Timer::Close, self.now + self.plan.limits.closing);
        self.talk.wanted = None;
        self.talk.want(Purpose::Closing);
    }

    /// Ends the session.
    pub(super) fn end(&mut self, out: &mut Vec<Output>) {
        let Stage::Closing { outcome, .. } = self.stage else {
            return;
        };
        self.commit_rest(out);
        self.charge_time(out);
        self.timers.stop_all();
        self.ended = Some(self.now);
        journal(
            Entry::Ended {
                outcome,
                timeline_ms: self.timeline_ms(self.now),
            },
            out,
        );
        self.enter(Stage::Ended { outcome }, out);
        // Told before the peer is closed: afterwards the page could not hear it.
        tell(Notice::Ended { outcome }, out);
        if self.talk.is_open() {
            out.push(Output::CloseLink {
                link: self.talk.link,
            });
        }
        if let Some(peer) = self.peer {
            out.push(Output::ClosePeer { peer: peer.no });
        }
        out.push(Output::Finish { outcome });
    }

    /// The outcome of an interview that is ended from outside at this moment.
    pub(super) fn early_outcome(&self) -> Outcome {
        match self.state() {
            State::Invited | State::Waiting => Outcome::NoShow,
            State::Active | State::Paused | State::Closing | State::Ended => {
                if self.phases.may_end(&self.plan) && self.phases.all_required_covered(&self.plan) {
                    Outcome::Complete
                } else {
                    Outcome::Partial
                }
            }
        }
    }
}
