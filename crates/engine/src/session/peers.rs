//! The participant's side: peers that come and go, the beginning of the interview, pause and return, and what the page asks.

use crate::ids::PeerNo;
use crate::journal::{Entry, MoveCause};
use crate::session::{MediaFact, Notice, Output, Request, Session, State, Timer};
use crate::time::Mono;

use super::ending::Manner;
use super::state::{Absence, Stage};
use super::talk::{Purpose, Standing};
use super::wake::CLOCK_EVERY;
use super::{Microphone, Quiet, Recording, Silence, journal, tell};

/// The smallest step of [`Mono`]: a deadline that still counts ends one step later.
const TICK: std::time::Duration = std::time::Duration::from_micros(1);

/// Gaps written down in one process; a network that stutters for an hour does not fill the journal.
const NETWORK_GAPS_MAX: u32 = 200;

/// The participant's media connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Peer {
    /// Its number.
    pub(crate) no: PeerNo,
    /// How far it is.
    pub(crate) reach: Reach,
}

/// How far a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Offered.
    Offered,
    /// Connected.
    Up,
    /// The participant's audio arrives.
    Flowing,
}

impl Session {
    pub(super) fn on_peer_offered(&mut self, no: PeerNo, out: &mut Vec<Output>) {
        if no <= self.peer_latest {
            self.stale_facts = self.stale_facts.saturating_add(1);
            return;
        }
        self.peer_latest = no;
        let old = self.peer.replace(Peer {
            no,
            reach: Reach::Offered,
        });
        match self.stage {
            Stage::Invited => {
                self.enter(Stage::Waiting, out);
                self.timers
                    .set(Timer::Join, self.now + self.plan.limits.join);
                self.open_link(out);
            }
            // A page that is loaded again is a participant who is there: the time to join begins anew.
            Stage::Waiting => self
                .timers
                .set(Timer::Join, self.now + self.plan.limits.join),
            // Media has replaced the old connection already, so nobody is heard until the new one is up.
            Stage::Active => self.pause(old.map_or(no, |peer| peer.no), out),
            Stage::Paused { absence, .. } => {
                if absence == Absence::Away {
                    let deadline = self.now + self.plan.limits.recovery;
                    self.timers.set(Timer::Recovery, deadline + TICK);
                    self.stage = Stage::Paused { deadline, absence };
                }
                self.open_link_for_return(out);
            }
            Stage::Closing { .. } | Stage::Ended { .. } | Stage::Parked => {}
        }
    }

    pub(super) fn on_media(&mut self, no: PeerNo, fact: MediaFact, out: &mut Vec<Output>) {
        // The playout and the recording outlive a peer, so what they tell is true whichever peer they name.
        match &fact {
            MediaFact::PlayoutStarted { item, at } => {
                return self.on_playout_started(item, *at, out);
            }
            MediaFact::PlayoutAudible { item, at } => {
                return self.on_playout_audible(item, *at, out);
            }
            MediaFact::PlayoutEnded {
                item,
                at,
                played_ms,
                cut,
            } => {
                return self.on_playout_ended(item, *at, *played_ms, *cut, out);
            }
            MediaFact::RecordingGap { .. } => return self.on_recording_gap(out),
            MediaFact::Up
            | MediaFact::Lost
            | MediaFact::AudioFlowing { .. }
            | MediaFact::NetworkGap { .. }
            | MediaFact::SpeechStarted { .. }
            | MediaFact::SpeechEnded { .. } => {}
        }
        let Some(peer) = self.peer.as_mut().filter(|peer| peer.no == no) else {
            self.stale_facts = self.stale_facts.saturating_add(1);
            return;
        };
        match fact {
            MediaFact::Up if peer.reach == Reach::Offered => {
                peer.reach = Reach::Up;
                self.on_up(no, out);
            }
            MediaFact::AudioFlowing { at } if peer.reach == Reach::Up => {
                peer.reach = Reach::Flowing;
                self.on_flowing(at, out);
            }
            MediaFact::Lost => self.on_lost(no, out),
            MediaFact::NetworkGap { from, to } if peer.reach == Reach::Flowing => {
                self.on_network_gap(from, to, out);
            }
            MediaFact::SpeechStarted { at } => self.on_activity_started(at, out),
            MediaFact::SpeechEnded { at } => self.on_activity_ended(at, out),
            MediaFact::Up
            | MediaFact::AudioFlowing { .. }
            | MediaFact::NetworkGap { .. }
            | MediaFact::PlayoutStarted { .. }
            | MediaFact::PlayoutAudible { .. }
            | MediaFact::PlayoutEnded { .. }
            | MediaFact::RecordingGap { .. } => {}
        }
    }

