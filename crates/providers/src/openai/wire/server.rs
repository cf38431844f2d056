//! Server events.
//!
//! One flat struct for all types, borrowed from the frame and every field optional: vendors add fields, leave them out
//! and send null, and a single pass over an audio delta neither copies it nor parses it twice.

use std::borrow::Cow;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::openai::usage::{ResponseUsage, TranscriptionUsage};

/// What an event says, as far as we act on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    SessionCreated,
    SessionUpdated,
    Error,
    SpeechStarted,
    SpeechStopped,
    SpeechCommitted,
    TranscriptDelta,
    TranscriptDone,
    TranscriptFailed,
    ResponseCreated,
    ResponseDone,
    ItemAdded,
    ItemDone,
    AudioDelta,
    WordsDelta,
    WordsDone,
    /// Known, and nothing follows from it.
    Ignored,
    /// A type that we do not know: skipped and counted, never fatal.
    Unknown,
}

impl Kind {
    fn of(name: &str) -> Kind {
        match name {
            "session.created" => Kind::SessionCreated,
            "session.updated" => Kind::SessionUpdated,
            "error" => Kind::Error,
            "input_audio_buffer.speech_started" => Kind::SpeechStarted,
            "input_audio_buffer.speech_stopped" => Kind::SpeechStopped,
            "input_audio_buffer.committed" => Kind::SpeechCommitted,
            "conversation.item.input_audio_transcription.delta" => Kind::TranscriptDelta,
            "conversation.item.input_audio_transcription.completed" => Kind::TranscriptDone,
            "conversation.item.input_audio_transcription.failed" => Kind::TranscriptFailed,
            "response.created" => Kind::ResponseCreated,
            "response.done" => Kind::ResponseDone,
            "response.output_item.added" => Kind::ItemAdded,
            "response.output_item.done" => Kind::ItemDone,
            "response.output_audio.delta" => Kind::AudioDelta,
            // A model that was given its history as text sometimes answers in text: the words count all the same.
            "response.output_audio_transcript.delta" | "response.output_text.delta" => {
                Kind::WordsDelta
            }
            "response.output_audio_transcript.done" | "response.output_text.done" => {
                Kind::WordsDone
            }
            // `function_call_arguments.done` is also sent when a response is interrupted: a call counts only when its
            // item is done. Items of the conversation are known to us from their responses and commits.
            "rate_limits.updated"
            | "conversation.created"
            | "conversation.item.created"
            | "conversation.item.added"
            | "conversation.item.done"
            | "conversation.item.deleted"
            | "conversation.item.truncated"
            | "conversation.item.retrieved"
            | "conversation.item.input_audio_transcription.segment"
            | "input_audio_buffer.cleared"
            | "input_audio_buffer.timeout_triggered"
            | "input_audio_buffer.dtmf_event_received"
            | "output_audio_buffer.started"
            | "output_audio_buffer.stopped"
            | "output_audio_buffer.cleared"
            | "response.content_part.added"
            | "response.content_part.done"
            | "response.output_audio.done"
            | "response.function_call_arguments.delta"
            | "response.function_call_arguments.done"
            | "response.mcp_call.in_progress"
            | "response.mcp_call.completed"
            | "response.mcp_call.failed"
            | "response.mcp_call_arguments.delta"
            | "response.mcp_call_arguments.done"
            | "mcp_list_tools.in_progress"
            | "mcp_list_tools.completed"
            | "mcp_list_tools.failed" => Kind::Ignored,
            _ => Kind::Unknown,
        }
    }
}

/// Any server event.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Event<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    item_id: Option<Text<'a>>,
    #[serde(borrow)]
    response_id: Option<Text<'a>>,
    #[serde(borrow)]
    delta: Option<Text<'a>>,
    #[serde(borrow)]
    transcript: Option<Text<'a>>,
    #[serde(borrow)]
    text: Option<Text<'a>>,
    content_index: Option<u32>,
    pub(crate) item: Option<Item>,
    pub(crate) response: Option<Response>,
    pub(crate) session: Option<Session>,
    pub(crate) error: Option<ErrorBody>,
    #[serde(default, deserialize_with = "lenient")]
    pub(crate) usage: Option<TranscriptionUsage>,
}

