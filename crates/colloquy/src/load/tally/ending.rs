//! How it ended for one participant, in words that are the same for the same cause.

use sim::participant::{LEFT, ParticipantError};

use super::{Line, Went};

/// Who is connected for longer and heard nothing has a reason to complain.
const SILENT_MAX_MS: u64 = 10_000;

/// How an interview ended for its participant.
pub(super) enum Ending {
    Complete,
    Ended,
    Left,
    NeverIn,
    Failed(String),
}

pub(super) fn ending(went: &Went) -> Ending {
    let report = match &went.result {
        Ok(report) => report,
        Err(error) if went.line == Line::NeverIn && is_sent_home(error) => return Ending::NeverIn,
        Err(ParticipantError::Stopped) if went.is_away => {
            return Ending::Failed(
                "lost its connection and had not found back when the load was over: the server or the way to it was gone".to_owned(),
            );
        }
        Err(error) => return Ending::Failed(cause(error)),
    };
    let is_silent = report.first_voice_ms.is_none() && report.duration_ms > SILENT_MAX_MS;
    if report.connect_ms.is_none() {
        return Ending::Failed("was never connected: its packets do not reach the media port, or the answers do not come back".to_owned());
    }
    match report.outcome.as_str() {
        LEFT => Ending::Left,
        _ if is_silent => {
            Ending::Failed("was connected and never heard the interviewer".to_owned())
        }
        "complete" => Ending::Complete,
        "partial" if went.is_ended => Ending::Ended,
        "technical" => Ending::Failed("ended as `technical`: the server or its provider failed; the journal of the session says how".to_owned()),
        other => Ending::Failed(format!("ended as `{other}`, which nobody had asked for")),
    }
}

/// Whether this ends the wait of somebody in line as planned: the load is over, or the session was ended under it.
pub(in crate::load) fn is_sent_home(error: &ParticipantError) -> bool {
    match error {
        ParticipantError::Stopped | ParticipantError::Deadline(_) | ParticipantError::Over(_) => {
            true
        }
        ParticipantError::Refused { status, .. } => *status == 410,
        ParticipantError::Link(_)
        | ParticipantError::Persona { .. }
        | ParticipantError::Unreachable(_)
        | ParticipantError::Media(_)
        | ParticipantError::Lost => false,
    }
}

/// What happened and, where it is not obvious, what to do: the same words for the same cause.
fn cause(error: &ParticipantError) -> String {
    match error {
        ParticipantError::Refused { status: 429, .. } => {
            "refused (429), too many requests: all participants come from one address here; raise http.requests_per_minute and requests_burst on the server".to_owned()
        }
        ParticipantError::Refused { status: 503, detail } => format!(
            "refused (503), {detail}: if it is full, raise capacity.sessions_max or load it less"
        ),
        ParticipantError::Media(words) => {
            format!("no media connection ({words}): the media port must be open for UDP")
        }
        ParticipantError::Stopped => {
            "did not come to an end although its session had been ended: the closing statement or its notice is missing".to_owned()
        }
        ParticipantError::Link(_)
        | ParticipantError::Persona { .. }
        | ParticipantError::Unreachable(_)
        | ParticipantError::Refused { .. }
        | ParticipantError::Over(_)
        | ParticipantError::Lost
        | ParticipantError::Deadline(_) => error.to_string(),
    }
}
