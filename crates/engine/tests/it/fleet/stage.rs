//! One session with everything around it, in virtual time: participant, peer, provider, store and the process.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::time::Duration;

use engine::ids::{ItemId, LinkNo, PeerNo};
use engine::journal::{Entry, Outcome};
use engine::link::{FaultCategory, LinkCommand, LinkEvent};
use engine::session::{Input, MediaFact, Output, Session};
use engine::time::Mono;

use super::luck::Prng;
use super::model;
use super::story::{Blow, Rates, Story};
use super::study;

/// No interview of this study takes as long.
const NEVER_ENDS: Duration = Duration::from_secs(3 * 3_600);

/// Something that is going to happen.
#[derive(Debug)]
pub(crate) enum What {
    /// The store has written these; what follows from them is done.
    Durable(Vec<Output>, u64),
    Link(LinkNo, LinkEvent),
    /// All audio of an utterance is handed over.
    Audio(LinkNo, ItemId, u32),
    Media(PeerNo, MediaFact),
    /// The utterance that is being played is over.
    Played(u64),
    /// The participant begins to answer.
    Talk,
    Blow(Blow),
    /// The participant's page offers a connection.
    Offer,
}

/// What belongs to a process dies with it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Owner {
    World,
    Process(u32),
}

/// What really happened, for the judge.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    /// Each drop (or loss of the process), and when the participant was connected again.
    pub(crate) gone: Vec<(Mono, Option<Mono>)>,
    /// Kills and deploys.
    pub(crate) restarts: u32,
    /// Drops of the participant.
    pub(crate) drops: u32,
    /// What the provider billed, in micro-dollars, as far as it was written.
    pub(crate) billed_micro_usd: u64,
    /// From the end of an answer to what was heard next, in milliseconds, the longest.
    pub(crate) dead_air_ms: u64,
    pub(crate) links_opened: u32,
}

pub(crate) struct Stage {
    pub(crate) rng: Prng,
    pub(crate) now: Mono,
    pub(super) session: Option<Session>,
    pub(crate) journal: Vec<Entry>,
    pub(crate) facts: Facts,
    pub(crate) outcome: Option<Outcome>,
    pub(super) happening: BinaryHeap<Reverse<(Mono, u64, u64)>>,
    pub(super) what: BTreeMap<u64, (Owner, What)>,
    pub(super) count: u64,
    pub(super) process: u32,
    /// When the next process is up, while none is.
    pub(super) down_until: Option<Mono>,
    pub(super) durable_at: Mono,
    pub(super) peer: u32,
    pub(super) present: bool,
    pub(super) leaves: bool,
    pub(super) talking: bool,
    /// The end of the answer that is being given.
    pub(super) speaks_until: Mono,
    /// Live links, and whether each is stalled.
    pub(crate) links: BTreeMap<LinkNo, bool>,
    pub(super) openings_that_fail: u32,
    /// From a deploy to the next process.
    pub(super) next_up_ms: u64,
    pub(super) queue: VecDeque<(ItemId, u32)>,
    pub(super) playing: Option<(u64, Mono)>,
    pub(crate) items: u32,
    /// The end of the last answer, until something is heard.
    pub(super) answered: Option<Mono>,
}

impl Stage {
    /// Plays a session to its end.
    pub(crate) fn play(rates: Rates, seed: u64, index: u64) -> Stage {
        let mut rng = Prng::of(seed, index);
        let story = Story::draw(rates, &mut rng);
        let now = Mono::from_millis(1_000_000);
        let mut stage = Stage {
            rng,
            now,
            session: Some(Session::new(now, study::plan(), study::VENDOR)),
            journal: Vec::new(),
            facts: Facts::default(),
            outcome: None,
            happening: BinaryHeap::new(),
            what: BTreeMap::new(),
            count: 0,
            process: 0,
            down_until: None,
            durable_at: now,
            peer: 0,
            present: false,
            leaves: false,
            talking: false,
            speaks_until: now,
            links: BTreeMap::new(),
            openings_that_fail: 0,
            next_up_ms: 1_000,
            queue: VecDeque::new(),
            playing: None,
            items: 0,
            answered: None,
        };
        stage.after(1, What::Offer);
        for (at, blow) in story.blows {
            stage.after(at, What::Blow(blow));
        }
        let until = now + NEVER_ENDS;
        while stage.outcome.is_none() && stage.now < until && stage.step() {}
        stage
    }

