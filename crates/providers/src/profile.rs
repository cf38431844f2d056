//! Provider profiles: what a vendor's model is able to do, as data.
//!
//! The built-in ones are `profiles.toml`. An operator's file is laid over them, key by key, so that a new model, voice or
//! limit needs no release. A key that is not known, or a value that makes no sense, is an error that names it.

use std::collections::BTreeMap;
use std::time::Duration;

use engine::link::Capabilities;
use serde::Deserialize;

const BUILT_IN: &str = include_str!("../profiles.toml");

/// The language that a vendor's socket speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Dialect {
    /// OpenAI Realtime, GA events.
    #[serde(rename = "openai_realtime")]
    OpenAiRealtime,
}

impl Dialect {
    /// All of them.
    pub const ALL: [Dialect; 1] = [Dialect::OpenAiRealtime];

    /// Whose it is, as metrics name it. Vendors' names in profiles are an operator's own words, and could be many.
    #[must_use]
    pub const fn provider(self) -> &'static str {
        match self {
            Dialect::OpenAiRealtime => "openai",
        }
    }
}

/// One way to have an interview spoken: a vendor's model with its voices and limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Its name in study files and configuration, such as `gpt-realtime-2.1` or `simulator`.
    pub id: String,
    /// The vendor's name, for people: `OpenAI`.
    pub vendor: String,
    /// What its socket speaks.
    pub dialect: Dialect,
    /// The vendor's id of the model.
    pub model: String,
    /// The vendor's own address; none if only the configuration knows it.
    pub base_url: Option<String>,
    /// The vendor's id of the model that transcribes the participant; none if it cannot.
    pub transcription_model: Option<String>,
    /// The voice for studies that name none.
    pub default_voice: String,
    /// All voices.
    pub voices: Vec<String>,
    /// Rate of the participant's audio, in samples per second.
    pub input_rate_hz: u32,
    /// Rate of the interviewer's audio, in samples per second.
    pub output_rate_hz: u32,
    /// How long the vendor keeps a connection before it ends it. A rebuild is planned before that.
    pub session_max: Duration,
    /// Tokens of one response at most, if it is to be limited.
    pub max_output_tokens: Option<u32>,
    /// What the vendor can do.
    pub capabilities: Capabilities,
}

/// What is wrong with a profile file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    /// The text is no TOML, has a key that is not known, or a value of the wrong kind.
    #[error("{0}")]
    File(String),
    /// A profile lacks a key that it needs.
    #[error("profile `{id}` has no `{key}`: add `{key} = ...` under [profile.\"{id}\"]")]
    Missing {
        /// The profile.
        id: String,
        /// The key.
        key: &'static str,
    },
    /// A value makes no sense.
    #[error("profile `{id}`: `{key}` {problem}")]
    Value {
        /// The profile.
        id: String,
        /// The key.
        key: &'static str,
        /// What is wrong with it and what would be right.
        problem: String,
    },
}

/// All profiles that can be chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profiles(BTreeMap<String, Profile>);

impl Profiles {
    /// The profiles that come with Colloquy.
    ///
    /// # Panics
    ///
    /// Never in a build that passes its tests: the file is compiled in and checked there.
    #[must_use]
    pub fn built_in() -> Profiles {
        Profiles::with(None).expect("profiles.toml is compiled in and checked by a test")
    }

    /// The built-in profiles with the operator's file laid over them.
    ///
    /// # Errors
    ///
    /// If the file is not as described in `profiles.toml`.
    pub fn with(operator: Option<&str>) -> Result<Profiles, ProfileError> {
        let mut partial = parse(BUILT_IN)?;
        if let Some(text) = operator {
            for (id, over) in parse(text)? {
                partial.entry(id).or_default().lay_over(over);
            }
        }
        let complete = partial
            .into_iter()
            .map(|(id, partial)| Ok((id.clone(), partial.complete(id)?)));
        Ok(Profiles(complete.collect::<Result<_, ProfileError>>()?))
    }

    /// The profile of that name.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Profile> {
        self.0.get(id)
    }

    /// All profiles, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Profile> {
        self.0.values()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    profile: BTreeMap<String, Partial>,
}

/// A profile with only the keys that a file sets.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Partial {
    vendor: Option<String>,
    dialect: Option<Dialect>,
    model: Option<String>,
    base_url: Option<String>,
    transcription_model: Option<String>,
    default_voice: Option<String>,
    voices: Option<Vec<String>>,
    input_rate_hz: Option<u32>,
    output_rate_hz: Option<u32>,
    session_max_minutes: Option<u32>,
    max_output_tokens: Option<u32>,
    turn_events: Option<bool>,
    truncation: Option<bool>,
    replace_instructions: Option<bool>,
    token_usage: Option<bool>,
}

