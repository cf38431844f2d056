//! One realtime session as the vendor serves it: client events in, server events out, by the vendor's rules.
//!
//! No sockets and no clock: time is an argument, and what takes time (recognising, speaking) goes out as an [`Effect`] and comes back as a
//! call. `socket` is the only user outside of tests.
//!
//! ```text
//! append ──> Vad ──> speech_started (interrupts) ──> speech_stopped ──> commit ──> Recognise ──> brain ──> Speak ──> deltas ──> done
//!                                                                         └──> transcript, whenever it is ready
//! ```

mod control;
mod input;
mod items;
mod response;
mod session;
pub(crate) mod socket;
mod speech;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use self::input::Input;
pub(crate) use self::input::transcription_usage;
use self::items::Item;
use self::response::Active;
use self::session::{Refusal, Session, TurnDetection, VoiceHeard};
use super::config::{FaultKind, SimConfig};
use super::tokens::Cache;
use super::vad::Vad;

/// What must now be done.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Effect {
    /// Send a text frame.
    Send(String),
    /// Send a binary frame (only garbage is binary).
    SendBytes(Vec<u8>),
    /// Make speech; it comes back by [`Realtime::spoken`].
    Speak {
        /// The response that waits for it.
        response: String,
        /// BCP 47 language.
        language: String,
        /// Sentences, each in one breath.
        say: Vec<String>,
    },
    /// Recognise speech; the words come back by [`Realtime::recognised`].
    Recognise {
        /// The item whose audio this is.
        item: String,
        /// 24 kHz mono.
        pcm: Arc<[i16]>,
    },
    /// Close the connection.
    Close {
        /// Close code.
        code: u16,
        /// Reason.
        reason: &'static str,
    },
    /// Break the connection without a close frame.
    Drop,
}

/// Makes ids that look like the vendor's; the same seed makes the same ids.
#[derive(Debug)]
pub(crate) struct Ids(fastrand::Rng);

impl Ids {
    pub(crate) fn new(seed: u64, connection: u32) -> Ids {
        Ids(fastrand::Rng::with_seed(
            seed.wrapping_mul(1_000_003)
                .wrapping_add(u64::from(connection)),
        ))
    }

    pub(crate) fn next(&mut self, kind: &str) -> String {
        let tail: String = (0..20).map(|_| self.0.alphanumeric()).collect();
        format!("{kind}_{tail}")
    }
}

/// Words of a turn that are to be told.
#[derive(Debug)]
struct Transcript {
    item: String,
    model: String,
    ms: u64,
    due_ms: u64,
    text: Option<String>,
}

/// A realtime session.
#[derive(Debug)]
pub(crate) struct Realtime {
    config: Arc<SimConfig>,
    ids: Ids,
    session: Session,
    conversation: String,
    items: Vec<Item>,
    input: Input,
    vad: Option<Vad>,
    detection: Option<TurnDetection>,
    responses: Vec<Active>,
    /// Items whose words are not known yet.
    unheard: Vec<String>,
    transcripts: Vec<Transcript>,
    voice_heard: VoiceHeard,
    cache: Cache,
    /// A committed turn waits for the running response to end.
    turn_waiting: bool,
    /// When the interviewer speaks up by itself.
    idle_due_ms: Option<u64>,
    expires_ms: u64,
    responses_created: u64,
    faults: Vec<FaultKind>,
    rate_limited_left: u32,
    sent: u32,
    effects: Vec<Effect>,
}

/// What a new connection is.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    /// Its number, from 1.
    pub(crate) number: u32,
    /// The model in the URL.
    pub(crate) model: String,
    /// Seconds since 1970, for `expires_at`.
    pub(crate) unix_s: u64,
}

