//! A house with a long history: what is looked at all day, the operations page and `/metrics`, costs what runs now, not
//! what once ran.

use std::time::Duration;

use engine::ids::SessionId;
use engine::journal::{Entry, Outcome};
use futures_util::future::join_all;
use serde_json::Value;
use sim::provider::SimConfig;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};
use store::{Length, NewSession};

use super::Api;
use super::series::series;
use crate::finished::{ANSWERS, begin};
use crate::harness::{Caller, House, house_with_clock};

const SESSIONS: usize = 10_000;
/// Written at once.
const BATCH: usize = 500;
/// Jobs that each of them left, done.
const JOBS: i64 = 3;
/// By what the page may differ from one look to the next: a timestamp's fraction, a load of 0.5 or 0.4375. One byte for each
/// session would be five times as much.
const PAGE_MOVES_BYTES: usize = 2_000;

/// Interviews of the study of `like` that ended, and their work, which is done.
async fn history(house: &House, like: &SessionId) {
    let study = house.row(like).await;
    let store = &house.app().store;
    let numbers: Vec<usize> = (0..SESSIONS).collect();
    for batch in numbers.chunks(BATCH) {
        let new = batch.iter().map(|number| NewSession {
            session_id: id(*number),
            study_id: study.study_id.clone(),
            study_version: study.study_version,
            link_hash: hash(*number),
            language: "en".to_owned(),
            length: Length::Rehearsal,
            external_id: None,
            expires_at_us: None,
        });
        store.create_sessions(new.collect()).await.unwrap();
        join_all(batch.iter().map(|number| run_once(house, id(*number)))).await;
    }
    let file = house.folder.path().join("colloquy.db");
    let mut db = SqliteConnectOptions::new()
        .filename(file)
        .connect()
        .await
        .unwrap();
    let done = sqlx::query(
        "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?1)
         INSERT INTO job (lane, kind, session_id, key, rank, state, not_before_us, created_at_us, ended_at_us, body)
         SELECT 'enrichment', 'code', session_id, n, 0, 2, 0, 0, 0, CAST('{}' AS BLOB)
         FROM session JOIN n WHERE state = 'ended'",
    );
    let done = done.bind(JOBS).execute(&mut db).await.unwrap();
    assert_eq!(done.rows_affected(), 3 * SESSIONS as u64);
    db.close().await.unwrap();
}

fn id(number: usize) -> SessionId {
    SessionId::from(format!("history{number:05}"))
}

fn hash(number: usize) -> [u8; 32] {
    let mut hash = [0; 32];
    hash[..8].copy_from_slice(&number.to_le_bytes());
    hash
}

/// No job follows: ten thousand reports are not what this is about.
async fn run_once(house: &House, id: SessionId) {
    let epoch = begin(house.app(), &id, &ANSWERS[..1]).await;
    let end = Entry::Ended {
        outcome: Outcome::Complete,
        timeline_ms: 60_000,
    };
    let store = &house.app().store;
    store
        .finish_session(&id, epoch, vec![end], Vec::new())
        .await
        .unwrap();
}

/// Both, as they are now: `/metrics` first, because it counts anew.
async fn look(api: &Api) -> (String, String) {
    let metrics = api.get("/metrics").send().await.unwrap();
    let metrics = metrics.text().await.unwrap();
    let page = api.console("/api/v1/operations").await;
    (page.text().await.unwrap(), metrics)
}

/// Live sessions, and who is in trouble: how many in all, and their names in order.
fn shown(page: &str) -> (u64, u64, Vec<String>) {
    let page: Value = serde_json::from_str(page).unwrap();
    let page = &page["operations"];
    let name = |row: &Value| row["session_id"].as_str().unwrap().to_owned();
    let mut trouble: Vec<String> = page["trouble"]
        .as_array()
        .unwrap()
        .iter()
        .map(name)
        .collect();
    trouble.sort();
    (
        page["capacity"]["live"].as_u64().unwrap(),
        page["trouble_total"].as_u64().unwrap(),
        trouble,
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_sessions_of_history_cost_the_operations_page_nothing() {
    let (house, clock) = house_with_clock(SimConfig::instant()).await;
    let api = Api::new(&house);
    let ((one, _), (other, _)) = (house.invite().await, house.invite().await);
    let mut callers = [
        Caller::join(&house, &one).await.unwrap(),
        Caller::join(&house, &other).await.unwrap(),
    ];
    for caller in &mut callers {
        caller.until_type("caption").await;
    }
    let mut both = vec![one.to_string(), other.to_string()];
    both.sort();
    // Whatever is not over after hours is shown by name: the two, and nothing of what ended as long ago.
    clock.advance(Duration::from_secs(3 * 3_600));
    let (page_before, metrics_before) = look(&api).await;
    assert_eq!(shown(&page_before), (2, 2, both.clone()));

    clock.set_back(Duration::from_secs(3 * 3_600));
    history(&house, &one).await;
    clock.advance(Duration::from_secs(3 * 3_600));
    let (page, metrics) = look(&api).await;
    assert_eq!(shown(&page), (2, 2, both), "{page}");
    assert!(
        page.len().abs_diff(page_before.len()) < PAGE_MOVES_BYTES,
        "{} bytes, and {} before",
        page.len(),
        page_before.len()
    );
    assert_eq!(series(&metrics), series(&metrics_before));
    assert!(metrics.contains("colloquy_sessions_live 2\n"), "{metrics}");
    for caller in &mut callers {
        caller.say(r#"{"type":"end"}"#).await;
        caller.until_type("ended").await;
    }
    house.idle().await;
    house.close().await;
}
