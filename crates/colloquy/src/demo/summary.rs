//! The six lines that say what came out.

use std::time::Duration;

use engine::cost::MicroUsd;
use sim::participant::ParticipantReport;

use super::client::{Figures, Session};

/// Turns, minutes, phases visited, first voice, cost, link to the report.
pub(super) fn lines(
    session: &Session,
    figures: &Figures,
    heard: &ParticipantReport,
    waited: Duration,
    link: &str,
) -> [String; 6] {
    let ms = |value: Option<u64>| {
        value.map_or_else(|| "not measured".to_owned(), |ms| format!("{ms} ms"))
    };
    let heard_ms = ms(heard.first_voice_ms.map(u64::from));
    [
        format!(
            "  turns         {} ({})",
            figures.turns,
            session.outcome.as_deref().unwrap_or("no outcome")
        ),
        format!("  minutes       {:.1}", figures.minutes),
        format!("  phases        {} visited", figures.phases_visited),
        format!(
            "  first voice   {} (heard by the participant after {heard_ms}; answers after {} in the median)",
            ms(figures.first_voice_ms),
            ms(figures.response_latency_p50_ms)
        ),
        format!(
            "  cost          {} at list prices of the simulated model",
            MicroUsd(figures.cost_micro_usd)
        ),
        format!(
            "  report        {link} (ready {:.1} s after the end)",
            waited.as_secs_f64()
        ),
    ]
}
