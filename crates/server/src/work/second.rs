//! Jobs `hear`: what participants said, heard a second time by another model, from their own track. The live transcript stays the
//! one that is coded and quoted; where it failed, the second one takes its place. Off unless a model is configured.
//!
//! A job is a turn. Turns that are taken together are heard one after the other and written down together, with what they cost:
//! a process that dies repeats at most these calls.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use engine::cost::Charge;
use engine::ids::{SessionId, TurnNo};
use engine::link::Speaker;
use media::record::Tracks;
use providers::Secret;
use providers::chat::{ChatError, ChatErrorCategory};
use providers::transcriptions::{FILE_BYTES_MAX, Heard, endpoint, fields, parse};
use reqwest::multipart::{Form, Part};
use store::{
    Fate, Lane, Lease, NEVER_DUE, NewJob, NewSecond, SecondRow, SessionRow, Settlement, TurnRow,
};

use super::call::{builder, exchange};
use super::coding::prices;
use super::{Failure, HEAR};
use crate::app::App;
use crate::background;
use crate::config::Config;
use crate::session::CUT_TRANSCRIPT;

/// Turns that are taken, and written down, together.
pub(super) const TURNS_AT_ONCE: u32 = 10;
/// Where the vendor asks for patience and does not say how much.
const PATIENCE: Duration = Duration::from_secs(5);
/// Key, quota or model are refused: a person has to act.
const PERSON: Duration = Duration::from_secs(60);
/// A failed call is asked again after this, doubled each time.
const AGAIN: Duration = Duration::from_millis(500);
const AGAIN_DOUBLINGS_MAX: u32 = 7;

/// The endpoint that hears.
pub(super) struct Hearer {
    http: reqwest::Client,
    url: String,
    headers: Vec<(String, String)>,
    model: String,
}

impl Hearer {
    pub(super) fn new(config: &Config) -> Hearer {
        let (base_url, key) = config.second_transcript_endpoint();
        let key: Option<&Secret> = Some(&key).filter(|key| !key.expose().is_empty());
        let endpoint = endpoint(&base_url, key);
        let timeout = Duration::from_millis(config.second_transcript.timeout_ms);
        Hearer {
            http: builder(&base_url)
                .timeout(timeout)
                .build()
                .expect("the TLS library is compiled in, so a client can always be made"),
            url: endpoint.url,
            headers: endpoint.headers,
            model: config.second_transcript.model.clone(),
        }
    }

    async fn hear(&self, ogg: Vec<u8>, language: &str) -> Result<Heard, ChatError> {
        let part = Part::stream(Bytes::from(ogg)).file_name("turn.ogg");
        let part = part
            .mime_str("audio/ogg")
            .expect("audio/ogg is a media type");
        let mut form = Form::new().part("file", part);
        for (name, value) in fields(&self.model, language) {
            form = form.text(name, value.to_owned());
        }
        let post = self.http.post(&self.url).multipart(form);
        exchange(post, &self.headers, parse).await
    }
}

/// A job for each turn of the participant that was not heard a second time; none if nobody is configured to.
pub(super) async fn jobs(app: &App, lease: &Lease) -> Result<Vec<NewJob>, Failure> {
    if app.config.second_transcript.model.is_empty() {
        return Ok(Vec::new());
    }
    let turns = app.store.turns(&lease.session_id).await?;
    let unheard = turns.into_iter().filter(|turn| {
        turn.speaker == Speaker::Participant && turn.second.is_none() && turn.end_ms > turn.start_ms
    });
    let job = |turn: TurnRow| NewJob {
        lane: Lane::SecondTranscript,
        kind: HEAR.to_owned(),
        session_id: lease.session_id.clone(),
        key: turn.turn.0.to_string(),
        rank: lease.rank,
        due_us: NEVER_DUE,
        body: serde_json::json!({}),
    };
    Ok(unheard.map(job).collect())
}

/// What is collected of turns that were taken together.
struct Batch<'a> {
    leases: &'a [Lease],
    settlement: Settlement,
}

impl Batch<'_> {
    fn set(&mut self, lease: &Lease, fate: Fate) {
        self.settlement.fates.push((lease.job_id, fate));
    }

    /// Those that have no fate yet: again in the same round, for none of them was to blame.
    fn rest(&mut self, not_before_us: i64, reason: &str) {
        for lease in self.leases {
            let known = |(job_id, _): &(i64, Fate)| *job_id == lease.job_id;
            if !self.settlement.fates.iter().any(known) {
                let fate = Fate::Again {
                    round: lease.round,
                    not_before_us,
                    reason: reason.to_owned(),
                };
                self.settlement.fates.push((lease.job_id, fate));
            }
        }
    }
}

