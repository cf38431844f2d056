//! From an ended session to its report, with all that can go wrong on the way.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::http::StatusCode;
use engine::cost::Component;
use engine::ids::SessionId;
use serde_json::{Value, json};
use server::app::App;
use server::boot;
use server::work::Report;
use server::work::report::{AnswerStatus, ReportCoverage};
use sim::provider::{HttpFault, SimConfig};
use store::{JobState, Lane, ReportState, Store, StoreConfig, Take};

use crate::finished::{
    ANSWERS, ChatEndpoint, Reply, TOKENS_IN, TOKENS_OUT, finish, good, is_summary, jobs, keys,
    recording, segments, until, until_all_done, until_report,
};
use crate::harness::{House, config, house, house_with};

pub(crate) async fn report(app: &App, id: &SessionId) -> Report {
    let value = app.store.report(id).await.unwrap().unwrap();
    serde_json::from_value(value).unwrap()
}

/// What became of each question, and the turn that shows it.
fn became(report: &Report) -> Vec<(&str, AnswerStatus, Option<u32>)> {
    let place = |question: &ReportCoverage| Some(question.answered_at.as_ref()?.turn);
    let coverage = report.coverage.iter();
    coverage
        .map(|question| (question.topic.as_str(), question.answer, place(question)))
        .collect()
}

/// A server whose transcripts are coded by this endpoint.
pub(crate) async fn house_of(endpoint: &ChatEndpoint) -> House {
    let url = endpoint.url.clone();
    house_with(SimConfig::instant(), |config| {
        config.enrichment.base_url = url;
        config.enrichment.batch_segments = 2;
    })
    .await
}

