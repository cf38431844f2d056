//! What happens in the world, event by event.

use std::time::Duration;

use engine::ids::{ItemId, PeerNo};
use engine::link::LinkEvent;
use engine::session::{Input, MediaFact, Request, State};

use super::server::Process;
use super::story::{Blow, Character};
use super::world::{Event, KNOCK, World};

/// The wait of somebody who is not answered, before they speak again.
const IMPATIENCE: Duration = Duration::from_secs(25);

impl World {
    pub(super) fn happen(&mut self, event: Event) {
        match event {
            Event::Visit => self.visit(None),
            Event::Back(up) => {
                self.here = true;
                self.reference.came_back();
                self.visit(up);
            }
            Event::Up(peer) if self.peer == Some((peer, false)) => {
                self.peer = Some((peer, true));
                self.tell(Input::Media(PeerNo(peer), MediaFact::Up));
            }
            Event::Flowing(peer) if self.peer == Some((peer, true)) => self.flow(),
            Event::Talk(cue) => self.talk(cue),
            Event::SpeechEnd(speech) => self.fall_silent(speech),
            Event::Press => self.tell(Input::Participant(Request::End)),
            Event::Drop(drop) => self.on_drop(drop),
            Event::Link(life, link, response, event) if life == self.life => {
                self.link_says(link, response, event);
            }
            Event::PlayStart(life, item) if life == self.life => self.start_playing(&item),
            Event::PlayEnd(life, item) if life == self.life => self.end_playing(&item),
            Event::Report(life, fact) if life == self.life => self.media(fact),
            Event::Committed(life) if life == self.life => {
                if let Some(process) = &mut self.process {
                    process.written(&mut self.store);
                }
                self.carry_out();
            }
            Event::Blow(blow) => self.strike(blow),
            Event::Boot => {
                self.store.take_over();
                self.server_up = true;
            }
            Event::Fault(fault) => {
                let link = self.vendor.line.as_ref().map_or(0, |line| line.no);
                for event in self.vendor.suffer(self.now, fault) {
                    self.link_says(link, 0, event);
                }
            }
            // Of a connection, or of a process, that is no more.
            Event::Up(_)
            | Event::Flowing(_)
            | Event::Link(..)
            | Event::PlayStart(..)
            | Event::PlayEnd(..)
            | Event::Report(..)
            | Event::Committed(_) => {}
        }
    }

    /// The participant's page offers.
    fn visit(&mut self, up: Option<Duration>) {
        if !self.here || self.done || self.peer.is_some() {
            return;
        }
        if !self.server_up {
            return self.after(KNOCK, Event::Visit);
        }
        if self.process.is_none() {
            if !self.store.is_open() {
                self.done = true;
                return;
            }
            let process = Process::start(self.now, &self.story, &self.store);
            self.restores += u32::from(!self.store.entries.is_empty());
            self.reference
                .restored(&self.store.entries, &process.session);
            self.process = Some(process);
        } else if matches!(self.state(), Some(State::Closing | State::Ended)) {
            // Its page says that the interview is over; the link is tried later.
            return self.after(Duration::from_secs(60), Event::Visit);
        }
        let peer = self.offer();
        self.connect(peer, up);
    }

    fn flow(&mut self) {
        let Some(process) = &self.process else { return };
        let at = process.mono(self.now);
        self.media(MediaFact::AudioFlowing { at });
    }

    fn talk(&mut self, cue: u32) {
        let up = self.peer.is_some_and(|(_, up)| up);
        if cue != self.cue || !up || self.speaking.is_some() || self.state() != Some(State::Active)
        {
            return;
        }
        match self.story.character {
            Character::FallsSilent(answers) if self.speeches >= answers => return,
            Character::Leaves(answers) if self.speeches >= answers => {
                return self.after(Duration::ZERO, Event::Press);
            }
            _ => {}
        }
        let Some(process) = &self.process else { return };
        let at = process.mono(self.now);
        self.speeches += 1;
        self.speaking = Some(self.speeches);
        let span = self.luck.ms(1_500, self.story.talk_ms);
        self.after(span, Event::SpeechEnd(self.speeches));
        if self.hears() && self.story.capabilities.turn_events {
            let item = ItemId::from(format!("u{}", self.speeches));
            let heard = LinkEvent::SpeechStarted { item };
            self.say(Duration::from_millis(200), vec![(Duration::ZERO, 0, heard)]);
        }
        self.media(MediaFact::SpeechStarted { at });
    }

    fn hears(&self) -> bool {
        let line = self.vendor.line.as_ref();
        line.is_some_and(|line| line.ready && !line.deaf && !line.stalled)
    }

