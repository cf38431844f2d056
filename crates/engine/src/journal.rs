//! A session's committed facts. What is not in the journal did not happen.

use crate::cost::Charge;
use crate::ids::{ItemId, LinkNo, PeerNo, PhaseId, TopicId, TurnNo};
use crate::link::{FaultCategory, Speaker};

/// One fact. `store` numbers it, stamps it with UTC and keeps it; `timeline_ms` counts from the start of the recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// The participant's media is connected.
    PeerUp {
        /// Which connection.
        peer: PeerNo,
    },
    /// The participant's media is gone.
    PeerLost {
        /// Which connection.
        peer: PeerNo,
    },
    /// A link is configured and able to talk.
    LinkUp {
        /// Which link.
        link: LinkNo,
        /// The vendor's id of the connection.
        vendor_id: String,
    },
    /// A link ended.
    LinkGone {
        /// Which link.
        link: LinkNo,
        /// Why.
        category: FaultCategory,
        /// The vendor's words.
        detail: String,
    },
    /// A fault that the link survived.
    LinkFault {
        /// Which link.
        link: LinkNo,
        /// What kind.
        category: FaultCategory,
        /// The vendor's words.
        detail: String,
    },
    /// The interview entered a phase.
    PhaseEntered {
        /// Which.
        phase: PhaseId,
        /// Who moved it.
        cause: MoveCause,
        /// When.
        timeline_ms: u64,
    },
    /// A move was refused; the model was told why.
    MoveRefused {
        /// Where the model wanted to go.
        to: String,
        /// What it was told.
        reason: String,
    },
    /// A question was covered.
    TopicCovered {
        /// Which.
        topic: TopicId,
        /// In which phase.
        phase: PhaseId,
        /// When.
        timeline_ms: u64,
    },
    /// Time for a phase is running out; the model was told.
    Nudged {
        /// Which phase.
        phase: PhaseId,
    },
    /// The participant was silent and was prompted.
    SilencePrompted {
        /// First or second time.
        nth: u32,
    },
    /// A turn is complete.
    Turn(Turn),
    /// Something was used and priced.
    Charged {
        /// Rows for the ledger.
        charges: Vec<Charge>,
    },
    /// A person would notice: how long the interviewer took.
    Measured {
        /// What was measured.
        measure: Measure,
        /// Milliseconds.
        ms: u64,
    },
    /// The participant muted or unmuted the microphone.
    Muted {
        /// Now.
        muted: bool,
        /// When.
        timeline_ms: u64,
    },
    /// Nothing of the participant arrived for a while, and the connection went on all the same.
    NetworkGap {
        /// The last packet before it.
        from_ms: u64,
        /// The first one after it, on the same timeline.
        to_ms: u64,
    },
    /// The participant is gone; the session waits.
    Paused {
        /// When.
        timeline_ms: u64,
    },
    /// The participant is back.
    Resumed {
        /// When.
        timeline_ms: u64,
    },
    /// The session is being closed.
    Closing {
        /// Why.
        outcome: Outcome,
        /// When.
        timeline_ms: u64,
    },
    /// The session is over.
    Ended {
        /// Why.
        outcome: Outcome,
        /// When.
        timeline_ms: u64,
    },
}

impl Entry {
    /// The name of the kind: an index column in the store, a label in the console.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Entry::PeerUp { .. } => "peer_up",
            Entry::PeerLost { .. } => "peer_lost",
            Entry::LinkUp { .. } => "link_up",
            Entry::LinkGone { .. } => "link_gone",
            Entry::LinkFault { .. } => "link_fault",
            Entry::PhaseEntered { .. } => "phase_entered",
            Entry::MoveRefused { .. } => "move_refused",
            Entry::TopicCovered { .. } => "topic_covered",
            Entry::Nudged { .. } => "nudged",
            Entry::SilencePrompted { .. } => "silence_prompted",
            Entry::Turn(_) => "turn",
            Entry::Charged { .. } => "charged",
            Entry::Measured { .. } => "measured",
            Entry::Muted { .. } => "muted",
            Entry::NetworkGap { .. } => "network_gap",
            Entry::Paused { .. } => "paused",
            Entry::Resumed { .. } => "resumed",
            Entry::Closing { .. } => "closing",
            Entry::Ended { .. } => "ended",
        }
    }
}

/// One utterance, with what was really heard. Sorted by `start_ms` they are the conversation in speech order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Counted from 1, in the order in which turns began.
    pub turn: TurnNo,
    /// Who spoke.
    pub speaker: Speaker,
    /// The link's name of the utterance.
    pub item: ItemId,
    /// In which phase it began.
    pub phase: PhaseId,
    /// Start on the recording's timeline.
    pub start_ms: u64,
    /// End on the recording's timeline: of what was heard.
    pub end_ms: u64,
    /// What was heard. For an interrupted interviewer: the part that was played.
    pub text: String,
    /// What was generated and not heard; empty unless interrupted.
    pub unheard: String,
    /// How it ended.
    pub ending: TurnEnding,
}

/// How a turn ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TurnEnding {
    /// Said, or played, to its end.
    Complete,
    /// Cut short by the other side.
    Interrupted,
    /// Cut short by the end of the session, or because its words never came.
    Abandoned,
}

impl TurnEnding {
    /// The name in journal and API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            TurnEnding::Complete => "complete",
            TurnEnding::Interrupted => "interrupted",
            TurnEnding::Abandoned => "abandoned",
        }
    }
}

/// Who moved the interview into a phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MoveCause {
    /// The interview began.
    Start,
    /// The model called `advance_phase`.
    Model,
    /// Its time was up.
    Overrun,
    /// The session's time was nearly up.
    Wrapup,
}

impl MoveCause {
    /// The name in journal and API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            MoveCause::Start => "start",
            MoveCause::Model => "model",
            MoveCause::Overrun => "overrun",
            MoveCause::Wrapup => "wrapup",
        }
    }
}

/// What is measured where a person would hear it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// First participant audio to first interviewer audio leaving for the participant.
    FirstVoice,
    /// End of the participant's speech to the first interviewer audio leaving for the participant.
    ResponseLatency,
}

impl Measure {
    /// The name in journal and API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Measure::FirstVoice => "first_voice",
            Measure::ResponseLatency => "response_latency",
        }
    }
}

/// Why a session ended (design.md, section 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// The interview reached its end.
    Complete,
    /// It ended early, with something said.
    Partial,
    /// Nobody came.
    NoShow,
    /// The participant did not fit the study.
    ScreenedOut,
    /// Enough participants of this kind took part.
    QuotaFull,
    /// The participant declined.
    NoConsent,
    /// The participant took the answers back.
    Withdrawn,
    /// A fault of ours or of the provider.
    Technical,
    /// The budget was used up.
    Budget,
}

impl Outcome {
    /// All outcomes.
    pub const ALL: [Outcome; 9] = [
        Outcome::Complete,
        Outcome::Partial,
        Outcome::NoShow,
        Outcome::ScreenedOut,
        Outcome::QuotaFull,
        Outcome::NoConsent,
        Outcome::Withdrawn,
        Outcome::Technical,
        Outcome::Budget,
    ];

    /// The name in journal, API and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Outcome::Complete => "complete",
            Outcome::Partial => "partial",
            Outcome::NoShow => "no_show",
            Outcome::ScreenedOut => "screened_out",
            Outcome::QuotaFull => "quota_full",
            Outcome::NoConsent => "no_consent",
            Outcome::Withdrawn => "withdrawn",
            Outcome::Technical => "technical",
            Outcome::Budget => "budget",
        }
    }
}
