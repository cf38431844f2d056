//! What must be true of one session, as plainly as it can be said. Shares no code with the engine: it follows the facts
//! (who was there when, what was said and played, which process died) and what was written, and complains.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use engine::cost::Usage;
use engine::ids::ItemId;
use engine::journal::{Entry, Outcome, Turn};
use engine::session::{Output, Session, State};

use super::story::{Back, Character, Fault, PRICES, Story};

#[path = "follow.rs"]
mod follow;

/// Where the interview must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Before,
    Talking,
    /// Nobody is there: until then they may come back, or without end if no process waits.
    Away {
        until: Option<Duration>,
    },
    Closing,
    Over,
}

pub(crate) struct Reference {
    stage: Stage,
    /// The process has let go of the session.
    left: bool,
    last: Duration,
    peer: u32,
    up: bool,
    links: BTreeSet<u32>,
    link: u32,
    turns: Vec<Turn>,
    /// Words that were heard and must be written down.
    owed: Vec<String>,
    texts: BTreeMap<ItemId, String>,
    sounding: Option<ItemId>,
    bills: Vec<i64>,
    charged: Vec<i64>,
    /// Time in the phase, pauses not counted; none if a kill took the entry of it.
    talked: Option<Duration>,
    phases: usize,
    quiet_since: Duration,
    began: Option<Duration>,
    model_ended: bool,
    pressed: bool,
    kills: u32,
    dropped: bool,
    never_back: bool,
    character: Character,
    budget: Option<i64>,
    misconfigured: bool,
    /// What is wrong, the first of it.
    pub(crate) complaint: Option<String>,
}

impl Reference {
    pub(crate) fn new(story: &Story) -> Reference {
        let key = |(_, fault): &(Duration, Fault)| *fault == Fault::Misconfigured;
        Reference {
            stage: Stage::Before,
            left: false,
            last: Duration::ZERO,
            peer: 0,
            up: false,
            links: BTreeSet::new(),
            link: 0,
            turns: Vec::new(),
            owed: Vec::new(),
            texts: BTreeMap::new(),
            sounding: None,
            bills: Vec::new(),
            charged: Vec::new(),
            talked: Some(Duration::ZERO),
            phases: 0,
            quiet_since: Duration::ZERO,
            began: None,
            model_ended: false,
            pressed: false,
            kills: 0,
            dropped: false,
            never_back: false,
            character: story.character,
            budget: story.plan.budget.map(|budget| budget.0),
            misconfigured: story.faults.iter().any(key),
            complaint: None,
        }
    }

    pub(crate) fn complain(&mut self, what: &str) {
        if self.complaint.is_none() {
            let at = self.last;
            self.complaint = Some(format!("at {at:?}, {:?}: {what}", self.stage));
        }
    }

    fn rule(&mut self, holds: bool, what: &str) {
        if !holds {
            self.complain(what);
        }
    }

    /// The participant drops out.
    pub(crate) fn drops_out(&mut self, back: Back) {
        self.dropped = true;
        self.never_back = back == Back::Never;
    }

    /// And is back.
    pub(crate) fn came_back(&mut self) {
        self.rule(!self.never_back, "who never comes back came back");
    }

    /// The process died; this is what it left.
    pub(crate) fn killed(&mut self, journal: &[Entry]) {
        self.kills += 1;
        self.learn(journal);
    }

    /// The process let go of the session, parked or finished.
    pub(crate) fn process_over(&mut self) {
        let held = !self.links.is_empty();
        self.rule(!held, "a link outlived its session");
        self.rule(
            self.left || self.stage == Stage::Over,
            "it let go too early",
        );
        self.left = true;
    }

    /// What is known is what the journal says.
    fn learn(&mut self, journal: &[Entry]) {
        self.turns = turns(journal);
        let written: BTreeSet<&str> = self.turns.iter().map(|turn| turn.text.as_str()).collect();
        self.owed.retain(|text| written.contains(text.as_str()));
        let charged = charges(journal);
        self.bills.truncate(charged.len());
        self.charged = charged;
        let phases = journal
            .iter()
            .filter(|entry| matches!(entry, Entry::PhaseEntered { .. }))
            .count();
        if phases != self.phases {
            (self.phases, self.talked) = (phases, None);
        }
        let last = journal.iter().rev().find_map(|entry| match entry {
            Entry::Closing { .. } | Entry::Ended { .. } => Some(Stage::Closing),
            Entry::PhaseEntered { .. } | Entry::Paused { .. } | Entry::Resumed { .. } => {
                Some(Stage::Away { until: None })
            }
            _ => None,
        });
        self.stage = last.unwrap_or(Stage::Before);
        self.links.clear();
        // A link of which nothing is written is forgotten with its process.
        self.link = journal.iter().map(link_of).max().unwrap_or(0);
        (self.up, self.sounding) = (false, None);
        self.texts.clear();
    }

