//! What is done after every input: whatever has become possible.
//!
//! Reactions elsewhere only note what is wanted. Here it is decided whether the moment is right, so that the rules (one
//! response at a time, results before speech, changes at a settled moment) stand in one place.

use crate::ids::PhaseId;
use crate::journal::{Entry, MoveCause, Outcome};
use crate::link::LinkCommand;
use crate::session::{Notice, Output, Session, State, Timer};

use super::ending::Manner;
use super::state::{Stage, Statement};
use super::talk::Purpose;
use super::{Change, SettlePatience, journal, prompt, tell};

impl Session {
    pub(super) fn pump(&mut self, out: &mut Vec<Output>) {
        if self.is_over() {
            return;
        }
        self.commit_turns(out);
        self.send_owed(out);
        if self.state() == State::Active {
            self.make_due_change(out);
        }
        self.renew(out);
        if self.state() == State::Active {
            self.instruct(out);
        }
        self.speak(out);
        self.end_if_said(out);
        if self.state() != State::Ended {
            self.watch_link();
            self.watch_playout();
            self.watch_transcripts();
            self.watch_silence();
            self.watch_dead_air();
        }
    }

    /// Answers tool calls once the response that made them is done.
    fn send_owed(&mut self, out: &mut Vec<Output>) {
        if self.talk.response.is_some() || !self.talk.is_ready() {
            return;
        }
        let link = self.talk.link;
        for (call, output) in self.talk.owed.drain(..) {
            out.push(Output::Link {
                link,
                command: LinkCommand::ToolResult { call, output },
            });
        }
    }

    /// A settled moment: nothing generating or owed, nothing playing, nobody speaking.
    pub(super) fn is_settled(&self) -> bool {
        self.talk.is_settled()
            && self.playout.is_empty()
            && !self.speech.is_open()
            && !self.speech.is_active()
    }

    fn make_due_change(&mut self, out: &mut Vec<Output>) {
        let Some(due) = self.due else { return };
        if due.patience == SettlePatience::Waiting && !self.is_settled() {
            // A response in progress ends by itself or stalls; what comes after it is waited for, but not for long.
            if self.talk.response.is_none() && self.timers.get(Timer::Settle).is_none() {
                self.timers
                    .set(Timer::Settle, self.now + self.plan.limits.settle);
            }
            return;
        }
        self.due = None;
        self.timers.stop(Timer::Settle);
        match due.change {
            Change::Nudge => {
                self.phases.give_nudge();
                journal(
                    Entry::Nudged {
                        phase: self.phase_id(self.phases.current()),
                    },
                    out,
                );
            }
            Change::Move { place, cause } => self.enter_phase(place, cause, out),
            Change::End => self.close(Outcome::Complete, Manner::Gently, out),
        }
    }

    fn enter_phase(&mut self, place: usize, cause: MoveCause, out: &mut Vec<Output>) {
        let timeline_ms = self.timeline_ms(self.now);
        journal(
            Entry::PhaseEntered {
                phase: self.phase_id(place),
                cause,
                timeline_ms,
            },
            out,
        );
        self.phases.enter(self.now, place);
        self.start_phase_timers();
        self.tell_phase(out);
        self.talk.want(Purpose::AfterMove);
    }

    /// Gives the link the instructions of the moment, if it has others.
    fn instruct(&mut self, out: &mut Vec<Output>) {
        if self.talk.is_ready() && self.talk.instructed != self.phases.version() {
            self.talk.instructed = self.phases.version();
            let instructions = prompt::instructions(&self.plan, &self.phases);
            out.push(Output::Link {
                link: self.talk.link,
                command: LinkCommand::Instruct { instructions },
            });
        }
    }

    /// Has the model say what is wanted, if it may speak now.
    fn speak(&mut self, out: &mut Vec<Output>) {
        let Some(purpose) = self.talk.wanted else {
            return;
        };
        if !self.may_speak(purpose) {
            return;
        }
        let asked = self.talk.ask(purpose);
        self.link_moved = self.now;
        let also = prompt::also(&self.plan, purpose, self.last_speaker());
        out.push(Output::Link {
            link: self.talk.link,
            command: LinkCommand::Say {
                tag: asked.tag,
                also,
            },
        });
    }

    fn may_speak(&self, purpose: Purpose) -> bool {
        let free = self.talk.is_ready()
            && !self.talk.is_generating()
            && self.talk.owed.is_empty()
            && self.timers.get(Timer::SayAgain).is_none();
        // The closing statement is said whoever speaks; the rest lets the participant finish, and the vendor answer.
        let polite = !self.talk.answering && !self.is_participant_speaking();
        match self.stage {
            Stage::Active => free && polite,
            Stage::Closing { .. } => free && purpose == Purpose::Closing,
            Stage::Invited
            | Stage::Waiting
            | Stage::Paused { .. }
            | Stage::Ended { .. }
            | Stage::Parked => false,
        }
    }

    fn end_if_said(&mut self, out: &mut Vec<Output>) {
        let Stage::Closing { statement, .. } = self.stage else {
            return;
        };
        let nothing_to_come = statement == Statement::Said || !self.can_speak();
        if nothing_to_come && !self.talk.is_generating() && self.playout.is_empty() {
            self.end(out);
        }
    }

    pub(super) fn phase_id(&self, place: usize) -> PhaseId {
        let phase = self
            .plan
            .phases
            .get(place)
            .unwrap_or_else(|| self.phases.phase(&self.plan));
        phase.id.clone()
    }

    pub(super) fn tell_phase(&self, out: &mut Vec<Output>) {
        let phase = self.phases.phase(&self.plan);
        let number = |place: usize| u32::try_from(place).unwrap_or(u32::MAX);
        let (index, count) = (
            number(self.phases.current()),
            number(self.plan.phases.len()),
        );
        tell(
            Notice::Phase {
                phase: phase.id.clone(),
                title: phase.title.clone(),
                index,
                count,
            },
            out,
        );
    }

    pub(super) fn tell_time(&self, out: &mut Vec<Output>) {
        let seconds = |span: std::time::Duration| u32::try_from(span.as_secs()).unwrap_or(u32::MAX);
        tell(
            Notice::Time {
                elapsed_s: seconds(self.elapsed()),
                left_s: seconds(self.left()),
            },
            out,
        );
    }
}