    pub(crate) fn phase(&self) -> Option<engine::session::Snapshot> {
        self.session.as_ref().map(Session::snapshot)
    }

    /// Something of the world happens after so many milliseconds.
    pub(super) fn after(&mut self, ms: u64, what: What) {
        self.plan(self.now + Duration::from_millis(ms), Owner::World, what);
    }

    /// Something of this process happens after so many milliseconds.
    pub(crate) fn here(&mut self, ms: u64, what: What) {
        let owner = Owner::Process(self.process);
        self.plan(self.now + Duration::from_millis(ms), owner, what);
    }

    fn plan(&mut self, at: Mono, owner: Owner, what: What) {
        self.count += 1;
        // What happens at the same moment happens in an order that luck decides, but for the store, which keeps it.
        let tie = match what {
            What::Durable(..) | What::Link(..) | What::Audio(..) => 1 << 32,
            _ => self.rng.below(2) << 33,
        };
        self.happening.push(Reverse((at, tie, self.count)));
        self.what.insert(self.count, (owner, what));
    }

    /// Lets the next thing happen; false if nothing will any more.
    fn step(&mut self) -> bool {
        let due = self.session.as_ref().and_then(Session::deadline);
        let next = self
            .happening
            .peek()
            .map(|Reverse((at, tie, _))| (*at, *tie));
        let Some((at, tie)) = next else {
            let Some((at, _)) = due else { return false };
            self.now = at;
            self.feed(Input::Timeout);
            return true;
        };
        // A deadline at the same moment: luck decides, as the order of tasks does.
        if let Some((deadline, _)) = due
            && (deadline < at || deadline == at && tie > 1 << 32)
        {
            self.now = deadline.max(self.now);
            self.feed(Input::Timeout);
            return true;
        }
        let Some(Reverse((at, _, key))) = self.happening.pop() else {
            return false;
        };
        self.now = at;
        let Some((owner, what)) = self.what.remove(&key) else {
            return true;
        };
        if owner == Owner::World
            || owner == Owner::Process(self.process) && self.down_until.is_none()
        {
            self.happen(what);
        }
        true
    }

    fn happen(&mut self, what: What) {
        match what {
            What::Durable(outputs, billed_micro_usd) => {
                self.facts.billed_micro_usd += billed_micro_usd;
                for output in outputs {
                    self.carry_out(output);
                }
            }
            What::Link(link, event) => {
                if !self.links.contains_key(&link) && !matches!(event, LinkEvent::Gone { .. }) {
                    return;
                }
                if let LinkEvent::Gone { .. } = event {
                    self.links.remove(&link);
                }
                if let LinkEvent::SpeechCommitted { .. } = event {
                    model::answers(self, link, None);
                }
                self.feed(Input::Link(link, event));
            }
            What::Audio(link, item, ms) => {
                if self.links.contains_key(&link) {
                    self.queue.push_back((item, ms));
                    self.play_next();
                }
            }
            What::Media(peer, fact) => self.media(peer, fact),
            What::Played(number) => self.played(number),
            What::Talk => self.talk(),
            What::Offer => self.offer(),
            What::Blow(blow) => self.blow(blow),
        }
    }

    fn media(&mut self, peer: PeerNo, fact: MediaFact) {
        if peer.0 != self.peer {
            return;
        }
        if fact == MediaFact::Up {
            self.present = true;
            if let Some((_, back)) = self
                .facts
                .gone
                .last_mut()
                .filter(|(_, back)| back.is_none())
            {
                *back = Some(self.now);
            }
        }
        self.feed(Input::Media(peer, fact));
    }

