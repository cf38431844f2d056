//! What the participant does, and what befalls it and the process.

use std::time::Duration;

use engine::ids::PeerNo;
use engine::link::FaultCategory;
use engine::session::{Input, MediaFact, Past, Session, State};

use super::model;
use super::stage::{Stage, What, between_ms, gone};
use super::story::{Blow, Way};
use super::study;

/// Speech that goes on for so long after the interviewer's is no echo of it; a little more than the engine asks for.
const ECHO: Duration = Duration::from_millis(1_400);

impl Stage {
    /// The participant answers; a live link that is not stalled hears it.
    pub(super) fn talk(&mut self) {
        self.talking = false;
        let active = self
            .session
            .as_ref()
            .is_some_and(|session| session.state() == State::Active);
        // Now and then somebody speaks over the interviewer; never over themselves.
        let over = self.playing.is_some() && !self.rng.once_in(8);
        if !self.present || !active || over || self.now < self.speaks_until {
            return;
        }
        let ms = 2_000 + self.rng.below(4_000);
        let (peer, now) = (PeerNo(self.peer), self.now);
        let end = now + Duration::from_millis(ms);
        self.here(100, What::Media(peer, MediaFact::SpeechStarted { at: now }));
        self.here(
            ms + 200,
            What::Media(peer, MediaFact::SpeechEnded { at: end }),
        );
        // What ends soon after the interviewer does may be its echo: nobody may count on an answer to that.
        let over = self.playing.zip(self.queue.front());
        let alone = over.map_or(now, |((_, since), (_, ms))| {
            since + Duration::from_millis(u64::from(*ms))
        });
        self.answered = (alone + ECHO <= end).then_some(end);
        self.speaks_until = end;
        let Some((link, stalled)) = self
            .links
            .iter()
            .next_back()
            .map(|(link, stalled)| (*link, *stalled))
        else {
            return;
        };
        if !stalled {
            model::hears(self, link, ms);
        }
    }

    pub(super) fn offer(&mut self) {
        if let Some(up) = self.down_until {
            if up > self.now {
                // The page knocks until somebody answers.
                let wait = between_ms(self.now, up) + self.rng.below(2_000);
                return self.after(wait, What::Offer);
            }
            self.down_until = None;
            let past = Past::read(&self.journal);
            self.session = Some(Session::restore(
                self.now,
                study::plan(),
                study::VENDOR,
                past,
            ));
            self.durable_at = self.now;
        }
        self.peer += 1;
        let peer = PeerNo(self.peer);
        self.feed(Input::PeerOffered(peer));
        self.here(0, What::Media(peer, MediaFact::Up));
        self.here(
            1,
            What::Media(peer, MediaFact::AudioFlowing { at: self.now }),
        );
    }

    pub(super) fn blow(&mut self, blow: Blow) {
        let active = self
            .session
            .as_ref()
            .is_some_and(|session| session.state() == State::Active);
        match blow {
            Blow::Drop(way) if active && self.present => {
                self.lose();
                self.facts.drops += 1;
                match way {
                    Way::Back(ms) => self.after(ms, What::Offer),
                    Way::Away => self.leaves = true,
                }
                self.feed(Input::Media(PeerNo(self.peer), MediaFact::Lost));
            }
            Blow::Kill(down_ms) if self.session.is_some() => {
                self.session = None;
                self.restart(down_ms);
            }
            Blow::Park(down_ms) if active && self.present => {
                self.next_up_ms = down_ms;
                self.feed(Input::Park);
            }
            Blow::LinkEnds(fail) if active => {
                self.openings_that_fail = fail;
                if let Some(link) = self.links.keys().next_back().copied() {
                    self.here(0, gone(link, FaultCategory::Retryable));
                }
            }
            Blow::Stall if active => {
                if let Some(stalled) = self.links.values_mut().next_back() {
                    *stalled = true;
                }
            }
            Blow::Gap(ms) if active && self.present => {
                let (from, to) = (self.now, self.now + Duration::from_millis(ms));
                self.here(
                    ms,
                    What::Media(PeerNo(self.peer), MediaFact::NetworkGap { from, to }),
                );
            }
            Blow::Drop(_)
            | Blow::Kill(_)
            | Blow::Park(_)
            | Blow::LinkEnds(_)
            | Blow::Stall
            | Blow::Gap(_) => {}
        }
    }

    /// The participant is not connected any more.
    pub(super) fn lose(&mut self) {
        self.present = false;
        self.answered = None;
        self.facts.gone.push((self.now, None));
    }

    /// What the process had is gone with it; who was connected comes back by itself when the next one is up.
    pub(super) fn restart(&mut self, down_ms: u64) {
        self.process += 1;
        self.facts.restarts += 1;
        self.down_until = Some(self.now + Duration::from_millis(down_ms));
        self.links.clear();
        self.queue.clear();
        self.playing = None;
        if self.present {
            self.lose();
            let knock = self.rng.below(2_000);
            self.after(down_ms + 1 + knock, What::Offer);
        }
    }
}
