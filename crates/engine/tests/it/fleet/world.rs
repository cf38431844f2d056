//! The world around one session, in virtual time: a participant, a vendor, media, a server that can die.

use std::collections::BTreeMap;
use std::time::Duration;

use engine::ids::{ItemId, PeerNo};
use engine::link::LinkEvent;
use engine::session::{Input, MediaFact, Output, State};

use super::luck::Luck;
use super::media::Playout;
use super::reference::Reference;
use super::server::{Process, Store};
use super::story::{Back, Blow, Character, Fault, Story, WINDOW};
use super::vendor::Vendor;

/// Steps of one session at most: a session that goes on for ever is broken.
const STEPS_MAX: u32 = 60_000;

/// Between two knocks of a page whose server is away.
pub(super) const KNOCK: Duration = Duration::from_secs(2);

#[derive(Clone, Debug)]
pub(super) enum Event {
    /// The participant's page offers, if it is open.
    Visit,
    /// Somebody who dropped out is back; the connection is to be up at that moment.
    Back(Option<Duration>),
    Up(u32),
    Flowing(u32),
    Talk(u32),
    SpeechEnd(u32),
    Press,
    Drop(usize),
    Link(u32, u32, u32, LinkEvent),
    PlayStart(u32, ItemId),
    PlayEnd(u32, ItemId),
    Report(u32, MediaFact),
    Committed(u32),
    Blow(Blow),
    Boot,
    Fault(Fault),
}

pub(crate) struct World {
    pub(super) now: Duration,
    pub(super) luck: Luck,
    pub(super) story: Story,
    pub(super) queue: BTreeMap<(Duration, u64), Event>,
    events: u64,
    pub(crate) steps: u32,
    /// Counts processes: what an older one left under way comes to nothing.
    pub(super) life: u32,
    pub(super) process: Option<Process>,
    pub(crate) store: Store,
    pub(super) server_up: bool,
    pub(super) deploying: bool,
    pub(super) vendor: Vendor,
    pub(super) playout: Playout,
    pub(crate) reference: Reference,
    // The participant.
    pub(super) here: bool,
    pub(super) done: bool,
    peers: u32,
    pub(super) peer: Option<(u32, bool)>,
    pub(super) cue: u32,
    pub(super) speeches: u32,
    pub(super) speaking: Option<u32>,
    pub(crate) drops: usize,
    pub(crate) restores: u32,
}

impl World {
    pub(crate) fn new(seed: u64) -> World {
        let mut luck = Luck::new(seed);
        let story = Story::draw(&mut luck);
        let mut world = World {
            now: Duration::from_secs(1_000),
            luck,
            reference: Reference::new(&story),
            queue: BTreeMap::new(),
            events: 0,
            steps: 0,
            life: 0,
            process: None,
            store: Store::default(),
            server_up: true,
            deploying: false,
            vendor: Vendor::default(),
            playout: Playout::default(),
            here: true,
            done: false,
            peers: 0,
            peer: None,
            cue: 0,
            speeches: 0,
            speaking: None,
            drops: 0,
            restores: 0,
            story,
        };
        world.after(Duration::ZERO, Event::Visit);
        for (at, blow) in world.story.blows.clone() {
            world.after(at, Event::Blow(blow));
        }
        for (at, fault) in world.story.faults.clone() {
            world.after(at, Event::Fault(fault));
        }
        world
    }

    /// Whether the participant came back from every drop.
    pub(crate) fn returns(&self) -> bool {
        let met = self.story.drops.iter().take(self.drops);
        met.clone().count() > 0 && met.clone().all(|drop| drop.back != Back::Never)
    }

    /// Lives through the whole story.
    pub(crate) fn run(&mut self) {
        while let Some(at) = self.next_moment() {
            self.steps += 1;
            if self.steps > STEPS_MAX {
                self.reference
                    .complain("the session does not come to an end");
                return;
            }
            let event = self.queue.first_key_value().map(|((at, _), _)| *at);
            self.now = self.now.max(at);
            if event.is_some_and(|event| event <= at) {
                if let Some((_, event)) = self.queue.pop_first() {
                    self.happen(event);
                }
            } else {
                // A server under load wakes late now and then.
                if self.luck.permille(100) {
                    let late = self.now + self.luck.ms(0, 5);
                    self.now = event.map_or(late, |event| late.min(event));
                }
                self.tell(Input::Timeout);
            }
        }
        // Nobody comes any more.
        self.store.lapse();
        self.reference.finish(&self.store.entries, self.drops);
    }