    /// Tells the session; what comes of it waits for the store.
    pub(super) fn feed(&mut self, input: Input) {
        let Some(session) = self.session.as_mut() else {
            return;
        };
        let billed_micro_usd = model::price(&input);
        let mut outputs = Vec::new();
        session.handle(self.now, input, &mut outputs);
        if outputs.is_empty() {
            return;
        }
        let writes = outputs
            .iter()
            .any(|output| matches!(output, Output::Journal(_)));
        if writes {
            self.durable_at =
                self.durable_at.max(self.now) + Duration::from_millis(1 + self.rng.below(12));
        }
        if self.durable_at > self.now {
            let owner = Owner::Process(self.process);
            self.plan(
                self.durable_at,
                owner,
                What::Durable(outputs, billed_micro_usd),
            );
        } else {
            for output in outputs {
                self.carry_out(output);
            }
        }
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Journal(entry) => self.journal.push(entry),
            Output::OpenLink { link, .. } => {
                self.facts.links_opened += 1;
                self.links.insert(link, false);
                if self.openings_that_fail > 0 {
                    self.openings_that_fail -= 1;
                    self.here(300, gone(link, FaultCategory::Retryable));
                } else {
                    let vendor_id = "sess".to_owned();
                    self.here(200, What::Link(link, LinkEvent::Ready { vendor_id }));
                }
            }
            Output::CloseLink { link } => {
                self.links.remove(&link);
                self.here(5, gone(link, FaultCategory::Benign));
            }
            Output::Link { link, command } => {
                if let LinkCommand::Say { tag, also } = command {
                    model::answers(self, link, Some((tag, also)));
                }
            }
            Output::CutPlayout => self.cut(),
            Output::DropUtterance { item } => self.queue.retain(|(queued, _)| *queued != item),
            Output::PlayHold { item } => {
                self.queue.push_back((item, 2_000));
                self.play_next();
            }
            Output::Park => {
                self.session = None;
                self.restart(self.next_up_ms);
            }
            Output::Finish { outcome } => {
                self.outcome = Some(outcome);
                self.session = None;
            }
            Output::Tell(_) | Output::Measure { .. } | Output::ClosePeer { .. } => {}
        }
    }

    fn play_next(&mut self) {
        if self.playing.is_some() {
            return;
        }
        let Some((item, ms)) = self.queue.front().cloned() else {
            return;
        };
        self.count += 1;
        self.playing = Some((self.count, self.now));
        self.here(u64::from(ms), What::Played(self.count));
        if let Some(answered) = self.answered.take() {
            self.facts.dead_air_ms = self.facts.dead_air_ms.max(between_ms(answered, self.now));
        }
        let at = self.now;
        self.feed(Input::Media(
            PeerNo(self.peer),
            MediaFact::PlayoutStarted { item, at },
        ));
    }

    fn played(&mut self, number: u64) {
        if self.playing.is_none_or(|(playing, _)| playing != number) {
            return;
        }
        self.playing = None;
        let Some((item, played_ms)) = self.queue.pop_front() else {
            return;
        };
        let is_own = item.as_str().starts_with("hold");
        let fact = MediaFact::PlayoutEnded {
            item,
            at: self.now,
            played_ms,
            cut: false,
        };
        self.feed(Input::Media(PeerNo(self.peer), fact));
        self.play_next();
        let may_talk = self.present && !self.talking && self.playing.is_none() && !is_own;
        if may_talk {
            self.talking = true;
            let pause = 600 + self.rng.below(600);
            self.after(pause, What::Talk);
        }
    }

    fn cut(&mut self) {
        let since = self.playing.take().map(|(_, since)| since);
        for (place, (item, ms)) in std::mem::take(&mut self.queue).into_iter().enumerate() {
            let played = since
                .filter(|_| place == 0)
                .map_or(0, |since| between_ms(since, self.now));
            let played_ms = u32::try_from(played).unwrap_or(u32::MAX).min(ms);
            let fact = MediaFact::PlayoutEnded {
                item,
                at: self.now,
                played_ms,
                cut: true,
            };
            self.here(0, What::Media(PeerNo(self.peer), fact));
        }
    }

    /// Whether somebody left for good.
    pub(crate) fn is_left(&self) -> bool {
        self.leaves
    }

    pub(crate) fn is_stalled(&self, link: LinkNo) -> bool {
        self.links.get(&link).is_none_or(|stalled| *stalled)
    }
}

pub(super) fn gone(link: LinkNo, category: FaultCategory) -> What {
    let detail = "closed".to_owned();
    What::Link(link, LinkEvent::Gone { category, detail })
}

pub(crate) fn between_ms(from: Mono, to: Mono) -> u64 {
    to.as_micros().saturating_sub(from.as_micros()) / 1_000
}
