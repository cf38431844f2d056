//! Sessions that ended, made by hand, and a chat endpoint that answers as told.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Json, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use bytes::Bytes;
use engine::ids::{ItemId, PhaseId, SessionId, TopicId, TurnNo};
use engine::journal::{Entry, Measure, MoveCause, Outcome, Turn, TurnEnding};
use engine::link::Speaker;
use media::record::{Chunk, Writer};
use serde_json::{Value, json};
use server::app::App;
use server::session::after_end;
use store::{Epoch, JobFilter, JobRow, JobState, NewChunk, ReportState, SegmentRow};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::harness::PATIENCE;

/// What the participant of [`finish`] says, if nothing else is asked for.
pub(crate) const ANSWERS: [&str; 3] = [
    "I was studying, and I really enjoyed it.",
    "It was a bakery in Leipzig. I hated getting up at three in the morning.",
    "My aunt knew the owner.",
];

/// Journals an interview with these answers to its end, in one go, with the job that follows.
pub(crate) async fn finish(app: &App, id: &SessionId, answers: &[&str], chunks: Vec<Chunk>) {
    let store = &app.store;
    let epoch = store.claim_session(id, "node").await.unwrap();
    for chunk in chunks {
        let chunk = NewChunk {
            no: chunk.no,
            start_ms: chunk.start_ms,
            end_ms: chunk.end_ms,
            bytes: Bytes::from(chunk.bytes),
        };
        store.put_chunk(id, chunk).await.unwrap();
    }
    let entries = said(answers);
    let end_ms = 2_000 * answers.len() as u64;
    let entries = entries.into_iter().chain(last_words(end_ms)).collect();
    let jobs = after_end(id, store.now_us());
    store
        .finish_session(id, epoch, entries, jobs)
        .await
        .unwrap();
}

/// Journals an interview with these answers that goes on.
pub(crate) async fn begin(app: &App, id: &SessionId, answers: &[&str]) -> Epoch {
    let epoch = app.store.claim_session(id, "node").await.unwrap();
    app.store.append(id, epoch, said(answers)).await.unwrap();
    epoch
}

/// Ends it.
pub(crate) async fn end(app: &App, id: &SessionId, epoch: Epoch) {
    let jobs = after_end(id, app.store.now_us());
    app.store
        .finish_session(id, epoch, last_words(60_000), jobs)
        .await
        .unwrap();
}

/// The journal of questions and these answers; a second for each.
fn said(answers: &[&str]) -> Vec<Entry> {
    let phase = PhaseId::from("warmup");
    let mut entries = vec![Entry::PhaseEntered {
        phase: phase.clone(),
        cause: MoveCause::Start,
        timeline_ms: 0,
    }];
    let mut turn = 0;
    let mut say = |speaker, text: &str| {
        turn += 1;
        let at_ms = u64::from(turn) * 1_000;
        Entry::Turn(Turn {
            turn: TurnNo(turn),
            speaker,
            item: ItemId::from(format!("item{turn}")),
            phase: phase.clone(),
            start_ms: at_ms - 1_000,
            end_ms: at_ms - 100,
            text: text.to_owned(),
            unheard: String::new(),
            ending: TurnEnding::Complete,
        })
    };
    for answer in answers {
        entries.push(say(Speaker::Interviewer, "And then?"));
        entries.push(say(Speaker::Participant, answer));
    }
    entries
}

fn last_words(end_ms: u64) -> Vec<Entry> {
    vec![
        Entry::Measured {
            measure: Measure::ResponseLatency,
            ms: 640,
        },
        Entry::TopicCovered {
            topic: TopicId::from("job"),
            phase: PhaseId::from("warmup"),
            timeline_ms: end_ms,
        },
        Entry::Ended {
            outcome: Outcome::Complete,
            timeline_ms: end_ms,
        },
    ]
}