    fn next_moment(&self) -> Option<Duration> {
        let event = self.queue.first_key_value().map(|((at, _), _)| *at);
        let deadline = self.process.as_ref().and_then(Process::deadline);
        event.into_iter().chain(deadline).min()
    }

    pub(super) fn at(&mut self, at: Duration, event: Event) {
        self.events += 1;
        self.queue.insert((at, self.events), event);
    }

    pub(super) fn after(&mut self, span: Duration, event: Event) {
        self.at(self.now + span, event);
    }

    pub(super) fn state(&self) -> Option<State> {
        self.process.as_ref().map(|process| process.session.state())
    }

    /// Tells the session a fact, and does what it wants done.
    pub(super) fn tell(&mut self, input: Input) {
        let Some(process) = &mut self.process else {
            return;
        };
        let before = process.session.state();
        let outputs = process.handle(self.now, input.clone());
        self.reference
            .check(self.now, &input, &outputs, &process.session);
        let state = process.session.state();
        for output in outputs {
            match output {
                Output::CutPlayout => self.cut(),
                Output::DropUtterance { item } => self.playout.drop_item(&item),
                output => {
                    if let Some(process) = &mut self.process {
                        process.push(output);
                    }
                }
            }
        }
        if state == State::Active
            && before != State::Active
            && let Some(drop) = self.story.drops.get(self.drops)
        {
            self.after(drop.after, Event::Drop(self.drops));
        }
        self.carry_out();
    }

    /// Tells a fact of the participant's media.
    pub(super) fn media(&mut self, fact: MediaFact) {
        self.tell(Input::Media(PeerNo(self.peers), fact));
    }

    /// A page offers: the number of the connection to be.
    pub(super) fn offer(&mut self) -> u32 {
        self.peers += 1;
        self.peer = Some((self.peers, false));
        self.speaking = None;
        self.tell(Input::PeerOffered(PeerNo(self.peers)));
        self.peers
    }

    /// The participant's media is gone, and so is the participant until `back`.
    pub(super) fn drop_out(&mut self, back: Back) {
        let fact = MediaFact::Lost;
        self.speaking = None;
        if let Some(line) = &mut self.vendor.line {
            line.hearing = None;
        }
        match back {
            Back::Reload => {
                let peer = self.offer();
                self.connect(peer, None);
                return;
            }
            Back::Never => self.done = true,
            Back::After(span) => self.after(span, Event::Back(None)),
            Back::Boundary(late_us) => {
                let up = self.now + WINDOW + Duration::from_micros(late_us);
                self.at(up - Duration::from_millis(500), Event::Back(Some(up)));
            }
        }
        self.here = false;
        self.media(fact);
        self.peer = None;
    }

    pub(super) fn connect(&mut self, peer: u32, up: Option<Duration>) {
        if self.story.character == Character::NoShow {
            return;
        }
        let up = up.unwrap_or_else(|| self.now + self.luck.ms(100, 900));
        self.at(up, Event::Up(peer));
        let flowing = up + self.luck.ms(20, 100);
        self.at(flowing, Event::Flowing(peer));
    }

    /// The process is gone, and with it everything that it held.
    pub(super) fn forget_process(&mut self) {
        self.life += 1;
        self.vendor.line = None;
        self.playout = Playout::default();
        self.peer = None;
        self.speaking = None;
    }

    pub(super) fn go_down(&mut self) {
        self.server_up = false;
        let span = self.luck.ms(300, 8_000);
        self.after(span, Event::Boot);
    }

    /// Whoever is still there knocks again.
    pub(super) fn come_again(&mut self) {
        if self.here && !self.done {
            let away = self.vendor.away_until.saturating_sub(self.now);
            self.after(away + KNOCK, Event::Visit);
        }
    }

    /// The page is told that it is over. One that lapsed says until when the link is good.
    pub(super) fn end_page(&mut self) {
        if self.here && self.peer.is_some_and(|(_, up)| up) && !self.store.is_open() {
            self.done = true;
        }
    }
}
