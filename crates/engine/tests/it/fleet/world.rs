//! The world around one session, in virtual time: a participant, a vendor, media, a server that can die.

use std::collections::BTreeMap;
use std::time::Duration;

use engine::ids::{ItemId, LinkNo, PeerNo};
use engine::link::LinkEvent;
use engine::session::{Input, MediaFact, Notice, Output, State};

use super::luck::Luck;
use super::media::Playout;
use super::reference::Reference;
use super::server::{Process, Store};
use super::story::{Back, Blow, Character, Fault, Story, WINDOW};
use super::vendor::{Saying, Vendor};

/// Steps of one session at most: a session that goes on for ever is broken.
const STEPS_MAX: u32 = 60_000;

/// Between two knocks of a page whose server is away.
const KNOCK: Duration = Duration::from_secs(2);

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

    /// Carries out whatever the journal does not hold up.
    pub(super) fn carry_out(&mut self) {
        while let Some(output) = self.process.as_mut().and_then(Process::next) {
            self.perform(output);
        }
        if self.process.as_mut().is_some_and(Process::write) {
            let slow = self.luck.permille(10);
            let span = self.luck.ms(1, if slow { 800 } else { 8 });
            self.after(span, Event::Committed(self.life));
        }
    }

    fn perform(&mut self, output: Output) {
        match output {
            Output::OpenLink { link, config } => {
                let said = self.vendor.open(self.now, link.0, &config, &mut self.luck);
                self.say(Duration::ZERO, said);
            }
            Output::CloseLink { link } => {
                if self
                    .vendor
                    .line
                    .as_ref()
                    .is_some_and(|line| line.no == link.0)
                {
                    self.vendor.line = None;
                }
            }
            Output::Link { link, command } => {
                if self
                    .vendor
                    .line
                    .as_ref()
                    .is_some_and(|line| line.no == link.0)
                {
                    let said = self.vendor.told(&command, &mut self.luck);
                    self.say(Duration::ZERO, said);
                }
            }
            Output::PlayHold { item } => {
                self.playout.expect(&item, 2_000);
                self.begin_playing(&item);
            }
            Output::Tell(Notice::Ended { .. }) => self.end_page(),
            Output::ClosePeer { peer } => {
                if self.peer.is_some_and(|(no, _)| no == peer.0) {
                    self.peer = None;
                    self.come_again();
                }
            }
            Output::Park | Output::Finish { .. } => {
                self.reference.process_over();
                self.process = None;
                self.forget_process();
                if std::mem::take(&mut self.deploying) {
                    self.go_down();
                }
                self.come_again();
            }
            Output::Journal(_)
            | Output::CutPlayout
            | Output::DropUtterance { .. }
            | Output::Tell(_)
            | Output::Measure { .. } => {}
        }
    }

    /// What a link will say.
    pub(super) fn say(&mut self, delay: Duration, said: Vec<Saying>) {
        let Some(no) = self.vendor.line.as_ref().map(|line| line.no) else {
            return;
        };
        for (at, response, event) in said {
            if let LinkEvent::UtteranceDone { item, audio_ms, .. } = &event {
                self.playout.expect(item, *audio_ms);
            }
            self.after(delay + at, Event::Link(self.life, no, response, event));
        }
    }

    /// A link says something now, if it still can.
    pub(super) fn link_says(&mut self, link: u32, response: u32, event: LinkEvent) {
        let line = self.vendor.line.as_mut();
        let Some(line) = line.filter(|line| {
            line.no == link && !line.stalled && (response == 0 || line.response == response)
        }) else {
            return;
        };
        let mut began = None;
        let mut interrupts = false;
        match &event {
            LinkEvent::Ready { .. } => line.ready = true,
            LinkEvent::ResponseStarted { .. } => (line.busy, line.pending) = (true, false),
            LinkEvent::ResponseDone { .. } => line.busy = false,
            LinkEvent::UtteranceStarted { item, .. } => began = Some(item.clone()),
            LinkEvent::SpeechStarted { item } => {
                line.hearing = Some(item.clone());
                interrupts = true;
            }
            LinkEvent::Gone { .. } => self.vendor.line = None,
            _ => {}
        }
        if interrupts {
            let said = self.vendor.interrupt();
            self.say(Duration::ZERO, said);
        }
        self.tell(Input::Link(LinkNo(link), event));
        if let Some(item) = began {
            self.begin_playing(&item);
        }
    }

    fn begin_playing(&mut self, item: &ItemId) {
        if self.playout.begin(item) {
            self.after(
                Duration::from_millis(40),
                Event::PlayStart(self.life, item.clone()),
            );
        }
    }

    fn cut(&mut self) {
        let Some(process) = &self.process else { return };
        let at = process.mono(self.now);
        for (item, played_ms) in self.playout.cut(self.now) {
            let fact = MediaFact::PlayoutEnded {
                item,
                at,
                played_ms,
                cut: true,
            };
            self.after(Duration::ZERO, Event::Report(self.life, fact));
        }
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
    fn end_page(&mut self) {
        if self.here && self.peer.is_some_and(|(_, up)| up) && !self.store.is_open() {
            self.done = true;
        }
    }
}
