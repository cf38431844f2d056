//! What happens when a timer fires.

use std::time::Duration;

use crate::journal::{Entry, MoveCause, Outcome};
use crate::session::{Notice, Output, Session, State, Timer};

use super::ending::Manner;
use super::phase::{Nudge, Target};
use super::playout::Sound;
use super::state::{Absence, Stage};
use super::talk::Purpose;
use super::{Change, Due, Microphone, Quiet, SettlePatience, journal, tell};

/// How often the page is told the time.
pub(super) const CLOCK_EVERY: Duration = Duration::from_secs(5);

impl Session {
    /// Fires all timers that are due. Returns whether there were any.
    pub(super) fn wake(&mut self, out: &mut Vec<Output>) -> bool {
        let mut woke = false;
        while let Some(timer) = self.timers.take_due(self.now) {
            woke = true;
            self.on_timer(timer, out);
        }
        woke
    }

    fn on_timer(&mut self, timer: Timer, out: &mut Vec<Output>) {
        match timer {
            Timer::Join => self.close(Outcome::NoShow, Manner::Gently, out),
            Timer::LinkOpen => self.give_up_link("it did not get ready in time", out),
            Timer::LinkRetry => self.open_link(out),
            Timer::LinkStall => self.on_stall(out),
            Timer::Answer => {
                self.talk.overdue = self.talk.answering && self.state() == State::Active;
                self.talk.answering = false;
                if self.talk.overdue {
                    self.talk.want(Purpose::Nudge);
                }
            }
            Timer::DeadAir => self.on_dead_air(out),
            Timer::Deaf => self.on_deaf(out),
            Timer::Renew => self.on_age(),
            // Nothing but the wait ends here: `pump` does not speak while this timer runs.
            Timer::SayAgain => {}
            Timer::Playout => self.on_playout_overdue(out),
            Timer::Transcript => self.speech.give_up_overdue(self.now),
            Timer::PhaseTarget => {
                if self.due.is_none() {
                    self.due = Some(Due {
                        change: Change::Nudge,
                        patience: SettlePatience::Waiting,
                    });
                }
            }
            Timer::PhaseMax => {
                let change = match self.phases.successor(&self.plan) {
                    Target::Phase(place) => Change::Move {
                        place,
                        cause: MoveCause::Overrun,
                    },
                    Target::End => Change::End,
                };
                self.move_on(change);
            }
            Timer::Settle => {
                if let Some(due) = &mut self.due {
                    due.patience = SettlePatience::Exhausted;
                }
            }
            Timer::Silence => self.on_silence(out),
            Timer::Wrapup => self.on_wrapup(),
            Timer::Limit => self.close(self.early_outcome(), Manner::Gently, out),
            Timer::Recovery => self.on_window_over(out),
            Timer::Close => self.end(out),
            Timer::Clock => {
                self.tell_time(out);
                self.timers.set(Timer::Clock, self.now + CLOCK_EVERY);
                self.charge_time(out);
            }
        }
    }

    /// Nobody came back. The closing statement is said into the empty room, so a link that was lost meanwhile is opened.
    fn on_window_over(&mut self, out: &mut Vec<Output>) {
        if let Stage::Paused {
            absence: Absence::Away,
            ..
        } = self.stage
        {
            return self.park("not_connected", out);
        }
        self.open_link_for_return(out);
        self.close(Outcome::Partial, Manner::Gently, out);
    }

    /// A move that time makes, unless one is under way.
    fn move_on(&mut self, change: Change) {
        if self.due.is_none_or(|due| due.change == Change::Nudge) {
            self.due = Some(Due {
                change,
                patience: SettlePatience::Waiting,
            });
            self.timers.stop(Timer::Settle);
        }
    }

    fn on_wrapup(&mut self) {
        let last = self.plan.phases.len().saturating_sub(1);
        if self.phases.current() != last {
            if self.due.is_some_and(|due| due.change == Change::End) {
                return;
            }
            // The time of the session outweighs a move that is under way.
            let change = Change::Move {
                place: last,
                cause: MoveCause::Wrapup,
            };
            self.due = Some(Due {
                change,
                patience: SettlePatience::Waiting,
            });
            self.timers.stop(Timer::Settle);
        } else if self.due.is_none() && self.phases.nudge() == Nudge::NotYet {
            self.due = Some(Due {
                change: Change::Nudge,
                patience: SettlePatience::Waiting,
            });
        }
    }

    fn on_stall(&mut self, out: &mut Vec<Output>) {
        // A vendor that paces itself is silent while its words are spoken (providers.md, section 3.3).
        if self
            .playout
            .iter()
            .any(|utterance| matches!(utterance.sound, Sound::Playing(_)))
        {
            self.link_moved = self.now;
            return;
        }
        self.give_up_link("it stopped answering", out);
    }

    fn on_silence(&mut self, out: &mut Vec<Output>) {
        self.silence.rung = self.silence.rung.saturating_add(1);
        let nth = self.silence.rung;
        if nth > 2 {
            return self.close(self.early_outcome(), Manner::Gently, out);
        }
        if self.microphone == Microphone::Muted {
            return;
        }
        journal(Entry::SilencePrompted { nth }, out);
        self.latency.forget();
        self.talk.want(Purpose::Silence { nth });
        if !self.speech.was_heard() {
            tell(
                Notice::Trouble {
                    code: "silent_microphone",
                },
                out,
            );
        }
    }

    /// Starts the timers of the phase for what is left of it.
    pub(super) fn start_phase_timers(&mut self) {
        let phase = self.phases.phase(&self.plan);
        let (target, max, spent) = (phase.target, phase.max, self.phases.spent(self.now));
        if target < max && self.phases.nudge() == Nudge::NotYet {
            self.timers
                .set(Timer::PhaseTarget, self.now + target.saturating_sub(spent));
        } else {
            self.timers.stop(Timer::PhaseTarget);
        }
        self.timers
            .set(Timer::PhaseMax, self.now + max.saturating_sub(spent));
    }

    pub(super) fn watch_transcripts(&mut self) {
        match self.speech.next_give_up() {
            Some(at) => self.timers.set(Timer::Transcript, at),
            None => self.timers.stop(Timer::Transcript),
        }
    }

    /// Sets the next rung of silence, or starts anew if somebody is speaking, about to, or cannot.
    pub(super) fn watch_silence(&mut self) {
        if self.state() != State::Active {
            return self.timers.stop(Timer::Silence);
        }
        if self.is_conversing() {
            self.silence.quiet = Quiet::No;
            return self.timers.stop(Timer::Silence);
        }
        if self.silence.quiet == Quiet::No {
            self.break_silence();
        }
        let limits = self.plan.limits;
        let rung = match self.silence.rung {
            0 => limits.silence_first,
            1 => limits.silence_second,
            _ => limits.silence_close,
        };
        self.timers.set(Timer::Silence, self.silence.since + rung);
    }

    fn is_conversing(&self) -> bool {
        let counts = |purpose: Option<Purpose>| !matches!(purpose, Some(Purpose::Silence { .. }));
        !self.talk.is_ready()
            || self.is_participant_speaking()
            || self.talk.answering
            || !self.talk.owed.is_empty()
            || self
                .talk
                .wanted
                .is_some_and(|purpose| counts(Some(purpose)))
            || self
                .talk
                .asked
                .is_some_and(|asked| counts(Some(asked.purpose)))
            || self
                .talk
                .response
                .as_ref()
                .is_some_and(|response| counts(response.purpose))
            || self
                .playout
                .iter()
                .any(|utterance| utterance.is_live() && counts(utterance.purpose))
    }
}
