//! Every state, every input: what each does, as a table. A change of it is a change of behaviour, to be looked at.

use std::fmt::Write;

use engine::cost::{Component, Usage};
use engine::ids::{LinkNo, PeerNo};
use engine::link::{FaultCategory, LinkEvent, ResponseStatus};
use engine::session::{Input, MediaFact, Output, Request, State};
use engine::time::Mono;

use crate::drive::*;

const STATES: [State; 6] = [
    State::Invited,
    State::Waiting,
    State::Active,
    State::Paused,
    State::Closing,
    State::Ended,
];

/// A session in that state. From waiting on the peer is 1 and the link 1 is ready.
fn session_in(state: State) -> Drive {
    let mut drive = Drive::new(plan(), FULL);
    match state {
        State::Invited => {}
        State::Waiting => {
            drive.offer(1).ready();
        }
        State::Active => drive = Drive::greeted(plan(), FULL),
        State::Paused => {
            drive = Drive::greeted(plan(), FULL);
            drive.media(MediaFact::Lost);
        }
        State::Closing => {
            drive = Drive::greeted(plan(), FULL);
            drive.input(Input::OperatorEnd);
        }
        State::Ended => {
            drive = Drive::greeted(plan(), FULL);
            drive
                .input(Input::OperatorEnd)
                .gone(FaultCategory::Retryable);
        }
    }
    assert_eq!(drive.session.state(), state);
    drive
}

fn inputs(at: Mono) -> Vec<(&'static str, Input)> {
    let media = |fact| Input::Media(PeerNo(1), fact);
    let link = |event| Input::Link(LinkNo(1), event);
    let (text, item) = (String::from("words"), engine::ids::ItemId::from("x"));
    let item = || item.clone();
    let detail = || "why".to_owned();
    let failed = ResponseStatus::Failed {
        category: FaultCategory::Retryable,
        detail: detail(),
    };
    vec![
        ("peer offered", Input::PeerOffered(PeerNo(2))),
        ("up", media(MediaFact::Up)),
        ("lost", media(MediaFact::Lost)),
        ("audio flowing", media(MediaFact::AudioFlowing { at })),
        ("activity started", media(MediaFact::SpeechStarted { at })),
        ("activity ended", media(MediaFact::SpeechEnded { at })),
        (
            "playout started",
            media(MediaFact::PlayoutStarted { item: item(), at }),
        ),
        (
            "playout ended",
            media(MediaFact::PlayoutEnded {
                item: item(),
                at,
                played_ms: 10,
                cut: false,
            }),
        ),
        (
            "recording gap",
            media(MediaFact::RecordingGap { reason: detail() }),
        ),
        ("older peer", Input::Media(PeerNo(0), MediaFact::Lost)),
        (
            "ready",
            link(LinkEvent::Ready {
                vendor_id: detail(),
            }),
        ),
        (
            "speech started",
            link(LinkEvent::SpeechStarted { item: item() }),
        ),
        (
            "speech stopped",
            link(LinkEvent::SpeechStopped { item: item() }),
        ),
        (
            "speech committed",
            link(LinkEvent::SpeechCommitted { item: item() }),
        ),
        (
            "transcript delta",
            link(LinkEvent::TranscriptDelta {
                item: item(),
                text: text.clone(),
            }),
        ),
        (
            "transcript done",
            link(LinkEvent::TranscriptDone {
                item: item(),
                text: text.clone(),
            }),
        ),
        (
            "transcript failed",
            link(LinkEvent::TranscriptFailed {
                item: item(),
                reason: detail(),
            }),
        ),
        (
            "response started",
            link(LinkEvent::ResponseStarted {
                response: "r".into(),
                tag: None,
            }),
        ),
        (
            "utterance started",
            link(LinkEvent::UtteranceStarted {
                response: "r".into(),
                item: item(),
            }),
        ),
        (
            "utterance delta",
            link(LinkEvent::UtteranceDelta {
                item: item(),
                text: text.clone(),
            }),
        ),
        (
            "utterance done",
            link(LinkEvent::UtteranceDone {
                item: item(),
                text,
                audio_ms: 10,
            }),
        ),
        (
            "tool called",
            link(LinkEvent::ToolCalled {
                call: "c".into(),
                name: "cover_topic".into(),
                arguments: r#"{"topic":"role"}"#.into(),
            }),
        ),
        (
            "response done",
            link(LinkEvent::ResponseDone {
                response: "r".into(),
                status: ResponseStatus::Completed,
            }),
        ),
        (
            "response failed",
            link(LinkEvent::ResponseDone {
                response: "r".into(),
                status: failed,
            }),
        ),
        (
            "used",
            link(LinkEvent::Used(Usage::none().with(Component::AudioIn, 10))),
        ),
        (
            "fault",
            link(LinkEvent::Fault {
                category: FaultCategory::RateLimited,
                detail: detail(),
            }),
        ),
        (
            "gone",
            link(LinkEvent::Gone {
                category: FaultCategory::Retryable,
                detail: detail(),
            }),
        ),
        (
            "older link",
            Input::Link(LinkNo(0), LinkEvent::SpeechStarted { item: item() }),
        ),
        ("mute", Input::Participant(Request::Mute)),
        ("unmute", Input::Participant(Request::Unmute)),
        ("repeat", Input::Participant(Request::Repeat)),
        ("end", Input::Participant(Request::End)),
        ("operator end", Input::OperatorEnd),
        ("timeout", Input::Timeout),
    ]
}

/// An output in two words.
fn brief(output: &Output) -> String {
    let text = match output {
        Output::Journal(entry) => return format!("journal.{}", entry.kind()),
        Output::Link { command, .. } => format!("{command:?}"),
        Output::Tell(notice) => format!("Tell.{notice:?}"),
        other => format!("{other:?}"),
    };
    let end = text.find([' ', '{']).unwrap_or(text.len());
    text[..end].split('(').next().unwrap_or("").to_owned()
}

#[test]
fn every_state_knows_every_input() {
    let mut table = String::new();
    for state in STATES {
        for (name, input) in inputs(Mono::from_millis(1_002_000)) {
            let mut drive = session_in(state);
            let stale = drive.session.snapshot().stale_facts;
            drive.input(input);
            let after = drive.session.state();
            let mut outputs: Vec<String> = drive.last.iter().map(brief).collect();
            if drive.session.snapshot().stale_facts > stale {
                outputs.push("(dropped as stale)".to_owned());
            }
            if state == State::Ended {
                assert_eq!(drive.last, [], "an ended session swallows {name}");
            }
            let arrow = if after == state {
                String::new()
            } else {
                format!(" -> {}", after.name())
            };
            writeln!(
                table,
                "{} x {name}{arrow}: {}",
                state.name(),
                outputs.join(", ")
            )
            .unwrap();
        }
    }
    expect_test::expect_file!["every.txt"].assert_eq(&table);
}
