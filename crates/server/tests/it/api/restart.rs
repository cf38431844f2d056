//! ICE restart: the connection takes another path, and the interview does not notice.

use std::time::Duration;

use engine::ids::{PeerNo, SessionId};
use engine::journal::Outcome;
use engine::session::State;
use media::{FRAGMENT_TYPE, IceFragment};
use reqwest::{Method, Response, StatusCode};
use serde_json::Value;
use sim::provider::SimConfig;
use tokio::net::UdpSocket;
use tokio::sync::oneshot;

use super::grant::counted;
use super::participant::{PEERS, good_offer};
use super::{Api, problem};
use crate::harness::{Caller, House, Say, house};

const FIRST: &str = "/api/v1/participation/peers/1";

impl Api {
    async fn restart(&self, secret: &str, path: &str, tag: &str, fragment: String) -> Response {
        let request = self.request(Method::PATCH, path).bearer_auth(secret);
        let request = request.header("content-type", FRAGMENT_TYPE);
        let request = request.header("if-match", tag).body(fragment);
        request.send().await.unwrap()
    }
}

impl Caller {
    /// The network under the participant is gone; what to send from the next one.
    async fn hop(&self) -> String {
        let next = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let (reply, offer) = oneshot::channel();
        self.says.send(Say::Hop(next, reply)).await.unwrap();
        offer.await.unwrap()
    }

    /// Moves to another network; the tag of the connection from then on.
    async fn moves(&self, api: &Api, secret: &str, tag: &str) -> String {
        let offer = self.hop().await;
        let answer = api.restart(secret, FIRST, tag, offer).await;
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers()["content-type"], FRAGMENT_TYPE);
        let tag = answer.headers()["etag"].to_str().unwrap().to_owned();
        let answer = answer.text().await.unwrap();
        self.says.send(Say::Arrive(answer)).await.unwrap();
        tag
    }
}

/// One that no connection has.
fn fragment() -> IceFragment {
    IceFragment {
        ufrag: "EsAw".to_owned(),
        pwd: "0123456789abcdefghij+/".to_owned(),
        mid: "0".to_owned(),
        candidates: Vec::new(),
    }
}

async fn kinds(house: &House, id: &SessionId) -> Vec<String> {
    let rows = house.journal(id).await;
    rows.into_iter().map(|row| row.kind).collect()
}