impl Realtime {
    /// A new session; `session.created` is its first effect.
    pub(crate) fn new(config: Arc<SimConfig>, connection: &Connection, now_ms: u64) -> Realtime {
        let mut ids = Ids::new(config.seed, connection.number);
        let session = Session::new(
            &ids.next("sess"),
            &connection.model,
            connection.unix_s + config.session_max.as_secs(),
        );
        let faults = config.faults_of(connection.number);
        let rate_limited_left = faults
            .iter()
            .map(|fault| {
                if let FaultKind::RateLimitedResponses(count) = fault {
                    *count
                } else {
                    0
                }
            })
            .sum();
        let conversation = ids.next("conv");
        let expires_ms =
            now_ms + u64::try_from(config.session_max.as_millis()).unwrap_or(u64::MAX / 2);
        let mut realtime = Realtime {
            config,
            ids,
            session,
            conversation,
            items: Vec::new(),
            input: Input::default(),
            vad: None,
            detection: None,
            responses: Vec::new(),
            unheard: Vec::new(),
            transcripts: Vec::new(),
            voice_heard: VoiceHeard::No,
            cache: Cache::default(),
            turn_waiting: false,
            idle_due_ms: None,
            expires_ms,
            responses_created: 0,
            faults,
            rate_limited_left,
            sent: 0,
            effects: Vec::new(),
        };
        realtime.configure_detection();
        let session = realtime.session.json().clone();
        realtime.send("session.created", json!({ "session": session }));
        realtime
    }

    /// Something goes wrong from now on.
    pub(crate) fn fails(&mut self, fault: FaultKind) {
        self.faults.push(fault);
    }

    /// What must now be done, in order.
    pub(crate) fn effects(&mut self) -> std::vec::Drain<'_, Effect> {
        self.effects.drain(..)
    }

    /// Takes a client event.
    pub(crate) fn frame(&mut self, now_ms: u64, text: &str) {
        if let Some(append) = Append::read(text) {
            if let Err(refusal) = self.append(now_ms, Some(&append.audio)) {
                self.refuse(append.event_id.as_deref(), &refusal);
            }
            return self.tick(now_ms);
        }
        let Ok(event) = serde_json::from_str::<Value>(text) else {
            let refusal = Refusal {
                code: Some("invalid_json"),
                message: "The event could not be parsed as JSON.".into(),
                param: None,
            };
            return self.refuse(None, &refusal);
        };
        if let Err(refusal) = self.dispatch(now_ms, &event) {
            self.refuse(event["event_id"].as_str(), &refusal);
        }
        self.tick(now_ms);
    }

    /// The earliest moment at which [`Realtime::tick`] has something to do.
    pub(crate) fn deadline_ms(&self) -> u64 {
        let responses = self
            .responses
            .iter()
            .filter_map(|active| active.due_ms(self.config.delivery));
        let transcripts = self
            .transcripts
            .iter()
            .filter(|transcript| transcript.text.is_some())
            .map(|transcript| transcript.due_ms);
        responses
            .chain(transcripts)
            .chain(self.idle_due_ms)
            .chain([self.expires_ms])
            .min()
            .unwrap_or(self.expires_ms)
    }

    /// Does what is due.
    pub(crate) fn tick(&mut self, now_ms: u64) {
        if now_ms >= self.expires_ms {
            const MESSAGE: &str = "Your session hit the maximum duration of 60 minutes.";
            self.refuse(
                None,
                &Refusal {
                    code: Some("session_expired"),
                    message: MESSAGE.into(),
                    param: None,
                },
            );
            self.effects.push(Effect::Close {
                code: 1001,
                reason: MESSAGE,
            });
            self.expires_ms = u64::MAX;
            return;
        }
        self.talk(now_ms);
        self.tell_transcripts(now_ms);
        if self.idle_due_ms.is_some_and(|due| now_ms >= due) {
            self.idle_due_ms = None;
            self.idle(now_ms);
        }
    }

    fn dispatch(&mut self, now_ms: u64, event: &Value) -> Result<(), Refusal> {
        match event["type"].as_str() {
            Some("session.update") => self.update_session(event),
            Some(APPEND) => self.append(now_ms, event["audio"].as_str()),
            Some("input_audio_buffer.commit") => self.commit_by_client(now_ms),
            Some("input_audio_buffer.clear") => {
                self.clear_input();
                Ok(())
            }
            Some("conversation.item.create") => self.create_item(now_ms, event),
            Some("conversation.item.retrieve") => self.retrieve_item(event),
            Some("conversation.item.delete") => self.delete_item(event),
            Some("conversation.item.truncate") => self.truncate_item(event),
            Some("response.create") => self.create_by_client(now_ms, event),
            Some("response.cancel") => self.cancel_by_client(now_ms, event),
            Some(other) => {
                let message = format!(
                    "Invalid value: '{other}'. Supported values are: {}.",
                    CLIENT_EVENTS.join(", ")
                );
                Err(Refusal::new("invalid_value", message, "type"))
            }
            None => Err(Refusal::new(
                "missing_required_parameter",
                "Missing required parameter: 'type'.",
                "type",
            )),
        }
    }

    /// Sends an event, with its id; also where faults of the wire happen.
    fn send(&mut self, kind: &str, mut event: Value) {
        let id = self.ids.next("event");
        let fields = event.as_object_mut().expect("events are objects");
        fields.insert("type".into(), kind.into());
        fields.insert("event_id".into(), id.into());
        self.send_raw(event.to_string());
    }

    fn send_raw(&mut self, frame: String) {
        self.sent += 1;
        for fault in &self.faults {
            match fault {
                FaultKind::Garbage => {
                    let garbage = [
                        "{\"type\":\"session.cre",
                        "not json at all",
                        "[1,2,3]",
                        "{\"no\":\"type\"}",
                    ];
                    let effect = match garbage.get(self.sent as usize % 5) {
                        Some(text) => Effect::Send((*text).into()),
                        None => Effect::SendBytes(vec![0xff, 0x00, 0xfe]),
                    };
                    return self.effects.push(effect);
                }
                FaultKind::UnknownEvents => {
                    let unknown = json!({ "type": "session.horoscope.updated", "event_id": format!("event_unknown{}", self.sent), "mood": [1, null] });
                    self.effects.push(Effect::Send(unknown.to_string()));
                }
                FaultKind::DropAfterEvents(count) if self.sent > *count => {
                    return self.effects.push(Effect::Drop);
                }
                FaultKind::DropAfterEvents(_)
                | FaultKind::RefuseKey
                | FaultKind::CloseInvalidKey
                | FaultKind::CloseAtOnce
                | FaultKind::Stall
                | FaultKind::RateLimitedResponses(_)
                | FaultKind::TranscriptionFails => {}
            }
        }
        self.effects.push(Effect::Send(frame));
    }

    fn refuse(&mut self, event_id: Option<&str>, refusal: &Refusal) {
        self.send(
            "error",
            json!({ "error": {
                "type": "invalid_request_error", "code": refusal.code, "message": refusal.message, "param": refusal.param, "event_id": event_id,
            } }),
        );
    }
}

