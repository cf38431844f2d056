//! The session object of the realtime protocol and its merge rules.
//!
//! An update is merged, except that a `turn_detection` of another type replaces the old one; `null` clears; the voice cannot change once
//! it was heard, nor the model ever; fields that are not of this protocol version are refused, and then nothing of the update applies.

mod check;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value, json};

pub(super) use self::check::known_only;
use self::check::{check_format, check_input, check_values, in_range, invalid, object};

use crate::provider::vad::VadSettings;

/// Why an update was refused, as the vendor words it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The vendor's code.
    pub code: Option<&'static str>,
    /// For the developer who reads it.
    pub message: String,
    /// Path of the offending field.
    pub param: Option<String>,
}

impl Refusal {
    pub(super) fn new(
        code: &'static str,
        message: impl Into<String>,
        param: impl Into<String>,
    ) -> Refusal {
        Refusal {
            code: Some(code),
            message: message.into(),
            param: Some(param.into()),
        }
    }
}

/// Whether the interviewer's voice was heard already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum VoiceHeard {
    /// Not yet: the voice may change.
    No,
    /// It was: the voice stays.
    Yes,
}

/// A session's configuration, as the protocol shows it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Session(Value);

/// Turn detection, as configured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct TurnDetection {
    /// What the detector is told.
    pub vad: VadSettings,
    /// Whether a committed turn is answered by itself.
    pub create_response: bool,
    /// Whether speech interrupts the interviewer.
    pub interrupt_response: bool,
    /// Silence after which the interviewer speaks by itself.
    pub idle_timeout_ms: Option<u64>,
}

impl Session {
    /// The session that the vendor creates by default.
    pub(super) fn new(id: &str, model: &str, expires_at: u64) -> Session {
        Session(json!({
            "type": "realtime", "object": "realtime.session", "id": id, "model": model, "output_modalities": ["audio"],
            "instructions": "", "tools": [], "tool_choice": "auto", "max_output_tokens": "inf", "tracing": null, "truncation": "auto",
            "prompt": null, "expires_at": expires_at, "include": null,
            "audio": {
                "input": {
                    "format": { "type": "audio/pcm", "rate": 24000 }, "transcription": null, "noise_reduction": null,
                    "turn_detection": default_turn_detection("server_vad"),
                },
                "output": { "format": { "type": "audio/pcm", "rate": 24000 }, "voice": "marin", "speed": 1.0 },
            },
        }))
    }

    /// As `session.created` and `session.updated` show it.
    pub(super) fn json(&self) -> &Value {
        &self.0
    }

    pub(super) fn instructions(&self) -> &str {
        self.0["instructions"].as_str().unwrap_or_default()
    }

    pub(super) fn tools(&self) -> &Value {
        &self.0["tools"]
    }

    pub(super) fn field(&self, name: &str) -> &Value {
        &self.0[name]
    }

    pub(super) fn output_audio(&self) -> &Value {
        &self.0["audio"]["output"]
    }

    /// The transcription model, if the participant's words are to be transcribed.
    pub(super) fn transcription_model(&self) -> Option<&str> {
        let transcription = &self.0["audio"]["input"]["transcription"];
        transcription
            .is_object()
            .then(|| transcription["model"].as_str().unwrap_or("gpt-transcribe"))
    }

    pub(super) fn turn_detection(&self) -> Option<TurnDetection> {
        let detection = &self.0["audio"]["input"]["turn_detection"];
        let flag = |name: &str| detection[name].as_bool().unwrap_or(true);
        let number = |name: &str, default: u64| detection[name].as_u64().unwrap_or(default);
        let vad = match detection["type"].as_str()? {
            // The vendor's semantic detection waits for the end of a thought; the simulator waits longer, by the same eagerness.
            "semantic_vad" => VadSettings {
                threshold: 0.5,
                prefix_padding_ms: 300,
                silence_duration_ms: match detection["eagerness"].as_str() {
                    Some("low") => 1500,
                    Some("high") => 400,
                    _ => 800,
                },
            },
            _ => VadSettings {
                #[expect(clippy::cast_possible_truncation, reason = "a ratio from 0 to 1")]
                threshold: detection["threshold"].as_f64().unwrap_or(0.5) as f32,
                prefix_padding_ms: number("prefix_padding_ms", 300),
                silence_duration_ms: number("silence_duration_ms", 200),
            },
        };
        Some(TurnDetection {
            vad,
            create_response: flag("create_response"),
            interrupt_response: flag("interrupt_response"),
            idle_timeout_ms: detection["idle_timeout_ms"].as_u64(),
        })
    }

    /// Applies an update.
    ///
    /// # Errors
    /// Says what is wrong with it, in the vendor's terms; then nothing was applied.
    pub(super) fn update(
        &mut self,
        update: &Value,
        voice_heard: VoiceHeard,
    ) -> Result<(), Refusal> {
        let Some(update) = update.as_object() else {
            return Err(Refusal::new(
                "missing_required_parameter",
                "Missing required parameter: 'session'.",
                "session",
            ));
        };
        self.check(update, voice_heard)?;
        let target = self.0.as_object_mut().expect("a session is an object");
        for (key, value) in update {
            match key.as_str() {
                "type" | "model" => {}
                "audio" => merge_audio(&mut target["audio"], value),
                "instructions" if value.is_null() => {
                    target.insert(key.clone(), json!(""));
                }
                "tools" if value.is_null() => {
                    target.insert(key.clone(), json!([]));
                }
                _ => {
                    target.insert(key.clone(), value.clone());
                }
            }
        }
        Ok(())
    }

