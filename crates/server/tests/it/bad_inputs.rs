//! What should not come from below, and does: a clock that is set back, a journal that is damaged, a disk that is full at
//! the moment of a drop. Each is said, counted, and costs nobody an interview.

use std::path::Path;
use std::time::Duration;

use engine::ids::{ItemId, PhaseId, SessionId, TurnNo};
use engine::journal::{Entry, Turn, TurnEnding};
use engine::link::Speaker;
use engine::session::{Request, State};
use reqwest::{Response, StatusCode};
use server::secrets;
use sim::provider::SimConfig;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Row, SqliteConnection};
use store::{Epoch, Length, NewSession, StoreError};
use tokio::time::timeout;

use crate::api::{Api, problem};
use crate::harness::{Caller, House, PATIENCE, house, house_with_clock};
use crate::returning::die_in_the_middle;

const HOUR: Duration = Duration::from_secs(3_600);

fn counted(house: &House, name: &str) -> u64 {
    house.app().measure();
    let text = house.app().metrics.text();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("colloquy_")?.strip_prefix(name));
    line.unwrap_or_else(|| panic!("{name} is not in {text}"))
        .trim()
        .parse()
        .unwrap()
}

async fn until_counted(house: &House, name: &str) {
    let mut changes = house.app().changes.subscribe();
    let found = async {
        while counted(house, name) == 0 {
            // Not everything that is counted is told to the console: look again from time to time.
            drop(timeout(Duration::from_millis(50), changes.recv()).await);
        }
    };
    timeout(PATIENCE, found)
        .await
        .unwrap_or_else(|_| panic!("{name} stays 0"));
}

/// The kinds of a session's journal. Its numbers have no gap, its times do not go back.
async fn kinds(house: &House, id: &SessionId) -> Vec<String> {
    let rows = house.journal(id).await;
    let numbers: Vec<u64> = rows.iter().map(|row| row.seq).collect();
    let dense: Vec<u64> = (1..=rows.len() as u64).collect();
    assert_eq!(numbers, dense);
    assert_eq!(house.row(id).await.last_seq, rows.len() as u64);
    rows.into_iter().map(|row| row.kind).collect()
}

fn count(kinds: &[String], kind: &str) -> usize {
    kinds.iter().filter(|known| *known == kind).count()
}

async fn offer(api: &Api, secret: &str, grant: Option<&str>, sdp: String) -> Response {
    let mut request = api
        .post("/api/v1/participation/peers")
        .bearer_auth(secret)
        .header("content-type", "application/sdp");
    if let Some(grant) = grant {
        request = request.header("colloquy-grant", grant);
    }
    request.body(sdp).send().await.unwrap()
}

/// Connects over HTTP; gives the grant that came with the answer.
async fn join(api: &Api, secret: &str, grant: Option<&str>) -> (Caller, String) {
    let mut next = String::new();
    let caller = Caller::connect(async |sdp| {
        let answer = offer(api, secret, grant, sdp).await;
        assert_eq!(answer.status(), StatusCode::CREATED);
        next = answer.headers()["colloquy-grant"]
            .to_str()
            .unwrap()
            .to_owned();
        answer.text().await
    });
    let caller = caller.await.unwrap();
    (caller, next)
}

/// What an offer that is refused is told.
async fn refused(api: &Api, secret: &str, grant: Option<&str>, status: StatusCode) -> String {
    let mut told = String::new();
    let never = Caller::connect(async |sdp| {
        let answer = problem(offer(api, secret, grant, sdp).await, status).await;
        told = answer["type"].as_str().unwrap().to_owned();
        Err::<String, ()>(())
    });
    assert!(never.await.is_err());
    told
}

