//! What a participant's page asks.

use std::net::SocketAddr;
use std::time::Instant;

use media::{Peer, PeerConfig};
use reqwest::{Method, Response, StatusCode};
use serde_json::json;
use sim::provider::SimConfig;
use store::ReportState;

use super::{Api, body, documented, invited, problem};
use crate::finished::{ANSWERS, finish, until_report};
use crate::harness::{House, house};

pub(super) const PEERS: &str = "/api/v1/participation/peers";
const CONSENT: &str = "/api/v1/participation/consent";

impl Api {
    async fn participation(&self, secret: &str) -> Response {
        let request = self.get("/api/v1/participation").bearer_auth(secret);
        request.send().await.unwrap()
    }

    async fn decide(&self, secret: &str, accepted: bool) -> Response {
        let request = self.post(CONSENT).bearer_auth(secret);
        request
            .json(&json!({ "accepted": accepted }))
            .send()
            .await
            .unwrap()
    }

    async fn offer(&self, secret: &str, kind: &str, sdp: &str) -> Response {
        let request = self
            .post(PEERS)
            .bearer_auth(secret)
            .header("content-type", kind);
        request.body(sdp.to_owned()).send().await.unwrap()
    }

    async fn ask(&self, secret: &str, what: &str) -> Response {
        let request = self
            .post("/api/v1/participation/requests")
            .bearer_auth(secret);
        request
            .json(&json!({ "request": what }))
            .send()
            .await
            .unwrap()
    }
}

pub(super) fn good_offer() -> String {
    let local = SocketAddr::from(([127, 0, 0, 1], 9));
    Peer::offer(Instant::now(), &PeerConfig { local, cert: None }).1
}

/// What a browser offers with a camera and no microphone.
fn video_only() -> String {
    let audio = good_offer();
    let mut kept = String::new();
    let mut within_audio = false;
    for line in audio.lines() {
        if let Some(kind) = line.strip_prefix("m=") {
            within_audio = kind.starts_with("audio");
        }
        if within_audio && line.starts_with("m=audio") {
            kept.push_str("m=video 9 UDP/TLS/RTP/SAVPF 96\r\n");
        } else if within_audio
            && (line.starts_with("a=rtpmap")
                || line.starts_with("a=fmtp")
                || line.starts_with("a=rtcp-fb"))
        {
            if !kept.contains("VP8") {
                kept.push_str("a=rtpmap:96 VP8/90000\r\n");
            }
        } else {
            kept.push_str(line);
            kept.push_str("\r\n");
        }
    }
    assert!(
        !kept.contains("m=audio") && kept.contains("m=video"),
        "{kept}"
    );
    kept
}

