//! How many journal appends a second the store takes, and how long one waits to be durable.
//!
//! `cargo run --release -p store --example journal_rate [SECONDS]` prints one JSON object a line, in the shape of
//! `target/bench.json`. Each append is one finished turn of 180 bytes with all its projections, `synchronous=FULL`; it
//! counts when it is acknowledged, which is after the fsync.

#![expect(
    clippy::unwrap_used,
    reason = "a measurement that cannot go on should stop where it is"
)]
#![expect(clippy::print_stdout, reason = "its output is its purpose")]

use std::time::Duration;

use engine::ids::{SessionId, TurnNo};
use engine::journal::{Entry, Turn, TurnEnding};
use engine::link::Speaker;
use serde_json::json;
use store::{
    Cut, Epoch, Extent, Length, NEVER_DUE, NewSegment, NewSession, NewStudy, Store, StoreConfig,
};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};

/// Live sessions, as in the founding system's burst.
const SESSIONS: u32 = 200;
/// Appends a second that are offered in the first part.
const OFFERED: u32 = 1_000;

#[tokio::main]
async fn main() {
    let seconds = std::env::args()
        .nth(1)
        .map_or(5, |text| text.parse().unwrap());
    let length = Duration::from_secs(seconds);
    let folder = tempfile::TempDir::new().unwrap();
    let config = StoreConfig::new(
        folder.path().join("bench.db"),
        folder.path().join("recordings"),
    );
    let store = Store::open(config).await.unwrap();
    let owned = sessions(&store).await;

    let period = Duration::from_secs(1) * SESSIONS / OFFERED;
    let before = store.stats();
    let mut waits = run(&store, &owned, 0, length, Pace::Every(period)).await;
    let transactions = store.stats().transactions - before.transactions;
    let method = format!(
        "{OFFERED}/s offered by {SESSIONS} sessions for {seconds} s, open loop, synchronous=FULL, {} transactions",
        transactions
    );
    print(
        "journal_append_p50",
        percentile_ms(&mut waits, 50),
        "ms",
        None,
        &method,
    );
    print(
        "journal_append_p99",
        percentile_ms(&mut waits, 99),
        "ms",
        Some("<= 25"),
        &method,
    );

    let began = Instant::now();
    let waits = run(
        &store,
        &owned,
        1_000_000,
        length,
        Pace::AsFastAsAcknowledged,
    )
    .await;
    let rate = waits.len() as f64 / began.elapsed().as_secs_f64();
    let method = format!(
        "{SESSIONS} sessions, each appends as soon as the one before is durable, {seconds} s"
    );
    print("journal_appends", rate, "appends/s", None, &method);
    transcripts(&store, &owned).await;
    store.close().await.unwrap();
}

/// Writes of a transcript of 150 segments as the product makes them, against one for each segment.
async fn transcripts(store: &Store, owned: &[(SessionId, Epoch)]) {
    const SEGMENTS: u32 = 150;
    const TRANSCRIPTS: usize = 20;
    let segment = |no: u32| NewSegment {
        segment_no: no * 1_000 + 1,
        turn: TurnNo(no),
        text: "I like that it remembers where I was, and that nobody has to explain it.".to_owned(),
        start_ms: u64::from(no) * 10_000,
        end_ms: u64::from(no) * 10_000 + 8_000,
        phase: "warmup".into(),
        language: "en".to_owned(),
    };
    let cut = |segments: Vec<NewSegment>| Cut {
        segments,
        extent: Extent::SoFar,
        kind: "code".to_owned(),
        rank: 1,
        due_us: NEVER_DUE,
    };
    let mut writes = Vec::new();
    let mut took = Vec::new();
    let (whole, singly) = owned.split_at(TRANSCRIPTS);
    for at_once in [SEGMENTS, 1] {
        let sessions = if at_once == 1 { singly } else { whole };
        let (before, began) = (store.stats().transactions, Instant::now());
        for (id, _) in sessions.iter().take(TRANSCRIPTS) {
            for first in (1..=SEGMENTS).step_by(at_once as usize) {
                let part = (first..first + at_once).map(segment).collect();
                store.cut_transcript(id, cut(part)).await.unwrap();
            }
        }
        writes.push((store.stats().transactions - before) as f64);
        took.push(began.elapsed().as_secs_f64());
    }
    let saved = (1.0 - writes[0] / writes[1]) * 100.0;
    let method = format!(
        "{TRANSCRIPTS} transcripts of {SEGMENTS} segments and their jobs: {} transactions in {:.2} s as one write each, {} in {:.2} s as one per segment",
        writes[0], took[0], writes[1], took[1]
    );
    print(
        "transcript_writes_saved",
        saved,
        "%",
        Some(">= 80"),
        &method,
    );
}

