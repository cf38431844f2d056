//! Synthetic participants against a house of straw: the participant's API and real media, with a script for an interviewer.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use engine::ids::ItemId;
use media::{
    Certificate, Datagram, Desk, DeskConfig, DeskFact, DeskOutput, NetConfig, Proto, Recording,
};
use serde_json::{Value, json};
use sim::corpus::Corpus;
use sim::participant::{
    Ears, Manners, ParticipantConfig, ParticipantError, ParticipantReport, Sense, run,
};
use sim::recognise::{Recogniser, transcript};
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

const SECRET: &str = "a-secret";

/// What an interviewer's utterance is made of: clips, one after the other.
type Script = Vec<Vec<&'static str>>;

struct House {
    offers: mpsc::Sender<(String, oneshot::Sender<String>)>,
    /// Requests in the order in which they came.
    seen: Arc<Mutex<Vec<&'static str>>>,
}

/// A server with one invitation; gives its link, what was requested, and what the participant said.
async fn house(
    script: Script,
) -> (
    String,
    Arc<Mutex<Vec<&'static str>>>,
    oneshot::Receiver<Vec<i16>>,
) {
    let (offers, offered) = mpsc::channel(1);
    let (said, heard) = oneshot::channel();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let house = Arc::new(House {
        offers,
        seen: seen.clone(),
    });
    tokio::spawn(interviewer(script, offered, said));
    let router = Router::new()
        .route("/api/v1/participation", get(read))
        .route("/api/v1/participation/consent", post(consent))
        .route("/api/v1/participation/peers", post(offer))
        .route("/api/v1/participation/peers/1", delete(hang_up))
        .with_state(house);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let link = format!("http://{}/i#{SECRET}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (link, seen, heard)
}

fn participation() -> Json<Value> {
    Json(
        json!({"participation": {"session_id": "S", "state": "invited", "consent": "pending", "outcome": null, "completion": null,
        "study": {"title": "Straw", "language": "en"}}}),
    )
}

async fn read(State(house): State<Arc<House>>, headers: HeaderMap) -> axum::response::Response {
    house.seen.lock().unwrap().push("read");
    if headers[header::AUTHORIZATION] != format!("Bearer {SECRET}") {
        let problem = json!({"type": "/problems/unknown-link", "title": "Unknown link", "status": 404,
            "detail": "This link is not known.", "remedy": "Check that it was copied whole."});
        return (StatusCode::NOT_FOUND, Json(problem)).into_response();
    }
    participation().into_response()
}

async fn consent(State(house): State<Arc<House>>, Json(body): Json<Value>) -> Json<Value> {
    assert_eq!(body, json!({"accepted": true}));
    house.seen.lock().unwrap().push("consent");
    participation()
}

async fn offer(
    State(house): State<Arc<House>>,
    headers: HeaderMap,
    sdp: String,
) -> impl IntoResponse {
    assert_eq!(headers[header::CONTENT_TYPE], "application/sdp");
    house.seen.lock().unwrap().push("offer");
    let (answer, answered) = oneshot::channel();
    house.offers.send((sdp, answer)).await.unwrap();
    let headers = [
        (header::CONTENT_TYPE, "application/sdp"),
        (header::LOCATION, "/api/v1/participation/peers/1"),
    ];
    (StatusCode::CREATED, headers, answered.await.unwrap())
}

async fn hang_up(State(house): State<Arc<House>>) -> StatusCode {
    house.seen.lock().unwrap().push("hang up");
    StatusCode::NO_CONTENT
}

/// Plays the script: the next utterance follows when the participant has been quiet for a while after speaking. Stops when it is spoken to.
async fn interviewer(
    script: Script,
    mut offers: mpsc::Receiver<(String, oneshot::Sender<String>)>,
    said: oneshot::Sender<Vec<i16>>,
) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let local = socket.local_addr().unwrap();
    let net = NetConfig {
        udp: vec![local],
        tcp: vec![],
        cert: Certificate::generate(),
    };
    let config = DeskConfig {
        recording: Recording::Off,
        ..DeskConfig::default()
    };
    let mut desk = Desk::new(Instant::now(), config).unwrap();
    let Some((sdp, answer)) = offers.recv().await else {
        return;
    };
    answer
        .send(desk.accept(Instant::now(), &sdp, &net).unwrap().sdp)
        .unwrap();
    let mut script = (0u32..).zip(script);
    let mut next: Option<Instant> = None;
    let mut heard = Vec::new();
    let mut out = Vec::new();
    let mut bytes = vec![0; 2000];
    let mut is_over = false;
    while !is_over {
        let wake = desk
            .deadline()
            .min(next.unwrap_or_else(|| Instant::now() + Duration::from_secs(1)));
        tokio::select! {
            received = socket.recv_from(&mut bytes) => {
                let Ok((length, source)) = received else { continue };
                let datagram = Datagram { proto: Proto::Udp, source, destination: local, bytes: &bytes[..length] };
                desk.datagram(Instant::now(), datagram, &mut out);
            }
            () = tokio::time::sleep_until(wake.into()) => {}
        }
        let now = Instant::now();
        if desk.deadline() <= now {
            desk.timeout(now, &mut out);
        }
        if next.take_if(|at| *at <= now).is_some() {
            match script.next() {
                Some((no, clips)) => play(&mut desk, now, no, &clips, &mut out),
                None => {
                    let ended = json!({"type": "ended", "outcome": "complete", "completion": {"message": "Thanks", "code": "C1", "redirect_url": null}});
                    desk.send_text(now, &ended.to_string(), &mut out);
                    is_over = true;
                }
            }
        }
        for output in std::mem::take(&mut out) {
            match output {
                DeskOutput::Transmit {
                    destination, bytes, ..
                } => drop(socket.send_to(&bytes, destination).await),
                DeskOutput::ParticipantAudio(pcm) => heard.extend(pcm),
                DeskOutput::Fact(DeskFact::AudioFlowing { .. }) => next = Some(now),
                DeskOutput::Fact(DeskFact::SpeechStarted { .. }) => {
                    next = None;
                    desk.cut(now, &mut out);
                }
                DeskOutput::Fact(DeskFact::SpeechEnded { .. }) => {
                    next = Some(now + Duration::from_millis(500))
                }
                // The last utterance is a statement, to which nobody says anything.
                DeskOutput::Fact(DeskFact::PlayoutEnded { .. })
                    if script.size_hint().1 == Some(0) =>
                {
                    next = Some(now + Duration::from_millis(2000))
                }
                DeskOutput::Fact(_) | DeskOutput::Text(_) | DeskOutput::Chunk(_) => {}
            }
        }
        for output in std::mem::take(&mut out) {
            if let DeskOutput::Transmit {
                destination, bytes, ..
            } = output
            {
                drop(socket.send_to(&bytes, destination).await);
            }
        }
    }
    // Whoever waits for it may be gone.
    drop(said.send(heard));
    // What is under way (the notice) goes out, and is repeated if it is lost.
    let end = Instant::now() + Duration::from_secs(3);
    while Instant::now() < end {
        tokio::select! {
            received = socket.recv_from(&mut bytes) => {
                let Ok((length, source)) = received else { continue };
                let datagram = Datagram { proto: Proto::Udp, source, destination: local, bytes: &bytes[..length] };
                desk.datagram(Instant::now(), datagram, &mut out);
            }
            () = tokio::time::sleep_until(desk.deadline().into()) => desk.timeout(Instant::now(), &mut out),
        }
        for output in std::mem::take(&mut out) {
            if let DeskOutput::Transmit {
                destination, bytes, ..
            } = output
            {
                drop(socket.send_to(&bytes, destination).await);
            }
        }
    }
}