/// The event that brings the participant's audio.
const APPEND: &str = "input_audio_buffer.append";

/// That event, read without a tree of values and without a copy of its audio: there are fifty of them to every other.
#[derive(Deserialize)]
struct Append<'t> {
    #[serde(borrow)]
    r#type: Cow<'t, str>,
    #[serde(borrow)]
    audio: Cow<'t, str>,
    #[serde(borrow, default)]
    event_id: Option<Cow<'t, str>>,
}

impl<'t> Append<'t> {
    /// None for any other event, and for one that is not as it should be.
    fn read(text: &'t str) -> Option<Append<'t>> {
        // Other events are few, but some are long: they are not read twice.
        let begin = text.get(..APPEND_WITHIN).unwrap_or(text);
        if !begin.contains(APPEND) {
            return None;
        }
        serde_json::from_str(text)
            .ok()
            .filter(|append: &Append<'t>| append.r#type == APPEND)
    }
}

/// The type stands within so many bytes of the beginning where it is to be read fast.
const APPEND_WITHIN: usize = 100;

const CLIENT_EVENTS: [&str; 11] = [
    "'session.update'",
    "'input_audio_buffer.append'",
    "'input_audio_buffer.commit'",
    "'input_audio_buffer.clear'",
    "'conversation.item.create'",
    "'conversation.item.retrieve'",
    "'conversation.item.delete'",
    "'conversation.item.truncate'",
    "'response.create'",
    "'response.cancel'",
    "'output_audio_buffer.clear'",
];

/// Little-endian bytes as samples; an odd byte at the end is dropped.
pub(crate) fn samples(bytes: &[u8]) -> impl Iterator<Item = i16> {
    bytes
        .chunks_exact(2)
        .map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
}

/// Samples as base64 of little-endian bytes.
pub(crate) fn base64(pcm: &[i16]) -> String {
    let bytes: Vec<u8> = pcm.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    base64_simd::STANDARD.encode_to_string(bytes)
}
