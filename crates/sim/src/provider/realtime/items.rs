//! Items of a conversation: what the protocol shows of them, what they cost, and what the model remembers of them.

use serde_json::{Value, json};

use super::session::Refusal;
use crate::provider::brain::Memory;
use crate::provider::tokens::{self, Part};

/// Whether an item is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    InProgress,
    Completed,
    Incomplete,
}

impl Status {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Status::InProgress => "in_progress",
            Status::Completed => "completed",
            Status::Incomplete => "incomplete",
        }
    }
}

/// A word of the interviewer and when it ends, in milliseconds of its utterance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) start_ms: u64,
    pub(super) end_ms: u64,
}

/// What an item is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The participant spoke.
    UserAudio {
        ms: u64,
        heard: Option<String>,
        transcript: Option<String>,
    },
    /// Text, from whomever.
    Text { role: Role, text: String },
    /// The interviewer spoke. `said` is what it knows it said; the transcript is gone once it was truncated.
    ModelAudio {
        ms: u64,
        said: Vec<Word>,
        transcript: Option<String>,
    },
    /// The interviewer called a tool.
    Call {
        call: String,
        name: String,
        arguments: String,
    },
    /// What the tool answered.
    Output { call: String, output: String },
}

/// Whose text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    System,
    User,
    Assistant,
}

/// An item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) id: String,
    pub(super) status: Status,
    pub(super) kind: Kind,
    /// How often it was changed: another revision is not in the cache.
    pub(super) revision: u32,
}

impl Item {
    pub(super) fn new(id: String, status: Status, kind: Kind) -> Item {
        Item {
            id,
            status,
            kind,
            revision: 0,
        }
    }

    /// As the protocol shows it.
    pub(super) fn json(&self) -> Value {
        let mut item =
            json!({ "id": self.id, "object": "realtime.item", "status": self.status.name() });
        let fields = match &self.kind {
            Kind::UserAudio { transcript, .. } => {
                json!({ "type": "message", "role": "user", "content": [{ "type": "input_audio", "transcript": transcript }] })
            }
            Kind::Text { role, text } => {
                let (role, kind) = match role {
                    Role::System => ("system", "input_text"),
                    Role::User => ("user", "input_text"),
                    Role::Assistant => ("assistant", "output_text"),
                };
                json!({ "type": "message", "role": role, "content": [{ "type": kind, "text": text }] })
            }
            Kind::ModelAudio { transcript, .. }
                if self.status == Status::InProgress && transcript.is_none() =>
            {
                json!({ "type": "message", "role": "assistant", "content": [] })
            }
            Kind::ModelAudio { transcript, .. } => {
                json!({ "type": "message", "role": "assistant", "content": [{ "type": "output_audio", "transcript": transcript }] })
            }
            Kind::Call {
                call,
                name,
                arguments,
            } => {
                json!({ "type": "function_call", "call_id": call, "name": name, "arguments": arguments })
            }
            Kind::Output { call, output } => {
                json!({ "type": "function_call_output", "call_id": call, "output": output })
            }
        };
        item.as_object_mut()
            .expect("made as an object")
            .extend(fields.as_object().expect("made as an object").clone());
        item
    }

    /// What it costs to send it.
    pub(super) fn part(&self) -> Part {
        let (text, audio) = match &self.kind {
            Kind::UserAudio { ms, .. } => (0, tokens::of_user_audio(*ms)),
            Kind::Text { text, .. } => (tokens::of_text(text), 0),
            Kind::ModelAudio { ms, transcript, .. } => (
                transcript.as_deref().map_or(0, tokens::of_text),
                tokens::of_model_audio(*ms),
            ),
            Kind::Call {
                name, arguments, ..
            } => (tokens::of_text(name) + tokens::of_text(arguments), 0),
            Kind::Output { output, .. } => (tokens::of_text(output), 0),
        };
        Part::Item {
            key: (self.id.clone(), self.revision),
            text,
            audio,
        }
    }

