//! A synthetic participant: joins through the public HTTP API exactly like a browser, listens, and answers.
//!
//! It knows the server only as a participant's page does: the link, the HTTP API, WebRTC and the data channel. It is the
//! demo's guest, the load generator's unit, and a measuring device: what it reports is what a person would have heard.

mod api;
mod call;
mod ears;
mod mind;
mod mouth;
mod tap;
mod trouble;
mod turn;

use std::net::IpAddr;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

pub use self::tap::{Sound, Tap, Tapped};
pub use self::trouble::{Moment, Return, Rung, Tab, Trouble, Way};
use crate::corpus::Corpus;
use crate::recognise::Recogniser;
use api::Api;
use call::{Call, State};

/// How long a page tries to come back: as long as the server waits for it.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// The outcome of an interview that its participant left for good.
pub const LEFT: &str = "left";

/// Holes up to this are what a browser's buffer hides.
pub const GAP_MIN: Duration = Duration::from_millis(60);

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
    /// How long it tries to come back after a drop; zero gives up at once.
    pub patience: Duration,
    /// Local address of its media socket; none takes the one that leads to the server.
    pub local_ip: Option<IpAddr>,
}

/// How a participant understands the interviewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ears {
    /// Decodes the audio and recognises it by sound; captions fill in what it does not recognise.
    Sound,
    /// Reads captions only, and hears no more than how loud it is: cheap enough for hundreds of participants on one machine.
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
    /// All interview places are taken; it waits for one. Told each time that it asked.
    InLine {
        /// 1 is next.
        position: u32,
    },
    /// Media is connected.
    Connected,
    /// The connection is gone; the participant tries to come back.
    Dropped,
    /// The interviewer is heard again after a trouble.
    Returned(Return),
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
    /// From the end of each own answer to the next audible interviewer audio.
    pub response_latencies_ms: Vec<u32>,
    /// When each of these was heard.
    pub responses_at: Vec<Instant>,
    /// From each own interruption to the last audible interviewer audio.
    pub interruptions_ms: Vec<u32>,
    /// Own answers into which the interviewer spoke.
    pub overlaps: u32,
    /// Audible interviewer audio.
    pub heard_ms: u64,
    /// Loudness of the audible audio, root mean square of 16-bit samples; none where nothing was decoded.
    pub heard_rms: Option<u32>,
    /// What was asked.
    pub questions: Vec<Asked>,
    /// What was answered, as clip names.
    pub answers: Vec<String>,
    /// Final captions in the order of their turns.
    pub captions: Vec<Caption>,
    /// Titles of the sections that were entered.
    pub phases: Vec<String>,
    /// The cost that was shown last, in micro-dollars.
    pub cost_micro_usd: Option<i64>,
    /// From the offer to the connection.
    pub connect_ms: Option<u32>,
    /// From the connection to the end.
    pub duration_ms: u64,
    /// Interviewer audio packets that arrived, and that are missing between them.
    pub packets: Packets,
    /// Holes in the interviewer's speech.
    pub gaps: Gaps,
    /// When they ended, the first thousand of them.
    pub gaps_at: Vec<Instant>,
    /// Troubles, and how they ended.
    pub returns: Vec<Return>,
    /// Why the interview ended; [`LEFT`] if this participant left it.
    pub outcome: String,
    /// What the participant got at the end.
    pub completion: Option<Completion>,
}

/// A question as it was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Its words.
    pub text: String,
    /// The clip that it is.
    pub clip: Option<String>,
    /// How it was understood.
    pub by: Sense,
}

/// How something was understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sense {
    /// By its sound.
    Sound,
    /// By its caption.
    Caption,
}

/// A line of the captions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caption {
    /// Number of the turn.
    pub turn: u64,
    /// `interviewer` or `participant`.
    pub speaker: String,
    /// The words.
    pub text: String,
}

/// Audio packets as they arrived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Packets {
    /// That arrived.
    pub received: u64,
    /// That were sent before one that arrived, and did not.
    pub lost: u64,
}

/// Holes of more than [`GAP_MIN`] in the interviewer's speech, beyond the first second of a connection: a packet came late,
/// packets are missing, or nothing was sent in the middle of a word. Who means to stop sends silence first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gaps {
    /// How many.
    pub count: u64,
    /// The longest.
    pub longest_ms: u32,
}

/// What a participant gets at the end.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize)]
pub struct Completion {
    /// Thanks.
    pub message: String,
    /// Code for the panel.
    #[serde(default)]
    pub code: Option<String>,
    /// Where the page would go.
    #[serde(default)]
    pub redirect_url: Option<String>,
}

