//! What happens, in which order.

use std::time::Duration;

use sim::participant::{Moment, Tab, Trouble, Way};
use sim::provider::{FaultKind, Strike};

/// Something that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Datagrams to the server are swallowed.
    BlockedOut,
    /// Datagrams from the server are swallowed.
    BlockedIn,
    /// All datagrams are swallowed.
    BlockedBoth,
    /// A new address.
    Moved,
    /// The page is reloaded.
    Reloaded,
    /// The tab is closed, and the link opened in another browser.
    Away,
    /// As above, after the recovery window.
    LongAway,
    /// A provider's connection ends without a word.
    Cut,
    /// A provider's connection stays and carries nothing.
    HalfOpen,
    /// A provider answers no more.
    Stalled,
    /// A provider sends garbage.
    Garbage,
    /// All of the provider's connections end at once.
    AllCut,
    /// SIGTERM, and the next process.
    Deployed,
    /// SIGKILL, and the next process.
    Killed,
}

/// All kinds, how often each happens in 200 events, and how the table calls it.
pub(super) const KINDS: [(Kind, usize, &str); 14] = [
    (Kind::BlockedOut, 14, "UDP to the server blocked"),
    (Kind::BlockedIn, 14, "UDP from the server blocked"),
    (Kind::BlockedBoth, 24, "UDP blocked both ways"),
    (Kind::Moved, 20, "new address"),
    (Kind::Reloaded, 24, "page reloaded"),
    (Kind::Away, 24, "tab closed, link opened elsewhere"),
    (Kind::LongAway, 2, "the same, after the recovery window"),
    (Kind::Cut, 24, "provider's socket cut"),
    (Kind::HalfOpen, 14, "provider's socket half-open"),
    (Kind::Stalled, 14, "provider stalled"),
    (Kind::Garbage, 8, "provider sends garbage"),
    (Kind::AllCut, 4, "all of the provider's sockets cut"),
    (Kind::Deployed, 6, "SIGTERM and restart"),
    (Kind::Killed, 8, "kill -9 and restart"),
];

/// One event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) kind: Kind,
    /// From the event before.
    pub(super) after: Duration,
    pub(super) target: Target,
}

/// Whom it befalls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Participant(Trouble),
    Link(Strike),
    AllLinks(Strike),
    Deploy,
    Kill,
}

/// Between two events, in milliseconds.
const AFTER_MS: std::ops::Range<u64> = 300..3_700;

/// Draws events. Few are of different kinds as far as there are kinds.
pub(super) fn draw(count: u32, seed: u64) -> Vec<Event> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let mut kinds: Vec<Kind> = KINDS.iter().map(|(kind, ..)| *kind).collect();
    rng.shuffle(&mut kinds);
    while kinds.len() < count {
        let mut more: Vec<Kind> = KINDS
            .iter()
            .flat_map(|(kind, often, _)| std::iter::repeat_n(*kind, *often))
            .collect();
        if kinds.len() == KINDS.len() {
            // The first of each kind is there already.
            for (kind, ..) in KINDS {
                let at = more.iter().position(|other| *other == kind);
                more.remove(at.expect("every kind happens at least once"));
            }
        }
        rng.shuffle(&mut more);
        kinds.append(&mut more);
    }
    kinds.truncate(count);
    kinds
        .into_iter()
        .map(|kind| event(kind, &mut rng))
        .collect()
}

fn event(kind: Kind, rng: &mut fastrand::Rng) -> Event {
    let mut span = |ms: std::ops::Range<u64>| Duration::from_millis(rng.u64(ms));
    let blocked = |way, span| Target::Participant(Trouble::Blocked { way, span });
    let gone = |span, page| Target::Participant(Trouble::Gone { span, page });
    let target = match kind {
        // Up to 25 s are the first rung's, more is the second's.
        Kind::BlockedOut => blocked(Way::Out, span(1_000..33_000)),
        Kind::BlockedIn => blocked(Way::In, span(1_000..33_000)),
        Kind::BlockedBoth => blocked(Way::Both, span(1_000..33_000)),
        Kind::Moved => Target::Participant(Trouble::Moved { at: Moment::Now }),
        Kind::Reloaded => gone(span(0..1_500), Tab::Reloaded),
        Kind::Away => gone(span(2_000..45_000), Tab::Fresh),
        Kind::LongAway => gone(span(123_000..130_000), Tab::Fresh),
        Kind::Cut => Target::Link(Strike::Cut),
        Kind::HalfOpen => Target::Link(Strike::HalfOpen),
        Kind::Stalled => Target::Link(Strike::Fault(FaultKind::Stall)),
        Kind::Garbage => Target::Link(Strike::Fault(FaultKind::Garbage)),
        Kind::AllCut => Target::AllLinks(Strike::Cut),
        Kind::Deployed => Target::Deploy,
        Kind::Killed => Target::Kill,
    };
    Event {
        kind,
        after: span(AFTER_MS),
        target,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_hundred_events_are_of_all_kinds_in_their_proportions() {
        let events = draw(200, 7);
        for (kind, often, _) in KINDS {
            let found = events.iter().filter(|event| event.kind == kind).count();
            assert_eq!(found, often, "{kind:?}");
        }
        assert_eq!(events, draw(200, 7));
        assert_ne!(events, draw(200, 8));
    }

    #[test]
    fn a_few_events_are_of_different_kinds() {
        let mut kinds: Vec<Kind> = draw(14, 3).iter().map(|event| event.kind).collect();
        kinds.sort();
        kinds.dedup();
        assert_eq!(kinds.len(), 14);
    }
}
