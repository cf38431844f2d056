//! What goes into a session and what comes out.

use crate::ids::{ItemId, LinkNo, PeerNo, PhaseId, TurnNo};
use crate::journal::{Entry, Measure, Outcome};
use crate::link::{LinkCommand, LinkConfig, LinkEvent, Speaker};
use crate::time::Mono;

/// A fact that the session is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A participant's offer was accepted; a peer of this number is being connected.
    PeerOffered(PeerNo),
    /// Something happened in the participant's media.
    Media(PeerNo, MediaFact),
    /// Something happened on a provider link.
    Link(LinkNo, LinkEvent),
    /// The participant asked for something on the page.
    Participant(Request),
    /// The operator ended the session in the console, or the server is draining.
    OperatorEnd,
    /// This process ends before the interview does: it is left to the next one, which restores it from the journal.
    Park,
    /// The deadline of `Session::deadline` has come (or may have: a spurious one does nothing).
    Timeout,
}

/// What a participant can ask for on the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// The microphone was switched off.
    Mute,
    /// The microphone was switched on again.
    Unmute,
    /// Say the last question again.
    Repeat,
    /// End the interview.
    End,
}

/// What media tells. Moments are when it was heard or played, not when it was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MediaFact {
    /// ICE and DTLS are done.
    Up,
    /// The connection is gone for good (consent expired, closed by the browser).
    Lost,
    /// The first audio packet of the participant.
    AudioFlowing {
        /// When it arrived. Also the zero of the recording's timeline if this is the session's first peer.
        at: Mono,
    },
    /// Nothing of the participant arrived for a while; now audio flows again, over the same connection.
    NetworkGap {
        /// The last packet before it.
        from: Mono,
        /// The first one after it.
        to: Mono,
    },
    /// The participant began to speak, by our own voice activity.
    SpeechStarted {
        /// When speech began.
        at: Mono,
    },
    /// The participant stopped speaking, by our own voice activity.
    SpeechEnded {
        /// When the last speech frame ended (not when the pause was recognised).
        at: Mono,
    },
    /// The first audio of an utterance left for the participant.
    PlayoutStarted {
        /// The utterance.
        item: ItemId,
        /// When.
        at: Mono,
    },
    /// The first frame of an utterance that a person can hear left for the participant: with it, or after silence.
    PlayoutAudible {
        /// The utterance.
        item: ItemId,
        /// When.
        at: Mono,
    },
    /// An utterance was played to its end, or was cut.
    PlayoutEnded {
        /// The utterance.
        item: ItemId,
        /// When the last of it was played.
        at: Mono,
        /// Milliseconds of it that were really played.
        played_ms: u32,
        /// Whether it was cut before its end.
        cut: bool,
    },
    /// The recording lost something: the disk is full, or chunks could not be written.
    RecordingGap {
        /// Why, in words for the operator.
        reason: String,
    },
}

/// What must now be done. Carried out in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Write this down. Everything after it in the same batch is done only when it is durable.
    Journal(Entry),
    /// Open a link.
    OpenLink {
        /// Its number.
        link: LinkNo,
        /// What it needs.
        config: LinkConfig,
    },
    /// Tell a link something.
    Link {
        /// Which.
        link: LinkNo,
        /// What.
        command: LinkCommand,
    },
    /// Close a link. It will still say `Gone`.
    CloseLink {
        /// Which.
        link: LinkNo,
    },
    /// Stop playing at once. Media answers with `PlayoutEnded { cut: true }` for each utterance not played to its end.
    CutPlayout,
    /// Play nothing of this utterance that may still arrive.
    DropUtterance {
        /// Which.
        item: ItemId,
    },
    /// Play the plan's hold line under this name.
    PlayHold {
        /// Its utterance.
        item: ItemId,
    },
    /// Tell the participant's page.
    Tell(Notice),
    /// A number for the metrics.
    Measure {
        /// What.
        measure: Measure,
        /// Milliseconds.
        ms: u64,
    },
    /// Close a peer.
    ClosePeer {
        /// Which.
        peer: PeerNo,
    },
    /// The session is over here and goes on elsewhere, later: flush the recording and let go. The last output of it here.
    Park,
    /// The session is over: finish the recording and enqueue what follows. The last output of a session.
    Finish {
        /// Why it ended.
        outcome: Outcome,
    },
}

/// What the participant's page is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The state changed.
    State(State),
    /// Words of a turn so far.
    Caption {
        /// Which turn.
        turn: TurnNo,
        /// Who speaks.
        speaker: Speaker,
        /// The whole text so far.
        text: String,
        /// Whether it will not change any more.
        last: bool,
    },
    /// The section changed.
    Phase {
        /// Its id.
        phase: PhaseId,
        /// Its title.
        title: String,
        /// Counted from 0.
        index: u32,
        /// How many there are.
        count: u32,
    },
    /// Time spent and time left by plan, in seconds.
    Time {
        /// Since the interview began.
        elapsed_s: u32,
        /// Until its planned end.
        left_s: u32,
    },
    /// Who is heard now.
    Speaking {
        /// The side.
        speaker: Speaker,
        /// Whether it speaks.
        speaking: bool,
    },
    /// Cost so far, in micro-dollars.
    Cost {
        /// The sum of the ledger.
        micro_usd: i64,
    },
    /// Something is wrong and the participant should know. `server` has the words.
    Trouble {
        /// A code such as `provider_trouble`, `silent_microphone`.
        code: &'static str,
    },
    /// It is over.
    Ended {
        /// Why.
        outcome: Outcome,
    },
}

/// The state, without what belongs to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// The link was sent; nobody came yet.
    Invited,
    /// A peer is being connected, a provider link opened.
    Waiting,
    /// The interview runs.
    Active,
    /// The participant's media is gone; the session waits for it.
    Paused,
    /// The closing statement is spoken.
    Closing,
    /// Over.
    Ended,
}

impl State {
    /// All states, in the order of a session's life.
    pub const ALL: [State; 6] = [
        State::Invited,
        State::Waiting,
        State::Active,
        State::Paused,
        State::Closing,
        State::Ended,
    ];

    /// The name in API, metrics and console.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            State::Invited => "invited",
            State::Waiting => "waiting",
            State::Active => "active",
            State::Paused => "paused",
            State::Closing => "closing",
            State::Ended => "ended",
        }
    }
}
