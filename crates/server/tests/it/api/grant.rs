//! The grant: who shows a good one comes back, who shows a bad one changes nothing.

use std::time::Duration;

use engine::journal::{Entry, Outcome};
use engine::session::State;
use futures_util::future::{join, join_all};
use reqwest::{Response, StatusCode};
use serde_json::Value;
use server::secrets;
use sim::provider::SimConfig;
use store::SessionRow;

use super::participant::{PEERS, good_offer};
use super::{Api, problem};
use crate::harness::{Caller, House, house, house_with, house_with_clock};
use crate::returning::die_in_the_middle;

const GRANT: &str = "colloquy-grant";

impl Api {
    /// An offer with a grant, or without.
    async fn offer_with(&self, secret: &str, grant: Option<&str>, sdp: String) -> Response {
        let mut request = self
            .post(PEERS)
            .bearer_auth(secret)
            .header("content-type", "application/sdp");
        if let Some(grant) = grant {
            request = request.header(GRANT, grant);
        }
        request.body(sdp).send().await.unwrap()
    }

    async fn refused(&self, secret: &str, grant: &str, kind: &str) {
        let answer = self.offer_with(secret, Some(grant), good_offer()).await;
        let told = problem(answer, StatusCode::UNAUTHORIZED).await;
        assert_eq!(told["type"], format!("/problems/grant-{kind}"), "{told}");
        assert!(told["remedy"].as_str().unwrap().contains("link"), "{told}");
    }

    /// Connects over HTTP; gives the grant that came with the answer.
    async fn join(&self, secret: &str, grant: Option<&str>) -> (Caller, String) {
        let mut next = None;
        let caller = Caller::connect(async |offer| {
            let answer = self.offer_with(secret, grant, offer).await;
            next = Some(grant_of(&answer));
            answer.text().await
        });
        let caller = caller.await.unwrap();
        (caller, next.unwrap())
    }
}

/// The grant that an accepted offer brought.
fn grant_of(answer: &Response) -> String {
    assert_eq!(answer.status(), StatusCode::CREATED);
    let grant = answer.headers()[GRANT].to_str().unwrap().to_owned();
    assert_eq!(grant.len(), secrets::SECRET_CHARS, "{grant}");
    grant
}

pub(super) fn counted(house: &House, name: &str) -> u64 {
    let text = house.app().metrics.text();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("colloquy_")?.strip_prefix(name));
    line.unwrap_or_else(|| panic!("{name} is not in {text}"))
        .trim()
        .parse()
        .unwrap()
}