/// When a session appends next.
#[derive(Clone, Copy)]
enum Pace {
    /// At fixed moments, late or not: a wait counts from when the append was due.
    Every(Duration),
    AsFastAsAcknowledged,
}

async fn sessions(store: &Store) -> Vec<(SessionId, Epoch)> {
    let study = NewStudy {
        study_id: "bench".into(),
        title: "Bench".to_owned(),
        source: "bench".to_owned(),
    };
    store.put_study(study).await.unwrap();
    let new = |number: u32| {
        let mut link_hash = [0; 32];
        link_hash[..4].copy_from_slice(&number.to_be_bytes());
        NewSession {
            session_id: format!("S{number}").into(),
            study_id: "bench".into(),
            study_version: 1,
            link_hash,
            language: "en".to_owned(),
            length: Length::Full,
            external_id: None,
            expires_at_us: None,
        }
    };
    store
        .create_sessions((0..SESSIONS).map(new).collect())
        .await
        .unwrap();
    let mut owned = Vec::new();
    for number in 0..SESSIONS {
        let id = SessionId::from(format!("S{number}"));
        let epoch = store.claim_session(&id, "bench").await.unwrap();
        owned.push((id, epoch));
    }
    owned
}

/// All sessions append for a while; gives back how long each append waited.
async fn run(
    store: &Store,
    owned: &[(SessionId, Epoch)],
    first_turn: u32,
    length: Duration,
    pace: Pace,
) -> Vec<Duration> {
    let began = Instant::now();
    let mut writers = JoinSet::new();
    for (number, (id, epoch)) in owned.iter().cloned().enumerate() {
        let store = store.clone();
        writers.spawn(async move {
            let mut ticks = match pace {
                Pace::Every(period) => {
                    let offset = period * u32::try_from(number).unwrap() / SESSIONS;
                    let mut ticks = tokio::time::interval_at(began + offset, period);
                    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
                    Some(ticks)
                }
                Pace::AsFastAsAcknowledged => None,
            };
            let mut waits = Vec::new();
            let mut turn = first_turn;
            while began.elapsed() < length {
                let due = match &mut ticks {
                    Some(ticks) => ticks.tick().await,
                    None => Instant::now(),
                };
                turn += 1;
                store.append(&id, epoch, vec![entry(turn)]).await.unwrap();
                waits.push(due.elapsed());
            }
            waits
        });
    }
    let mut waits = Vec::new();
    while let Some(done) = writers.join_next().await {
        waits.append(&mut done.unwrap());
    }
    waits
}

fn entry(turn: u32) -> Entry {
    Entry::Turn(Turn {
        turn: TurnNo(turn),
        speaker: Speaker::Participant,
        item: "item_1234567890".into(),
        phase: "warmup".into(),
        start_ms: u64::from(turn) * 1_000,
        end_ms: u64::from(turn) * 1_000 + 900,
        text: "We use three tools, and I could do without two of them. ".repeat(3),
        unheard: String::new(),
        ending: TurnEnding::Complete,
    })
}

fn percentile_ms(waits: &mut [Duration], percent: usize) -> f64 {
    waits.sort_unstable();
    let place = (waits.len() * percent).div_ceil(100).saturating_sub(1);
    waits
        .get(place)
        .map_or(0.0, |wait| wait.as_secs_f64() * 1_000.0)
}

fn print(name: &str, value: f64, unit: &str, goal: Option<&str>, method: &str) {
    let value = (value * 100.0).round() / 100.0;
    println!(
        "{}",
        json!({"name": name, "value": value, "unit": unit, "goal": goal, "method": method})
    );
}
