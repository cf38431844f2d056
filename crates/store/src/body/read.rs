//! Entries read back from their JSON: the inverse of [`super::of_entry`], for the process that goes on with a session.
//!
//! A body that does not have its kind's shape is damage and not skipped: going on without it could charge or say something
//! twice.

use engine::cost::{Charge, Component, MicroUsd};
use engine::ids::{LinkNo, PeerNo, TurnNo};
use engine::journal::{Entry, Measure, MoveCause, Turn};
use engine::link::FaultCategory;
use serde_json::Value;

use crate::names;

/// The entry of that kind, from the bytes of its body. See [`entry`].
pub(crate) fn raw(kind: &str, body: &[u8]) -> Result<Option<Entry>, String> {
    let body: Value = serde_json::from_slice(body).map_err(|error| {
        format!(
            "a body is not the JSON that it should be ({:?})",
            error.classify()
        )
    })?;
    entry(kind, &body)
}

/// The entry of that kind and body; none if the kind is the store's own, an error's text if the body is damaged.
pub(crate) fn entry(kind: &str, body: &Value) -> Result<Option<Entry>, String> {
    if [
        super::SESSION_CREATED,
        super::CONSENT_GIVEN,
        super::CONSENT_DECLINED,
        super::REOPENED,
        super::SET_ASIDE,
    ]
    .contains(&kind)
    {
        return Ok(None);
    }
    let read = Body(body);
    connection(kind, read)
        .or_else(|| interview(kind, read))
        .or_else(|| timeline(kind, read))
        .map(Some)
        .ok_or_else(|| format!("an entry of kind {kind:?} does not have its shape"))
}

fn connection(kind: &str, body: Body<'_>) -> Option<Entry> {
    Some(match kind {
        "peer_up" => Entry::PeerUp {
            peer: PeerNo(body.number("peer")?),
        },
        "peer_lost" => Entry::PeerLost {
            peer: PeerNo(body.number("peer")?),
        },
        "link_up" => Entry::LinkUp {
            link: LinkNo(body.number("link")?),
            vendor_id: body.text("vendor_id")?,
        },
        "link_gone" => Entry::LinkGone {
            link: LinkNo(body.number("link")?),
            category: body.named("category", category)?,
            detail: body.text("detail")?,
        },
        "link_fault" => Entry::LinkFault {
            link: LinkNo(body.number("link")?),
            category: body.named("category", category)?,
            detail: body.text("detail")?,
        },
        "network_gap" => Entry::NetworkGap {
            from_ms: body.number("from_ms")?,
            to_ms: body.number("to_ms")?,
        },
        _ => return None,
    })
}

fn interview(kind: &str, body: Body<'_>) -> Option<Entry> {
    Some(match kind {
        "phase_entered" => Entry::PhaseEntered {
            phase: body.text("phase")?.into(),
            cause: body.named("cause", cause)?,
            timeline_ms: body.number("timeline_ms")?,
        },
        "move_refused" => Entry::MoveRefused {
            to: body.text("to")?,
            reason: body.text("reason")?,
        },
        "topic_covered" => Entry::TopicCovered {
            topic: body.text("topic")?.into(),
            phase: body.text("phase")?.into(),
            timeline_ms: body.number("timeline_ms")?,
        },
        "nudged" => Entry::Nudged {
            phase: body.text("phase")?.into(),
        },
        "silence_prompted" => Entry::SilencePrompted {
            nth: body.number("nth")?,
        },
        "turn" => Entry::Turn(turn(body)?),
        "charged" => Entry::Charged {
            charges: charges(body)?,
        },
        "measured" => Entry::Measured {
            measure: body.named("measure", measure)?,
            ms: body.number("ms")?,
        },
        _ => return None,
    })
}

fn timeline(kind: &str, body: Body<'_>) -> Option<Entry> {
    let timeline_ms = body.number("timeline_ms")?;
    Some(match kind {
        "muted" => Entry::Muted {
            muted: body.0.get("muted")?.as_bool()?,
            timeline_ms,
        },
        "paused" => Entry::Paused { timeline_ms },
        "resumed" => Entry::Resumed { timeline_ms },
        "closing" => Entry::Closing {
            outcome: body.named("outcome", names::outcome)?,
            timeline_ms,
        },
        "ended" => Entry::Ended {
            outcome: body.named("outcome", names::outcome)?,
            timeline_ms,
        },
        _ => return None,
    })
}

fn turn(body: Body<'_>) -> Option<Turn> {
    Some(Turn {
        turn: TurnNo(body.number("turn")?),
        speaker: body.named("speaker", names::speaker)?,
        item: body.text("item")?.into(),
        phase: body.text("phase")?.into(),
        start_ms: body.number("start_ms")?,
        end_ms: body.number("end_ms")?,
        text: body.text("text")?,
        unheard: body.text("unheard")?,
        ending: body.named("ending", names::ending)?,
    })
}

fn charges(body: Body<'_>) -> Option<Vec<Charge>> {
    let charge = |charge: &Value| {
        Some(Charge {
            component: Body(charge).named("component", Component::from_name)?,
            quantity: Body(charge).number("quantity")?,
            cost: MicroUsd(charge.get("cost_micro_usd")?.as_i64()?),
        })
    };
    body.0
        .get("charges")?
        .as_array()?
        .iter()
        .map(charge)
        .collect()
}

fn category(name: &str) -> Option<FaultCategory> {
    use FaultCategory::{Benign, Expired, Malformed, Misconfigured, RateLimited, Retryable};
    [
        Benign,
        Retryable,
        RateLimited,
        Expired,
        Misconfigured,
        Malformed,
    ]
    .into_iter()
    .find(|category| category.name() == name)
}

fn cause(name: &str) -> Option<MoveCause> {
    use MoveCause::{Model, Overrun, Start, Wrapup};
    [Start, Model, Overrun, Wrapup]
        .into_iter()
        .find(|cause| cause.name() == name)
}

fn measure(name: &str) -> Option<Measure> {
    [Measure::FirstVoice, Measure::ResponseLatency]
        .into_iter()
        .find(|measure| measure.name() == name)
}

/// A JSON object whose members are read by name.
#[derive(Clone, Copy)]
struct Body<'v>(&'v Value);

impl Body<'_> {
    fn number<N: TryFrom<u64>>(self, name: &str) -> Option<N> {
        N::try_from(self.0.get(name)?.as_u64()?).ok()
    }

    fn text(self, name: &str) -> Option<String> {
        self.0.get(name)?.as_str().map(str::to_owned)
    }

    fn named<T>(self, name: &str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        parse(self.0.get(name)?.as_str()?)
    }
}
