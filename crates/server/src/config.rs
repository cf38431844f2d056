//! Configuration: one annotated default file, compiled in; the operator's file over it; the environment over that.
//!
//! Parsing is a pure function of a text and a map of variables, so tests never touch the environment. Every mistake is
//! named with its line, its field and what to do about it, and all of them at once.

mod overlay;
mod validate;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use engine::enrich::Order;
use providers::Secret;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use store::Database;

use crate::mistake::Mistake;

/// The annotated defaults: documentation and values in one.
pub const DEFAULT_TOML: &str = include_str!("../config.default.toml");

/// Everything that an operator can set. Field by field the same as `config.default.toml`, where the meanings stand.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Pages and API.
    pub http: Http,
    /// Participants' media.
    pub media: Media,
    /// Database and recordings.
    pub store: Store,
    /// Speech-to-speech providers.
    pub provider: Provider,
    /// Coding of transcripts.
    pub enrichment: Enrichment,
    /// Who hears participants a second time.
    pub second_transcript: SecondTranscript,
    /// Who is told.
    pub webhooks: Webhooks,
    /// How much at once.
    pub capacity: Capacity,
    /// Study files.
    pub studies: Studies,
    /// The end of the process.
    pub shutdown: Shutdown,
    /// The log.
    pub log: Log,
}

fn order<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Order, D::Error> {
    let name = String::deserialize(deserializer)?;
    let known = Order::ALL.map(Order::name).join("` or `");
    let unknown = || D::Error::custom(format!("`{name}` is no order; it must be `{known}`"));
    Order::from_name(&name).ok_or_else(unknown)
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
    String::deserialize(deserializer).map(Secret::new)
}

/// `[http]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// Where pages and API are served.
    pub addr: SocketAddr,
    /// The address in links; empty: made from `addr`.
    pub public_url: String,
    /// What opens the console; empty: made at the first start.
    #[serde(deserialize_with = "secret")]
    pub console_token: Secret,
    /// The largest request body, in bytes.
    pub body_bytes_max: usize,
    /// Requests per minute and address on public endpoints.
    pub requests_per_minute: u32,
    /// Requests of one address in one burst.
    pub requests_burst: u32,
    /// How long a request may take.
    pub request_timeout_ms: u64,
}

/// `[media]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Media {
    /// One UDP port for all participants.
    pub udp_addr: SocketAddr,
    /// One TCP port as fallback.
    pub tcp_addr: SocketAddr,
    /// Addresses that browsers are told.
    pub advertise_ips: Vec<IpAddr>,
    /// Threads; 0: one per core.
    pub shards: usize,
    /// Opus effort, 0 to 10.
    pub opus_complexity: u8,
    /// Opus bits per second.
    pub opus_bitrate_bps: u32,
}

/// `[store]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Store {
    /// The SQLite file, or the `postgres://` address of a database.
    pub database: PathBuf,
    /// This process's name as owner of sessions and jobs; of several on one database each has its own.
    pub node: String,
    /// The folder of recordings.
    pub recordings: PathBuf,
}

impl Store {
    /// Beside what small files of this server stand: the database if it is a file, else the recordings.
    #[must_use]
    pub fn beside(&self) -> &Path {
        match Database::at(self.database.clone()) {
            Database::Sqlite(_) => &self.database,
            Database::Postgres(_) => &self.recordings,
        }
    }
}

/// `[provider]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// OpenAI's base URL, or that of a server that speaks its protocol.
    pub openai_base_url: String,
    /// The key.
    #[serde(deserialize_with = "secret")]
    pub openai_api_key: Secret,
    /// Profiles over the built-in ones; empty: none.
    pub profiles_file: PathBuf,
    /// Prices over the built-in ones; empty: none.
    pub prices_file: PathBuf,
    /// For studies that name none.
    pub default_profile: String,
    /// How long a link may take to be ready.
    pub connect_timeout_ms: u64,
}

/// `[webhooks]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhooks {
    /// Where events are posted; empty: nowhere.
    pub url: String,
    /// What they are signed with.
    #[serde(deserialize_with = "secret")]
    pub secret: Secret,
    /// How long a receiver may take.
    pub timeout_ms: u64,
}

/// Who codes segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Coder {
    /// The chat completions endpoint.
    Endpoint,
    /// A lexicon, without any call.
    Lexicon,
}