fn play(desk: &mut Desk, now: Instant, no: u32, clips: &[&str], out: &mut Vec<DeskOutput>) {
    let item = ItemId::from(format!("item_{no}"));
    let clips: Vec<_> = clips
        .iter()
        .map(|id| Corpus::embedded().get(id).unwrap())
        .collect();
    for clip in &clips {
        desk.interviewer_audio(now, &item, clip.pcm());
    }
    desk.interviewer_done(now, &item);
    let words: Vec<&str> = clips.iter().map(|clip| clip.text.as_str()).collect();
    let caption = json!({"type": "caption", "turn": no * 2, "speaker": "interviewer", "text": words.join(" "), "final": true});
    desk.send_text(now, &caption.to_string(), out);
}

fn config(link: &str, persona: &str) -> ParticipantConfig {
    ParticipantConfig {
        link: link.to_owned(),
        persona: persona.to_owned(),
        start_after: Duration::ZERO,
        seed: 1,
        ears: Ears::Sound,
        manners: Manners::Patient,
        deadline: Duration::from_secs(120),
        local_ip: None,
        patience: Duration::ZERO,
    }
}

async fn take_part(config: ParticipantConfig) -> Result<ParticipantReport, ParticipantError> {
    run(config, CancellationToken::new(), |_| {}).await
}