    fn on_up(&mut self, no: PeerNo, out: &mut Vec<Output>) {
        journal(Entry::PeerUp { peer: no }, out);
        match self.stage {
            Stage::Paused { .. } => self.resume(out),
            Stage::Invited
            | Stage::Waiting
            | Stage::Active
            | Stage::Closing { .. }
            | Stage::Ended { .. }
            | Stage::Parked => {
                tell(Notice::State(self.state()), out);
            }
        }
    }

    fn on_flowing(&mut self, at: Mono, out: &mut Vec<Output>) {
        self.zero.get_or_insert(at);
        self.latency.on_flowing(at);
        if self.state() == State::Waiting {
            self.timers.stop(Timer::Join);
            self.begin_if_ready(out);
        }
    }

    /// A mark and nothing else: a connection that goes on is no reason to pause.
    fn on_network_gap(&mut self, from: Mono, to: Mono, out: &mut Vec<Output>) {
        if self.network_gaps < NETWORK_GAPS_MAX {
            self.network_gaps += 1;
            let from_ms = self.timeline_ms(from);
            let to_ms = self.timeline_ms(to).max(from_ms);
            journal(Entry::NetworkGap { from_ms, to_ms }, out);
        }
    }

    fn on_lost(&mut self, no: PeerNo, out: &mut Vec<Output>) {
        self.peer = None;
        match self.stage {
            Stage::Active => return self.pause(no, out),
            Stage::Waiting => {
                // Gone before it began: whoever comes back in time is still welcome.
                if self.timers.get(Timer::Join).is_none() {
                    self.timers
                        .set(Timer::Join, self.now + self.plan.limits.join);
                }
            }
            Stage::Closing { .. } => self.speech.on_lost(self.now),
            Stage::Invited | Stage::Paused { .. } | Stage::Ended { .. } | Stage::Parked => {}
        }
        journal(Entry::PeerLost { peer: no }, out);
    }

    /// Begins the interview if both sides are there.
    pub(super) fn begin_if_ready(&mut self, out: &mut Vec<Output>) {
        let flowing = self.peer.is_some_and(|peer| peer.reach == Reach::Flowing);
        if self.state() != State::Waiting || !flowing || !self.talk.is_ready() {
            return;
        }
        self.timers.stop(Timer::Join);
        self.start_limits();
        let phase = self.phases.phase(&self.plan).id.clone();
        journal(
            Entry::PhaseEntered {
                phase,
                cause: MoveCause::Start,
                timeline_ms: self.timeline_ms(self.now),
            },
            out,
        );
        self.phases.enter(self.now, 0);
        self.enter(Stage::Active, out);
        self.start_clocks();
        self.tell_where(out);
        self.talk.want(Purpose::Greeting);
    }

    /// Starts the clock of the whole interview, for what is left of it.
    fn start_limits(&mut self) {
        self.started = Some(self.now);
        let limits = self.plan.limits;
        let left = limits.session.saturating_sub(self.elapsed_before);
        self.timers.set(Timer::Limit, self.now + left);
        if limits.wrapup < limits.session {
            self.timers
                .set(Timer::Wrapup, self.now + left.saturating_sub(limits.wrapup));
        }
    }

