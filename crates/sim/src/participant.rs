//! A synthetic participant: joins through the public HTTP API exactly like a browser, listens, and answers.

use std::net::IpAddr;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// Who joins, where and how.
#[derive(Clone, Debug)]
pub struct ParticipantConfig {
    /// The participant link, `http://host/i#SECRET`.
    pub link: String,
    /// Whose voice answers, such as `maya`.
    pub persona: String,
    /// How long to wait before joining.
    pub start_after: Duration,
    /// Varies waiting times.
    pub seed: u64,
    /// How it understands the interviewer.
    pub ears: Ears,
    /// When it speaks.
    pub manners: Manners,
    /// Gives up after this, whatever happens.
    pub deadline: Duration,
    /// Local address of its media socket; none takes the one that leads to the server.
    pub local_ip: Option<IpAddr>,
}

/// How a participant understands the interviewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ears {
    /// Decodes the audio and recognises it by sound; captions fill in what it does not recognise.
    Sound,
    /// Reads captions only: cheap enough for hundreds of participants on one machine.
    Captions,
}

/// When a participant speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manners {
    /// Lets the interviewer finish.
    Patient,
    /// Interrupts some questions after this much of their speech.
    Interrupting {
        /// Speech heard before it cuts in.
        after: Duration,
        /// Every n-th question.
        every: u32,
    },
}

/// What is going on.
#[derive(Clone, Debug)]
pub enum Progress {
    /// The invitation was read and consent given.
    Consented {
        /// Title of the study.
        title: String,
    },
    /// Media is connected.
    Connected,
    /// The interview entered a section.
    Phase {
        /// Its title.
        title: String,
    },
    /// The interviewer finished saying something.
    Heard {
        /// Its words.
        text: String,
    },
    /// The participant answers.
    Answering {
        /// The clip.
        clip: String,
        /// Its words.
        text: String,
    },
    /// The interview is over.
    Ended {
        /// Why.
        outcome: String,
    },
}

/// What a participant went through.
#[derive(Clone, Debug, Default)]
pub struct ParticipantReport {
    /// From the first own packet to the first audible interviewer audio.
    pub first_voice_ms: Option<u32>,
}

/// Why a participant could not finish.
#[derive(Debug, thiserror::Error)]
pub enum ParticipantError {
    /// The link is not one.
    #[error("not a participant link: {0}")]
    Link(String),
}

/// Takes part in one interview from link to end.
///
/// # Errors
/// Fails if the interview could not be joined, or did not end by itself within the deadline.
#[expect(clippy::unused_async, reason = "signature first")]
pub async fn run(
    config: ParticipantConfig,
    stop: CancellationToken,
    progress: impl Fn(Progress) + Send + Sync,
) -> Result<ParticipantReport, ParticipantError> {
    let _ = (config, stop, progress);
    todo!()
}