    fn check(&self, update: &Map<String, Value>, voice_heard: VoiceHeard) -> Result<(), Refusal> {
        match update.get("type").and_then(Value::as_str) {
            Some("realtime") => {}
            Some(other) => {
                return Err(invalid("session.type", &format!("'{other}'"), "'realtime'"));
            }
            None => {
                return Err(Refusal::new(
                    "missing_required_parameter",
                    "Missing required parameter: 'session.type'.",
                    "session.type",
                ));
            }
        }
        known_only(update, "session", &SESSION_FIELDS)?;
        if let Some(model) = update.get("model")
            && *model != self.0["model"]
        {
            return Err(Refusal::new(
                "invalid_value",
                "Cannot change the model of a running session.",
                "session.model",
            ));
        }
        if update.contains_key("reasoning")
            && !self.0["model"]
                .as_str()
                .is_some_and(|model| model.starts_with("gpt-realtime-2"))
        {
            return Err(Refusal::new(
                "unsupported_parameter",
                "This model does not support 'session.reasoning'.",
                "session.reasoning",
            ));
        }
        check_values(update)?;
        let Some(audio) = update.get("audio") else {
            return Ok(());
        };
        let audio = object(audio, "session.audio")?;
        known_only(audio, "session.audio", &["input", "output"])?;
        if let Some(input) = audio.get("input") {
            check_input(object(input, "session.audio.input")?)?;
        }
        if let Some(output) = audio.get("output") {
            let output = object(output, "session.audio.output")?;
            known_only(
                output,
                "session.audio.output",
                &["format", "voice", "speed"],
            )?;
            check_format(output, "session.audio.output.format")?;
            self.check_voice(output, voice_heard)?;
            in_range(output, "speed", "session.audio.output.speed", 0.25, 1.5)?;
        }
        Ok(())
    }

    fn check_voice(
        &self,
        output: &Map<String, Value>,
        voice_heard: VoiceHeard,
    ) -> Result<(), Refusal> {
        const PARAM: &str = "session.audio.output.voice";
        let Some(voice) = output.get("voice").filter(|voice| !voice.is_null()) else {
            return Ok(());
        };
        if voice_heard == VoiceHeard::Yes && *voice != self.0["audio"]["output"]["voice"] {
            let message = "Cannot update a conversation's voice if assistant audio is present.";
            return Err(Refusal::new("cannot_update_voice", message, PARAM));
        }
        let known = voice.as_str().is_some_and(|name| VOICES.contains(&name))
            || voice["id"]
                .as_str()
                .is_some_and(|id| id.starts_with("voice_"));
        if known {
            Ok(())
        } else {
            Err(invalid(PARAM, &voice.to_string(), &VOICES.join(", ")))
        }
    }
}

const VOICES: [&str; 10] = [
    "alloy", "ash", "ballad", "coral", "echo", "sage", "shimmer", "verse", "marin", "cedar",
];

const SESSION_FIELDS: [&str; 14] = [
    "type",
    "model",
    "output_modalities",
    "instructions",
    "tools",
    "tool_choice",
    "max_output_tokens",
    "tracing",
    "truncation",
    "prompt",
    "include",
    "audio",
    "reasoning",
    "parallel_tool_calls",
];

/// What a turn detection of this type is when nothing else is said (vendor's reference, November 2026).
fn default_turn_detection(kind: &str) -> Value {
    if kind == "semantic_vad" {
        json!({ "type": "semantic_vad", "eagerness": "auto", "create_response": true, "interrupt_response": true })
    } else {
        json!({
            "type": "server_vad", "threshold": 0.5, "prefix_padding_ms": 300, "silence_duration_ms": 200, "idle_timeout_ms": null,
            "create_response": true, "interrupt_response": true,
        })
    }
}

fn merge_audio(target: &mut Value, update: &Value) {
    for side in ["input", "output"] {
        let Some(fields) = update.get(side).and_then(Value::as_object) else {
            continue;
        };
        for (key, value) in fields {
            let old = &mut target[side][key.as_str()];
            let same_kind =
                key == "transcription" || (key == "turn_detection" && old["type"] == value["type"]);
            match (old.as_object_mut(), value.as_object()) {
                (Some(old), Some(new)) if same_kind => old.extend(new.clone()),
                (_, Some(new)) if key == "turn_detection" => {
                    let mut fresh =
                        default_turn_detection(value["type"].as_str().unwrap_or_default());
                    fresh
                        .as_object_mut()
                        .expect("made as an object")
                        .extend(new.clone());
                    *old = fresh;
                }
                _ => *old = value.clone(),
            }
        }
    }
}