/// `[enrichment]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enrichment {
    /// Who codes.
    pub coder: Coder,
    /// Chat completions endpoint; empty: the provider's.
    pub base_url: String,
    /// Its key; empty: the provider's.
    #[serde(deserialize_with = "secret")]
    pub api_key: Secret,
    /// The model.
    pub model: String,
    /// Segments in one call, 1 to 20.
    pub batch_segments: usize,
    /// Whose segments are coded first.
    #[serde(deserialize_with = "order")]
    pub order: Order,
    /// Minutes after its end within which a session's results are promised, if its study does not say.
    pub results_within_min: u32,
    /// Whether segments are coded while the interview runs.
    pub streaming: bool,
    /// Calls in flight, 1 to 64.
    pub concurrency: usize,
    /// How often an endpoint that refuses everything is asked again, in milliseconds.
    pub probe_every_ms: u64,
    /// How long one call may take.
    pub timeout_ms: u64,
    /// Tries before a dead letter.
    pub attempts_max: u32,
}

/// `[second_transcript]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecondTranscript {
    /// The model; empty: there is no second transcript.
    pub model: String,
    /// Transcriptions endpoint; empty: the provider's.
    pub base_url: String,
    /// Its key; empty: the provider's.
    #[serde(deserialize_with = "secret")]
    pub api_key: Secret,
    /// Calls in flight, 1 to 32.
    pub concurrency: usize,
    /// How long one call may take.
    pub timeout_ms: u64,
}

/// `[capacity]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Capacity {
    /// Sessions at once.
    pub sessions_max: usize,
    /// Share of all cores above which no new interview begins; 100: any.
    pub cpu_percent_max: u32,
    /// Share of moments with late audio above which no new interview begins; 100: any.
    pub late_percent_max: u32,
}

/// `[studies]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Studies {
    /// Loaded at every start; empty: none.
    pub folder: PathBuf,
}

/// `[shutdown]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shutdown {
    /// For running sessions after SIGTERM.
    pub deadline_ms: u64,
}

/// `[log]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// `text` or `json`.
    pub format: LogFormat,
    /// The least level.
    pub level: LogLevel,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For a person at a terminal.
    Text,
    /// For a log store.
    Json,
}

/// The least level that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    /// Someone must act.
    Error,
    /// Worth waking somebody.
    Warn,
    /// What an operator wants to read.
    Info,
    /// What a developer wants to read.
    Debug,
    /// Everything, people's words included.
    Trace,
}

impl LogLevel {
    /// As the log filter writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            LogLevel::Error => "error",
            LogLevel::Warn => "warn",
            LogLevel::Info => "info",
            LogLevel::Debug => "debug",
            LogLevel::Trace => "trace",
        }
    }
}

impl Config {
    /// Reads the configuration from the operator's text (if any) and variables such as `COLLOQUY__HTTP__ADDR`.
    ///
    /// # Errors
    /// All mistakes at once: bad TOML, unknown or misspelt keys, wrong types and units, values out of range.
    pub fn load(
        file: Option<&str>,
        variables: &BTreeMap<String, String>,
    ) -> Result<Config, Vec<Mistake>> {
        let table = overlay::merge(DEFAULT_TOML, file, variables)?;
        let config: Config = table.try_into().map_err(|error: toml::de::Error| {
            vec![Mistake {
                line: 0,
                column: 0,
                field: "configuration".into(),
                message: error.message().to_owned(),
                remedy: "Compare the value with the one in config.default.toml".into(),
            }]
        })?;
        let mut mistakes = validate::mistakes(&config);
        for mistake in &mut mistakes {
            mistake.line = file.map_or(0, |text| overlay::line_of(text, &mistake.field));
        }
        if mistakes.is_empty() {
            Ok(config)
        } else {
            Err(mistakes)
        }
    }

    /// The address in links, without a slash at its end.
    #[must_use]
    pub fn public_url(&self) -> String {
        match self.http.public_url.trim_end_matches('/') {
            "" => format!("http://{}", self.http.addr),
            url => url.to_owned(),
        }
    }

    /// Base URL and key of the endpoint that codes transcripts.
    #[must_use]
    pub fn enrichment_endpoint(&self) -> (String, Secret) {
        self.endpoint(&self.enrichment.base_url, &self.enrichment.api_key)
    }

    /// Base URL and key of the endpoint that hears a second time.
    #[must_use]
    pub fn second_transcript_endpoint(&self) -> (String, Secret) {
        let second = &self.second_transcript;
        self.endpoint(&second.base_url, &second.api_key)
    }

    /// The provider's where no other base URL is named. A key is never sent to another endpoint than the one it was given for.
    fn endpoint(&self, base_url: &str, key: &Secret) -> (String, Secret) {
        if !base_url.is_empty() {
            return (base_url.to_owned(), key.clone());
        }
        let key = if key.expose().is_empty() {
            &self.provider.openai_api_key
        } else {
            key
        };
        (self.provider.openai_base_url.clone(), key.clone())
    }
}

#[cfg(test)]
mod tests;
