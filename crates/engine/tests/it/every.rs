//! Every state, every input: what each does, as a table. A change of it is a change of behaviour, to be looked at.

use std::fmt::Write;

use engine::cost::{Component, Usage};
use engine::ids::{LinkNo, PeerNo};
use engine::link::{FaultCategory, LinkEvent, ResponseStatus};
use engine::session::{Input, MediaFact, Output, Request, State};
use engine::time::Mono;

use crate::drive::*;

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
    let media = media(at)
        .into_iter()
        .map(|(name, fact)| (name, Input::Media(PeerNo(1), fact)));
    let links = [transcripts(), responses(), faults()]
        .into_iter()
        .flatten()
        .map(|(name, event)| (name, Input::Link(LinkNo(1), event)));
    let older = LinkEvent::SpeechStarted { item: "x".into() };
    let rest = [
        ("peer offered", Input::PeerOffered(PeerNo(2))),
        ("older peer", Input::Media(PeerNo(0), MediaFact::Lost)),
        ("older link", Input::Link(LinkNo(0), older)),
        ("mute", Input::Participant(Request::Mute)),
        ("unmute", Input::Participant(Request::Unmute)),
        ("repeat", Input::Participant(Request::Repeat)),
        ("end", Input::Participant(Request::End)),
        ("operator end", Input::OperatorEnd),
        ("park", Input::Park),
        ("timeout", Input::Timeout),
    ];
    media.chain(links).chain(rest).collect()
}

fn media(at: Mono) -> Vec<(&'static str, MediaFact)> {
    let (item, reason) = ("x".into(), "full".to_owned());
    let ended = MediaFact::PlayoutEnded {
        item,
        at,
        played_ms: 10,
        cut: false,
    };
    vec![
        ("up", MediaFact::Up),
        ("lost", MediaFact::Lost),
        ("audio flowing", MediaFact::AudioFlowing { at }),
        ("network gap", MediaFact::NetworkGap { from: at, to: at }),
        ("activity started", MediaFact::SpeechStarted { at }),
        ("activity ended", MediaFact::SpeechEnded { at }),
        (
            "playout started",
            MediaFact::PlayoutStarted {
                item: "x".into(),
                at,
            },
        ),
        (
            "playout audible",
            MediaFact::PlayoutAudible {
                item: "x".into(),
                at,
            },
        ),
        ("playout ended", ended),
        ("recording gap", MediaFact::RecordingGap { reason }),
    ]
}

fn transcripts() -> Vec<(&'static str, LinkEvent)> {
    let (item, text, reason) = (|| "x".into(), || "words".to_owned(), "unclear".to_owned());
    vec![
        ("speech started", LinkEvent::SpeechStarted { item: item() }),
        ("speech stopped", LinkEvent::SpeechStopped { item: item() }),
        (
            "speech committed",
            LinkEvent::SpeechCommitted { item: item() },
        ),
        (
            "transcript delta",
            LinkEvent::TranscriptDelta {
                item: item(),
                text: text(),
            },
        ),
        (
            "transcript done",
            LinkEvent::TranscriptDone {
                item: item(),
                text: text(),
            },
        ),
        (
            "transcript failed",
            LinkEvent::TranscriptFailed {
                item: item(),
                reason,
            },
        ),
    ]
}

fn responses() -> Vec<(&'static str, LinkEvent)> {
    let (item, text, response) = (|| "x".into(), || "words".to_owned(), || "r".into());
    let (name, arguments) = ("cover_topic".to_owned(), r#"{"topic":"role"}"#.to_owned());
    let category = FaultCategory::Retryable;
    let failed = ResponseStatus::Failed {
        category,
        detail: "why".to_owned(),
    };
    let done = ResponseStatus::Completed;
    vec![
        (
            "response started",
            LinkEvent::ResponseStarted {
                response: response(),
                tag: None,
            },
        ),
        (
            "utterance started",
            LinkEvent::UtteranceStarted {
                response: response(),
                item: item(),
            },
        ),
        (
            "utterance delta",
            LinkEvent::UtteranceDelta {
                item: item(),
                text: text(),
            },
        ),
        (
            "utterance done",
            LinkEvent::UtteranceDone {
                item: item(),
                text: text(),
                audio_ms: 10,
            },
        ),
        (
            "tool called",
            LinkEvent::ToolCalled {
                call: "c".into(),
                name,
                arguments,
            },
        ),
        (
            "response done",
            LinkEvent::ResponseDone {
                response: response(),
                status: done,
            },
        ),
        (
            "response failed",
            LinkEvent::ResponseDone {
                response: response(),
                status: failed,
            },
        ),
    ]
}

fn faults() -> Vec<(&'static str, LinkEvent)> {
    let detail = || "why".to_owned();
    let used = Usage::none().with(Component::AudioIn, 10);
    let (limited, lost) = (FaultCategory::RateLimited, FaultCategory::Retryable);
    vec![
        (
            "ready",
            LinkEvent::Ready {
                vendor_id: detail(),
            },
        ),
        ("used", LinkEvent::Used(used)),
        (
            "fault",
            LinkEvent::Fault {
                category: limited,
                detail: detail(),
            },
        ),
        (
            "gone",
            LinkEvent::Gone {
                category: lost,
                detail: detail(),
            },
        ),
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
    for state in State::ALL {
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