/// A session that a dead process left, its link's secret, and a grant of it.
async fn left_behind(house: &House) -> (SessionId, String, String) {
    let (id, secret) = house.invite().await;
    let grant = secrets::mint().unwrap();
    let store = &house.app().store;
    die_in_the_middle(store, &id).await;
    store.issue_grant(&id, secrets::hash(&grant)).await.unwrap();
    (id, secret, grant)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_set_back_while_an_interview_runs_and_while_it_is_paused_changes_nothing() {
    let (house, clock) = house_with_clock(SimConfig::instant()).await;
    let api = Api::new(&house);
    let (id, secret) = house.invite().await;
    let (mut caller, grant) = join(&api, &secret, None).await;
    caller.until_type("caption").await;
    clock.set_back(HOUR);
    caller.hears_more(25).await;
    caller.leave().await;
    house.until_state(&id, State::Paused).await;
    clock.advance(Duration::from_secs(10));
    clock.set_back(HOUR);
    let (mut again, _) = join(&api, &secret, Some(&grant)).await;
    again.until_active().await;
    again.hears_more(25).await;
    again.ends(&house, &id).await;
    let kinds = kinds(&house, &id).await;
    for kind in ["paused", "resumed", "ended"] {
        assert_eq!(count(&kinds, kind), 1, "{kind} in {kinds:?}");
    }
    let rows = house.journal(&id).await;
    assert!(rows.is_sorted_by_key(|row| row.at_us), "{rows:#?}");
    let row = house.row(&id).await;
    assert!(row.started_at_us <= row.ended_at_us, "{row:?}");
    assert_eq!(counted(&house, "clock_set_back_total"), 2);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_set_back_neither_stretches_the_window_of_a_grant_nor_cuts_it() {
    let (house, clock) = house_with_clock(SimConfig::instant()).await;
    let (first, second) = (left_behind(&house).await, left_behind(&house).await);
    let house = house.deploy().await;
    let api = Api::new(&house);
    clock.set_back(HOUR);
    clock.advance(Duration::from_secs(119));
    let (id, secret, grant) = &first;
    let (mut caller, _) = join(&api, secret, Some(grant)).await;
    caller.until_active().await;
    caller.ends(&house, id).await;
    // Two minutes, and what time is slower by until the clock has caught up.
    clock.advance(Duration::from_secs(11));
    let (_, secret, grant) = &second;
    let told = refused(&api, secret, Some(grant), StatusCode::UNAUTHORIZED).await;
    assert_eq!(told, "/problems/grant-expired");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_set_back_while_no_process_ran_gives_one_fresh_window_and_no_more() {
    let (house, clock) = house_with_clock(SimConfig::instant()).await;
    let (first, second) = (left_behind(&house).await, left_behind(&house).await);
    let house = house.deploy().await;
    clock.set_back(HOUR);
    let house = house.deploy().await;
    let api = Api::new(&house);
    let (id, secret, grant) = &first;
    let row = house.row(id).await;
    assert_eq!(row.state, State::Paused);
    assert!(row.paused_at_us.unwrap() <= house.app().store.now_us());
    clock.advance(Duration::from_secs(120));
    let (mut caller, _) = join(&api, secret, Some(grant)).await;
    caller.until_active().await;
    caller.ends(&house, id).await;
    // Not now, and not when the clock comes by the old time again.
    let (_, secret, grant) = &second;
    for later in [Duration::from_micros(1), HOUR - Duration::from_secs(60)] {
        clock.advance(later);
        let told = refused(&api, secret, Some(grant), StatusCode::UNAUTHORIZED).await;
        assert_eq!(told, "/problems/grant-expired");
    }
    kinds(&house, id).await;
    house.close().await;
}

async fn database(folder: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(folder.join("colloquy.db"));
    options.connect().await.unwrap()
}

/// Leaves half of an entry, as a torn write does; gives back the bytes that are there then.
async fn tear(folder: &Path, id: &SessionId, seq: i64) -> Vec<u8> {
    let mut db = database(folder).await;
    let torn = sqlx::query(
        "UPDATE journal SET body = substr(body, 1, length(body) / 2)
         WHERE session_id = ?1 AND seq = ?2 RETURNING body",
    );
    let torn = torn.bind(id.as_str()).bind(seq);
    let bytes = torn.fetch_one(&mut db).await.unwrap().get("body");
    db.close().await.unwrap();
    bytes
}

/// What was set aside of a session: number, kind and bytes.
async fn aside(folder: &Path, id: &SessionId) -> Vec<(i64, String, Vec<u8>)> {
    let mut db = database(folder).await;
    let rows = sqlx::query("SELECT seq, kind, body FROM damaged_entry WHERE session_id = ?1");
    let rows = rows.bind(id.as_str()).fetch_all(&mut db).await.unwrap();
    db.close().await.unwrap();
    let row = |row: &sqlx::sqlite::SqliteRow| (row.get("seq"), row.get("kind"), row.get("body"));
    rows.iter().map(row).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_torn_last_entry_is_set_aside_and_the_interview_goes_on_from_before_it() {
    let house = house(SimConfig::instant()).await;
    let (id, _) = house.invite().await;
    die_in_the_middle(&house.app().store, &id).await;
    let last = house.row(&id).await.last_seq;
    // The interviewer's first turn. Its row is written beside the entry, and is whole.
    let spoken = house.app().store.turns(&id).await.unwrap();
    let torn = tear(house.folder.path(), &id, i64::try_from(last).unwrap()).await;
    let house = house.deploy().await;
    assert_eq!(house.row(&id).await.state, State::Paused);
    assert_eq!(
        counted(&house, "damaged_entries_total{found=\"set_aside\"}"),
        1
    );
    assert_eq!(counted(&house, "taken_over_total{became=\"paused\"}"), 1);
    let kept = aside(house.folder.path(), &id).await;
    assert_eq!(
        kept,
        [(i64::try_from(last).unwrap(), "turn".to_owned(), torn)]
    );
    let before = kinds(&house, &id).await;
    assert!(
        before.ends_with(&["set_aside".to_owned(), "paused".to_owned()]),
        "{before:?}"
    );
    let mut caller = Caller::join(&house, &id).await.unwrap();
    caller.until_type("caption").await;
    caller.hears_more(25).await;
    caller.ends(&house, &id).await;
    let after = kinds(&house, &id).await;
    assert!(after.starts_with(&before), "{after:?}");
    // No later turn took its number, and with it its place.
    let turns = house.app().store.turns(&id).await.unwrap();
    assert!(
        turns.len() > spoken.len() && turns.starts_with(&spoken),
        "{turns:#?}"
    );
    house.until_report(&id).await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_torn_pause_does_not_close_the_way_back() {
    let house = house(SimConfig::instant()).await;
    let (id, secret, grant) = left_behind(&house).await;
    let house = house.deploy().await;
    let paused_at_us = house.row(&id).await.paused_at_us;
    let last = i64::try_from(house.row(&id).await.last_seq).unwrap();
    tear(house.folder.path(), &id, last).await;
    let api = Api::new(&house);
    // The offer is no offer, but the journal was looked at.
    let bad = offer(&api, &secret, None, "v=nonsense".to_owned()).await;
    problem(bad, StatusCode::BAD_REQUEST).await;
    assert_eq!(
        counted(&house, "damaged_entries_total{found=\"set_aside\"}"),
        1
    );
    assert_eq!(house.row(&id).await.paused_at_us, paused_at_us);
    let (mut caller, _) = join(&api, &secret, Some(&grant)).await;
    caller.until_active().await;
    caller.ends(&house, &id).await;
    kinds(&house, &id).await;
    assert_eq!(aside(house.folder.path(), &id).await.len(), 1);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_entry_in_the_middle_is_told_and_stops_that_interview_alone() {
    let house = house(SimConfig::instant()).await;
    let (sick, sick_secret, _) = left_behind(&house).await;
    let (well, _, _) = left_behind(&house).await;
    let before = house.row(&sick).await;
    tear(
        house.folder.path(),
        &sick,
        i64::try_from(before.last_seq).unwrap() - 1,
    )
    .await;
    let house = house.deploy().await;
    assert_eq!(house.row(&sick).await, before, "it is left as it is");
    assert_eq!(counted(&house, "taken_over_total{became=\"damaged\"}"), 1);
    assert_eq!(counted(&house, "taken_over_total{became=\"paused\"}"), 1);
    assert_eq!(
        counted(&house, "damaged_entries_total{found=\"in_the_way\"}"),
        1
    );
    let api = Api::new(&house);
    let told = refused(&api, &sick_secret, None, StatusCode::CONFLICT).await;
    assert_eq!(told, "/problems/record-damaged");
    assert_eq!(
        counted(&house, "damaged_entries_total{found=\"in_the_way\"}"),
        2
    );
    let journal = api
        .console(&format!("/api/v1/sessions/{sick}/journal"))
        .await;
    let told = problem(journal, StatusCode::CONFLICT).await;
    assert_eq!(told["type"], "/problems/record-damaged");
    assert_eq!(house.row(&sick).await, before);
    assert_eq!(aside(house.folder.path(), &sick).await, []);
    let mut caller = Caller::join(&house, &well).await.unwrap();
    caller.until_active().await;
    caller.hears_more(25).await;
    caller.ends(&house, &well).await;
    house.close().await;
}

/// Uses up all room that the database has.
async fn fill(house: &House) {
    let store = &house.app().store;
    let (host, _) = house.invite().await;
    let study = house.row(&host).await;
    let id = SessionId::from("filler");
    let filler = NewSession {
        session_id: id.clone(),
        study_id: study.study_id,
        study_version: study.study_version,
        link_hash: [7; 32],
        language: "en".to_owned(),
        length: Length::Rehearsal,
        external_id: None,
        expires_at_us: None,
    };
    store.create_sessions(vec![filler]).await.unwrap();
    let epoch = store.claim_session(&id, "node").await.unwrap();
    store.limit_pages(Some(1)).await.unwrap();
    let mut turn = 0;
    for words in [2_000, 100, 1] {
        while append(house, &id, epoch, &mut turn, words).await {}
    }
}

async fn append(house: &House, id: &SessionId, epoch: Epoch, turn: &mut u32, words: usize) -> bool {
    *turn += 1;
    assert!(*turn < 10_000, "the limit does not hold");
    let entry = Entry::Turn(Turn {
        turn: TurnNo(*turn),
        speaker: Speaker::Participant,
        item: ItemId::from("item"),
        phase: PhaseId::from("warmup"),
        start_ms: 0,
        end_ms: 1,
        text: "word ".repeat(words),
        unheard: String::new(),
        ending: TurnEnding::Complete,
    });
    match house.app().store.append(id, epoch, vec![entry]).await {
        Ok(_) => true,
        Err(StoreError::Full { .. }) => false,
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_is_full_at_the_drop_loses_neither_the_drop_nor_who_comes_back() {
    let house = house(SimConfig::instant()).await;
    let (id, _) = house.invite().await;
    let mut caller = Caller::join(&house, &id).await.unwrap();
    caller.until_type("caption").await;
    fill(&house).await;
    let recordings = house.folder.path().join("recordings");
    let elsewhere = house.folder.path().join("elsewhere");
    std::fs::rename(&recordings, &elsewhere).unwrap();
    std::fs::write(&recordings, "").unwrap();
    // There may still be room for some small entries on the pages of this session.
    let registry = &house.app().registry;
    let mut toggles = 0;
    while counted(&house, "write_failures_total{kind=\"journal\"}") == 0 {
        toggles += 1;
        assert!(toggles < 5_000, "the disk is not full");
        let request = if toggles % 2 == 1 {
            Request::Mute
        } else {
            Request::Unmute
        };
        registry.request(&id, request).await.unwrap();
    }
    if toggles % 2 == 1 {
        registry.request(&id, Request::Unmute).await.unwrap();
    }
    caller.leave().await;
    until_counted(&house, "pauses_total{cause=\"connection\"}").await;
    assert_ne!(
        house.row(&id).await.state,
        State::Paused,
        "that cannot be written yet"
    );
    let mut again = Caller::join(&house, &id).await.unwrap();
    again.until_active().await;
    again.hears_more(100).await;
    house.app().store.limit_pages(None).await.unwrap();
    std::fs::remove_file(&recordings).unwrap();
    std::fs::rename(&elsewhere, &recordings).unwrap();
    again.ends(&house, &id).await;
    let kinds = kinds(&house, &id).await;
    for kind in ["paused", "resumed", "closing", "ended"] {
        assert_eq!(count(&kinds, kind), 1, "{kind} in {kinds:?}");
    }
    assert_eq!(count(&kinds, "peer_up"), 2, "{kinds:?}");
    let chunks = house.app().store.chunks(&id).await.unwrap();
    let numbers: Vec<u32> = chunks.iter().map(|chunk| chunk.no).collect();
    assert_eq!(numbers.first(), Some(&0));
    assert!(numbers.is_sorted_by(|a, b| a + 1 == *b), "{numbers:?}");
    house.close().await;
}