/// A data channel and nothing else.
fn data_only() -> String {
    let offer = good_offer();
    let mut kept = String::new();
    let mut within_audio = false;
    for line in offer.lines() {
        if let Some(kind) = line.strip_prefix("m=") {
            within_audio = kind.starts_with("audio");
        }
        if !within_audio {
            kept.push_str(line);
            kept.push_str("\r\n");
        }
    }
    assert!(
        !kept.contains("m=audio") && kept.contains("m=application"),
        "{kept}"
    );
    kept
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_tampered_and_expired_links_are_told_apart_from_good_ones() {
    let house = house(SimConfig::instant()).await;
    let api = Api::new(&house);
    let (_, good) = invited(&house, None).await;
    let now_us = house.app().store.now_us();
    let (_, expired) = invited(&house, Some(now_us - 1)).await;
    let (_, lasting) = invited(&house, Some(now_us + 3_600_000_000)).await;
    let tampered = format!(
        "{}{}",
        if good.starts_with('A') { 'B' } else { 'A' },
        good.get(1..).unwrap()
    );
    let unknown = server::secrets::mint().unwrap();
    let long = "A".repeat(4_000);
    for wrong in [
        tampered.as_str(),
        unknown.as_str(),
        good.get(..42).unwrap(),
        long.as_str(),
        "'; DROP TABLE session; --",
    ] {
        for answer in [
            api.participation(wrong).await,
            api.decide(wrong, true).await,
            api.offer(wrong, "application/sdp", &good_offer()).await,
            api.ask(wrong, "mute").await,
        ] {
            let told = problem(answer, StatusCode::NOT_FOUND).await;
            assert_eq!(told["type"], "/problems/link-unknown");
        }
    }
    for answer in [
        api.participation(&expired).await,
        api.decide(&expired, true).await,
        api.offer(&expired, "application/sdp", &good_offer()).await,
    ] {
        let told = problem(answer, StatusCode::GONE).await;
        assert_eq!(told["type"], "/problems/link-expired");
    }
    let document = api.document().await;
    for good in [&good, &lasting] {
        let answer = api.participation(good).await;
        assert_eq!(answer.status(), StatusCode::OK);
        let answer = body(answer).await;
        documented(&document, "get", "/api/v1/participation", "200", &answer);
        let seen = &answer["participation"];
        assert_eq!(
            (&seen["state"], &seen["consent"]),
            (&json!("invited"), &json!("pending"))
        );
        assert_eq!(
            seen["returnable_until"].is_string(),
            good == &lasting,
            "{seen}"
        );
    }
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn consent_comes_first_holds_and_cannot_be_taken_both_ways() {
    let house = house(SimConfig::instant()).await;
    let api = Api::new(&house);
    let (_, secret) = invited(&house, None).await;
    let early = problem(
        api.offer(&secret, "application/sdp", &good_offer()).await,
        StatusCode::CONFLICT,
    )
    .await;
    assert_eq!(early["type"], "/problems/consent");
    assert_eq!(house.app().registry.live(), 0, "nobody is connected before");
    for wrong in [
        "{}",
        "{\"accepted\": \"yes\"}",
        "{\"accepted\": true, \"more\": 1}",
    ] {
        let request = api
            .post(CONSENT)
            .bearer_auth(&secret)
            .header("content-type", "application/json")
            .body(wrong);
        problem(
            request.send().await.unwrap(),
            StatusCode::UNPROCESSABLE_ENTITY,
        )
        .await;
    }
    let document = api.document().await;
    for _ in 0..2 {
        let given = api.decide(&secret, true).await;
        assert_eq!(given.status(), StatusCode::OK);
        let given = body(given).await;
        documented(&document, "post", CONSENT, "200", &given);
        assert_eq!(given["participation"]["consent"], "given");
    }
    problem(api.decide(&secret, false).await, StatusCode::CONFLICT).await;
    assert_eq!(
        body(api.participation(&secret).await).await["participation"]["consent"],
        "given"
    );

    let (id, secret) = invited(&house, None).await;
    for _ in 0..2 {
        let declined = body(api.decide(&secret, false).await).await["participation"].take();
        assert_eq!(
            (
                &declined["consent"],
                &declined["state"],
                &declined["outcome"]
            ),
            (&json!("declined"), &json!("ended"), &json!("no_consent"))
        );
        assert!(declined["completion"]["message"].is_string(), "{declined}");
    }
    problem(api.decide(&secret, true).await, StatusCode::CONFLICT).await;
    problem(
        api.offer(&secret, "application/sdp", &good_offer()).await,
        StatusCode::GONE,
    )
    .await;
    assert!(house.row(&id).await.started_at_us.is_none());
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn offers_that_cannot_be_answered_say_why_and_cost_nothing() {
    let house = house(SimConfig::instant()).await;
    let api = Api::new(&house);
    let (_, secret) = house.invite().await;
    let cases: [(&str, String, StatusCode); 7] = [
        (
            "application/sdp",
            "garbage".to_owned(),
            StatusCode::BAD_REQUEST,
        ),
        ("application/sdp", String::new(), StatusCode::BAD_REQUEST),
        (
            "application/sdp",
            "v=0\r\no=-".to_owned(),
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        (
            "application/json",
            good_offer(),
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ),
        (
            "application/sdpx",
            good_offer(),
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ),
        (
            "application/sdp",
            video_only(),
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        (
            "application/sdp; charset=utf-8",
            data_only(),
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
    ];
    for (kind, sdp, status) in cases {
        let told = problem(api.offer(&secret, kind, &sdp).await, status).await;
        assert!(told["detail"].as_str().unwrap().len() > 20, "{sdp}: {told}");
    }
    let not_text = api
        .post(PEERS)
        .bearer_auth(&secret)
        .header("content-type", "application/sdp")
        .body(vec![0xff_u8, 0xfe]);
    problem(not_text.send().await.unwrap(), StatusCode::BAD_REQUEST).await;
    assert_eq!(house.app().registry.live(), 0);
    house.close().await;
}

/// The number in `Location`.
async fn accepted(answer: Response) -> String {
    assert_eq!(answer.status(), StatusCode::CREATED);
    let headers = answer.headers().clone();
    assert_eq!(headers["content-type"], "application/sdp");
    let location = headers["location"].to_str().unwrap().to_owned();
    assert!(
        location.starts_with("/api/v1/participation/peers/"),
        "{location}"
    );
    assert!(headers["etag"].to_str().unwrap().starts_with('"'));
    let sdp = answer.text().await.unwrap();
    assert!(
        sdp.starts_with("v=0") && sdp.contains("m=audio") && sdp.contains("a=candidate"),
        "{sdp}"
    );
    location
}

async fn end(house: &House, api: &Api, id: &engine::ids::SessionId, secret: &str) {
    assert_eq!(api.ask(secret, "end").await.status(), StatusCode::ACCEPTED);
    house.ended(id).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_offer_is_answered_a_second_one_replaces_it_and_after_the_end_there_is_none() {
    let house = house(SimConfig::instant()).await;
    let api = Api::new(&house);
    let (id, secret) = house.invite().await;
    problem(api.ask(&secret, "repeat").await, StatusCode::CONFLICT).await;
    let first = accepted(api.offer(&secret, "application/sdp", &good_offer()).await).await;
    let second = accepted(
        api.offer(&secret, "Application/SDP; charset=utf-8", &good_offer())
            .await,
    )
    .await;
    assert_ne!(first, second);
    assert_eq!(
        house.app().registry.live(),
        1,
        "one session, its second connection"
    );
    let send = async |method: Method, path: &str| {
        let request = api.request(method, path).bearer_auth(&secret);
        request.send().await.unwrap()
    };
    problem(
        send(Method::DELETE, "/api/v1/participation/peers/one").await,
        StatusCode::BAD_REQUEST,
    )
    .await;
    assert_eq!(
        send(Method::DELETE, &second).await.status(),
        StatusCode::NO_CONTENT
    );
    for what in ["mute", "unmute", "repeat"] {
        assert_eq!(api.ask(&secret, what).await.status(), StatusCode::ACCEPTED);
    }
    problem(
        api.ask(&secret, "dance").await,
        StatusCode::UNPROCESSABLE_ENTITY,
    )
    .await;
    end(&house, &api, &id, &secret).await;
    problem(
        api.offer(&secret, "application/sdp", &good_offer()).await,
        StatusCode::GONE,
    )
    .await;
    problem(api.ask(&secret, "mute").await, StatusCode::CONFLICT).await;
    let again = send(Method::DELETE, &second).await.status();
    assert_eq!(
        again,
        StatusCode::NO_CONTENT,
        "hanging up twice is no mistake"
    );
    house.idle().await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_used_link_shows_the_thanks_and_the_code_and_begins_nothing() {
    let house = house(SimConfig::instant()).await;
    let api = Api::new(&house);
    let (id, secret) = house.invite().await;
    finish(house.app(), &id, &ANSWERS, Vec::new()).await;
    until_report(house.app(), &id, ReportState::Ready).await;
    let seen = body(api.participation(&secret).await).await["participation"].take();
    assert_eq!(
        (&seen["state"], &seen["outcome"]),
        (&json!("ended"), &json!("complete"))
    );
    assert_eq!(seen["completion"]["code"], "FJ-7Q2M");
    let told = problem(
        api.offer(&secret, "application/sdp", &good_offer()).await,
        StatusCode::GONE,
    )
    .await;
    assert!(told["detail"].as_str().unwrap().contains("saved"), "{told}");
    assert!(
        !seen.to_string().contains("bakery"),
        "the link shows nothing of what was said"
    );
    house.close().await;
}
