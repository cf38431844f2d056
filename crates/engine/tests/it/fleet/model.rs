//! The provider: says what it is asked to, hears the participant, covers one question after another, and bills.

use engine::cost::{Component, Usage};
use engine::ids::{ItemId, LinkNo};
use engine::link::{LinkEvent, ResponseStatus};
use engine::plan::Next;
use engine::session::Input;

use super::stage::{Stage, What};
use super::study;

/// From being asked to the first words, in milliseconds.
const THINKS_MS: u64 = 150;

/// The participant speaks for so long.
pub(crate) fn hears(stage: &mut Stage, link: LinkNo, ms: u64) {
    let item = item(stage, "said");
    let event = |event: LinkEvent| What::Link(link, event);
    stage.here(300, event(LinkEvent::SpeechStarted { item: item.clone() }));
    stage.here(
        ms + 700,
        event(LinkEvent::SpeechStopped { item: item.clone() }),
    );
    stage.here(
        ms + 700,
        event(LinkEvent::SpeechCommitted { item: item.clone() }),
    );
    let text = format!("Answer {item}.");
    stage.here(ms + 1_000, event(LinkEvent::TranscriptDone { item, text }));
}

/// Answers the participant, or what it was asked to say.
pub(crate) fn answers(stage: &mut Stage, link: LinkNo, asked: Option<(u32, Option<String>)>) {
    if stage.is_stalled(link) {
        return;
    }
    let is_answer = asked.is_none();
    let tag = asked.as_ref().map(|(tag, _)| *tag);
    let greets = asked
        .and_then(|(_, also)| also)
        .is_some_and(|also| also.contains(study::GREETING));
    let item = item(stage, "line");
    let response = engine::ids::ResponseId::from(format!("response-{item}"));
    let text = if greets {
        format!("{} Ready?", study::GREETING)
    } else {
        format!("Line {item}?")
    };
    let audio_ms = 1_500 + u32::try_from(stage.rng.below(2_500)).unwrap_or(0);
    let mut events = vec![
        LinkEvent::ResponseStarted {
            response: response.clone(),
            tag,
        },
        LinkEvent::UtteranceStarted {
            response: response.clone(),
            item: item.clone(),
        },
        LinkEvent::UtteranceDelta {
            item: item.clone(),
            text: text.clone(),
        },
        LinkEvent::UtteranceDone {
            item: item.clone(),
            text,
            audio_ms,
        },
    ];
    if is_answer {
        events.extend(calls(stage, &item));
    }
    // A link that remembers reads all of it each time.
    let (tokens_in, tokens_out) = (1_000 + stage.rng.below(500), 5 + stage.rng.below(50));
    let usage = Usage::none()
        .with(Component::AudioIn, tokens_in)
        .with(Component::AudioOut, tokens_out);
    events.push(LinkEvent::Used(usage));
    let status = ResponseStatus::Completed;
    events.push(LinkEvent::ResponseDone { response, status });
    for event in events {
        let is_started = matches!(event, LinkEvent::UtteranceStarted { .. });
        stage.here(THINKS_MS, What::Link(link, event));
        if is_started {
            stage.here(THINKS_MS, What::Audio(link, item.clone(), audio_ms));
        }
    }
}

/// One question is covered by each answer; when none is left the next phase is asked for.
fn calls(stage: &Stage, item: &ItemId) -> Vec<LinkEvent> {
    let plan = study::plan();
    let Some(snapshot) = stage.phase() else {
        return Vec::new();
    };
    let phase = plan
        .phases
        .iter()
        .find(|phase| Some(&phase.id) == snapshot.phase.as_ref());
    let Some(phase) = phase else {
        return Vec::new();
    };
    let mut open = phase
        .topics
        .iter()
        .filter(|topic| !snapshot.covered.contains(&topic.id));
    let call = |name: &str, arguments: String| LinkEvent::ToolCalled {
        call: format!("{name}-{item}").as_str().into(),
        name: name.to_owned(),
        arguments,
    };
    let mut calls = Vec::new();
    if let Some(topic) = open.next() {
        calls.push(call(
            "cover_topic",
            format!(r#"{{"topic":"{}"}}"#, topic.id),
        ));
    }
    if open.next().is_none() {
        let to = match phase.next.first() {
            Some(Next::Phase(id)) => id.to_string(),
            Some(Next::End) | None => "end".to_owned(),
        };
        calls.push(call("advance_phase", format!(r#"{{"to":"{to}"}}"#)));
    }
    calls
}

fn item(stage: &mut Stage, kind: &str) -> ItemId {
    stage.items += 1;
    ItemId::from(format!("{kind}-{}", stage.items))
}

/// What a usage event costs, by the price list of the study.
pub(crate) fn price(input: &Input) -> u64 {
    let Input::Link(_, LinkEvent::Used(usage)) = input else {
        return 0;
    };
    let (tokens_in, tokens_out) = study::TOKEN_MICRO_USD;
    usage.get(Component::AudioIn) * tokens_in + usage.get(Component::AudioOut) * tokens_out
}
