//! What participants said, heard a second time from their own track.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Multipart, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use bytes::Bytes;
use engine::cost::Component;
use engine::ids::{ItemId, PhaseId, SessionId, TurnNo};
use engine::journal::{Entry, MoveCause, Outcome, Turn, TurnEnding};
use engine::link::Speaker;
use media::record::{Chunk, Writer};
use providers::Secret;
use server::app::App;
use server::session::after_end;
use sim::corpus::{Clip, Corpus};
use sim::provider::SimConfig;
use store::{JobState, Lane, NewChunk, ReportState, SecondRow, TurnRow};
use tokio::net::TcpListener;

use crate::finished::{jobs, until, until_report};
use crate::harness::{House, house_with};

const HEARER: &str = "gpt-transcribe";

/// Two answers of the corpus, a second of silence before, between and after them; with their starts.
fn answers() -> Vec<(u64, &'static Clip)> {
    let mut at_ms = 1_000;
    ["a-maya-warmup-role-1", "a-maya-warmup-day-1"]
        .iter()
        .map(|id| {
            let clip = Corpus::embedded().get(id).unwrap();
            let start_ms = at_ms;
            at_ms += u64::from(clip.duration_ms) + 1_000;
            (start_ms, clip)
        })
        .collect()
}

/// A recording in which the participant gives these answers.
fn recording(answers: &[(u64, &Clip)]) -> Vec<Chunk> {
    const FRAME: Duration = Duration::from_millis(20);
    let zero = Instant::now();
    let mut writer = Writer::new(zero);
    let mut chunks = Vec::new();
    let mut frame = 0_u32;
    for (start_ms, clip) in answers {
        let silence = u64::from(frame)..start_ms / 20;
        let quiet = silence.map(|_| media::opus::SILENCE.to_vec());
        for packet in quiet.chain(clip.packets().iter().cloned()) {
            let at = zero + FRAME * frame;
            let voice = packet != media::opus::SILENCE;
            writer.participant(1, u64::from(frame), at, voice, &packet);
            chunks.extend(writer.cut(at));
            frame += 1;
        }
    }
    chunks.push(writer.finish(zero + FRAME * (frame + 50)));
    chunks
}

/// Ends an interview with these answers, of which the live transcript said this.
async fn finish(app: &App, id: &SessionId, answers: &[(u64, &Clip)], live: &[&str]) {
    let store = &app.store;
    let epoch = store.claim_session(id, "node").await.unwrap();
    for chunk in recording(answers) {
        let chunk = NewChunk {
            no: chunk.no,
            start_ms: chunk.start_ms,
            end_ms: chunk.end_ms,
            bytes: Bytes::from(chunk.bytes),
        };
        store.put_chunk(id, chunk).await.unwrap();
    }
    let phase = PhaseId::from("warmup");
    let mut entries = vec![Entry::PhaseEntered {
        phase: phase.clone(),
        cause: MoveCause::Start,
        timeline_ms: 0,
    }];
    let mut end_ms = 0;
    for (index, ((start_ms, clip), text)) in answers.iter().zip(live).enumerate() {
        end_ms = start_ms + u64::from(clip.duration_ms);
        entries.push(Entry::Turn(Turn {
            turn: TurnNo(u32::try_from(index).unwrap() + 1),
            speaker: Speaker::Participant,
            item: ItemId::from(format!("item{index}")),
            phase: phase.clone(),
            start_ms: *start_ms,
            end_ms,
            text: (*text).to_owned(),
            unheard: String::new(),
            ending: if text.is_empty() {
                TurnEnding::Abandoned
            } else {
                TurnEnding::Complete
            },
        }));
    }
    entries.push(Entry::Ended {
        outcome: Outcome::Complete,
        timeline_ms: end_ms,
    });
    let jobs = after_end(id, store.now_us());
    store
        .finish_session(id, epoch, entries, jobs)
        .await
        .unwrap();
}

async fn turns(app: &App, id: &SessionId) -> Vec<TurnRow> {
    app.store.turns(id).await.unwrap()
}