/// Six seconds of both tracks, in chunks as they are really cut.
pub(crate) fn recording() -> Vec<Chunk> {
    const FRAME: Duration = Duration::from_millis(20);
    let zero = Instant::now();
    let mut writer = Writer::new(zero);
    let mut encoder = media::opus::Encoder::new(24_000, 1, 24_000).unwrap();
    let mut chunks = Vec::new();
    for frame in 0..300_u32 {
        let at = zero + FRAME * frame;
        let pcm: Vec<i16> = (0..480)
            .map(|sample| if sample % 60 < 30 { 6_000 } else { -6_000 })
            .collect();
        let packet = encoder.encode(&pcm).unwrap();
        writer.participant(1, u64::from(frame), at, true, packet);
        if frame >= 150 {
            writer.interviewer(at, packet);
        }
        chunks.extend(writer.cut(at));
    }
    chunks.push(writer.finish(zero + FRAME * 300));
    assert!(chunks.len() > 1, "{}", chunks.len());
    chunks
}

/// Waits until the session's report is in that state.
pub(crate) async fn until_report(app: &App, id: &SessionId, state: ReportState) {
    until(app, "the report", async || {
        app.store.session(id).await.unwrap().unwrap().report == state
    })
    .await;
}

/// Waits until this holds, looking again at each change of any session.
pub(crate) async fn until(app: &App, what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let mut changes = app.changes.subscribe();
    let wait = async {
        while !holds().await {
            // A job tells of its end a moment before the end is written down, where it failed.
            drop(timeout(Duration::from_millis(200), changes.recv()).await);
        }
    };
    if timeout(PATIENCE, wait).await.is_err() {
        panic!("waited for {what}; jobs: {:#?}", jobs(app).await);
    }
}

/// Waits until every job is done, and gives them: a report can be ready before the job of
/// another lane, as the recording's.
pub(crate) async fn until_all_done(app: &App) -> Vec<JobRow> {
    until(app, "all jobs to be done", async || {
        jobs(app)
            .await
            .iter()
            .all(|job| job.state == JobState::Done)
    })
    .await;
    jobs(app).await
}

pub(crate) async fn jobs(app: &App) -> Vec<JobRow> {
    app.store.jobs(JobFilter::default()).await.unwrap()
}

/// The segments of a session, each of whose quotes is verbatim in its turn.
pub(crate) async fn segments(app: &App, id: &SessionId) -> Vec<SegmentRow> {
    let segments = app.store.segments(id).await.unwrap();
    let turns = app.store.turns(id).await.unwrap();
    for segment in &segments {
        let turn = turns.iter().find(|turn| turn.turn == segment.turn).unwrap();
        assert!(turn.text.contains(&segment.text), "{segment:?}");
        if let Some(quote) = segment
            .coding
            .as_ref()
            .and_then(|coding| coding.quote.as_ref())
        {
            assert!(turn.text.contains(&quote.text), "{segment:?}");
        }
    }
    segments
}

/// Tokens that each answer of [`ChatEndpoint`] is billed.
pub(crate) const TOKENS_IN: u64 = 100;
pub(crate) const TOKENS_OUT: u64 = 7;

/// What a chat endpoint does with the n-th call (from 1), whose body is given.
type Script = dyn Fn(usize, &Value) -> Reply + Send + Sync;

/// What becomes of a call.
pub(crate) enum Reply {
    /// 200 with this content.
    Content(String),
    /// Another status with this body.
    Status(StatusCode, Value),
    /// Another status with a page for people.
    Page(StatusCode),
    /// The connection stays open and silent.
    Never,
}

/// A chat endpoint that answers as told and remembers what it was asked.
#[derive(Clone)]
pub(crate) struct ChatEndpoint {
    pub(crate) url: String,
    calls: Arc<Mutex<Vec<Value>>>,
    script: Arc<Script>,
    /// An answer leaves with each permit; and the count of calls that it ends.
    held: Option<(Arc<Semaphore>, Arc<AtomicUsize>)>,
}

impl ChatEndpoint {
    /// Serves on a port of its own. The first `refused` connections are closed before a word is said.
    pub(crate) async fn serve(
        refused: usize,
        script: impl Fn(usize, &Value) -> Reply + Send + Sync + 'static,
    ) -> ChatEndpoint {
        ChatEndpoint::serve_with(refused, Arc::new(script), None).await
    }

