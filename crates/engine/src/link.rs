//! What a provider link can say and be told, in no vendor's words. Codecs in `providers` translate both ways.
//!
//! Not every vendor can do everything: [`Capabilities`] says what a link can, so that the session never asks for
//! truncation where there is none, nor counts tokens where there are none.

use std::time::Duration;

use crate::cost::Usage;
use crate::ids::{CallId, ItemId, ResponseId};

/// What the vendor behind a link is able to do. Data of a provider profile, not of code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Says when a participant's turn begins and ends. Otherwise our own voice activity does.
    pub turn_events: bool,
    /// Can be told how much of an utterance was heard.
    pub truncation: bool,
    /// Instructions can be replaced in a running link. Otherwise they are appended.
    pub replace_instructions: bool,
    /// Reports token usage. Otherwise connection time is billed.
    pub token_usage: bool,
    /// After this the vendor ends a connection; none if it never does.
    pub link_max: Option<Duration>,
}

/// Everything a link needs to be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkConfig {
    /// Instructions of the current phase.
    pub instructions: String,
    /// Tools that the model may call.
    pub tools: Vec<Tool>,
    /// BCP 47 language of the interview, such as `en`.
    pub language: String,
    /// Voice, as the vendor names it; none takes the profile's default.
    pub voice: Option<String>,
    /// How long a pause ends the participant's turn.
    pub patience: Patience,
    /// The conversation so far, when a link is rebuilt. Empty for a first link.
    pub history: Vec<(Speaker, String)>,
}

/// How patient the interviewer is with a pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Silence that ends a turn, in milliseconds (200 to 5,000).
    pub silence_ms: u32,
    /// Loudness threshold of the vendor's voice activity in thousandths (0 to 1,000; vendor's default 500).
    pub threshold_permille: u32,
    /// Audio before the detected start that still belongs to the turn, in milliseconds.
    pub prefix_ms: u32,
}

/// A tool that the model may call: its name, what it is for, and its parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tool {
    /// Name, `[a-z_]+`.
    pub name: &'static str,
    /// When to call it.
    pub description: String,
    /// Parameters, all of them required text.
    pub parameters: Vec<ToolParameter>,
}

/// One parameter of a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolParameter {
    /// Name, `[a-z_]+`.
    pub name: &'static str,
    /// What it means.
    pub description: String,
    /// Legal values; empty means any text.
    pub one_of: Vec<String>,
}

/// Who said something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Speaker {
    /// The person.
    Participant,
    /// The model.
    Interviewer,
}

impl Speaker {
    /// The name in journal, API and console.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Speaker::Participant => "participant",
            Speaker::Interviewer => "interviewer",
        }
    }
}

/// What a link is told. Carried out in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkCommand {
    /// Replace the instructions (or append, where the vendor cannot replace).
    Instruct {
        /// The whole new instructions.
        instructions: String,
    },
    /// Have the model speak now. `also` is added to the instructions of this one response.
    Say {
        /// Our number for this request, echoed in [`LinkEvent::ResponseStarted`].
        tag: u32,
        /// What this response is for, such as "greet the participant".
        also: Option<String>,
    },
    /// Answer a tool call. Does not make the model speak by itself.
    ToolResult {
        /// The call that is answered.
        call: CallId,
        /// A JSON object as text.
        output: String,
    },
    /// Stop generating, if anything is being generated.
    Cancel,
    /// Tell the model how much of an utterance was heard. Zero removes it from its memory.
    Heard {
        /// The utterance that was cut short.
        item: ItemId,
        /// Milliseconds really played.
        played_ms: u32,
    },
}

/// What a link says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkEvent {
    /// Configured and able to talk.
    Ready {
        /// The vendor's id of this connection, for support tickets.
        vendor_id: String,
    },
    /// The vendor heard the participant begin to speak.
    SpeechStarted {
        /// The utterance to be.
        item: ItemId,
    },
    /// The vendor heard the participant stop.
    SpeechStopped {
        /// The utterance.
        item: ItemId,
    },
    /// The participant's utterance is part of the conversation; a response follows by itself if there are turn events.
    SpeechCommitted {
        /// The utterance.
        item: ItemId,
    },
    /// More of the participant's words.
    TranscriptDelta {
        /// The utterance.
        item: ItemId,
        /// Words to append.
        text: String,
    },
    /// All of the participant's words. May come long after the response to them.
    TranscriptDone {
        /// The utterance.
        item: ItemId,
        /// The whole text; empty if nothing was understood.
        text: String,
    },
    /// The participant's words could not be transcribed.
    TranscriptFailed {
        /// The utterance.
        item: ItemId,
        /// The vendor's reason.
        reason: String,
    },
    /// The model began to answer.
    ResponseStarted {
        /// The response.
        response: ResponseId,
        /// Our number, if we asked for it with [`LinkCommand::Say`].
        tag: Option<u32>,
    },
    /// The model began an utterance.
    UtteranceStarted {
        /// The response that it belongs to.
        response: ResponseId,
        /// The utterance. Its audio goes to playout under this id.
        item: ItemId,
    },
    /// More of the interviewer's words.
    UtteranceDelta {
        /// The utterance.
        item: ItemId,
        /// Words to append.
        text: String,
    },
    /// The interviewer's utterance is complete: all its audio has been handed over.
    UtteranceDone {
        /// The utterance.
        item: ItemId,
        /// All its words.
        text: String,
        /// All its audio, in milliseconds.
        audio_ms: u32,
    },
    /// The model calls a tool.
    ToolCalled {
        /// The call, to be answered.
        call: CallId,
        /// The tool's name.
        name: String,
        /// Arguments: a JSON object as text, as the model wrote it.
        arguments: String,
    },
    /// The model finished answering.
    ResponseDone {
        /// The response.
        response: ResponseId,
        /// How it ended.
        status: ResponseStatus,
    },
    /// Something was used and will be billed.
    Used(Usage),
    /// A fault that the link survives.
    Fault {
        /// What kind.
        category: FaultCategory,
        /// The vendor's words, for the journal.
        detail: String,
    },
    /// The link is gone. The last event of a link; every way in which a socket can end becomes this.
    Gone {
        /// Why.
        category: FaultCategory,
        /// The vendor's words, for the journal.
        detail: String,
    },
}

/// How a response ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResponseStatus {
    /// Said in full.
    Completed,
    /// Interrupted by the participant or by us.
    Interrupted,
    /// Cut short by a limit of the vendor.
    Incomplete,
    /// The vendor failed.
    Failed {
        /// What kind of failure.
        category: FaultCategory,
        /// The vendor's words.
        detail: String,
    },
}

/// Kinds of trouble, by what can be done about them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FaultCategory {
    /// Nothing wrong: we closed it, or a harmless race.
    Benign,
    /// Try again: the vendor or the network failed.
    Retryable,
    /// Too many requests: try again later.
    RateLimited,
    /// The vendor's planned end of a connection.
    Expired,
    /// The key, quota or account is refused. Trying again does not help.
    Misconfigured,
    /// The vendor said something that makes no sense.
    Malformed,
}

impl FaultCategory {
    /// The name in journal, API and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            FaultCategory::Benign => "benign",
            FaultCategory::Retryable => "retryable",
            FaultCategory::RateLimited => "rate_limited",
            FaultCategory::Expired => "expired",
            FaultCategory::Misconfigured => "misconfigured",
            FaultCategory::Malformed => "malformed",
        }
    }
}