/// Waits until every turn was heard again.
async fn heard(app: &App, id: &SessionId) -> Vec<SecondRow> {
    until(app, "the second transcript", async || {
        turns(app, id)
            .await
            .iter()
            .all(|turn| turn.second.is_some())
    })
    .await;
    turns(app, id)
        .await
        .into_iter()
        .filter_map(|turn| turn.second)
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_transcript_stands_beside_the_live_one_and_in_for_one_that_failed() {
    let house = house_with(SimConfig::instant(), |config| {
        config.second_transcript.model = HEARER.to_owned();
    })
    .await;
    let app = house.app();
    let (id, _) = house.invite().await;
    let answers = answers();
    let wrong = "Something that nobody said.";
    finish(app, &id, &answers, &[wrong, ""]).await;
    let seconds = heard(app, &id).await;
    for (second, (_, clip)) in seconds.iter().zip(&answers) {
        assert_eq!(
            (second.text.as_str(), second.model.as_str()),
            (clip.text.as_str(), HEARER)
        );
    }
    // The live words stay, and are those that were coded; the turn that had none is coded by its second ones.
    until(app, "all to be coded", async || {
        let segments = app.store.segments(&id).await.unwrap();
        segments.len() > 1 && segments.iter().all(|segment| segment.coding.is_some())
    })
    .await;
    until_report(app, &id, ReportState::Ready).await;
    let rows = turns(app, &id).await;
    assert_eq!((rows[0].text.as_str(), rows[1].text.as_str()), (wrong, ""));
    assert_eq!(rows[1].words(), answers[1].1.text);
    let segments = app.store.segments(&id).await.unwrap();
    assert_eq!(segments[0].text, wrong);
    assert!(
        answers[1].1.text.starts_with(&segments[1].text),
        "{segments:?}"
    );
    // By duration, as the vendor bills this model.
    let ledger = app.store.ledger(&id).await.unwrap();
    let billed = ledger
        .iter()
        .find(|row| row.component == Component::TranscriptionMs)
        .unwrap();
    let spoken_ms: u32 = answers.iter().map(|(_, clip)| clip.duration_ms).sum();
    let spoken_ms = u64::from(spoken_ms);
    assert!(
        (spoken_ms..spoken_ms + 1_500).contains(&billed.quantity),
        "{billed:?} of {spoken_ms}"
    );
    assert!(billed.cost_micro_usd > 0, "{billed:?}");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_model_nobody_hears_a_second_time() {
    let house = house_with(SimConfig::instant(), |_| {}).await;
    let app = house.app();
    let (id, _) = house.invite().await;
    let answers = answers();
    finish(app, &id, &answers[..1], &["Well."]).await;
    until_report(app, &id, ReportState::Ready).await;
    house.until_recording(&id).await;
    assert!(
        jobs(app)
            .await
            .iter()
            .all(|job| job.lane != Lane::SecondTranscript)
    );
    house.close().await;
}

type Script = dyn Fn(usize) -> Response + Send + Sync;

/// What a transcriptions endpoint was asked, and how it answers.
#[derive(Clone)]
struct Endpoint {
    calls: Arc<AtomicUsize>,
    script: Arc<Script>,
}

async fn answer(
    State(endpoint): State<Endpoint>,
    headers: HeaderMap,
    mut form: Multipart,
) -> Response {
    let no = endpoint.calls.fetch_add(1, Ordering::SeqCst) + 1;
    let mut names = Vec::new();
    while let Some(field) = form.next_field().await.unwrap() {
        let name = field.name().unwrap().to_owned();
        let bytes = field.bytes().await.unwrap();
        assert!(name != "file" || bytes.starts_with(b"OggS"));
        names.push(name);
    }
    assert_eq!(names, ["file", "model", "response_format", "language"]);
    assert_eq!(headers["authorization"], "Bearer own-key");
    (endpoint.script)(no)
}

/// A server whose participants are heard again by an endpoint that answers the n-th call (from 1) like this.
async fn house_of(script: impl Fn(usize) -> Response + Send + Sync + 'static) -> (House, Endpoint) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let endpoint = Endpoint {
        calls: Arc::default(),
        script: Arc::new(script),
    };
    let routes = Router::new()
        .route("/v1/audio/transcriptions", post(answer))
        .with_state(endpoint.clone());
    tokio::spawn(async move { axum::serve(listener, routes).await });
    let house = house_with(SimConfig::instant(), |config| {
        config.second_transcript.model = "whisper-local".to_owned();
        config.second_transcript.base_url = url;
        config.second_transcript.api_key = Secret::new("own-key");
        config.enrichment.attempts_max = 3;
    })
    .await;
    (house, endpoint)
}

fn words(text: &str) -> Response {
    axum::Json(serde_json::json!({ "text": text })).into_response()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trouble_costs_time_and_no_turn_and_what_is_paid_is_not_asked_twice() {
    let (house, endpoint) = house_of(|no| match no {
        1 => words("first"),
        2 => (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "0")], "{}").into_response(),
        3 => (StatusCode::BAD_GATEWAY, "<html>").into_response(),
        4 => (StatusCode::OK, "<html>Sign in</html>").into_response(),
        _ => words("second"),
    })
    .await;
    let app = house.app();
    let (id, _) = house.invite().await;
    finish(app, &id, &answers(), &["One.", "Two."]).await;
    let seconds = heard(app, &id).await;
    let texts: Vec<&str> = seconds.iter().map(|second| second.text.as_str()).collect();
    assert_eq!(texts, ["first", "second"]);
    assert_eq!(endpoint.calls.load(Ordering::SeqCst), 5);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_turn_that_cannot_be_heard_is_a_dead_letter_of_its_own_and_holds_back_no_report() {
    let refusal = serde_json::json!({ "error": { "message": "unsupported format", "code": null } });
    let (house, _) = house_of(move |no| match no {
        1 => (StatusCode::BAD_REQUEST, axum::Json(refusal.clone())).into_response(),
        _ => words("heard"),
    })
    .await;
    let app = house.app();
    let (id, _) = house.invite().await;
    finish(app, &id, &answers(), &["One.", "Two."]).await;
    until_report(app, &id, ReportState::Ready).await;
    until(app, "both turns' fates", async || {
        let heard = turns(app, &id).await[1].second.is_some();
        let dead =
            |job: &store::JobRow| job.lane == Lane::SecondTranscript && job.state == JobState::Dead;
        heard && jobs(app).await.iter().any(dead)
    })
    .await;
    assert_eq!(turns(app, &id).await[0].second, None);
    house.close().await;
}