/// Why a participant could not finish.
#[derive(Debug, thiserror::Error)]
pub enum ParticipantError {
    /// The link is not one.
    #[error("not a participant link (http://host/i#SECRET): {0}")]
    Link(&'static str),
    /// Nobody speaks as this persona in the interview's language.
    #[error("there is no voice {persona} for the language {language}; there are: {voices}")]
    Persona {
        /// Who was asked for.
        persona: String,
        /// The interview's language.
        language: String,
        /// Who could speak.
        voices: String,
    },
    /// The server could not be reached, or broke off.
    #[error("the server cannot be reached: {0}")]
    Unreachable(String),
    /// The server refused a request.
    #[error("the server refused ({status}): {detail}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// What happened and what to do, in the server's words.
        detail: String,
    },
    /// The interview ended before it began.
    #[error("the interview is already over: {0}")]
    Over(String),
    /// No media socket.
    #[error("no media connection: {0}")]
    Media(String),
    /// The connection broke and the interview was not over.
    #[error("the media connection was lost before the interview ended")]
    Lost,
    /// It took too long.
    #[error("the interview did not end within {} s", .0.as_secs())]
    Deadline(Duration),
    /// The caller stopped it.
    #[error("stopped")]
    Stopped,
}

/// Takes part in one interview from link to end.
///
/// # Errors
/// Fails if the interview could not be joined, or did not end by itself within the deadline.
pub async fn run(
    config: ParticipantConfig,
    stop: CancellationToken,
    progress: impl Fn(Progress) + Send + Sync,
) -> Result<ParticipantReport, ParticipantError> {
    let (_, untroubled) = mpsc::channel(1);
    run_troubled(config, untroubled, stop, progress).await
}

/// Takes part in one interview from link to end, and suffers whatever is sent on the way.
///
/// # Errors
/// Fails if the interview could not be joined, did not end by itself within the deadline, or if there was no way back
/// into it.
pub async fn run_troubled(
    config: ParticipantConfig,
    troubles: mpsc::Receiver<Trouble>,
    stop: CancellationToken,
    progress: impl Fn(Progress) + Send + Sync,
) -> Result<ParticipantReport, ParticipantError> {
    run_tapped(config, troubles, None, stop, progress).await
}

/// The same, and somebody listens to the line.
///
/// # Errors
/// Fails if the interview could not be joined, did not end by itself within the deadline, or if there was no way back
/// into it.
pub async fn run_tapped(
    config: ParticipantConfig,
    troubles: mpsc::Receiver<Trouble>,
    tap: Option<Tap>,
    stop: CancellationToken,
    progress: impl Fn(Progress) + Send + Sync,
) -> Result<ParticipantReport, ParticipantError> {
    let api = Api::new(&config.link)?;
    let interview = interview(&config, &api, troubles, tap, &stop, &progress);
    tokio::select! {
        biased;
        () = stop.cancelled() => Err(ParticipantError::Stopped),
        result = tokio::time::timeout(config.start_after + config.deadline, interview) => {
            result.unwrap_or(Err(ParticipantError::Deadline(config.deadline)))
        }
    }
}

async fn interview(
    config: &ParticipantConfig,
    api: &Api,
    troubles: mpsc::Receiver<Trouble>,
    tap: Option<Tap>,
    stop: &CancellationToken,
    progress: &(impl Fn(Progress) + Send + Sync),
) -> Result<ParticipantReport, ParticipantError> {
    if !stop.is_cancelled() {
        tokio::time::sleep(config.start_after).await;
    }
    let participation = api.read().await?;
    if let Some(outcome) = participation.outcome {
        return Err(ParticipantError::Over(outcome));
    }
    let language = participation.study.language;
    let voices = Corpus::embedded().personas(&language);
    if !voices.contains(&config.persona.as_str()) {
        let (persona, voices) = (config.persona.clone(), voices.join(", "));
        return Err(ParticipantError::Persona {
            persona,
            language,
            voices,
        });
    }
    if config.ears == Ears::Sound {
        // The index is built before the interviewer speaks, not while it waits for an answer.
        tokio::task::spawn_blocking(Recogniser::interviewer)
            .await
            .map_err(|error| ParticipantError::Media(error.to_string()))?;
    }
    if participation.consent != "given" {
        api.consent().await?;
    }
    progress(Progress::Consented {
        title: participation.study.title,
    });
    let mut call = Call::join(config, api, &language, troubles, tap, progress).await?;
    let result = talk(&mut call, config, progress).await;
    if !matches!(result, Ok(State::Left)) {
        call.hang_up().await;
    }
    result?;
    let mut report = call.finish();
    if report.outcome.is_empty() {
        // The connection went before the notice came: the page would ask.
        let participation = api.read().await?;
        report.outcome = participation.outcome.ok_or(ParticipantError::Lost)?;
        report.completion = participation.completion;
        progress(Progress::Ended {
            outcome: report.outcome.clone(),
        });
    }
    Ok(report)
}

/// Talks until the interview is over, across drops. Returns how it stands then.
async fn talk(
    call: &mut Call<'_>,
    config: &ParticipantConfig,
    progress: &(impl Fn(Progress) + Send + Sync),
) -> Result<State, ParticipantError> {
    loop {
        let state = call.take_part(progress).await?;
        if state != State::Lost || config.patience.is_zero() {
            return Ok(state);
        }
        if call.come_back(progress).await? == State::Ended {
            return Ok(State::Ended);
        }
    }
}
