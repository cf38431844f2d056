//! What the participants went through, added up. Pure.

mod each;
mod ending;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::Serialize;
use sim::participant::{ParticipantError, ParticipantReport, Rung};

use super::plan::Person;
use super::wave::Recorded;
pub(super) use each::Each;
pub(super) use ending::is_sent_home;
use ending::{Ending, ending};

/// Ways back, and what they are called.
const WAYS: [(Rung, &str); 3] = [
    (Rung::Network, "network"),
    (Rung::Grant, "grant"),
    (Rung::Link, "link"),
];

/// One participant, when it is over.
#[derive(Debug)]
pub(super) struct Went {
    pub(super) person: Person,
    pub(super) session: String,
    pub(super) result: Result<ParticipantReport, ParticipantError>,
    /// Whether its planned drop befell it.
    pub(super) is_befallen: bool,
    /// Whether an operator ended its session.
    pub(super) is_ended: bool,
    /// Whether it was looking for a way back at the end.
    pub(super) is_away: bool,
    pub(super) line: Line,
    /// Connections that were lost, whoever wanted it.
    pub(super) drops: u32,
    /// What it heard, if it was one of the sample; none in it if it was never connected.
    pub(super) wave: Option<Result<Option<Recorded>, String>>,
}

/// Whether it stood in line for an interview place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    None,
    /// For so long, and then it was let in.
    Stood(Duration),
    /// To the end.
    NeverIn,
}

/// All participants.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Tally {
    pub(super) sessions: usize,
    /// Interviews that came to their own end.
    pub(super) complete: usize,
    /// That an operator ended, as planned.
    pub(super) ended: usize,
    /// That their participants left, as planned.
    pub(super) left: usize,
    /// That stood in line to the end: nothing of theirs was lost, and no number but this one has them in it.
    pub(super) never_in: usize,
    pub(super) failed: usize,
    pub(super) failures: Vec<Failure>,
    /// How long those stood in line who were let in; ascending.
    pub(super) stood_ms: Vec<u32>,
    /// Ascending.
    pub(super) first_voice_ms: Vec<u32>,
    /// In the order in which they were heard.
    pub(super) heard: Vec<Heard>,
    /// From own interruptions until the interviewer was quiet; ascending.
    pub(super) interruptions_ms: Vec<u32>,
    pub(super) answers: usize,
    /// Answers into which the interviewer spoke.
    pub(super) overlaps: u32,
    pub(super) drops_planned: usize,
    /// Connections that were lost and should not have been.
    pub(super) drops_unplanned: u32,
    pub(super) returns: Vec<Way>,
    pub(super) gaps: GapCount,
    /// When they ended, in seconds since the beginning of the load, ascending; the first thousand of each participant.
    pub(super) gaps_at_s: Vec<f64>,
    pub(super) packets_received: u64,
    pub(super) packets_lost: u64,
    /// Share of the time in which the interviewer was audible.
    pub(super) audible_share: Option<f64>,
    /// As it was shown last, in the mean of those who saw one.
    pub(super) cost_usd: Option<f64>,
}

/// Why sessions failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Failure {
    pub(super) cause: String,
    pub(super) count: usize,
    /// The session of one of them.
    pub(super) session: String,
}

/// An answer of the interviewer.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Heard {
    /// Since the beginning of the load.
    pub(super) at_s: f64,
    /// Since the end of the participant's speech.
    pub(super) ms: u32,
}

/// How participants came back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Way {
    pub(super) way: &'static str,
    pub(super) count: usize,
    /// Of these, who heard nothing any more before the end.
    pub(super) unheard: usize,
    pub(super) voice_p50_ms: Option<u32>,
    pub(super) voice_p95_ms: Option<u32>,
}

/// Holes over 60 ms in the interviewer's speech, beyond the first second of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct GapCount {
    pub(super) count: u64,
    /// Sessions that had one.
    pub(super) sessions: usize,
    pub(super) longest_ms: u32,
}