    /// Whose answers leave one by one, with the permits of `held`; then `flying` is one less.
    pub(crate) async fn serve_held(
        held: Arc<Semaphore>,
        script: impl Fn(usize, &Value) -> Reply + Send + Sync + 'static,
        flying: Arc<AtomicUsize>,
    ) -> ChatEndpoint {
        ChatEndpoint::serve_with(0, Arc::new(script), Some((held, flying))).await
    }

    async fn serve_with(
        refused: usize,
        script: Arc<Script>,
        held: Option<(Arc<Semaphore>, Arc<AtomicUsize>)>,
    ) -> ChatEndpoint {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = ChatEndpoint {
            url: format!("http://{}/v1", listener.local_addr().unwrap()),
            calls: Arc::default(),
            script,
            held,
        };
        let routes = Router::new()
            .route("/v1/chat/completions", post(complete))
            .with_state(endpoint.clone());
        tokio::spawn(async move {
            for _ in 0..refused {
                drop(listener.accept().await);
            }
            axum::serve(listener, routes).await
        });
        endpoint
    }

    /// The bodies of all calls so far that code segments.
    pub(crate) fn codings(&self) -> Vec<Value> {
        let calls = self.calls.lock().unwrap();
        calls
            .iter()
            .filter(|body| !is_summary(body) && !is_merge(body))
            .cloned()
            .collect()
    }

    pub(crate) fn calls(&self) -> usize {
        self.calls.lock().unwrap().len()
    }
}

async fn complete(State(endpoint): State<ChatEndpoint>, Json(body): Json<Value>) -> Response {
    let no = {
        let mut calls = endpoint.calls.lock().unwrap();
        calls.push(body.clone());
        calls.len()
    };
    let reply = (endpoint.script)(no, &body);
    if let Some((held, flying)) = &endpoint.held {
        held.acquire().await.unwrap().forget();
        flying.fetch_sub(1, Ordering::SeqCst);
    }
    match reply {
        Reply::Content(content) => Json(json!({
            "id": format!("chatcmpl-{no}"), "object": "chat.completion", "model": body["model"],
            "choices": [{ "index": 0, "finish_reason": "stop", "message": { "role": "assistant", "content": content } }],
            "usage": { "prompt_tokens": TOKENS_IN, "completion_tokens": TOKENS_OUT, "total_tokens": TOKENS_IN + TOKENS_OUT },
        }))
        .into_response(),
        Reply::Status(status, body) => (status, Json(body)).into_response(),
        Reply::Page(status) => {
            let html = "<html><h1>Sign in to the guest network</h1></html>";
            let headers = [("content-type", "text/html"), ("location", "http://192.0.2.1/")];
            (status, headers, html).into_response()
        }
        Reply::Never => std::future::pending().await,
    }
}

pub(crate) fn is_summary(body: &Value) -> bool {
    body["response_format"]["json_schema"]["name"] == "summary"
}

/// Whether it asks which theme labels belong to.
pub(crate) fn is_merge(body: &Value) -> bool {
    body["response_format"]["json_schema"]["name"] == "themes"
}

/// The keys that an answer must have.
pub(crate) fn keys(body: &Value) -> Vec<String> {
    let schema = &body["response_format"]["json_schema"]["schema"];
    let required = schema["required"].as_array().unwrap();
    required
        .iter()
        .map(|key| key.as_str().unwrap().to_owned())
        .collect()
}

/// An answer that is right, with this quote for each segment.
pub(crate) fn good(body: &Value, quote: Option<&str>) -> Reply {
    if is_summary(body) {
        let mut written = json!({ "summary": "They found a first job." });
        for key in keys(body).into_iter().filter(|key| key != "summary") {
            written[key] = json!({ "status": "partial", "turn": 2 });
        }
        return Reply::Content(written.to_string());
    }
    if is_merge(body) {
        let all = keys(body).into_iter().map(|key| (key, json!("first job")));
        return Reply::Content(Value::Object(all.collect()).to_string());
    }
    let one =
        json!({ "sentiment": "mixed", "score": -0.5, "topics": ["First job"], "quote": quote });
    let all: serde_json::Map<String, Value> = keys(body)
        .into_iter()
        .map(|key| (key, one.clone()))
        .collect();
    Reply::Content(Value::Object(all).to_string())
}
