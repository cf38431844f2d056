//! The naive reference: what must have become of a session, from what happened to it alone.

use std::collections::BTreeSet;

use engine::journal::{Entry, Outcome};
use engine::time::Mono;

use super::stage::{Stage, between_ms};
use super::story::WINDOW_MS;
use super::study::GREETING;

/// Nobody waits longer than this for a sign of life while the interview runs.
const DEAD_AIR_MAX_MS: u64 = 4_000;

/// What became of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// The participant was gone, whatever the reason.
    pub(crate) gone: bool,
    /// By a drop of its own.
    pub(crate) dropped: bool,
    /// Everybody who dropped came back, each time in time.
    pub(crate) returned: bool,
    pub(crate) lost: bool,
    pub(crate) restarts: u32,
    pub(crate) links: u32,
}

/// Judges a session that is over.
pub(crate) fn judge(stage: &Stage) -> Result<Verdict, String> {
    let back = |(gone, back): &(Mono, Option<Mono>)| {
        back.is_some_and(|back| between_ms(*gone, back) <= WINDOW_MS)
    };
    let returned = stage.facts.gone.iter().all(back);
    let lost = stage.outcome != Some(Outcome::Complete);
    if returned == lost {
        return Err(format!(
            "came back each time: {returned}, and the outcome is {:?}: {:?}",
            stage.outcome, stage.facts.gone
        ));
    }
    if lost && !stage.is_left() && stage.facts.gone.iter().all(|(_, back)| back.is_some()) {
        return Err("everybody came back, and it was lost".to_owned());
    }
    if lost
        && stage
            .outcome
            .is_some_and(|outcome| outcome != Outcome::Partial)
    {
        return Err(format!("lost as {:?}", stage.outcome));
    }
    journal(&stage.journal, stage)?;
    if !stage.links.is_empty() && stage.outcome.is_some() {
        return Err(format!("{} links outlived the session", stage.links.len()));
    }
    if stage.facts.dead_air_ms > DEAD_AIR_MAX_MS {
        return Err(format!("{} ms of dead air", stage.facts.dead_air_ms));
    }
    Ok(Verdict {
        gone: !stage.facts.gone.is_empty(),
        dropped: stage.facts.drops > 0,
        returned,
        lost,
        restarts: stage.facts.restarts,
        links: stage.facts.links_opened,
    })
}

/// Nothing twice, nothing missing, no time that runs backwards.
fn journal(journal: &[Entry], stage: &Stage) -> Result<(), String> {
    let mut turns = BTreeSet::new();
    let mut topics = BTreeSet::new();
    let (mut greetings, mut paused, mut ends, mut last_ms, mut charged) = (0, 0_i32, 0, 0, 0);
    for entry in journal {
        match entry {
            Entry::Turn(turn) => {
                if !turns.insert(turn.turn) {
                    return Err(format!("turn {:?} is there twice", turn.turn));
                }
                greetings += i32::from(turn.text.contains(GREETING));
            }
            Entry::TopicCovered { topic, .. } if !topics.insert(topic.clone()) => {
                return Err(format!("question {topic} was covered twice"));
            }
            Entry::Paused { timeline_ms } | Entry::Resumed { timeline_ms } => {
                paused += if matches!(entry, Entry::Paused { .. }) {
                    1
                } else {
                    -1
                };
                if *timeline_ms < last_ms {
                    return Err(format!("the timeline goes back to {timeline_ms} ms"));
                }
                last_ms = *timeline_ms;
            }
            Entry::Charged { charges } => {
                charged += charges.iter().map(|charge| charge.cost.0).sum::<i64>();
            }
            Entry::Ended { .. } => ends += 1,
            _ => {}
        }
    }
    if u64::try_from(charged) != Ok(stage.facts.billed_micro_usd) {
        return Err(format!(
            "the provider billed {} micro-dollars and {charged} were charged",
            stage.facts.billed_micro_usd
        ));
    }
    let is_whole = stage.outcome == Some(Outcome::Complete);
    if greetings > 1 || ends > 1 || is_whole && (topics.len() != 3 || ends != 1) {
        return Err(format!(
            "{greetings} greetings, {ends} ends, {} questions",
            topics.len()
        ));
    }
    if is_whole && i64::from(paused) > i64::from(stage.facts.restarts) {
        return Err("paused more often than resumed".to_owned());
    }
    Ok(())
}