async fn quantity(app: &App, id: &SessionId, component: Component) -> u64 {
    let ledger = app.store.ledger(id).await.unwrap();
    let rows = ledger.iter().filter(|row| row.component == component);
    rows.map(|row| row.quantity).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ended_session_becomes_a_recording_codings_and_one_report() {
    let house = house(SimConfig::instant()).await;
    let app = house.app();
    let (id, _) = house.invite().await;
    let before = house.row(&id).await.cost_micro_usd;
    finish(app, &id, &ANSWERS, recording()).await;
    until_report(app, &id, ReportState::Ready).await;

    let report = report(app, &id).await;
    let coded = segments(app, &id).await;
    assert_eq!(coded.len(), 3);
    assert!(
        coded.iter().all(|segment| segment.coding.is_some()),
        "{coded:?}"
    );
    assert_eq!(report.sentiment.uncoded, 0);
    assert!(
        !report.summary.is_empty() && !report.quotes.is_empty(),
        "{report:?}"
    );
    assert!(
        report
            .coverage
            .iter()
            .any(|topic| topic.topic == "job" && topic.covered),
        "{report:?}"
    );
    // What the model says of a phase that was never entered does not count.
    assert_eq!(
        became(&report),
        [
            ("job", AnswerStatus::Answered, None),
            ("found", AnswerStatus::NotAsked, None),
            ("learned", AnswerStatus::NotAsked, None)
        ]
    );
    assert_eq!(
        (report.figures.turns, report.figures.phases_visited),
        (6, 1)
    );
    assert_eq!(report.figures.response_latency_p95_ms, Some(640));
    assert_eq!(report.method.model, "gpt-6-luna");

    let kept = house.until_recording(&id).await;
    assert!((5_900..=6_200).contains(&kept.duration_ms), "{kept:?}");
    let (ogg, total) = app.store.get_object(&kept.object, None).await.unwrap();
    assert_eq!((ogg.len() as u64, total), (kept.bytes, kept.bytes));
    assert!(ogg.starts_with(b"OggS"));
    assert!(
        kept.peaks.participant.iter().any(|peak| *peak > 20),
        "{:?}",
        kept.peaks
    );
    let quiet = kept.peaks.interviewer.len() / 3;
    assert!(
        kept.peaks
            .interviewer
            .iter()
            .take(quiet)
            .all(|peak| *peak < 5),
        "silent at first"
    );

    let row = house.row(&id).await;
    assert!(row.cost_micro_usd > before, "coding is paid for");
    // What the study's themes cost comes after the report.
    assert!(report.figures.cost_micro_usd <= row.cost_micro_usd);
    let jobs = until_all_done(app).await;
    let count = |kind: &str| jobs.iter().filter(|job| job.kind == kind).count();
    assert_eq!(
        (
            count("finish_recording"),
            count("cut_transcript"),
            count("code"),
            count("report")
        ),
        (1, 1, 3, 1)
    );
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_without_audio_or_without_answers_still_gets_its_report() {
    let house = house(SimConfig::instant()).await;
    let app = house.app();
    let ((mute, _), (shy, _), (empty, _)) = (
        house.invite().await,
        house.invite().await,
        house.invite().await,
    );
    finish(app, &mute, &ANSWERS, Vec::new()).await;
    finish(app, &shy, &["", " "], Vec::new()).await;
    finish(app, &empty, &[], Vec::new()).await;
    for id in [&mute, &shy] {
        until_report(app, id, ReportState::Ready).await;
        assert!(app.store.recording(id).await.unwrap().is_none());
    }
    assert_eq!(report(app, &shy).await.figures.turns, 4);
    until_all_done(app).await;
    assert_eq!(
        house.row(&empty).await.report,
        ReportState::None,
        "nothing was said"
    );
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invented_quote_is_refused_and_only_its_segment_is_asked_again() {
    let endpoint = ChatEndpoint::serve(0, |no, body| {
        if no > 1 || is_summary(body) {
            return good(body, Some("bakery"));
        }
        let one = |quote: &str| json!({ "sentiment": "neutral", "score": 0.1, "topics": [], "quote": quote });
        Reply::Content(json!({ "s2001": one("really  enjoyed"), "s4001": one("I loved getting up") }).to_string())
    })
    .await;
    let house = house_of(&endpoint).await;
    let app = house.app();
    let (id, _) = house.invite().await;
    finish(app, &id, &ANSWERS[..2], Vec::new()).await;
    until_report(app, &id, ReportState::Ready).await;
    let asked: Vec<Vec<String>> = endpoint.codings().iter().map(keys).collect();
    assert_eq!(asked, [vec!["s2001", "s4001"], vec!["s4001"]]);
    let coded = segments(app, &id).await;
    let quotes: Vec<_> = coded
        .iter()
        .map(|segment| {
            segment
                .coding
                .as_ref()
                .unwrap()
                .quote
                .as_ref()
                .unwrap()
                .text
                .as_str()
        })
        .collect();
    assert_eq!(quotes, ["really enjoyed", "bakery"]);
    assert_eq!(
        quantity(app, &id, Component::EnrichmentIn).await,
        3 * TOKENS_IN,
        "both codings and the summary"
    );
    let report = report(app, &id).await;
    assert_eq!(became(&report)[0], ("job", AnswerStatus::Partial, Some(2)));
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quote_that_is_invented_again_and_again_is_left_out_and_the_codes_are_kept() {
    let endpoint = ChatEndpoint::serve(0, |_, body| good(body, Some("never said"))).await;
    let house = house_of(&endpoint).await;
    let app = house.app();
    let (id, _) = house.invite().await;
    finish(app, &id, &ANSWERS[..2], Vec::new()).await;
    until_report(app, &id, ReportState::Ready).await;
    let mut asked: Vec<Vec<String>> = endpoint.codings().iter().map(keys).collect();
    asked.sort();
    assert_eq!(
        asked,
        [
            vec!["s2001"],
            vec!["s2001"],
            vec!["s2001", "s4001"],
            vec!["s2001", "s4001"],
            vec!["s4001"],
            vec!["s4001"]
        ]
    );
    for segment in segments(app, &id).await {
        let coding = segment.coding.unwrap();
        assert_eq!(
            (coding.quote, coding.topics),
            (None, vec!["first job".to_owned()])
        );
    }
    assert_eq!(report(app, &id).await.quotes, []);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_is_paid_for_and_asked_again() {
    for garbage in [
        "I cannot do that.",
        "{\"s2001\": 5, \"s4001\": [\"neutral\"]}",
        "{\"s2001\": {\"sentiment\": null, \"score\": \"high\"}, \"s6001\": {}}",
        "[]",
    ] {
        let endpoint = ChatEndpoint::serve(0, move |no, body| match no {
            1 => Reply::Content(garbage.to_owned()),
            _ => good(body, None),
        })
        .await;
        let house = house_of(&endpoint).await;
        let app = house.app();
        let (id, _) = house.invite().await;
        finish(app, &id, &ANSWERS[..2], Vec::new()).await;
        until_report(app, &id, ReportState::Ready).await;
        assert_eq!(report(app, &id).await.sentiment.mixed, 2, "{garbage}");
        assert_eq!(
            quantity(app, &id, Component::EnrichmentOut).await,
            3 * TOKENS_OUT,
            "{garbage}"
        );
        house.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_segment_that_is_answered_wrongly_costs_the_others_nothing() {
    let endpoint = ChatEndpoint::serve(0, |no, body| match no {
        1 => {
            let good = json!({ "sentiment": "positive", "score": 1, "topics": [], "quote": null });
            Reply::Content(json!({ "s2001": "nonsense", "s4001": good }).to_string())
        }
        _ => good(body, None),
    })
    .await;
    let house = house_of(&endpoint).await;
    let app = house.app();
    let (id, _) = house.invite().await;
    finish(app, &id, &ANSWERS[..2], Vec::new()).await;
    until_report(app, &id, ReportState::Ready).await;
    let asked: Vec<Vec<String>> = endpoint.codings().iter().map(keys).collect();
    assert_eq!(asked, [vec!["s2001", "s4001"], vec!["s2001"]]);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_that_is_down_is_asked_again_until_it_is_up() {
    let endpoint = ChatEndpoint::serve(2, |no, body| match no {
        1 => Reply::Status(
            StatusCode::SERVICE_UNAVAILABLE,
            json!({ "error": { "message": "later" } }),
        ),
        _ => good(body, None),
    })
    .await;
    let house = house_of(&endpoint).await;
    let app = house.app();
    let (id, _) = house.invite().await;
    finish(app, &id, &ANSWERS[..1], Vec::new()).await;
    until_report(app, &id, ReportState::Ready).await;
    let jobs = jobs(app).await;
    let code = jobs.iter().find(|job| job.kind == "code").unwrap();
    assert_eq!((code.state, code.attempts), (JobState::Done, 4));
    assert_eq!(report(app, &id).await.sentiment.uncoded, 0);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_many_requests_cost_no_attempt() {
    let faults = (1..=6).map(|no| (no, HttpFault::RateLimit { retry_after_ms: 20 }));
    let provider = SimConfig {
        chat_faults: faults.collect(),
        ..SimConfig::instant()
    };
    let house = house_with(provider, |config| config.enrichment.attempts_max = 1).await;
    let app = house.app();
    let (id, _) = house.invite().await;
    finish(app, &id, &ANSWERS, Vec::new()).await;
    until_report(app, &id, ReportState::Ready).await;
    let jobs = until_all_done(app).await;
    assert!(
        jobs.iter()
            .all(|job| (job.state, job.attempts) == (JobState::Done, 1)),
        "{jobs:?}"
    );
    assert_eq!(report(app, &id).await.sentiment.uncoded, 0);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_model_declines_to_read_is_singled_out() {
    let declined = |body: &Value| body["messages"].to_string().contains("hated");
    let endpoint = ChatEndpoint::serve(0, move |_, body| {
        if !is_summary(body) && declined(body) && keys(body).contains(&"s4001".to_owned()) {
            let large = json!({ "error": { "message": "Request too large for this model", "code": "rate_limit_exceeded" } });
            return Reply::Status(StatusCode::TOO_MANY_REQUESTS, large);
        }
        good(body, None)
    })
    .await;
    let house = house_of(&endpoint).await;
    let app = house.app();
    let (id, _) = house.invite().await;
    finish(app, &id, &ANSWERS, Vec::new()).await;
    until_report(app, &id, ReportState::Ready).await;
    let coded = segments(app, &id).await;
    let uncoded: Vec<u32> = coded
        .iter()
        .filter(|segment| segment.coding.is_none())
        .map(|segment| segment.segment_no)
        .collect();
    assert_eq!(uncoded, [4_001]);
    assert_eq!(report(app, &id).await.sentiment.uncoded, 1);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopped_midway_and_started_again_nothing_is_lost_and_nothing_doubled() {
    let answers: Vec<String> = (1..=7).map(|no| format!("Answer number {no}.")).collect();
    let answers: Vec<&str> = answers.iter().map(String::as_str).collect();
    let open = Arc::new(AtomicBool::new(false));
    let gate = Arc::clone(&open);
    // One call is answered; the others hang until the server was started again.
    let endpoint = ChatEndpoint::serve(0, move |no, body| {
        if no == 1 || gate.load(Ordering::Relaxed) {
            good(body, None)
        } else {
            Reply::Never
        }
    })
    .await;
    let house = house_of(&endpoint).await;
    let app = house.app();
    let (id, _) = house.invite().await;
    finish(app, &id, &answers, Vec::new()).await;
    until(app, "four calls and one coding", async || {
        endpoint.calls() == 4
            && jobs(app)
                .await
                .iter()
                .any(|job| job.kind == "code" && job.state == JobState::Done)
    })
    .await;
    let folder = house.close().await;

    // A process that died with leases in its hands.
    let config = {
        let mut config = config(&folder);
        config.enrichment.base_url = endpoint.url.clone();
        config.enrichment.batch_segments = 2;
        config
    };
    let store = Store::open(StoreConfig::new(
        &config.store.database,
        &config.store.recordings,
    ))
    .await
    .unwrap();
    let taken = store
        .claim(
            Lane::Enrichment,
            &Take {
                at_once: vec![2],
                ..Take::one(Duration::from_secs(3_600))
            },
        )
        .await
        .unwrap();
    assert_eq!(taken.len(), 2, "given back by the stop");
    assert!(
        taken.iter().all(|lease| lease.attempts == 1),
        "the stop cost nothing: {taken:?}"
    );
    store.close().await.unwrap();
    drop(store);

    open.store(true, Ordering::Relaxed);
    let again = boot::start(config).await.unwrap();
    let app = again.app();
    until_report(app, &id, ReportState::Ready).await;
    let coded = segments(app, &id).await;
    assert_eq!(coded.len(), 7);
    assert!(coded.iter().all(|segment| segment.coding.is_some()));
    assert_eq!(
        quantity(app, &id, Component::EnrichmentIn).await,
        5 * TOKENS_IN,
        "four calls and a summary"
    );
    assert_eq!(
        quantity(app, &id, Component::EnrichmentOut).await,
        5 * TOKENS_OUT
    );
    let jobs = until_all_done(app).await;
    assert_eq!(jobs.iter().filter(|job| job.kind == "report").count(), 1);
    again.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recording_that_cannot_be_kept_does_not_hold_up_the_report_and_comes_later() {
    let house = house(SimConfig::instant()).await;
    let app = house.app();
    let (id, _) = house.invite().await;
    // A folder where the file should be refuses the write, as a full disk does.
    let place = house
        .folder
        .path()
        .join(format!("recordings/sessions/{id}/recording.ogg/in-the-way"));
    std::fs::create_dir_all(&place).unwrap();
    finish(app, &id, &ANSWERS, recording()).await;
    until_report(app, &id, ReportState::Ready).await;
    assert!(app.store.recording(&id).await.unwrap().is_none());
    assert_eq!(report(app, &id).await.sentiment.uncoded, 0);
    std::fs::remove_dir_all(place.parent().unwrap()).unwrap();
    until(app, "the recording", async || {
        app.store.recording(&id).await.unwrap().is_some()
    })
    .await;
    house.close().await;
}
