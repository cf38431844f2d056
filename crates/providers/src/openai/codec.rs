//! The rules of the dialect: when what is sent, and what comes in means.
//!
//! ```text
//! Connecting ──open──> Configuring ──session.updated──> Talking ──┐
//!      │                    │                              │      │ error that ends a session, garbage,
//!      └──────────closed────┴──────────────────────────────┴──────┴─ closed ──> Gone (says so once)
//! ```
//!
//! With the vendor's voice activity a turn of the participant is answered without our asking; [`LinkCommand::Say`] is for
//! everything else. Sources: the vendor's Realtime reference and the SDK's types (see `schemas/NOTICE`).

mod batch;
mod events;
mod items;
mod responses;
mod says;

use engine::ids::ItemId;
use engine::link::{FaultCategory, LinkCommand, LinkConfig, LinkEvent};

use self::batch::Batch;
use self::items::{Cut, Items};
use self::says::Says;
use super::error;
use super::wire::client;
use crate::codec::{Closed, Codec, CodecOutput, Counters, Endpoint, Frame};
use crate::profile::Profile;
use crate::secret::Secret;

/// Commands that are kept for a socket that is not yet connected.
const EARLY_MAX: usize = 32;

/// Frames without sense that one link survives. Eight in an hour is not a hiccup but another protocol.
const MALFORMED_MAX: u64 = 8;

/// One link.
pub(crate) struct OpenAiCodec {
    profile: Profile,
    endpoint: Endpoint,
    stage: Stage,
    /// Commands that came before the socket was connected.
    early: Vec<LinkCommand>,
    /// The vendor's name of the session.
    vendor_id: String,
    /// Instructions of the session, to which those of one response are added.
    instructions: String,
    says: Says,
    items: Items,
    batch: Batch,
    /// Counts our events, for ids by which errors are told apart.
    sent: u64,
    counters: Counters,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Connecting,
    Configuring,
    Talking,
    Gone,
}

/// What an event of ours was for. Its name begins the event's id, so that an error says what was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Configure,
    Instruct,
    History,
    ToolResult,
    Cancel,
    Heard,
}

impl Purpose {
    const fn prefix(self) -> &'static str {
        match self {
            Purpose::Configure => "configure_",
            Purpose::Instruct => "instruct_",
            Purpose::History => "history_",
            Purpose::ToolResult => "tool_",
            Purpose::Cancel => "cancel_",
            Purpose::Heard => "heard_",
        }
    }
}

impl OpenAiCodec {
    pub(crate) fn new(profile: &Profile, key: Option<&Secret>, base_url: &str) -> OpenAiCodec {
        let authorization = key.map(|key| {
            (
                "authorization".to_owned(),
                format!("Bearer {}", key.expose()),
            )
        });
        OpenAiCodec {
            endpoint: Endpoint {
                url: url(base_url, &profile.model),
                headers: authorization.into_iter().collect(),
            },
            batch: Batch::new(profile.input_rate_hz),
            profile: profile.clone(),
            stage: Stage::Connecting,
            early: Vec::new(),
            vendor_id: String::new(),
            instructions: String::new(),
            says: Says::default(),
            items: Items::default(),
            sent: 0,
            counters: Counters::default(),
        }
    }

    fn id(&mut self, purpose: Purpose) -> String {
        self.sent += 1;
        format!("{}{}", purpose.prefix(), self.sent)
    }

    /// Sends the next wish to speak, if the vendor can take it now.
    fn speak(&mut self, out: &mut Vec<CodecOutput>) {
        if self.stage != Stage::Talking {
            return;
        }
        if let Some((event_id, say)) = self.says.next() {
            let instructions = say
                .also
                .map(|also| format!("{}\n{also}", self.instructions));
            out.push(CodecOutput::Send(client::respond(
                &event_id,
                instructions.as_deref(),
            )));
        }
    }

    fn say(&mut self, tag: u32, also: Option<String>, out: &mut Vec<CodecOutput>) {
        match self.says.push(tag, also) {
            Ok(()) => self.speak(out),
            Err(tag) => fault(
                FaultCategory::Retryable,
                format!("say {tag}: too many wait to be said"),
                out,
            ),
        }
    }

    /// Stops what runs, known to us or not: that nothing runs is a harmless error.
    fn cancel(&mut self, out: &mut Vec<CodecOutput>) {
        self.says.cancel();
        if self.stage == Stage::Talking {
            let event_id = self.id(Purpose::Cancel);
            let running = self.says.running().map(ToString::to_string);
            out.push(CodecOutput::Send(client::cancel(
                &event_id,
                running.as_deref(),
            )));
        }
    }

    fn heard(&mut self, item: &ItemId, played_ms: u32, out: &mut Vec<CodecOutput>) {
        let Some(utterance) = self.items.get(item.as_str()) else {
            return;
        };
        let frame = match utterance.cut(u64::from(played_ms), self.profile.output_rate_hz) {
            Cut::Nothing => return,
            Cut::Delete => client::delete(&self.id(Purpose::Heard), item.as_str()),
            Cut::Truncate {
                content_index,
                audio_end_ms,
            } => client::truncate(
                &self.id(Purpose::Heard),
                item.as_str(),
                content_index,
                audio_end_ms,
            ),
        };
        out.push(CodecOutput::Send(frame));
    }

