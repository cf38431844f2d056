//! What became of the fleet, counted from the journals.

use std::collections::BTreeMap;
use std::fmt;

use engine::journal::{Entry, Outcome};

use super::world::World;

/// Whether an interview did not go on to its end because the participant did not come back.
pub(crate) fn is_lost(journal: &[Entry]) -> bool {
    let mut paused = false;
    let mut lost = false;
    for entry in journal {
        match entry {
            Entry::Paused { .. } => paused = true,
            Entry::Resumed { .. } => (paused, lost) = (false, false),
            Entry::Closing { outcome, .. } => lost = paused && *outcome == Outcome::Partial,
            _ => {}
        }
    }
    lost
}

/// The sums.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) sessions: u64,
    pub(crate) begun: u64,
    pub(crate) dropped: u64,
    pub(crate) returned: u64,
    pub(crate) lost: u64,
    pub(crate) returned_lost: u64,
    pub(crate) drops: u64,
    pub(crate) restores: u64,
    pub(crate) steps: u64,
    pub(crate) outcomes: BTreeMap<Outcome, u64>,
    pub(crate) links: BTreeMap<String, u64>,
    /// Seeds of sessions that broke a rule, and the rule.
    pub(crate) failed: Vec<(u64, String)>,
}

impl Tally {
    /// Counts a session that is over.
    pub(crate) fn count(&mut self, seed: u64, world: &World) {
        let journal = &world.store.entries;
        let lost = is_lost(journal);
        let begins = |entry: &Entry| matches!(entry, Entry::PhaseEntered { .. });
        self.sessions += 1;
        self.begun += u64::from(journal.iter().any(begins));
        self.steps += u64::from(world.steps);
        self.restores += u64::from(world.restores);
        self.drops += world.drops as u64;
        self.lost += u64::from(lost);
        if world.drops > 0 {
            let returned = world.returns();
            self.dropped += 1;
            self.returned += u64::from(returned);
            self.returned_lost += u64::from(returned && lost);
        }
        for entry in journal {
            if let Entry::LinkGone {
                category, detail, ..
            } = entry
            {
                let cause = format!("{}: {detail}", category.name());
                *self.links.entry(cause).or_default() += 1;
            }
        }
        if let Some(Entry::Ended { outcome, .. }) = journal.last() {
            *self.outcomes.entry(*outcome).or_default() += 1;
        }
        if let Some(complaint) = &world.reference.complaint {
            self.failed.push((seed, complaint.clone()));
        }
    }

    pub(crate) fn add(&mut self, other: Tally) {
        self.sessions += other.sessions;
        self.begun += other.begun;
        self.dropped += other.dropped;
        self.returned += other.returned;
        self.lost += other.lost;
        self.returned_lost += other.returned_lost;
        self.drops += other.drops;
        self.restores += other.restores;
        self.steps += other.steps;
        for (outcome, count) in other.outcomes {
            *self.outcomes.entry(outcome).or_default() += count;
        }
        for (cause, count) in other.links {
            *self.links.entry(cause).or_default() += count;
        }
        self.failed.extend(other.failed);
    }
}

/// `part` of `whole` in hundredths of a percent, rounded.
fn hundredths(part: u64, whole: u64) -> u64 {
    (part * 10_000 + whole / 2) / whole.max(1)
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |part, whole| {
            let n = hundredths(part, whole);
            format!("{}.{:02} %", n / 100, n % 100)
        };
        let mut row = |name: &str, value: String| writeln!(f, "{name:<46}{value:>16}");
        row("sessions", self.sessions.to_string())?;
        row("interviews begun", self.begun.to_string())?;
        row("  dropped out", percent(self.dropped, self.begun))?;
        row("  of these came back", percent(self.returned, self.dropped))?;
        row("  lost", percent(self.lost, self.begun))?;
        row(
            "  of those who came back, lost",
            self.returned_lost.to_string(),
        )?;
        row("drops", self.drops.to_string())?;
        row("restored in another process", self.restores.to_string())?;
        for (outcome, count) in &self.outcomes {
            row(&format!("ended as {}", outcome.name()), count.to_string())?;
        }
        for (cause, count) in &self.links {
            row(&format!("link gone, {cause}"), count.to_string())?;
        }
        row("facts told", self.steps.to_string())?;
        row("sessions that broke a rule", self.failed.len().to_string())
    }
}
