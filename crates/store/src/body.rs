//! What a journal entry says, as JSON. This shape is a promise: entries of years ago must stay readable, so every body
//! carries `v`, a change of shape raises it, and the test at the end pins each kind. `engine` has no serialisation of its
//! own; this is the one translation.

use engine::cost::Charge;
use engine::journal::{Entry, Turn};
use serde_json::{Value, json};

use crate::rows::NewSession;

pub(crate) mod read;

/// Version of all shapes below.
const VERSION: u32 = 1;

/// Kind of the first entry of every session.
pub(crate) const SESSION_CREATED: &str = "session_created";
/// Kind of the entry that records a yes.
pub(crate) const CONSENT_GIVEN: &str = "consent_given";
/// Kind of the entry that takes a session up again after it lapsed.
pub(crate) const REOPENED: &str = "reopened";
/// Kind of the entry that stands in the place of a damaged one.
pub(crate) const SET_ASIDE: &str = "set_aside";
/// Kind of the entry that records a no.
pub(crate) const CONSENT_DECLINED: &str = "consent_declined";

/// The body of an entry.
pub(crate) fn of_entry(entry: &Entry) -> Value {
    match entry {
        Entry::PeerUp { peer } | Entry::PeerLost { peer } => json!({"v": VERSION, "peer": peer.0}),
        Entry::LinkUp { link, vendor_id } => {
            json!({"v": VERSION, "link": link.0, "vendor_id": vendor_id})
        }
        Entry::LinkGone {
            link,
            category,
            detail,
        }
        | Entry::LinkFault {
            link,
            category,
            detail,
        } => {
            json!({"v": VERSION, "link": link.0, "category": category.name(), "detail": detail})
        }
        Entry::PhaseEntered {
            phase,
            cause,
            timeline_ms,
        } => {
            json!({"v": VERSION, "phase": phase.as_str(), "cause": cause.name(), "timeline_ms": timeline_ms})
        }
        Entry::MoveRefused { to, reason } => json!({"v": VERSION, "to": to, "reason": reason}),
        Entry::TopicCovered {
            topic,
            phase,
            timeline_ms,
        } => {
            json!({"v": VERSION, "topic": topic.as_str(), "phase": phase.as_str(), "timeline_ms": timeline_ms})
        }
        Entry::Nudged { phase } => json!({"v": VERSION, "phase": phase.as_str()}),
        Entry::SilencePrompted { nth } => json!({"v": VERSION, "nth": nth}),
        Entry::Turn(turn) => of_turn(turn),
        Entry::Charged { charges } => of_charges(charges),
        Entry::Measured { measure, ms } => {
            json!({"v": VERSION, "measure": measure.name(), "ms": ms})
        }
        Entry::Muted { muted, timeline_ms } => {
            json!({"v": VERSION, "muted": muted, "timeline_ms": timeline_ms})
        }
        Entry::NetworkGap { from_ms, to_ms } => {
            json!({"v": VERSION, "from_ms": from_ms, "to_ms": to_ms})
        }
        Entry::Paused { timeline_ms } | Entry::Resumed { timeline_ms } => {
            json!({"v": VERSION, "timeline_ms": timeline_ms})
        }
        Entry::Closing {
            outcome,
            timeline_ms,
        }
        | Entry::Ended {
            outcome,
            timeline_ms,
        } => {
            json!({"v": VERSION, "outcome": outcome.name(), "timeline_ms": timeline_ms})
        }
    }
}

fn of_turn(turn: &Turn) -> Value {
    json!({
        "v": VERSION,
        "turn": turn.turn.0,
        "speaker": turn.speaker.name(),
        "item": turn.item.as_str(),
        "phase": turn.phase.as_str(),
        "start_ms": turn.start_ms,
        "end_ms": turn.end_ms,
        "text": turn.text,
        "unheard": turn.unheard,
        "ending": turn.ending.name(),
    })
}

fn of_charges(charges: &[Charge]) -> Value {
    let charges: Vec<Value> = charges
        .iter()
        .map(|charge| {
            json!({
                "component": charge.component.name(),
                "quantity": charge.quantity,
                "cost_micro_usd": charge.cost.0,
            })
        })
        .collect();
    json!({"v": VERSION, "charges": charges})
}

/// The body of [`SESSION_CREATED`]. Without the researcher's id of the participant and without the link.
pub(crate) fn of_creation(session: &NewSession) -> Value {
    json!({
        "v": VERSION,
        "study_id": session.study_id.as_str(),
        "study_version": session.study_version,
        "language": session.language,
        "length": session.length.name(),
    })
}

/// The body of [`CONSENT_GIVEN`] and [`CONSENT_DECLINED`]: which text the participant decided about.
pub(crate) fn of_consent(text_digest: &[u8; 32]) -> Value {
    let digest: String = text_digest
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    json!({"v": VERSION, "text_sha256": digest})
}

#[cfg(test)]
mod tests;