/// Adds up.
pub(super) fn tally(all: &[Went], began: Instant) -> Tally {
    let mut tally = Tally {
        sessions: all.len(),
        drops_planned: all.iter().filter(|went| went.is_befallen).count(),
        ..Tally::default()
    };
    let mut causes: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for went in all {
        tally.drops_unplanned += went.drops.saturating_sub(u32::from(went.is_befallen));
        if let Line::Stood(stood) = went.line {
            let ms = u32::try_from(stood.as_millis()).unwrap_or(u32::MAX);
            tally.stood_ms.push(ms);
        }
        match ending(went) {
            Ending::Complete => tally.complete += 1,
            Ending::Ended => tally.ended += 1,
            Ending::Left => tally.left += 1,
            Ending::NeverIn => tally.never_in += 1,
            Ending::Failed(cause) => causes.entry(cause).or_default().push(&went.session),
        }
    }
    tally.stood_ms.sort_unstable();
    tally.failed = causes.values().map(Vec::len).sum();
    let failures = causes.into_iter().map(|(cause, sessions)| Failure {
        cause,
        count: sessions.len(),
        session: sessions.first().copied().unwrap_or_default().to_owned(),
    });
    tally.failures = failures.collect();
    tally
        .failures
        .sort_by_key(|failure| std::cmp::Reverse(failure.count));
    let reports: Vec<&ParticipantReport> =
        all.iter().filter_map(|w| w.result.as_ref().ok()).collect();
    add_voice(&mut tally, &reports, began);
    add_network(&mut tally, &reports, began);
    tally
}

fn add_voice(tally: &mut Tally, reports: &[&ParticipantReport], began: Instant) {
    let (mut heard_ms, mut duration_ms, mut costs) = (0, 0, Vec::new());
    for report in reports {
        tally.first_voice_ms.extend(report.first_voice_ms);
        tally.interruptions_ms.extend(&report.interruptions_ms);
        let latencies = report
            .responses_at
            .iter()
            .zip(&report.response_latencies_ms);
        tally.heard.extend(latencies.map(|(at, ms)| Heard {
            at_s: at.saturating_duration_since(began).as_secs_f64(),
            ms: *ms,
        }));
        tally.answers += report.answers.len();
        tally.overlaps += report.overlaps;
        heard_ms += report.heard_ms;
        duration_ms += report.duration_ms;
        costs.extend(report.cost_micro_usd);
    }
    tally.first_voice_ms.sort_unstable();
    tally.interruptions_ms.sort_unstable();
    tally
        .heard
        .sort_by(|one, other| one.at_s.total_cmp(&other.at_s));
    #[expect(
        clippy::cast_precision_loss,
        reason = "sums of hours in ms, and of dollars in millionths"
    )]
    {
        tally.audible_share = (duration_ms > 0).then(|| heard_ms as f64 / duration_ms as f64);
        let sum = costs.iter().sum::<i64>() as f64 / 1e6;
        tally.cost_usd = (!costs.is_empty()).then(|| sum / costs.len() as f64);
    }
}

fn add_network(tally: &mut Tally, reports: &[&ParticipantReport], began: Instant) {
    for report in reports {
        tally.packets_received += report.packets.received;
        tally.packets_lost += report.packets.lost;
        tally.gaps.count += report.gaps.count;
        tally.gaps.sessions += usize::from(report.gaps.count > 0);
        tally.gaps.longest_ms = tally.gaps.longest_ms.max(report.gaps.longest_ms);
        let since = |at: &Instant| at.saturating_duration_since(began).as_secs_f64();
        tally.gaps_at_s.extend(report.gaps_at.iter().map(since));
    }
    tally.gaps_at_s.sort_by(f64::total_cmp);
    for (rung, way) in WAYS {
        let returns = reports.iter().flat_map(|report| &report.returns);
        let returns: Vec<_> = returns.filter(|back| back.rung == rung).collect();
        let mut voices: Vec<u32> = returns.iter().filter_map(|back| back.voice_ms).collect();
        voices.sort_unstable();
        tally.returns.push(Way {
            way,
            count: returns.len(),
            unheard: returns.len() - voices.len(),
            voice_p50_ms: percentile(&voices, 50),
            voice_p95_ms: percentile(&voices, 95),
        });
    }
}

impl Tally {
    /// In one line, and whether it is good.
    pub(super) fn verdict(&self) -> (bool, String) {
        if self.failed > 0 {
            let (failed, sessions) = (self.failed, self.sessions);
            (false, format!("{failed} of {sessions} sessions failed"))
        } else if self.never_in == self.sessions {
            let text = "Nobody got in: the server has no room for an interview; see capacity.sessions_max, and what else runs on it";
            (false, text.to_owned())
        } else {
            (true, "No session failed".to_owned())
        }
    }

    /// All latencies, ascending.
    pub(super) fn latencies_ms(&self) -> Vec<u32> {
        let mut all: Vec<u32> = self.heard.iter().map(|heard| heard.ms).collect();
        all.sort_unstable();
        all
    }
}

/// The value that so many percent do not exceed (nearest rank); none without values.
pub(super) fn percentile(sorted: &[u32], percent: usize) -> Option<u32> {
    let index = (sorted.len() * percent).div_ceil(100).checked_sub(1)?;
    sorted.get(index).copied()
}

#[cfg(test)]
mod tests;