    fn fall_silent(&mut self, speech: u32) {
        if self.speaking != Some(speech) {
            return;
        }
        self.speaking = None;
        let Some(process) = &self.process else { return };
        let at = process.mono(self.now);
        self.media(MediaFact::SpeechEnded { at });
        self.after(IMPATIENCE, Event::Talk(self.cue));
        let item = ItemId::from(format!("u{speech}"));
        let turns = self.story.capabilities.turn_events;
        let hearing = self
            .vendor
            .line
            .as_mut()
            .and_then(|line| line.hearing.take());
        if !self.hears() || (turns && hearing.as_ref() != Some(&item)) {
            return;
        }
        let text = format!("My answer number {speech}.");
        let mut said = Vec::new();
        let pause = Duration::from_millis(500);
        if turns {
            let item = item.clone();
            said.push((pause, 0, LinkEvent::SpeechStopped { item: item.clone() }));
            said.push((pause, 0, LinkEvent::SpeechCommitted { item }));
        }
        let words = pause + self.luck.ms(50, if turns { 1_500 } else { 100 });
        match self.luck.between(0, 100) {
            0 => {}
            1 => {
                let reason = "unclear".to_owned();
                said.push((words, 0, LinkEvent::TranscriptFailed { item, reason }));
            }
            _ => said.push((words, 0, LinkEvent::TranscriptDone { item, text })),
        }
        self.say(Duration::ZERO, said);
        let answer = self.vendor.respond(None, None, &mut self.luck);
        self.say(pause, answer);
    }

    fn on_drop(&mut self, drop: usize) {
        let there = self.peer.is_some_and(|(_, up)| up) && self.state() == Some(State::Active);
        if drop != self.drops || !there {
            return;
        }
        if let Some(planned) = self.story.drops.get(drop).copied() {
            self.drops += 1;
            self.reference.drops_out(planned.back);
            self.drop_out(planned.back);
        }
    }

    fn start_playing(&mut self, item: &ItemId) {
        let now = self.now;
        let Some(front) = self.playout.queue.front_mut() else {
            return;
        };
        if front.item != *item {
            // It was dropped meanwhile; whoever is at the front now begins instead.
            let next = front.item.clone();
            if front.started.is_none() {
                self.after(Duration::ZERO, Event::PlayStart(self.life, next));
            }
            return;
        }
        if front.started.is_some() {
            return;
        }
        front.started = Some(now);
        let audio = front.audio;
        let Some(process) = &self.process else { return };
        let at = process.mono(now);
        self.after(audio, Event::PlayEnd(self.life, item.clone()));
        if item.as_str().starts_with('a') {
            self.cue += 1;
            if self.luck.permille(80) {
                let soon = self.luck.ms(300, 1_500);
                self.after(soon, Event::Talk(self.cue));
            }
        }
        let item = item.clone();
        self.media(MediaFact::PlayoutStarted {
            item: item.clone(),
            at,
        });
        self.media(MediaFact::PlayoutAudible { item, at });
    }

    fn end_playing(&mut self, item: &ItemId) {
        let front = self.playout.queue.front();
        let Some(audio) = front
            .filter(|front| front.item == *item && front.started.is_some())
            .map(|front| front.audio)
        else {
            return;
        };
        self.playout.queue.pop_front();
        if let Some(next) = self.playout.queue.front() {
            let next = next.item.clone();
            self.after(Duration::from_millis(20), Event::PlayStart(self.life, next));
        } else if item.as_str().starts_with('a') {
            let think = self.luck.ms(300, 3_000);
            self.after(think, Event::Talk(self.cue));
        }
        let Some(process) = &self.process else { return };
        let fact = MediaFact::PlayoutEnded {
            item: item.clone(),
            at: process.mono(self.now),
            played_ms: u32::try_from(audio.as_millis()).unwrap_or(0),
            cut: false,
        };
        self.media(fact);
    }

    fn strike(&mut self, blow: Blow) {
        match blow {
            Blow::Deploy => {
                if self.process.is_some() {
                    self.deploy();
                }
            }
            Blow::Kill => {
                if let Some(process) = self.process.take() {
                    process.die(&mut self.luck, &mut self.store);
                    self.reference.killed(&self.store.entries);
                }
                self.forget_process();
                if self.server_up {
                    self.go_down();
                }
                self.come_again();
            }
        }
    }

    /// The server is told to stop: an interview that is not being closed is left to the next process.
    fn deploy(&mut self) {
        self.deploying = true;
        self.tell(Input::Park);
    }
}
