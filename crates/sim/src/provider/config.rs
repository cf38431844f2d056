//! What kind of vendor the simulator plays: how fast, how strict, and what goes wrong.

use std::sync::Arc;
use std::time::Duration;

use super::chat::vendor::{AnswerTime, ChatTerms, ChatVendor};
use crate::voice::{Synthesiser, VoiceConfig};

/// Configuration of a simulated provider.
#[derive(Clone, Debug)]
pub struct SimConfig {
    /// Which keys are accepted.
    pub keys: Keys,
    /// What a wrong key gets on the realtime endpoint.
    pub wrong_key: WrongKey,
    /// How long it takes.
    pub latency: Latency,
    /// How fast the interviewer's audio is sent.
    pub delivery: Delivery,
    /// Where tool calls stand in a response.
    pub tool_order: ToolOrder,
    /// After this a realtime session expires. The vendor's limit is 60 minutes.
    pub session_max: Duration,
    /// What goes wrong on realtime connections.
    pub faults: Vec<Fault>,
    /// How chat completions are answered; shared, so that it can be changed while the simulator serves.
    pub chat: Arc<ChatVendor>,
    /// What goes wrong on chat completions: the n-th request (from 1) and how it fails.
    pub chat_faults: Vec<(u32, HttpFault)>,
    /// Models that exist; the first is the default.
    pub models: Vec<String>,
    /// How texts without a clip are spoken.
    pub voice: VoiceConfig,
    /// Makes ids; the same seed gives the same ids.
    pub seed: u64,
}

impl Default for SimConfig {
    fn default() -> SimConfig {
        SimConfig {
            keys: Keys::AnyNonEmpty,
            wrong_key: WrongKey::Http401,
            latency: Latency::default(),
            delivery: Delivery::TimesRealTime(4),
            tool_order: ToolOrder::AfterSpeech,
            session_max: Duration::from_secs(60 * 60),
            faults: Vec::new(),
            chat: Arc::default(),
            chat_faults: Vec::new(),
            models: MODELS.iter().map(|model| (*model).to_owned()).collect(),
            voice: VoiceConfig {
                synthesisers: vec![Synthesiser::Flite, Synthesiser::EspeakNg],
                deadline: Duration::from_secs(3),
                cache_s: 600,
            },
            seed: 1,
        }
    }
}

impl SimConfig {
    /// As fast as possible: for tests and benchmarks.
    #[must_use]
    pub fn instant() -> SimConfig {
        SimConfig {
            latency: Latency::ZERO,
            delivery: Delivery::AtOnce,
            chat: Arc::new(ChatVendor::new(
                ChatTerms {
                    answer: AnswerTime::flat(0),
                    ..ChatTerms::default()
                },
                1,
            )),
            ..SimConfig::default()
        }
    }

    /// The faults of the n-th realtime connection (from 1).
    pub(crate) fn faults_of(&self, connection: u32) -> Vec<FaultKind> {
        self.faults
            .iter()
            .filter(|fault| {
                fault.when == When::Always || fault.when == When::Connection(connection)
            })
            .map(|fault| fault.kind)
            .collect()
    }
}

/// Models of the vendor at the time of writing (November 2026): speech, transcription, text.
const MODELS: [&str; 8] = [
    "gpt-realtime-2.1",
    "gpt-realtime-2.1-mini",
    "gpt-realtime",
    "gpt-transcribe",
    "gpt-live-transcribe",
    "gpt-4o-transcribe",
    "gpt-6-luna",
    "gpt-5.6-luna",
];

/// Which keys are accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keys {
    /// Any that is not empty.
    AnyNonEmpty,
    /// These only (and temporary ones issued by the simulator).
    OneOf(Vec<String>),
}

/// What a wrong key gets on the realtime endpoint; the vendor was seen to do both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WrongKey {
    /// HTTP 401 instead of the upgrade.
    Http401,
    /// The upgrade, and then close code 3000.
    Close3000,
}

/// How long things take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Latency {
    /// From the commit of a turn to the response's first audio, in milliseconds.
    pub first_audio_ms: u64,
    /// From the commit of a turn to its transcript, in milliseconds.
    pub transcript_ms: u64,
    /// A file transcription, in milliseconds.
    pub http_ms: u64,
}

impl Latency {
    /// No waiting.
    pub const ZERO: Latency = Latency {
        first_audio_ms: 0,
        transcript_ms: 0,
        http_ms: 0,
    };
}

impl Default for Latency {
    fn default() -> Latency {
        Latency {
            first_audio_ms: 150,
            transcript_ms: 350,
            http_ms: 120,
        }
    }
}

/// How fast the interviewer's audio is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// All at once.
    AtOnce,
    /// So many times as fast as it is heard; at least 1.
    TimesRealTime(u32),
}

/// Where tool calls stand in a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToolOrder {
    /// After the interviewer's words.
    AfterSpeech,
    /// Before the interviewer's words.
    BeforeSpeech,
}

/// Something that goes wrong on a realtime connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// On which connections.
    pub when: When,
    /// What.
    pub kind: FaultKind,
}

/// On which connections a fault happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// On all.
    Always,
    /// On the n-th, from 1.
    Connection(u32),
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The key is refused with HTTP 401 instead of the upgrade.
    RefuseKey,
    /// The key is refused after the upgrade: close 3000 `invalid_request_error.invalid_api_key`.
    CloseInvalidKey,
    /// The connection is closed (1011) before anything was said.
    CloseAtOnce,
    /// The connection breaks without a close frame after so many server events.
    DropAfterEvents(u32),
    /// Everything that is sent is garbage: broken JSON, a binary frame, JSON of no type.
    Garbage,
    /// Before every event comes one of a type that nobody knows.
    UnknownEvents,
    /// Nothing is answered after the session was configured.
    Stall,
    /// So many responses fail with `inference_rate_limit_exceeded` before one succeeds.
    RateLimitedResponses(u32),
    /// Transcription of the participant's words fails.
    TranscriptionFails,
}

/// How a chat completion fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpFault {
    /// 429, try again after so many milliseconds.
    RateLimit {
        /// The hint in `retry-after-ms`.
        retry_after_ms: u64,
    },
    /// 429 "Request too large": only a smaller request helps.
    TooLarge,
    /// 429 `insufficient_quota`: trying again does not help.
    Quota,
    /// 500.
    ServerError,
    /// 200 with content that is not what was asked for.
    WrongShape,
    /// 200 with `finish_reason: length`: the content is cut off.
    CutOff,
}