    /// Another process has made the session again.
    pub(crate) fn restored(&mut self, journal: &[Entry], session: &Session) {
        self.learn(journal);
        if self.phases > 0 {
            self.stage = Stage::Away { until: None };
        }
        self.left = false;
        let snapshot = session.snapshot();
        let expected = if self.phases > 0 {
            State::Paused
        } else {
            State::Invited
        };
        self.rule(snapshot.state == expected, "a restored session waits");
        self.rule(snapshot.cost.0 == sum(&self.charged), "cost is restored");
        let covered = journal.iter().filter_map(|entry| match entry {
            Entry::TopicCovered { topic, .. } => Some(topic),
            _ => None,
        });
        self.rule(covered.eq(snapshot.covered.iter()), "topics are restored");
        let phase = journal.iter().rev().find_map(|entry| match entry {
            Entry::PhaseEntered { phase, .. } => Some(phase),
            _ => None,
        });
        self.rule(phase == snapshot.phase.as_ref(), "the phase is restored");
        self.rule(
            session.deadline().is_none(),
            "nothing waits for who is not there",
        );
    }

    /// It is all over; this is the journal.
    pub(crate) fn finish(&mut self, journal: &[Entry], drops: usize) {
        let turns = turns(journal);
        let numbers: BTreeSet<u32> = turns.iter().map(|turn| turn.turn.0).collect();
        self.rule(numbers.len() == turns.len(), "a turn number twice");
        let dense = numbers
            .last()
            .is_none_or(|last| *last as usize == turns.len());
        self.rule(dense || self.kills > 0, "a turn number is missing");
        let items: BTreeSet<&ItemId> = turns.iter().map(|turn| &turn.item).collect();
        self.rule(items.len() == turns.len(), "a turn twice");
        for text in std::mem::take(&mut self.owed) {
            let times = turns.iter().filter(|turn| turn.text == text).count();
            self.rule(
                times == 1,
                &format!("{times} times in the transcript: {text:?}"),
            );
        }
        let greetings = turns
            .iter()
            .filter(|turn| turn.text.contains(super::story::GREETING));
        self.rule(greetings.count() <= 1, "the greeting was heard twice");
        self.rule(
            charges(journal) == self.bills,
            "the ledger is not what was used",
        );
        let ended = journal.iter().rev().find_map(|entry| match entry {
            Entry::Ended { outcome, .. } => Some(*outcome),
            _ => None,
        });
        self.rule(ended.is_some(), "it has no end");
        let last = matches!(journal.last(), Some(Entry::Ended { .. }));
        self.rule(last, "the end is not the last entry");
        let expected = self.expected(ended);
        self.rule(expected, &format!("the outcome is {ended:?}"));
        self.rule(
            super::tally::is_lost(journal)
                == (self.never_back && ended != Some(Outcome::Technical)),
            "lost is who dropped out and never came back, and nobody else",
        );
        self.rule((drops > 0) == self.dropped, "drops are counted");
    }

    /// Whether the session may have ended like that.
    fn expected(&self, ended: Option<Outcome>) -> bool {
        let Some(ended) = ended else { return false };
        if ended == Outcome::Technical {
            // A vendor that cannot be had before the interview began is not waited for.
            return self.misconfigured || self.began.is_none();
        }
        match self.character {
            Character::NoShow => ended == Outcome::NoShow,
            _ if self.never_back => ended == Outcome::Partial,
            // That it was spent is known; whether it was when it was closed has been looked at then.
            _ if ended == Outcome::Budget => self.budget.is_some(),
            Character::Talks => ended == Outcome::Complete,
            // Who leaves during the goodbye has heard it all, and time moves on who is silent.
            Character::Leaves(_) | Character::FallsSilent(_) => {
                matches!(ended, Outcome::Partial | Outcome::Complete)
            }
        }
    }

    /// What the price book makes of it.
    fn bill(usage: &Usage) -> i64 {
        PRICES
            .iter()
            .map(|(component, price)| {
                let quantity = i64::try_from(usage.get(*component)).unwrap_or(i64::MAX);
                (quantity * price + 500_000) / 1_000_000
            })
            .sum()
    }
}

fn turns(journal: &[Entry]) -> Vec<Turn> {
    journal
        .iter()
        .filter_map(|entry| match entry {
            Entry::Turn(turn) => Some(turn.clone()),
            _ => None,
        })
        .collect()
}

fn link_of(entry: &Entry) -> u32 {
    match entry {
        Entry::LinkUp { link, .. }
        | Entry::LinkGone { link, .. }
        | Entry::LinkFault { link, .. } => link.0,
        _ => 0,
    }
}

fn charges(journal: &[Entry]) -> Vec<i64> {
    journal
        .iter()
        .filter_map(|entry| match entry {
            Entry::Charged { charges } => Some(charges.iter().map(|charge| charge.cost.0).sum()),
            _ => None,
        })
        .collect()
}

fn sum(amounts: &[i64]) -> i64 {
    amounts.iter().sum()
}

fn has_park(outputs: &[Output]) -> bool {
    outputs.contains(&Output::Park)
}
