//! The product's own codec against the simulator, over a real socket: neither knows of the other.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::VecDeque;
use std::time::Duration;

use engine::cost::Component;
use engine::link::{
    LinkCommand, LinkConfig, LinkEvent, Patience, ResponseStatus, Speaker, Tool, ToolParameter,
};
use futures_util::{SinkExt, StreamExt};
use providers::{Closed, Codec, CodecOutput, Frame, Profiles, Secret, codec};
use sim::corpus::Corpus;
use sim::provider::{Fault, FaultKind, SimConfig, When};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::client::{Provider, provider};

/// What `server` does with a codec, as little of it as a test needs.
struct Link {
    codec: Box<dyn Codec>,
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    events: VecDeque<LinkEvent>,
    audio_samples: usize,
}

impl Link {
    async fn open(provider: &Provider, history: Vec<(Speaker, String)>) -> Link {
        let profiles = Profiles::built_in();
        let profile = profiles.get("simulator").unwrap();
        let mut codec = codec(
            profile,
            Some(&Secret::new("sk-test")),
            &format!("http://{}/v1", provider.address),
        );
        let endpoint = codec.endpoint();
        let mut request = endpoint.url.as_str().into_client_request().unwrap();
        for (name, value) in &endpoint.headers {
            let name: tokio_tungstenite::tungstenite::http::HeaderName = name.parse().unwrap();
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        let (socket, _) = connect_async(request).await.unwrap();
        let mut out = Vec::new();
        codec.open(&config(history), &mut out);
        let mut link = Link {
            codec,
            socket,
            events: VecDeque::new(),
            audio_samples: 0,
        };
        link.carry_out(out).await;
        link
    }

    async fn carry_out(&mut self, outputs: Vec<CodecOutput>) {
        for output in outputs {
            match output {
                CodecOutput::Send(text) => self.socket.send(Message::text(text)).await.unwrap(),
                CodecOutput::Event(event) => self.events.push_back(event),
                CodecOutput::Audio { pcm, .. } => self.audio_samples += pcm.len(),
                CodecOutput::AudioDone { .. } => {}
            }
        }
    }

    async fn command(&mut self, command: LinkCommand) {
        let mut out = Vec::new();
        self.codec.command(&command, &mut out);
        self.carry_out(out).await;
    }

    async fn say(&mut self, pcm: &[i16]) {
        for chunk in pcm.chunks(480) {
            let mut out = Vec::new();
            self.codec.audio(chunk, &mut out);
            self.carry_out(out).await;
        }
    }

    /// Reads on until an event is what is looked for; gives all events up to it.
    async fn until(&mut self, mut wanted: impl FnMut(&LinkEvent) -> bool) -> Vec<LinkEvent> {
        let mut seen = Vec::new();
        loop {
            while let Some(event) = self.events.pop_front() {
                seen.push(event);
                if wanted(&seen[seen.len() - 1]) {
                    return seen;
                }
            }
            let frame = tokio::time::timeout(Duration::from_secs(60), self.socket.next())
                .await
                .expect("silence");
            let mut out = Vec::new();
            match frame {
                Some(Ok(Message::Text(text))) => self.codec.frame(Frame::Text(&text), &mut out),
                Some(Ok(Message::Binary(bytes))) => {
                    self.codec.frame(Frame::Binary(&bytes), &mut out)
                }
                Some(Ok(Message::Close(frame))) => {
                    let (code, reason) = frame.map_or((1005, String::new()), |frame| {
                        (frame.code.into(), frame.reason.to_string())
                    });
                    self.codec.closed(
                        Closed::Frame {
                            code,
                            reason: &reason,
                        },
                        &mut out,
                    );
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => panic!("the connection ended after {seen:?}"),
            }
            self.carry_out(out).await;
        }
    }
}

fn clip(id: &str) -> &'static sim::corpus::Clip {
    Corpus::embedded().get(id).unwrap()
}

fn config(history: Vec<(Speaker, String)>) -> LinkConfig {
    let tool = |name: &'static str, parameter: &'static str| Tool {
        name,
        description: "Call when it fits.".into(),
        parameters: vec![ToolParameter {
            name: parameter,
            description: "Which.".into(),
            one_of: Vec::new(),
        }],
    };
    LinkConfig {
        instructions: format!(
            "Speak en.\n## Phase: warmup\n### Topic guide\n1. [role] (required, verbatim) {}\n2. [setup] (required, verbatim) {}\n\
             ### Moving on\nWhen the guide is done, call advance_phase with one of: end\n",
            clip("q-warmup-role-1").text,
            clip("q-warmup-setup-1").text
        ),
        tools: vec![tool("cover_topic", "topic"), tool("advance_phase", "to")],
        language: "en".into(),
        voice: None,
        patience: Patience {
            silence_ms: 1600,
            threshold_permille: 500,
            prefix_ms: 300,
        },
        history,
    }
}

fn is_done(event: &LinkEvent) -> bool {
    matches!(event, LinkEvent::ResponseDone { .. })
}

fn spoken(events: &[LinkEvent]) -> Vec<&str> {
    events
        .iter()
        .filter_map(|event| {
            if let LinkEvent::UtteranceDone { text, .. } = event {
                Some(text.as_str())
            } else {
                None
            }
        })
        .collect()
}

#[tokio::test]
async fn a_link_opens_greets_hears_asks_on_and_reports_what_it_used() {
    let provider = provider(SimConfig::instant()).await;
    let mut link = Link::open(&provider, Vec::new()).await;
    link.until(|event| matches!(event, LinkEvent::Ready { .. }))
        .await;
    let also =
        Some("Say exactly: \"I see.\" Then ask the first question of the topic guide.".to_owned());
    link.command(LinkCommand::Say { tag: 7, also }).await;
    let greeted = link.until(is_done).await;
    assert!(
        greeted
            .iter()
            .any(|event| matches!(event, LinkEvent::ResponseStarted { tag: Some(7), .. })),
        "{greeted:?}"
    );
    assert_eq!(
        spoken(&greeted),
        [format!("I see. {}", clip("q-warmup-role-1").text)]
    );
    assert!(link.audio_samples > 24 * 5000);
    let answer = clip("a-maya-warmup-role-1");
    link.say(&[answer.pcm(), &[0; 24 * 2000]].concat()).await;
    let (mut done, mut heard) = (0, None);
    let events = link
        .until(|event| {
            done += usize::from(is_done(event));
            if let LinkEvent::TranscriptDone { text, .. } = event {
                heard = Some(text.clone());
            }
            done == 1 && heard.is_some()
        })
        .await;
    assert_eq!(heard.as_deref(), Some(answer.text.as_str()));
    assert!(
        spoken(&events)[0].ends_with(&clip("q-warmup-setup-1").text),
        "{events:?}"
    );
    let called = |event: &LinkEvent| matches!(event, LinkEvent::ToolCalled { name, arguments, .. } if name == "cover_topic" && arguments.contains("role"));
    assert!(events.iter().any(called), "{events:?}");
    let used = greeted.iter().chain(&events).filter_map(|event| {
        if let LinkEvent::Used(usage) = event {
            Some(usage)
        } else {
            None
        }
    });
    let total: u64 = used
        .map(|usage| usage.get(Component::AudioOut) + usage.get(Component::TranscriptionMs))
        .sum();
    assert!(
        total > 100 + 7000,
        "spoken audio by the token and transcription by the millisecond: {total}"
    );
}

#[tokio::test]
async fn an_utterance_of_which_little_was_heard_is_said_again() {
    let provider = provider(SimConfig::instant()).await;
    let mut link = Link::open(&provider, Vec::new()).await;
    link.command(LinkCommand::Say { tag: 1, also: None }).await;
    let events = link.until(is_done).await;
    let item = events.iter().find_map(|event| {
        if let LinkEvent::UtteranceDone { item, .. } = event {
            Some(item.clone())
        } else {
            None
        }
    });
    link.command(LinkCommand::Heard {
        item: item.unwrap(),
        played_ms: 0,
    })
    .await;
    link.command(LinkCommand::Say { tag: 2, also: None }).await;
    assert_eq!(
        spoken(&link.until(is_done).await),
        [clip("q-warmup-role-1").text.as_str()]
    );
}

#[tokio::test]
async fn a_rebuilt_link_goes_on_where_the_conversation_was() {
    let provider = provider(SimConfig::instant()).await;
    let history = vec![
        (Speaker::Interviewer, clip("q-warmup-role-1").text.clone()),
        (
            Speaker::Participant,
            clip("a-maya-warmup-role-1").text.clone(),
        ),
    ];
    let mut link = Link::open(&provider, history).await;
    link.command(LinkCommand::Say { tag: 1, also: None }).await;
    assert!(spoken(&link.until(is_done).await)[0].ends_with(&clip("q-warmup-setup-1").text));
}

#[tokio::test]
async fn the_product_survives_unknown_events_and_failed_responses() {
    let faults = [FaultKind::UnknownEvents, FaultKind::RateLimitedResponses(1)]
        .map(|kind| Fault {
            when: When::Always,
            kind,
        })
        .to_vec();
    let provider = provider(SimConfig {
        faults,
        ..SimConfig::instant()
    })
    .await;
    let mut link = Link::open(&provider, Vec::new()).await;
    link.command(LinkCommand::Say { tag: 1, also: None }).await;
    let events = link.until(is_done).await;
    assert!(
        matches!(
            events.last(),
            Some(LinkEvent::ResponseDone {
                status: ResponseStatus::Failed { .. },
                ..
            })
        ),
        "{events:?}"
    );
    link.command(LinkCommand::Say { tag: 2, also: None }).await;
    let events = link.until(is_done).await;
    assert!(
        matches!(
            events.last(),
            Some(LinkEvent::ResponseDone {
                status: ResponseStatus::Completed,
                ..
            })
        ),
        "{events:?}"
    );
}
