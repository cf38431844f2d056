//! One participant in short, for who reads the JSON.

use serde::Serialize;

use super::{Ending, Went, ending};

/// One participant in short.
#[derive(Clone, Debug, Serialize)]
pub(in crate::load) struct Each {
    session: String,
    persona: String,
    joined_at_ms: u64,
    interrupts: bool,
    /// What was planned and did happen: `stays`, `returns` or `leaves`.
    drop: &'static str,
    /// `complete`, `ended`, `left`, `never_in` (stood in line to the end), or why it failed.
    ending: String,
    drops: u32,
    first_voice_ms: Option<u32>,
    heard_latencies_ms: Vec<u32>,
    answers: usize,
    gaps: u64,
    cost_usd: Option<f64>,
}

impl Each {
    pub(in crate::load) fn of(went: &Went) -> Each {
        let report = went.result.as_ref().ok();
        let person = &went.person;
        Each {
            session: went.session.clone(),
            persona: person.persona.clone(),
            joined_at_ms: u64::try_from(person.joins_at.as_millis()).unwrap_or(u64::MAX),
            interrupts: person.interrupts.is_some(),
            drop: match person.drop.filter(|_| went.is_befallen) {
                Some(drop) if drop.back.is_some() => "returns",
                Some(_) => "leaves",
                None => "stays",
            },
            ending: match ending(went) {
                Ending::Complete => "complete".to_owned(),
                Ending::Ended => "ended".to_owned(),
                Ending::Left => "left".to_owned(),
                Ending::NeverIn => "never_in".to_owned(),
                Ending::Failed(cause) => cause,
            },
            drops: went.drops,
            first_voice_ms: report.and_then(|report| report.first_voice_ms),
            heard_latencies_ms: report
                .map(|report| report.response_latencies_ms.clone())
                .unwrap_or_default(),
            answers: report.map_or(0, |report| report.answers.len()),
            gaps: report.map_or(0, |report| report.gaps.count),
            cost_usd: report.and_then(|report| report.cost_micro_usd).map(dollars),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a few dollars in millionths")]
fn dollars(micro: i64) -> f64 {
    micro as f64 / 1e6
}