fn two_questions() -> Script {
    vec![
        vec!["q-warmup-setup-1"],
        vec!["s-ack-2", "q-probing-why-1"],
        vec!["s-ack-4"],
    ]
}

const ANSWERS: [&str; 2] = ["a-tasha-warmup-setup-1", "a-tasha-probing-why-1"];

/// What the participant said, as the house heard it.
fn words(pcm: &[i16]) -> String {
    transcript(&Recogniser::embedded().recognise(pcm))
}

fn answers() -> String {
    ANSWERS
        .map(|id| Corpus::embedded().get(id).unwrap().text.clone())
        .join(" ")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_participant_joins_like_a_page_listens_and_answers() {
    let (link, seen, said) = house(two_questions()).await;
    let report = take_part(config(&link, "tasha")).await.unwrap();
    assert_eq!(words(&said.await.unwrap()), answers());
    assert_eq!(
        *seen.lock().unwrap(),
        ["read", "consent", "offer", "hang up"]
    );
    assert_eq!(report.answers, ANSWERS);
    assert!(
        report
            .questions
            .iter()
            .all(|asked| asked.by == Sense::Sound),
        "{:?}",
        report.questions
    );
    assert_eq!(report.outcome, "complete");
    assert_eq!(
        report.completion.clone().unwrap().code.as_deref(),
        Some("C1")
    );
    assert_eq!(report.captions.len(), 3);
    // 2.8 + 2.0 + 1.1 s of clips with little silence in them, at their level.
    assert!(
        (4_000..6_500).contains(&report.heard_ms),
        "{}",
        report.heard_ms
    );
    assert!((2_500..5_000).contains(&report.heard_rms.unwrap()));
    assert!(
        report.first_voice_ms.is_some() && report.response_latencies_ms.len() == 2,
        "{report:?}"
    );
    assert!(
        report.response_latencies_ms.iter().all(|ms| *ms >= 500),
        "{report:?}"
    );
    assert_eq!((report.packets.lost, report.overlaps), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn captions_alone_are_enough_to_take_part() {
    let (link, _, said) = house(two_questions()).await;
    let report = take_part(ParticipantConfig {
        ears: Ears::Captions,
        ..config(&link, "tasha")
    })
    .await
    .unwrap();
    assert_eq!(words(&said.await.unwrap()), answers());
    assert_eq!(report.answers, ANSWERS);
    assert!(
        report
            .questions
            .iter()
            .all(|asked| asked.by == Sense::Caption)
    );
    assert!(
        report.heard_ms > 4_000 && report.heard_rms.is_none(),
        "{report:?}"
    );
    assert!(report.first_voice_ms.is_some() && report.response_latencies_ms.len() == 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_impatient_participant_interrupts_and_measures_how_soon_it_is_let() {
    let script = vec![vec!["q-exploration-tools-1"], vec!["s-ack-4"]];
    let (link, _, said) = house(script).await;
    let manners = Manners::Interrupting {
        after: Duration::from_millis(1500),
        every: 1,
    };
    let report = take_part(ParticipantConfig {
        manners,
        ..config(&link, "owen")
    })
    .await
    .unwrap();
    assert_eq!(report.answers, ["a-owen-exploration-tools-1"]);
    assert_eq!(report.interruptions_ms.len(), 1, "{report:?}");
    // The question is 5.4 s long; it must not have been played to its end.
    assert!(report.heard_ms < 4_500, "{}", report.heard_ms);
    assert!(words(&said.await.unwrap()).contains("It takes nine clicks to log a phone call."));
}

#[tokio::test]
async fn what_goes_wrong_is_said_in_words() {
    let (link, _, _) = house(vec![]).await;
    let error = take_part(config(&link.replace(SECRET, "other"), "tasha"))
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the server refused (404): Unknown link. This link is not known. Check that it was copied whole."
    );
    let error = take_part(config(&link, "zoe")).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("there is no voice zoe for the language en; there are: maya, marcus"),
        "{error}"
    );
    let error = take_part(config("http://127.0.0.1:1/i#x", "tasha"))
        .await
        .unwrap_err();
    assert!(matches!(error, ParticipantError::Unreachable(_)), "{error}");
    let stop = CancellationToken::new();
    stop.cancel();
    let error = run(config(&link, "tasha"), stop, |_| {}).await.unwrap_err();
    assert!(matches!(error, ParticipantError::Stopped), "{error}");
    let never = ParticipantConfig {
        deadline: Duration::from_millis(1),
        ..config(&link, "tasha")
    };
    assert!(matches!(
        take_part(never).await.unwrap_err(),
        ParticipantError::Deadline(_)
    ));
}