    /// What the model remembers of it; none for instructions from the system, and for utterances of which nothing was heard.
    pub(super) fn memory(&self) -> Option<Memory> {
        Some(match &self.kind {
            Kind::UserAudio { heard, .. } => Memory::Participant(heard.clone().unwrap_or_default()),
            Kind::Text {
                role: Role::User,
                text,
            } => Memory::Participant(text.clone()),
            Kind::Text {
                role: Role::Assistant,
                text,
            } => Memory::Interviewer(text.clone()),
            Kind::Text {
                role: Role::System, ..
            } => return None,
            Kind::ModelAudio { ms, said, .. } => {
                let heard: Vec<&str> = said
                    .iter()
                    .filter(|word| word.end_ms <= *ms + WORD_SLACK_MS)
                    .map(|word| word.text.as_str())
                    .collect();
                if heard.is_empty() {
                    return None;
                }
                Memory::Interviewer(heard.concat().trim().to_owned())
            }
            Kind::Call {
                call,
                name,
                arguments,
            } => Memory::Call {
                call: call.clone(),
                name: name.clone(),
                arguments: arguments.clone(),
            },
            Kind::Output { call, output } => Memory::Result {
                call: call.clone(),
                output: output.clone(),
            },
        })
    }
}

/// A word that was cut this little before its end was heard: clips end with about this much quiet.
const WORD_SLACK_MS: u64 = 60;

/// Reads the item of `conversation.item.create`. Audio of the participant is handed out to be recognised.
///
/// # Errors
/// Says what is wrong with it, in the vendor's terms.
pub(super) fn read(
    item: &Value,
    new_id: impl FnOnce() -> String,
) -> Result<(Item, Option<Vec<i16>>), Refusal> {
    let id = match item.get("id").filter(|id| !id.is_null()) {
        Some(Value::String(id)) if !id.is_empty() && id.len() <= 32 => id.clone(),
        None => new_id(),
        Some(_) => {
            return Err(Refusal::new(
                "invalid_value",
                "Invalid 'item.id': 1 to 32 characters.",
                "item.id",
            ));
        }
    };
    let text_of = |name: &str| match item.get(name).and_then(Value::as_str) {
        Some(text) => Ok(text.to_owned()),
        None => Err(Refusal::new(
            "missing_required_parameter",
            format!("Missing required parameter: 'item.{name}'."),
            format!("item.{name}"),
        )),
    };
    let mut audio = None;
    let kind = match item["type"].as_str() {
        Some("message") => message(item, &mut audio)?,
        Some("function_call_output") => Kind::Output {
            call: text_of("call_id")?,
            output: text_of("output")?,
        },
        Some("function_call") => Kind::Call {
            call: text_of("call_id")?,
            name: text_of("name")?,
            arguments: text_of("arguments")?,
        },
        other => {
            let message = format!(
                "Invalid value: '{}'. Supported values are: 'message', 'function_call', 'function_call_output'.",
                other.unwrap_or_default()
            );
            return Err(Refusal::new("invalid_value", message, "item.type"));
        }
    };
    Ok((Item::new(id, Status::Completed, kind), audio))
}

fn message(item: &Value, audio: &mut Option<Vec<i16>>) -> Result<Kind, Refusal> {
    let (role, text_type) = match item["role"].as_str() {
        Some("system") => (Role::System, "input_text"),
        Some("user") => (Role::User, "input_text"),
        Some("assistant") => (Role::Assistant, "output_text"),
        other => {
            let message = format!(
                "Invalid value: '{}'. Supported values are: 'system', 'user', 'assistant'.",
                other.unwrap_or_default()
            );
            return Err(Refusal::new("invalid_value", message, "item.role"));
        }
    };
    let mut text = String::new();
    for (index, content) in item["content"].as_array().into_iter().flatten().enumerate() {
        match (content["type"].as_str(), role) {
            (Some(kind), _) if kind == text_type => {
                text.push_str(content["text"].as_str().unwrap_or_default())
            }
            (Some("input_audio"), Role::User) => {
                let bytes = content["audio"]
                    .as_str()
                    .and_then(|audio| base64_simd::STANDARD.decode_to_vec(audio).ok());
                let Some(bytes) = bytes else {
                    let param = format!("item.content[{index}].audio");
                    return Err(Refusal::new(
                        "invalid_value",
                        format!("Invalid '{param}': expected base64-encoded audio bytes."),
                        param,
                    ));
                };
                *audio = Some(super::samples(&bytes).collect());
            }
            (kind, _) => {
                // Assistant audio cannot be created by a client: history is replayed as text.
                let message = format!(
                    "Invalid value: '{}'. Supported values are: '{text_type}'.",
                    kind.unwrap_or_default()
                );
                return Err(Refusal::new(
                    "invalid_value",
                    message,
                    format!("item.content[{index}].type"),
                ));
            }
        }
    }
    Ok(match audio {
        Some(pcm) => Kind::UserAudio {
            ms: pcm.len() as u64 / 24,
            heard: None,
            transcript: None,
        },
        None => Kind::Text { role, text },
    })
}