/// A text that borrows from the frame unless it holds escapes. (`Option<Cow<str>>` itself would never borrow.)
#[derive(Debug, Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Session {
    pub(crate) id: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Item {
    pub(crate) id: Option<String>,
    #[serde(rename = "type")]
    pub(crate) kind: Option<String>,
    pub(crate) status: Option<String>,
    pub(crate) call_id: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) arguments: Option<String>,
    content: Option<Vec<Content>>,
}

#[derive(Debug, Default, Deserialize)]
struct Content {
    transcript: Option<String>,
    text: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Response {
    pub(crate) id: Option<String>,
    pub(crate) status: Option<String>,
    pub(crate) status_details: Option<StatusDetails>,
    #[serde(default, deserialize_with = "lenient")]
    pub(crate) metadata: Option<Metadata>,
    #[serde(default, deserialize_with = "lenient")]
    pub(crate) usage: Option<ResponseUsage>,
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct StatusDetails {
    pub(crate) reason: Option<String>,
    pub(crate) error: Option<ErrorBody>,
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Metadata {
    client_event_id: Option<Value>,
}

/// An error, in an `error` event, in a failed response or transcription, or in the body of a refused upgrade.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct ErrorBody {
    #[serde(rename = "type")]
    pub(crate) kind: Option<String>,
    /// Text with the vendor, a number with some local servers.
    code: Option<Value>,
    pub(crate) message: Option<String>,
    pub(crate) event_id: Option<String>,
}

/// A part in which a vendor's slip must not cost us the event around it: a response that is never done would hold up the
/// interview.
fn lenient<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    let value = Option::<Value>::deserialize(deserializer)?;
    Ok(value.and_then(|value| serde_json::from_value(value).ok()))
}

/// What a frame turned out to be.
#[derive(Debug)]
pub(crate) enum Read<'a> {
    Event(Kind, Event<'a>),
    /// Not an event, with the reason, which never quotes the frame.
    Malformed(String),
}

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
}

/// Reads a frame. An event whose type does not matter to us may have any shape.
pub(crate) fn read(frame: &str) -> Read<'_> {
    match serde_json::from_str::<Event<'_>>(frame) {
        Ok(event) => Read::Event(Kind::of(&event.kind), event),
        Err(error) => match serde_json::from_str::<Head<'_>>(frame) {
            Ok(head) => {
                let kind = Kind::of(&head.kind);
                if matches!(kind, Kind::Ignored | Kind::Unknown) {
                    return Read::Event(kind, Event::default());
                }
                let column = error.column();
                Read::Malformed(format!(
                    "`{}` has a field of the wrong kind at column {column}",
                    head.kind
                ))
            }
            Err(error) if error.is_data() => {
                Read::Malformed("a JSON value without a type".to_owned())
            }
            Err(error) => Read::Malformed(format!("not JSON at column {}", error.column())),
        },
    }
}

impl Event<'_> {
    pub(crate) fn item_id(&self) -> Option<&str> {
        self.item_id.as_ref().map(|text| &*text.0)
    }

    pub(crate) fn response_id(&self) -> Option<&str> {
        self.response_id.as_ref().map(|text| &*text.0)
    }

    pub(crate) fn delta(&self) -> Option<&str> {
        self.delta.as_ref().map(|text| &*text.0)
    }

    /// The whole words of a part, under either name.
    pub(crate) fn words(&self) -> Option<&str> {
        self.transcript
            .as_ref()
            .or(self.text.as_ref())
            .map(|text| &*text.0)
    }

    pub(crate) fn content_index(&self) -> u32 {
        self.content_index.unwrap_or(0)
    }

    /// The type, shortened: it is the vendor's, and may be anything.
    pub(crate) fn name(&self) -> String {
        self.kind.chars().take(80).collect()
    }
}

impl Item {
    /// All words of an item's parts.
    pub(crate) fn words(&self) -> String {
        let parts = self.content.iter().flatten();
        let words: Vec<&str> = parts
            .filter_map(|part| part.transcript.as_deref().or(part.text.as_deref()))
            .collect();
        words.join(" ")
    }
}

impl Metadata {
    pub(crate) fn client_event_id(&self) -> Option<&str> {
        self.client_event_id.as_ref().and_then(Value::as_str)
    }
}

impl ErrorBody {
    pub(crate) fn code(&self) -> String {
        match &self.code {
            Some(Value::String(code)) => code.clone(),
            Some(Value::Number(code)) => code.to_string(),
            _ => String::new(),
        }
    }
}