/// What nobody may change by a bad grant. The journal may grow meanwhile: the interview goes on.
fn unchanged(row: SessionRow) -> (State, Option<Outcome>, i64, Option<i64>) {
    (row.state, row.outcome, row.epoch.0, row.paused_at_us)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_tab_comes_back_with_its_grant_which_is_good_once() {
    let house = house(SimConfig::instant()).await;
    let api = Api::new(&house);
    let (id, secret) = house.invite().await;
    let (mut caller, first) = api.join(&secret, None).await;
    caller.until_type("caption").await;
    caller.leave().await;
    house.until_state(&id, State::Paused).await;
    let (mut again, second) = api.join(&secret, Some(&first)).await;
    again.until_active().await;
    assert_ne!(first, second);
    assert_eq!(counted(&house, "resumes_total{way=\"grant\"}"), 1);
    assert_eq!(counted(&house, "pauses_total{cause=\"connection\"}"), 1);
    let before = unchanged(house.row(&id).await);
    api.refused(&secret, &first, "used").await;
    assert_eq!(counted(&house, "grants_refused_total{reason=\"used\"}"), 1);
    assert_eq!(unchanged(house.row(&id).await), before);
    again.hears_more(25).await;
    // The link alone opens as well, and its grant takes the place of the one before.
    let (mut third, _) = api.join(&secret, None).await;
    third.until_active().await;
    assert_eq!(counted(&house, "resumes_total{way=\"link\"}"), 1);
    assert_eq!(counted(&house, "pauses_total{cause=\"replaced\"}"), 1);
    api.refused(&secret, &second, "used").await;
    third.ends(&house, &id).await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forged_and_foreign_grants_are_told_apart_and_change_nothing() {
    let house = house(SimConfig::instant()).await;
    let api = Api::new(&house);
    let (id, secret) = house.invite().await;
    let (mut caller, own) = api.join(&secret, None).await;
    caller.until_type("caption").await;
    let (_, other_secret) = house.invite().await;
    let (mut other, foreign) = api.join(&other_secret, None).await;
    other.until_type("caption").await;
    let before = unchanged(house.row(&id).await);
    let tampered = format!(
        "{}{}",
        if own.starts_with('A') { 'B' } else { 'A' },
        &own[1..]
    );
    let long = "A".repeat(4_000);
    let minted = secrets::mint().unwrap();
    let forged = [
        &tampered,
        &long,
        &minted,
        &secret,
        "",
        "'; DROP TABLE session_grant; --",
        &own[..42],
    ];
    for grant in forged {
        api.refused(&secret, grant, "unknown").await;
    }
    let unreadable = api
        .post(PEERS)
        .bearer_auth(&secret)
        .header("content-type", "application/sdp")
        .header(GRANT, &[0xff_u8; 43][..]);
    let told = problem(
        unreadable.body(good_offer()).send().await.unwrap(),
        StatusCode::UNAUTHORIZED,
    );
    assert_eq!(told.await["type"], "/problems/grant-unknown");
    api.refused(&secret, &foreign, "foreign").await;
    assert_eq!(
        counted(&house, "grants_refused_total{reason=\"unknown\"}"),
        8
    );
    assert_eq!(
        counted(&house, "grants_refused_total{reason=\"foreign\"}"),
        1
    );
    assert_eq!(unchanged(house.row(&id).await), before);
    caller.hears_more(25).await;
    other.hears_more(25).await;
    // Both are as good as before.
    for (secret, grant) in [(&secret, &own), (&other_secret, &foreign)] {
        let answer = api.offer_with(secret, Some(grant), good_offer()).await;
        grant_of(&answer);
    }
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_grant_outlives_its_process_by_one_window_to_the_last_moment() {
    let (house, clock) = house_with_clock(SimConfig::instant()).await;
    let mut all = Vec::new();
    for _ in 0..3 {
        let (id, secret) = house.invite().await;
        let grant = secrets::mint().unwrap();
        let store = &house.app().store;
        die_in_the_middle(store, &id).await;
        store.issue_grant(&id, secrets::hash(&grant)).await.unwrap();
        all.push((id, secret, grant));
    }
    // One of them had dropped out before the process died; the server is away for longer than any window.
    let (waiting, ..) = &all[0];
    let store = &house.app().store;
    let epoch = house.row(waiting).await.epoch;
    let paused = Entry::Paused { timeline_ms: 900 };
    store.append(waiting, epoch, vec![paused]).await.unwrap();
    clock.advance(Duration::from_secs(600));
    let house = house.deploy().await;
    assert_eq!(counted(&house, "taken_over_total{became=\"paused\"}"), 3);
    assert_eq!(counted(&house, "pauses_total{cause=\"crash\"}"), 2);
    let api = Api::new(&house);
    clock.advance(Duration::from_secs(120));
    for (id, secret, grant) in &all[..2] {
        let (mut caller, _) = api.join(secret, Some(grant)).await;
        caller.until_active().await;
        caller.ends(&house, id).await;
    }
    clock.advance(Duration::from_micros(1));
    let (id, secret, grant) = &all[2];
    let before = house.row(id).await;
    api.refused(secret, grant, "expired").await;
    assert_eq!(
        counted(&house, "grants_refused_total{reason=\"expired\"}"),
        1
    );
    assert_eq!(house.row(id).await, before);
    let (mut caller, _) = api.join(secret, None).await;
    caller.until_active().await;
    caller.ends(&house, id).await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_grant_of_an_interview_that_ended_is_expired_and_its_link_is_not() {
    let house = house(SimConfig::instant()).await;
    let (id, secret) = house.invite().await;
    let grant = secrets::mint().unwrap();
    let store = &house.app().store;
    die_in_the_middle(store, &id).await;
    store.issue_grant(&id, secrets::hash(&grant)).await.unwrap();
    // Nobody came back in time.
    let outcome = Outcome::Partial;
    let lapsed = vec![
        Entry::Paused { timeline_ms: 900 },
        Entry::Closing {
            outcome,
            timeline_ms: 900,
        },
        Entry::Ended {
            outcome,
            timeline_ms: 1_900,
        },
    ];
    let epoch = house.row(&id).await.epoch;
    store
        .finish_session(&id, epoch, lapsed, vec![])
        .await
        .unwrap();
    let api = Api::new(&house);
    let before = house.row(&id).await;
    api.refused(&secret, &grant, "expired").await;
    assert_eq!(house.row(&id).await, before);
    let (mut caller, _) = api.join(&secret, None).await;
    caller.until_active().await;
    caller.ends(&house, &id).await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_who_redeem_one_grant_at_once_one_comes_in() {
    let house = house(SimConfig::instant()).await;
    let api = Api::new(&house);
    let (id, secret) = house.invite().await;
    let (mut caller, mut grant) = api.join(&secret, None).await;
    caller.until_type("caption").await;
    for _ in 0..10 {
        let offer = || api.offer_with(&secret, Some(&grant), good_offer());
        let (one, other) = join(offer(), offer()).await;
        let (won, lost) = if one.status() == StatusCode::CREATED {
            (one, other)
        } else {
            (other, one)
        };
        grant = grant_of(&won);
        let told = problem(lost, StatusCode::UNAUTHORIZED).await;
        assert_eq!(told["type"], "/problems/grant-used");
    }
    assert_eq!(house.app().registry.live(), 1);
    let peers =
        |rows: Vec<store::JournalRow>| rows.iter().filter(|row| row.kind == "paused").count();
    assert_eq!(
        peers(house.journal(&id).await),
        1,
        "one pause, whoever offered"
    );
    let (mut last, _) = api.join(&secret, Some(&grant)).await;
    last.until_active().await;
    last.ends(&house, &id).await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_guesses_at_once_are_refused_and_counted_and_the_interview_goes_on() {
    let house = house(SimConfig::instant()).await;
    let api = Api::new(&house);
    let (id, secret) = house.invite().await;
    let (mut caller, grant) = api.join(&secret, None).await;
    caller.until_type("caption").await;
    let before = unchanged(house.row(&id).await);
    let guesses = (0..1_000).map(|_| async {
        let guess = secrets::mint().unwrap();
        let answer = api.offer_with(&secret, Some(&guess), good_offer()).await;
        answer.status()
    });
    let (answers, ()) = join(join_all(guesses), caller.hears_more(25)).await;
    let of = |status| answers.iter().filter(|told| **told == status).count();
    let (refused, limited) = (
        of(StatusCode::UNAUTHORIZED),
        of(StatusCode::TOO_MANY_REQUESTS),
    );
    assert_eq!(refused + limited, 1_000, "{answers:?}");
    assert!(
        refused > 0 && limited > 0,
        "{refused} refused, {limited} limited"
    );
    let unknown = counted(&house, "grants_refused_total{reason=\"unknown\"}");
    let rate = counted(&house, "refused_total{reason=\"rate\"}");
    assert_eq!((unknown, rate), (refused as u64, limited as u64));
    assert_eq!(unchanged(house.row(&id).await), before);
    caller.hears_more(25).await;
    // From an address that did not guess.
    let elsewhere = Api::from(&house, [127, 0, 0, 2].into());
    let (mut again, _) = elsewhere.join(&secret, Some(&grant)).await;
    again.until_active().await;
    again.ends(&house, &id).await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_offer_that_is_refused_gives_its_grant_back() {
    let house = house_with(SimConfig::instant(), |config| {
        config.capacity.sessions_max = 1;
        config.shutdown.deadline_ms = 2_000;
    })
    .await;
    let api = Api::new(&house);
    let (id, secret) = house.invite().await;
    let (mut caller, grant) = api.join(&secret, None).await;
    caller.until_type("caption").await;
    let bad = api.offer_with(&secret, Some(&grant), "nonsense".to_owned());
    let told = problem(bad.await, StatusCode::BAD_REQUEST).await;
    assert_eq!(told["type"], "/problems/offer");
    house.app().registry.park(&id).await.unwrap();
    house.idle().await;
    let bad = api.offer_with(&secret, Some(&grant), "nonsense".to_owned());
    problem(bad.await, StatusCode::BAD_REQUEST).await;

    let (_, newcomer_secret) = house.invite().await;
    let (mut newcomer, _) = api.join(&newcomer_secret, None).await;
    newcomer.until_type("caption").await;
    house.app().registry.drain(Duration::from_secs(2)).await;
    let answer = api.offer_with(&secret, Some(&grant), good_offer()).await;
    let told = problem(answer, StatusCode::SERVICE_UNAVAILABLE).await;
    assert_eq!(told["type"], "/problems/draining");
    assert_eq!(counted(&house, "pauses_total{cause=\"deploy\"}"), 2);

    let house = house.deploy().await;
    let api = Api::new(&house);
    let (mut again, _) = api.join(&secret, Some(&grant)).await;
    again.until_active().await;
    again.ends(&house, &id).await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_document_says_what_a_grant_is_and_how_it_is_refused() {
    let house = house(SimConfig::instant()).await;
    let document = Api::new(&house).document().await;
    let offer: &Value = &document["paths"][PEERS]["post"];
    let header = offer["parameters"].as_array().unwrap().iter();
    let header: Vec<&Value> = header.filter(|p| p["name"] == "Colloquy-Grant").collect();
    assert_eq!(
        (header.len(), &header[0]["in"]),
        (1, &Value::from("header"))
    );
    assert!(offer["responses"]["201"]["headers"]["Colloquy-Grant"].is_object());
    assert!(offer["responses"]["401"].is_object());
    house.close().await;
}
