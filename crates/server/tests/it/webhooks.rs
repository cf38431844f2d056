//! Events to a researcher's own server.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use base64_simd::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use sim::provider::SimConfig;
use store::{JobState, Replay};
use tokio::net::TcpListener;

use crate::finished::{ANSWERS, finish, jobs, until};
use crate::harness::{House, house_with};

const SECRET: &str = "a secret of the test";

/// An event as it arrived, if its signature is right.
#[derive(Clone, Debug)]
struct Event {
    id: String,
    body: Value,
}

/// A receiver: what arrived, and what it answers next.
#[derive(Clone, Default)]
struct Receiver {
    events: Arc<Mutex<Vec<Event>>>,
    answers: Arc<Mutex<Vec<u16>>>,
}

impl Receiver {
    fn events(&self) -> Vec<Event> {
        self.events.lock().unwrap().clone()
    }

    fn kinds(&self) -> Vec<String> {
        let kind = |event: &Event| event.body["type"].as_str().unwrap().to_owned();
        self.events().iter().map(kind).collect()
    }
}

async fn receive(State(receiver): State<Receiver>, headers: HeaderMap, body: String) -> StatusCode {
    let header = |name: &str| headers[name].to_str().unwrap().to_owned();
    let (id, at) = (header("webhook-id"), header("webhook-timestamp"));
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(format!("{id}.{at}.{body}").as_bytes());
    let expected = STANDARD.encode_to_string(mac.finalize().into_bytes());
    if header("webhook-signature") != format!("v1,{expected}") {
        return StatusCode::UNAUTHORIZED;
    }
    let body = serde_json::from_str(&body).unwrap();
    receiver.events.lock().unwrap().push(Event { id, body });
    let status = receiver.answers.lock().unwrap().pop().unwrap_or(204);
    StatusCode::from_u16(status).unwrap()
}

/// A house that tells this receiver, which gives these answers first, the last of them first.
async fn told(answers: &[u16]) -> (House, Receiver) {
    let receiver = Receiver::default();
    receiver.answers.lock().unwrap().extend(answers);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let routes = Router::new()
        .route("/hook", post(receive))
        .with_state(receiver.clone());
    tokio::spawn(async move { axum::serve(listener, routes).await });
    let house = house_with(SimConfig::instant(), |config| {
        config.webhooks.url = url;
        config.webhooks.secret = providers::Secret::new(SECRET.to_owned());
    })
    .await;
    (house, receiver)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_fails_gets_the_same_event_again_and_both_events_arrive_signed() {
    let (house, receiver) = told(&[500]).await;
    let app = house.app();
    let (id, _) = house.invite().await;
    finish(app, &id, &ANSWERS, Vec::new()).await;
    until(app, "three deliveries", async || {
        receiver.events().len() == 3
    })
    .await;
    let mut kinds = receiver.kinds();
    kinds.sort();
    kinds.dedup();
    assert_eq!(kinds, ["report.ready", "session.ended"]);
    let events = receiver.events();
    let again = events
        .iter()
        .filter(|event| event.id == events[0].id)
        .count();
    assert_eq!(
        again, 2,
        "the one that failed, under its own id: {events:?}"
    );
    let data = &events[0].body["data"];
    assert_eq!(data["session_id"], id.as_str());
    assert_eq!(
        (&data["study_id"], &data["outcome"]),
        (&"first-job".into(), &"complete".into())
    );
    assert!(
        !events[0].body.to_string().contains("bakery"),
        "no words of people"
    );
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_nobody_takes_is_a_dead_letter_and_is_sent_when_it_is_put_back() {
    let (house, receiver) = told(&[410, 410]).await;
    let app = house.app();
    let (id, _) = house.invite().await;
    finish(app, &id, &ANSWERS, Vec::new()).await;
    let dead = async || {
        let jobs = jobs(app).await;
        jobs.into_iter()
            .filter(|job| job.state == JobState::Dead)
            .collect::<Vec<_>>()
    };
    until(app, "two dead letters", async || dead().await.len() == 2).await;
    let reason = dead().await[0].last_error.clone().unwrap();
    assert!(reason.contains("410"), "{reason}");
    assert_eq!(
        app.store
            .replay(Replay::Lane(store::Lane::Delivery))
            .await
            .unwrap(),
        2
    );
    until(app, "both events", async || receiver.events().len() == 4).await;
    until(app, "no dead letters", async || dead().await.is_empty()).await;
    house.close().await;
}