    /// Waits for the participant: cuts the playout, stops the clocks, starts the window.
    pub(super) fn pause(&mut self, lost: PeerNo, out: &mut Vec<Output>) {
        self.cut(out);
        self.cancel_response(out);
        self.speech.on_lost(self.now);
        self.latency.forget();
        self.talk.wanted = None;
        self.talk.overdue = false;
        self.trust_hearing();
        self.phases.pause(self.now);
        for timer in [
            Timer::PhaseTarget,
            Timer::PhaseMax,
            Timer::Settle,
            Timer::Silence,
            Timer::Clock,
        ] {
            self.timers.stop(timer);
        }
        let deadline = self.now + self.plan.limits.recovery;
        self.timers.set(Timer::Recovery, deadline + TICK);
        journal(Entry::PeerLost { peer: lost }, out);
        journal(
            Entry::Paused {
                timeline_ms: self.timeline_ms(self.now),
            },
            out,
        );
        self.enter(
            Stage::Paused {
                deadline,
                absence: Absence::Dropped,
            },
            out,
        );
    }

    /// Goes on where it was. The timer is one tick after the deadline, so whoever gets here is in time.
    fn resume(&mut self, out: &mut Vec<Output>) {
        self.timers.stop(Timer::Recovery);
        if matches!(
            self.stage,
            Stage::Paused {
                absence: Absence::Away,
                ..
            }
        ) {
            self.start_limits();
        }
        journal(
            Entry::Resumed {
                timeline_ms: self.timeline_ms(self.now),
            },
            out,
        );
        self.enter(Stage::Active, out);
        self.phases.resume(self.now);
        self.open_link_for_return(out);
        self.start_clocks();
        self.tell_where(out);
        tell(
            Notice::Cost {
                micro_usd: self.meter.cost().0,
            },
            out,
        );
        self.go_on(Purpose::Return);
    }

    /// Wishes the interviewer to go on after an interruption. The greeting is said again only if nobody heard any of it.
    pub(super) fn go_on(&mut self, how: Purpose) {
        self.talk.want(if self.latency.was_heard() {
            how
        } else {
            Purpose::Greeting
        });
    }

    fn start_clocks(&mut self) {
        self.start_phase_timers();
        self.timers.set(Timer::Clock, self.now + CLOCK_EVERY);
        self.break_silence();
    }

    pub(super) fn tell_where(&self, out: &mut Vec<Output>) {
        self.tell_phase(out);
        self.tell_time(out);
    }

    fn on_recording_gap(&mut self, out: &mut Vec<Output>) {
        if self.recording == Recording::Whole {
            self.recording = Recording::Broken;
            tell(
                Notice::Trouble {
                    code: "recording_trouble",
                },
                out,
            );
        }
    }

    pub(super) fn on_request(&mut self, request: Request, out: &mut Vec<Output>) {
        match request {
            Request::Mute => self.set_microphone(Microphone::Muted, out),
            Request::Unmute => self.set_microphone(Microphone::Open, out),
            Request::Repeat => {
                if self.state() == State::Active {
                    self.break_silence();
                    self.talk.want(Purpose::Repeat);
                }
            }
            Request::End => self.close(self.early_outcome(), Manner::AtOnce, out),
        }
    }

    fn set_microphone(&mut self, microphone: Microphone, out: &mut Vec<Output>) {
        if self.microphone == microphone {
            return;
        }
        self.microphone = microphone;
        let muted = microphone == Microphone::Muted;
        journal(
            Entry::Muted {
                muted,
                timeline_ms: self.timeline_ms(self.now),
            },
            out,
        );
        self.break_silence();
    }

    /// Somebody showed that they are there.
    pub(super) fn break_silence(&mut self) {
        self.silence = Silence {
            since: self.now,
            rung: 0,
            quiet: Quiet::Yes,
        };
    }

    /// Whether a statement could still be spoken: there is a link, or one is being made.
    pub(super) fn can_speak(&self) -> bool {
        matches!(
            self.talk.standing,
            Standing::Opening | Standing::Ready | Standing::Resting
        )
    }
}
