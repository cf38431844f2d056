//! The operations page over HTTP: numbers that are true, what alarms, who is in trouble, and who waits in line.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use engine::ids::SessionId;
use futures_util::future::join_all;
use reqwest::StatusCode;
use server::metrics::Latency;
use sim::provider::SimConfig;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::{Api, body, problem};
use crate::finished::{ANSWERS, begin, finish};
use crate::harness::{Caller, PATIENCE, house, house_with};

async fn operations(api: &Api) -> serde_json::Value {
    body(api.console("/api/v1/operations").await).await["operations"].take()
}

fn number<'a>(operations: &'a serde_json::Value, id: &str) -> &'a serde_json::Value {
    let numbers = operations["numbers"].as_array().unwrap();
    numbers.iter().find(|number| number["id"] == id).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interview_is_in_the_numbers_of_the_page_and_of_prometheus() {
    let house = house(SimConfig::instant()).await;
    let api = Api::new(&house);
    let before = operations(&api).await;
    assert_eq!(number(&before, "heard_latency")["state"], "none");
    assert_eq!(before["alerts"], serde_json::json!([]));
    assert_eq!(before["capacity"]["state"], "open");

    let (id, _) = house.invite().await;
    let mut caller = Caller::join(&house, &id).await.unwrap();
    caller.until_type("caption").await;
    caller.say("I was studying, and I really enjoyed it.").await;
    caller.hears_more(50).await;
    let during = operations(&api).await;
    assert_eq!(during["capacity"]["live"], 1);
    let voice = &number(&during, "first_voice");
    assert!(voice["value"].as_f64().unwrap() > 0.0, "{voice}");
    assert_eq!(voice["state"], "good");
    caller.ends(&house, &id).await;
    house.idle().await;

    let text = house.app().metrics.text();
    assert!(
        text.contains(
            "colloquy_first_voice_seconds_count 1
"
        ),
        "{text}"
    );
    let after = operations(&api).await;
    // The study has a target, and the interview cost something.
    let cost = number(&after, "cost");
    assert!(cost["value"].as_f64().unwrap() > 0.0, "{cost}");
    assert!(cost["note"].as_str().unwrap().ends_with("per session"));
    assert_eq!(number(&after, "provider_errors")["value"], 0.0);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_alarms_is_said_with_its_runbook_and_who_is_in_trouble_comes_first() {
    let house = house_with(SimConfig::instant(), |config| {
        config.enrichment.concurrency = 1;
    })
    .await;
    let app = house.app();
    let api = Api::new(&house);
    for _ in 0..10 {
        app.metrics.latency(Latency::Heard {
            span: Duration::from_millis(1_600),
            patience: Duration::from_millis(700),
        });
    }
    for _ in 0..3 {
        app.metrics.provider_responded("openai");
    }
    app.metrics
        .provider_failed("openai", engine::link::FaultCategory::Retryable);
    app.metrics
        .provider_failed("openai", engine::link::FaultCategory::Expired);
    let (paused, _) = house.invite().await;
    let epoch = begin(app, &paused, &ANSWERS).await;
    let gone = engine::journal::Entry::Paused { timeline_ms: 9_000 };
    app.store.append(&paused, epoch, vec![gone]).await.unwrap();
    let (healthy, _) = house.invite().await;
    begin(app, &healthy, &ANSWERS).await;
    let (ended, _) = house.invite().await;
    finish(app, &ended, &ANSWERS, Vec::new()).await;

    let operations = operations(&api).await;
    let alerts = operations["alerts"].as_array().unwrap();
    let names: Vec<&str> = alerts
        .iter()
        .map(|alert| alert["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        ["HeardResponseSlow", "ProviderErrors"],
        "{operations}"
    );
    let errors = number(&operations, "provider_errors");
    assert_eq!(
        errors["value"],
        1.0 / 3.0,
        "the vendor's own limit is no failure"
    );
    for alert in alerts {
        let runbook = alert["runbook"].as_str().unwrap();
        let text = api.get(runbook).send().await.unwrap().text().await.unwrap();
        assert!(text.lines().count() > 2, "{runbook}: {text}");
    }
    problem(
        api.get("/runbook/nothing").send().await.unwrap(),
        StatusCode::NOT_FOUND,
    )
    .await;
    let trouble = operations["trouble"].as_array().unwrap();
    assert_eq!(trouble.len(), 1, "{trouble:?}");
    assert_eq!(trouble[0]["session_id"], paused.as_str());
    assert_eq!(trouble[0]["trouble"], "paused");
    house.close().await;
}

/// A dead letter more, and what a scrape says then of how many there are.
async fn letter_and_scrape(api: &Api, db: &Mutex<SqliteConnection>, id: &SessionId) -> u64 {
    {
        let mut db = db.lock().await;
        let letter = sqlx::query(
            "INSERT INTO job (lane, kind, session_id, key, rank, state, not_before_us, created_at_us, body)
             SELECT 'delivery', 'lost', ?1, count(*), 0, 3, 0, 0, CAST('{}' AS BLOB) FROM job WHERE kind = 'lost'",
        );
        letter.bind(id.as_str()).execute(&mut *db).await.unwrap();
    }
    letters(api).await
}

/// Dead letters by a scrape that is answered whole.
async fn letters(api: &Api) -> u64 {
    let answer = api.get("/metrics").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let text = answer.text().await.unwrap();
    assert!(text.ends_with("# EOF\n"), "{}", text.len());
    assert!(text.contains("colloquy_build_info{version="));
    let count = |line: &str| {
        line.strip_prefix("colloquy_dead_letters ")?
            .trim()
            .parse()
            .ok()
    };
    text.lines().find_map(count).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_scrapes_at_once_are_answered_from_one_count() {
    const SCRAPES: u64 = 100;
    let house = house(SimConfig::instant()).await;
    let api = Api::new(&house);
    let (id, _) = house.invite().await;
    let file = house.folder.path().join("colloquy.db");
    let db = SqliteConnectOptions::new().filename(file);
    let db = Mutex::new(db.connect().await.unwrap());
    // Between any two scrapes there is something new to count, and every count would show it.
    let began = Instant::now();
    let scrapes = (0..SCRAPES).map(|_| letter_and_scrape(&api, &db, &id));
    let told = join_all(scrapes).await;
    let counts: BTreeSet<u64> = told.into_iter().collect();
    // One for each second that began, and what the server's own look, each five seconds, sees beside them.
    let seconds = began.elapsed().as_secs() + 2;
    let allowed = seconds + seconds / 5 + 1;
    assert!(
        counts.len() as u64 <= allowed,
        "{counts:?} within {seconds} s"
    );
    // And what is new is not kept back for ever.
    let mut look = tokio::time::interval(Duration::from_millis(50));
    let all = async {
        while letters(&api).await < SCRAPES {
            look.tick().await;
        }
    };
    timeout(PATIENCE, all).await.expect("it is counted anew");
    db.into_inner().close().await.unwrap();
    house.close().await;
}