/// Waits until that is in the journal.
async fn journaled(house: &House, id: &SessionId, kind: &str, times: usize) {
    let found = async {
        loop {
            let kinds = kinds(house, id).await;
            if kinds.iter().filter(|known| *known == kind).count() >= times {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    let found = tokio::time::timeout(crate::harness::PATIENCE, found).await;
    found.unwrap_or_else(|_| panic!("{kind} never comes {times} times"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_changes_networks_twice_is_interviewed_to_the_end_without_a_pause() {
    let house = house(SimConfig::instant()).await;
    let api = Api::new(&house);
    let (id, secret) = house.invite().await;
    let mut start = house.start_of(&id).await;
    // One phase, which is over soon after the second move.
    start.plan.phases.drain(1..);
    let phase = start.plan.phases.first_mut().unwrap();
    (phase.target, phase.max) = (Duration::from_secs(6), Duration::from_secs(8));
    let mut caller = Caller::join_as(&house, start).await.unwrap();
    caller.until_type("caption").await;
    caller.hears_more(25).await;
    let tag = caller.moves(&api, &secret, "*").await;
    assert_eq!(tag, "\"1.1\"");
    caller.hears_more(25).await;
    // The server hears the participant, too: what is said on the data channel arrives.
    caller.say(r#"{"type":"mute"}"#).await;
    journaled(&house, &id, "muted", 1).await;
    let tag = caller.moves(&api, &secret, &tag).await;
    assert_eq!(tag, "\"1.2\"");
    caller.hears_more(25).await;
    caller.say(r#"{"type":"unmute"}"#).await;
    journaled(&house, &id, "muted", 2).await;
    caller.until_type("ended").await;
    assert_eq!(house.ended(&id).await, Outcome::Complete);
    let kinds = kinds(&house, &id).await;
    let count = |kind: &str| kinds.iter().filter(|known| *known == kind).count();
    let (up, lost) = (count("peer_up"), count("peer_lost"));
    assert_eq!(
        (up, lost, count("paused"), count("resumed")),
        (1, 0, 0, 0),
        "{kinds:?}"
    );
    assert_eq!(
        counted(&house, "ice_restarts_total{result=\"answered\"}"),
        2
    );
    house.idle().await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_restart_is_refused_with_its_reason_and_changes_nothing() {
    let house = house(SimConfig::instant()).await;
    let api = Api::new(&house);
    let (id, secret) = house.invite().await;
    let start = house.start_of(&id).await;
    let mut caller = Caller::join_as(&house, start).await.unwrap();
    caller.until_type("caption").await;
    let good = fragment().to_string();
    let without = |prefix: &str| {
        let lines = good.lines().filter(|line| !line.starts_with(prefix));
        lines.flat_map(|line| [line, "\r\n"]).collect::<String>()
    };
    let long = format!("{good}{}", "a=x\r\n".repeat(4_000));
    let second = "/api/v1/participation/peers/2";
    let table: &[(&str, &str, &str, &str, u16, &str)] = &[
        (FIRST, "application/sdp", "*", &good, 415, "content-type"),
        (FIRST, "", "*", &good, 415, "content-type"),
        (FIRST, FRAGMENT_TYPE, "", &good, 428, "if-match"),
        (FIRST, FRAGMENT_TYPE, "\"1.1\"", &good, 412, "stale"),
        (FIRST, FRAGMENT_TYPE, "\"2\"", &good, 412, "stale"),
        (FIRST, FRAGMENT_TYPE, "W/\"1\"", &good, 412, "stale"),
        (FIRST, FRAGMENT_TYPE, "1", &good, 412, "stale"),
        (FIRST, FRAGMENT_TYPE, "*", "v=0", 400, "fragment"),
        (FIRST, FRAGMENT_TYPE, "*", "", 400, "fragment"),
        (FIRST, FRAGMENT_TYPE, "*", &long, 400, "fragment"),
        (
            FIRST,
            FRAGMENT_TYPE,
            "*",
            &without("a=mid"),
            400,
            "fragment",
        ),
        (
            FIRST,
            FRAGMENT_TYPE,
            "*",
            &without("a=ice-ufrag"),
            422,
            "credentials",
        ),
        (
            FIRST,
            FRAGMENT_TYPE,
            "*",
            &without("a=ice-pwd"),
            422,
            "credentials",
        ),
        (second, FRAGMENT_TYPE, "*", &good, 404, "peer-gone"),
        (second, FRAGMENT_TYPE, "\"2\"", &good, 404, "peer-gone"),
        (
            "/api/v1/participation/peers/one",
            FRAGMENT_TYPE,
            "*",
            &good,
            400,
            "bad-request",
        ),
    ];
    for (path, content_type, tag, fragment, status, kind) in table {
        let mut request = api.request(Method::PATCH, path).bearer_auth(&secret);
        for (name, value) in [("content-type", content_type), ("if-match", tag)] {
            if !value.is_empty() {
                request = request.header(name, *value);
            }
        }
        let answer = request.body((*fragment).to_owned()).send().await.unwrap();
        let told = problem(answer, StatusCode::from_u16(*status).unwrap()).await;
        assert_eq!(told["type"], format!("/problems/{kind}"), "{told}");
    }
    let unknown = server::secrets::mint().unwrap();
    let answer = api.restart(&unknown, FIRST, "*", good.clone()).await;
    let told = problem(answer, StatusCode::NOT_FOUND).await;
    assert_eq!(told["type"], "/problems/link-unknown");
    for (result, times) in [("invalid", 9), ("stale", 4), ("gone", 2), ("answered", 0)] {
        let name = format!("ice_restarts_total{{result=\"{result}\"}}");
        assert_eq!(counted(&house, &name), times, "{result}");
    }
    // Nothing was changed: the connection is what it was and can be restarted, by one of two who know its tag.
    caller.hears_more(25).await;
    let tag = caller.moves(&api, &secret, "\"1\"").await;
    caller.hears_more(25).await;
    let late = api.restart(&secret, FIRST, "\"1\"", good.clone()).await;
    problem(late, StatusCode::PRECONDITION_FAILED).await;
    assert_eq!(tag, "\"1.1\"");
    let offer = caller.hop().await;
    assert_eq!(
        api.restart(&secret, FIRST, &tag, offer.clone())
            .await
            .status(),
        StatusCode::OK
    );
    let again = api.restart(&secret, FIRST, "*", offer).await;
    let told = problem(again, StatusCode::UNPROCESSABLE_ENTITY).await;
    assert_eq!(told["type"], "/problems/credentials");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_is_gone_cannot_be_restarted_and_a_new_offer_goes_on() {
    let house = house(SimConfig::instant()).await;
    let api = Api::new(&house);
    let (id, secret) = house.invite().await;
    let good = || fragment().to_string();
    // Nobody is there yet.
    let answer = api.restart(&secret, FIRST, "*", good()).await;
    problem(answer, StatusCode::NOT_FOUND).await;
    let start = house.start_of(&id).await;
    let mut caller = Caller::join_as(&house, start).await.unwrap();
    caller.until_type("caption").await;
    house
        .app()
        .registry
        .close_peer(&id, PeerNo(1))
        .await
        .unwrap();
    house.until_state(&id, State::Paused).await;
    let answer = api.restart(&secret, FIRST, "*", good()).await;
    let told = problem(answer, StatusCode::NOT_FOUND).await;
    assert_eq!(told["type"], "/problems/peer-gone");
    assert!(told["remedy"].as_str().unwrap().contains(PEERS), "{told}");
    let mut again = Caller::join(&house, &id).await.unwrap();
    again.hears_more(25).await;
    // The older connection stays gone, whatever the tag.
    for tag in ["*", "\"2\""] {
        let answer = api.restart(&secret, FIRST, tag, good()).await;
        problem(answer, StatusCode::NOT_FOUND).await;
    }
    again.ends(&house, &id).await;
    let answer = api
        .restart(&secret, "/api/v1/participation/peers/2", "*", good())
        .await;
    let told = problem(answer, StatusCode::CONFLICT).await;
    assert_eq!(told["type"], "/problems/ended");
    assert_eq!(counted(&house, "ice_restarts_total{result=\"over\"}"), 1);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_offer_anew_is_a_connection_that_was_never_restarted() {
    let house = house(SimConfig::instant()).await;
    let api = Api::new(&house);
    let (id, secret) = house.invite().await;
    let start = house.start_of(&id).await;
    let mut caller = Caller::join_as(&house, start).await.unwrap();
    caller.until_type("caption").await;
    assert_eq!(caller.moves(&api, &secret, "*").await, "\"1.1\"");
    let request = api.post(PEERS).bearer_auth(&secret);
    let request = request.header("content-type", "application/sdp");
    let answer = request.body(good_offer()).send().await.unwrap();
    assert_eq!(answer.headers()["etag"], "\"2\"");
    let second = answer.headers()["location"].to_str().unwrap().to_owned();
    let answer = api
        .restart(&secret, &second, "\"2\"", fragment().to_string())
        .await;
    assert_eq!(answer.headers()["etag"], "\"2.1\"");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_that_was_silent_leaves_a_mark_in_the_journal_and_no_pause() {
    let house = house(SimConfig::instant()).await;
    let (id, _) = house.invite().await;
    let mut caller = Caller::join(&house, &id).await.unwrap();
    caller.until_type("caption").await;
    let silence = Say::Silence(Duration::from_secs(2));
    caller.says.send(silence).await.unwrap();
    journaled(&house, &id, "network_gap", 1).await;
    caller.hears_more(25).await;
    caller.say(r#"{"type":"end"}"#).await;
    caller.until_type("ended").await;
    house.ended(&id).await;
    let rows = house.journal(&id).await;
    let gap = rows.iter().find(|row| row.kind == "network_gap").unwrap();
    let ms = |name: &str| gap.body[name].as_u64().unwrap();
    assert!(ms("to_ms") - ms("from_ms") >= 1_500, "{gap:?}");
    assert!(!rows.iter().any(|row| row.kind == "paused"), "{rows:#?}");
    house.idle().await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_document_says_what_a_restart_is_and_how_it_is_refused() {
    let house = house(SimConfig::instant()).await;
    let document = Api::new(&house).document().await;
    let patch: &Value = &document["paths"]["/api/v1/participation/peers/{peer}"]["patch"];
    assert!(patch["requestBody"]["content"][FRAGMENT_TYPE].is_object());
    assert!(patch["responses"]["200"]["headers"]["ETag"].is_object());
    for status in ["400", "404", "409", "412", "415", "422", "428", "503"] {
        assert!(patch["responses"][status].is_object(), "{status}");
    }
    house.close().await;
}