fn parse(text: &str) -> Result<BTreeMap<String, Partial>, ProfileError> {
    let file: File = toml::from_str(text).map_err(|error| ProfileError::File(error.to_string()))?;
    Ok(file.profile)
}

impl Partial {
    fn lay_over(&mut self, over: Partial) {
        fn set<T>(under: &mut Option<T>, over: Option<T>) {
            if over.is_some() {
                *under = over;
            }
        }
        set(&mut self.vendor, over.vendor);
        set(&mut self.dialect, over.dialect);
        set(&mut self.model, over.model);
        set(&mut self.base_url, over.base_url);
        set(&mut self.transcription_model, over.transcription_model);
        set(&mut self.default_voice, over.default_voice);
        set(&mut self.voices, over.voices);
        set(&mut self.input_rate_hz, over.input_rate_hz);
        set(&mut self.output_rate_hz, over.output_rate_hz);
        set(&mut self.session_max_minutes, over.session_max_minutes);
        set(&mut self.max_output_tokens, over.max_output_tokens);
        set(&mut self.turn_events, over.turn_events);
        set(&mut self.truncation, over.truncation);
        set(&mut self.replace_instructions, over.replace_instructions);
        set(&mut self.token_usage, over.token_usage);
    }

    fn complete(self, id: String) -> Result<Profile, ProfileError> {
        fn need<T>(id: &str, key: &'static str, value: Option<T>) -> Result<T, ProfileError> {
            value.ok_or_else(|| ProfileError::Missing {
                id: id.to_owned(),
                key,
            })
        }
        let minutes = need(&id, "session_max_minutes", self.session_max_minutes)?;
        let profile = Profile {
            vendor: need(&id, "vendor", self.vendor)?,
            dialect: need(&id, "dialect", self.dialect)?,
            model: need(&id, "model", self.model)?,
            base_url: self.base_url,
            // An empty text switches transcription off in a file laid over one that has it.
            transcription_model: self.transcription_model.filter(|model| !model.is_empty()),
            default_voice: need(&id, "default_voice", self.default_voice)?,
            voices: need(&id, "voices", self.voices)?,
            input_rate_hz: need(&id, "input_rate_hz", self.input_rate_hz)?,
            output_rate_hz: need(&id, "output_rate_hz", self.output_rate_hz)?,
            session_max: Duration::from_secs(u64::from(minutes) * 60),
            max_output_tokens: self.max_output_tokens,
            capabilities: Capabilities {
                turn_events: need(&id, "turn_events", self.turn_events)?,
                truncation: need(&id, "truncation", self.truncation)?,
                replace_instructions: need(&id, "replace_instructions", self.replace_instructions)?,
                token_usage: need(&id, "token_usage", self.token_usage)?,
                link_max: Some(Duration::from_secs(u64::from(minutes) * 60)),
            },
            id,
        };
        profile.check()?;
        Ok(profile)
    }
}

impl Profile {
    fn check(&self) -> Result<(), ProfileError> {
        let wrong = |key, problem: String| {
            Err(ProfileError::Value {
                id: self.id.clone(),
                key,
                problem,
            })
        };
        if self.model.trim().is_empty() {
            return wrong(
                "model",
                "is empty: give the vendor's id of the model".to_owned(),
            );
        }
        if !self.voices.contains(&self.default_voice) {
            let voices = self.voices.join(", ");
            return wrong(
                "default_voice",
                format!(
                    "is `{}`, which is none of its voices: {voices}",
                    self.default_voice
                ),
            );
        }
        if self.session_max < Duration::from_secs(60) {
            return wrong("session_max_minutes", "is 0: give at least 1".to_owned());
        }
        match self.dialect {
            // Only this rate exists for linear PCM (OpenAI Realtime reference, `audio.input.format`).
            Dialect::OpenAiRealtime if self.input_rate_hz != 24_000 => wrong(
                "input_rate_hz",
                format!("is {}: this dialect speaks 24000 only", self.input_rate_hz),
            ),
            Dialect::OpenAiRealtime if self.output_rate_hz != 24_000 => wrong(
                "output_rate_hz",
                format!("is {}: this dialect speaks 24000 only", self.output_rate_hz),
            ),
            Dialect::OpenAiRealtime if !self.capabilities.turn_events => wrong(
                "turn_events",
                "is false: this dialect's vendor decides when a turn ends".to_owned(),
            ),
            Dialect::OpenAiRealtime => Ok(()),
        }
    }
}