    /// Says once that the link is gone.
    fn gone(&mut self, category: FaultCategory, detail: String, out: &mut Vec<CodecOutput>) {
        if self.stage != Stage::Gone {
            self.stage = Stage::Gone;
            out.push(CodecOutput::Event(LinkEvent::Gone { category, detail }));
        }
    }

    /// A frame made no sense.
    fn malformed(&mut self, detail: String, out: &mut Vec<CodecOutput>) {
        self.counters.malformed_frames += 1;
        if self.counters.malformed_frames < MALFORMED_MAX {
            fault(FaultCategory::Malformed, detail, out);
        } else {
            self.gone(
                FaultCategory::Malformed,
                format!("too many frames without sense, last: {detail}"),
                out,
            );
        }
    }
}

impl Codec for OpenAiCodec {
    fn endpoint(&self) -> Endpoint {
        self.endpoint.clone()
    }

    fn open(&mut self, config: &LinkConfig, out: &mut Vec<CodecOutput>) {
        if self.stage != Stage::Connecting {
            return;
        }
        self.stage = Stage::Configuring;
        self.instructions.clone_from(&config.instructions);
        let event_id = self.id(Purpose::Configure);
        out.push(CodecOutput::Send(client::configure(
            &event_id,
            config,
            &self.profile,
        )));
        for (speaker, text) in config
            .history
            .iter()
            .filter(|(_, text)| !text.trim().is_empty())
        {
            let event_id = self.id(Purpose::History);
            out.push(CodecOutput::Send(client::history(
                &event_id, *speaker, text,
            )));
        }
        for command in std::mem::take(&mut self.early) {
            self.command(&command, out);
        }
    }

    fn command(&mut self, command: &LinkCommand, out: &mut Vec<CodecOutput>) {
        match self.stage {
            Stage::Gone => return,
            Stage::Connecting if self.early.len() < EARLY_MAX => {
                return self.early.push(command.clone());
            }
            Stage::Connecting => {
                return fault(
                    FaultCategory::Retryable,
                    "too many commands before the link was open".to_owned(),
                    out,
                );
            }
            Stage::Configuring | Stage::Talking => {}
        }
        match command {
            LinkCommand::Instruct { instructions } => {
                self.instructions.clone_from(instructions);
                let event_id = self.id(Purpose::Instruct);
                out.push(CodecOutput::Send(client::instruct(&event_id, instructions)));
            }
            LinkCommand::Say { tag, also } => self.say(*tag, also.clone(), out),
            LinkCommand::ToolResult { call, output } => {
                let event_id = self.id(Purpose::ToolResult);
                out.push(CodecOutput::Send(client::tool_result(
                    &event_id,
                    call.as_str(),
                    output,
                )));
            }
            LinkCommand::Cancel => self.cancel(out),
            LinkCommand::Heard { item, played_ms } => self.heard(item, *played_ms, out),
        }
    }

    /// Audio that comes before the link is open or after it is gone is lost: there is nobody to hear it.
    fn audio(&mut self, pcm: &[i16], out: &mut Vec<CodecOutput>) {
        if matches!(self.stage, Stage::Configuring | Stage::Talking) {
            self.batch.push(pcm, |piece| {
                out.push(CodecOutput::Send(client::append(piece)))
            });
        }
    }

    fn flush(&mut self, out: &mut Vec<CodecOutput>) {
        if matches!(self.stage, Stage::Configuring | Stage::Talking) {
            self.batch
                .flush(|rest| out.push(CodecOutput::Send(client::append(rest))));
        }
    }

    fn frame(&mut self, frame: Frame<'_>, out: &mut Vec<CodecOutput>) {
        if self.stage == Stage::Gone {
            return;
        }
        match frame {
            Frame::Text(text) => self.read(text, out),
            // This vendor sends none, but a server that does so with its JSON is understood.
            Frame::Binary(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => self.read(text, out),
                Err(_) => self.malformed("a binary frame".to_owned(), out),
            },
        }
    }

    fn closed(&mut self, closed: Closed<'_>, out: &mut Vec<CodecOutput>) {
        let (category, detail) = error::gone(closed);
        self.gone(category, detail, out);
    }

    fn counters(&self) -> Counters {
        self.counters
    }
}

fn fault(category: FaultCategory, detail: String, out: &mut Vec<CodecOutput>) {
    out.push(CodecOutput::Event(LinkEvent::Fault { category, detail }));
}

/// `https://host/v1` and a model become `wss://host/v1/realtime?model=...`.
fn url(base_url: &str, model: &str) -> String {
    let base = base_url.trim_end_matches('/');
    let base = match base.split_once("://") {
        Some(("https", rest)) => format!("wss://{rest}"),
        Some(("http", rest)) => format!("ws://{rest}"),
        _ => base.to_owned(),
    };
    let mut url = format!("{base}/realtime?model=");
    for byte in model.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            url.push(char::from(byte));
        } else {
            url.push_str(&format!("%{byte:02X}"));
        }
    }
    url
}