pub(super) async fn run(app: &App, hearer: &Hearer, leases: &[Lease]) -> Result<(), Failure> {
    let Some(first) = leases.first() else {
        return Ok(());
    };
    if hearer.model.is_empty() {
        return Err(Failure::hopeless(
            "there is no second transcript any more: set second_transcript.model and put this back, or leave it",
        ));
    }
    let id = &first.session_id;
    let Some(session) = app.store.session(id).await? else {
        return Err(Failure::hopeless("the session of this job does not exist"));
    };
    let turns = app.store.turns(id).await?;
    let turns: BTreeMap<u32, &TurnRow> = turns.iter().map(|turn| (turn.turn.0, turn)).collect();
    let tracks = tracks(app, id).await?;
    let mut batch = Batch {
        leases,
        settlement: Settlement::default(),
    };
    for lease in leases {
        let no: Option<u32> = lease.key.parse().ok();
        let turn = no.and_then(|no| turns.get(&no)).copied();
        let Some(turn) = turn.filter(|turn| turn.second.is_none()) else {
            batch.set(lease, Fate::Done(None));
            continue;
        };
        if !one(app, hearer, &session, &tracks, lease, turn, &mut batch).await {
            break;
        }
    }
    app.store.settle(leases, batch.settlement).await?;
    Ok(())
}

/// Hears one turn. False if nothing will be heard for a while.
async fn one(
    app: &App,
    hearer: &Hearer,
    session: &SessionRow,
    tracks: &Tracks,
    lease: &Lease,
    turn: &TurnRow,
    batch: &mut Batch<'_>,
) -> bool {
    let Some(ogg) = media::excerpt::participant(tracks, turn.start_ms, turn.end_ms) else {
        batch.set(lease, Fate::Done(None));
        return true;
    };
    if ogg.len() > FILE_BYTES_MAX {
        let reason = "the turn's audio is larger than endpoints take (25 MiB)";
        batch.set(lease, Fate::Dead(reason.to_owned()));
        return true;
    }
    match hearer.hear(ogg, &session.language).await {
        Ok(heard) => {
            let charges: Vec<Charge> = prices(app, &hearer.model).charge(&heard.usage);
            batch.settlement.charges.extend(charges);
            if turn.text.trim().is_empty() && !heard.text.is_empty() {
                batch.settlement.jobs.push(cut_again(lease, turn.turn));
            }
            batch.settlement.seconds.push(NewSecond {
                turn: turn.turn,
                second: SecondRow {
                    text: heard.text,
                    model: hearer.model.clone(),
                },
            });
            batch.set(lease, Fate::Done(None));
            true
        }
        Err(error) => {
            failed(app, lease, error, batch);
            batch.settlement.fates.iter().all(
                |(_, fate)| !matches!(fate, Fate::Again { round, .. } if *round == lease.round),
            )
        }
    }
}

fn failed(app: &App, lease: &Lease, error: ChatError, batch: &mut Batch<'_>) {
    let after = |wait: Duration| {
        let wait_us = i64::try_from(wait.as_micros()).unwrap_or(i64::MAX);
        app.store.now_us().saturating_add(wait_us)
    };
    let (category, asked) = (error.category, error.retry_after);
    let reason = Failure::from(error).reason().to_owned();
    match category {
        ChatErrorCategory::RateLimited => {
            batch.rest(after(asked.unwrap_or(PATIENCE).min(PERSON)), &reason);
        }
        ChatErrorCategory::Misconfigured => {
            tracing::error!(
                reason,
                "nobody hears a second time: check [second_transcript] and the account"
            );
            batch.rest(after(PERSON), &reason);
        }
        ChatErrorCategory::Retryable | ChatErrorCategory::Malformed
            if lease.round < app.config.enrichment.attempts_max =>
        {
            let doublings = lease.round.saturating_sub(1).min(AGAIN_DOUBLINGS_MAX);
            let fate = Fate::Again {
                round: lease.round.saturating_add(1),
                not_before_us: after(AGAIN.saturating_mul(1 << doublings)),
                reason,
            };
            batch.set(lease, fate);
        }
        ChatErrorCategory::Retryable
        | ChatErrorCategory::Malformed
        | ChatErrorCategory::Invalid
        | ChatErrorCategory::Refused
        | ChatErrorCategory::TooLarge => batch.set(lease, Fate::Dead(reason)),
    }
}

/// A turn has words after all: its transcript is cut again, and the words are coded.
fn cut_again(lease: &Lease, turn: TurnNo) -> NewJob {
    NewJob {
        lane: Lane::Transcript,
        kind: CUT_TRANSCRIPT.to_owned(),
        session_id: lease.session_id.clone(),
        key: format!("second-{}", turn.0),
        rank: lease.rank,
        due_us: NEVER_DUE,
        body: serde_json::json!({}),
    }
}

/// Both tracks, from the chunks: the finished recording has been encoded once more.
async fn tracks(app: &App, id: &SessionId) -> Result<Tracks, Failure> {
    let mut whole = Vec::new();
    for no in app.store.chunk_numbers(id).await? {
        whole.extend_from_slice(&app.store.read_chunk(id, no).await?);
    }
    background::run(move || media::record::read(&whole))
        .await
        .map_err(|_| Failure::transient("reading the recording panicked; the log has the place"))
}
