//! A server of one's own, and callers for it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::ids::SessionId;
use engine::journal::Outcome;
use engine::session::State;
use media::{Datagram, IceFragment, Peer, PeerConfig, PeerOutput, Proto};
use serde_json::Value;
use server::app::App;
use server::boot::{self, Running};
use server::config::Config;
use server::secrets;
use server::session::{Begun, OfferRefusal, Start, Way};
use sim::provider::SimConfig;
use store::{
    Clock, JournalRow, Length, ManualClock, NewSession, NewStudy, RecordingRow, ReportState,
    SessionRow,
};
use tempfile::TempDir;
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::bugs::codec;
use crate::reaper::{self, Handles};
use crate::relay;

/// Nothing here takes as long, however busy the machine is; a test that hangs fails with this.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

const STUDY: &str = include_str!("../../../../studies/first-job.yaml");

/// A running server with a provider simulator.
pub(crate) struct House {
    pub(crate) running: Running,
    pub(crate) folder: TempDir,
    simulator: CancellationToken,
    wall: Clock,
}

/// Boots a server whose provider behaves as told.
pub(crate) async fn house(provider: SimConfig) -> House {
    house_with(provider, |_| {}).await
}

/// Boots a server with an adjusted configuration.
pub(crate) async fn house_with(provider: SimConfig, adjust: impl FnOnce(&mut Config)) -> House {
    house_in(provider, Clock::System, adjust).await
}

/// Boots a server on whose wall the time can be set, and gives the clock.
pub(crate) async fn house_with_clock(provider: SimConfig) -> (House, ManualClock) {
    let clock = ManualClock::at(Clock::System.now_us());
    let house = house_in(provider, Clock::Manual(clock.clone()), |_| {}).await;
    (house, clock)
}

async fn house_in(provider: SimConfig, wall: Clock, adjust: impl FnOnce(&mut Config)) -> House {
    let folder = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let simulator_url = format!("http://{}/v1", listener.local_addr().unwrap());
    let simulator = CancellationToken::new();
    drop(sim::provider::serve(listener, provider, simulator.clone()));
    let mut config = config(&folder);
    config.provider.openai_base_url = simulator_url;
    adjust(&mut config);
    let running = boot::start_with(config, codec, wall.clone()).await.unwrap();
    House {
        running,
        folder,
        simulator,
        wall,
    }
}

/// Defaults, with ports and folders of its own.
pub(crate) fn config(folder: &TempDir) -> Config {
    let mut config = Config::load(None, &std::collections::BTreeMap::new()).unwrap();
    config.http.addr.set_port(0);
    config.media.udp_addr.set_port(0);
    config.media.tcp_addr.set_port(0);
    config.media.shards = 1;
    config.store.database = folder.path().join("colloquy.db");
    config.store.recordings = folder.path().join("recordings");
    config.provider.openai_api_key = providers::Secret::new("test-key");
    config.shutdown.deadline_ms = 4_000;
    // Many tests share this machine.
    config.capacity.cpu_percent_max = 100;
    config.capacity.late_percent_max = 100;
    config
}

impl House {
    pub(crate) fn app(&self) -> &Arc<App> {
        self.running.app()
    }

    /// A session whose participant has consented, and the link's secret.
    pub(crate) async fn invite(&self) -> (SessionId, String) {
        let (session_id, secret) = self.invite_to(STUDY).await;
        self.app()
            .store
            .record_consent(&session_id, true, [0; 32])
            .await
            .unwrap();
        (session_id, secret)
    }

    /// A rehearsal of that study, and the link's secret.
    pub(crate) async fn invite_to(&self, source: &str) -> (SessionId, String) {
        let app = self.app();
        let study = server::study::parse(source).unwrap();
        let new = NewStudy {
            study_id: study.id.clone(),
            title: study.title.clone(),
            source: source.to_owned(),
        };
        let row = app.store.put_study(new).await.unwrap();
        let secret = secrets::mint().unwrap();
        let session_id = SessionId::from(format!("S{}", secret.get(..20).unwrap()));
        let session = NewSession {
            session_id: session_id.clone(),
            study_id: study.id,
            study_version: row.version,
            link_hash: secrets::hash(&secret),
            language: "en".to_owned(),
            length: Length::Rehearsal,
            external_id: None,
            expires_at_us: None,
        };
        app.store.create_sessions(vec![session]).await.unwrap();
        (session_id, secret)
    }

    /// What the HTTP handler would give the registry.
    pub(crate) async fn start_of(&self, id: &SessionId) -> Start {
        let app = self.app();
        let row = self.row(id).await;
        let study = app
            .study(&row.study_id, row.study_version)
            .await
            .unwrap()
            .unwrap();
        let profile = app.profile(&study).unwrap();
        let mut plan = study.plan(row.length, &row.language, app.prices_of(&profile).unwrap());
        // Speech takes as long as it takes; what is said here is short.
        plan.greeting = "Hello.".to_owned();
        plan.closing = "Goodbye.".to_owned();
        Start {
            session_id: id.clone(),
            study,
            plan,
            profile,
            way: Way::Link,
            begun: Begun::of(&row),
        }
    }

    pub(crate) async fn row(&self, id: &SessionId) -> SessionRow {
        self.app().store.session(id).await.unwrap().unwrap()
    }

    pub(crate) async fn journal(&self, id: &SessionId) -> Vec<JournalRow> {
        self.app().store.journal(id).await.unwrap()
    }

    /// Waits for the session's end to be written.
    pub(crate) async fn ended(&self, id: &SessionId) -> Outcome {
        // The owner goes with the transaction that finishes the session.
        let row = self
            .until_row(id, "ended", |row| {
                row.outcome.is_some() && row.owner.is_none()
            })
            .await;
        row.outcome.unwrap()
    }

    /// Waits for that state to be written.
    pub(crate) async fn until_state(&self, id: &SessionId, state: State) {
        self.until_row(id, state.name(), |row| row.state == state)
            .await;
    }

    async fn until_row(
        &self,
        id: &SessionId,
        what: &str,
        holds: impl Fn(&SessionRow) -> bool,
    ) -> SessionRow {
        let mut changes = self.app().changes.subscribe();
        let found = async {
            loop {
                let row = self.row(id).await;
                if holds(&row) {
                    return row;
                }
                // Something in the journal may change without a word to the console: look again from time to time.
                drop(timeout(Duration::from_millis(200), changes.recv()).await);
            }
        };
        timeout(PATIENCE, found)
            .await
            .unwrap_or_else(|_| panic!("the session never is {what}"))
    }

    /// Waits for the session's report.
    pub(crate) async fn until_report(&self, id: &SessionId) {
        crate::finished::until_report(self.app(), id, ReportState::Ready).await;
    }

    /// Waits for the session's recording, whose lane is its own.
    pub(crate) async fn until_recording(&self, id: &SessionId) -> RecordingRow {
        let store = &self.app().store;
        let kept = async || store.recording(id).await.unwrap();
        crate::finished::until(self.app(), "the recording", async || kept().await.is_some()).await;
        kept().await.expect("it was there")
    }

    /// All tasks of all sessions are gone.
    pub(crate) async fn idle(&self) {
        timeout(PATIENCE, self.app().registry.idle())
            .await
            .expect("all tasks end");
        let registry = &self.app().registry;
        assert_eq!(
            (registry.live(), registry.tasks(), registry.seats()),
            (0, 0, 0)
        );
        // A connection over TCP is noticed to be gone by the thread that reads it.
        let mut look = tokio::time::interval(Duration::from_millis(20));
        let quiet = async {
            while !reaper::alive(&self.app().metrics.text()).is_empty() {
                look.tick().await;
            }
        };
        let quiet = timeout(PATIENCE, quiet).await;
        assert!(
            quiet.is_ok(),
            "{:#?}",
            reaper::alive(&self.app().metrics.text())
        );
    }

    /// Stops the server as a deploy does, and starts the next one on what it left, with the same provider.
    pub(crate) async fn deploy(self) -> House {
        let House {
            running,
            folder,
            simulator,
            wall,
        } = self;
        let mut next = config(&folder);
        next.provider.openai_base_url = running.app().config.provider.openai_base_url.clone();
        next.shutdown.deadline_ms = running.app().config.shutdown.deadline_ms;
        stop(running, &folder).await;
        let running = boot::start_with(next, codec, wall.clone()).await.unwrap();
        House {
            running,
            folder,
            simulator,
            wall,
        }
    }

    pub(crate) async fn close(self) -> TempDir {
        stop(self.running, &self.folder).await;
        self.simulator.cancel();
        self.folder
    }
}

/// Stops a server, whatever it is doing; nothing of it may be left.
async fn stop(running: Running, folder: &TempDir) {
    let app = Arc::downgrade(running.app());
    let metrics = Arc::clone(&running.app().metrics);
    let handles = Handles::of(running.app(), folder.path(), running.media_addr());
    running.stop().await;
    reaper::nothing_is_left(app, &handles).await;
    assert_eq!(reaper::alive(&metrics.text()), [""; 0]);
}

/// A minimal participant: one peer on a socket of its own, which sends silence and notes what it hears.
pub(crate) struct Caller {
    texts: mpsc::Receiver<Value>,
    packets: watch::Receiver<u64>,
    pub(crate) says: mpsc::Sender<Say>,
}

pub(crate) enum Say {
    Text(String),
    Leave,
    /// The network is gone and this one is there; the offer of an ICE restart goes back.
    Hop(UdpSocket, oneshot::Sender<String>),
    /// For so long nothing comes through, either way.
    Silence(Duration),
    /// The answer to that restart.
    Arrive(String),
}

impl Caller {
    /// Joins through the registry.
    pub(crate) async fn join(house: &House, id: &SessionId) -> Result<Caller, OfferRefusal> {
        let start = house.start_of(id).await;
        Caller::join_as(house, start).await
    }

    /// Joins with a session that was made up.
    pub(crate) async fn join_as(house: &House, start: Start) -> Result<Caller, OfferRefusal> {
        Caller::join_by(house, start, async |sdp| sdp).await
    }

    /// Joins from a network that lets only TCP through.
    pub(crate) async fn join_over_tcp(
        house: &House,
        id: &SessionId,
    ) -> Result<Caller, OfferRefusal> {
        let start = house.start_of(id).await;
        Caller::join_by(house, start, relay::over_tcp).await
    }

    async fn join_by(
        house: &House,
        start: Start,
        route: impl AsyncFnOnce(String) -> String,
    ) -> Result<Caller, OfferRefusal> {
        Caller::connect(async |offer| {
            let accepted = house.app().registry.offer(start, offer).await?;
            Ok(route(accepted.sdp).await)
        })
        .await
    }

    /// Offers in that way, and connects if there is an answer.
    pub(crate) async fn connect<E>(
        offer_it: impl AsyncFnOnce(String) -> Result<String, E>,
    ) -> Result<Caller, E> {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let local = socket.local_addr().unwrap();
        let (mut peer, offer) = Peer::offer(Instant::now(), &PeerConfig { local, cert: None });
        let answer = offer_it(offer).await?;
        peer.answer(Instant::now(), &answer).unwrap();
        let (texts_in, texts) = mpsc::channel(4_096);
        let (packets_in, packets) = watch::channel(0);
        let (says, orders) = mpsc::channel(64);
        tokio::spawn(run(peer, socket, texts_in, packets_in, orders));
        Ok(Caller {
            texts,
            packets,
            says,
        })
    }

    /// The next text for which this holds.
    pub(crate) async fn until(&mut self, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let mut seen = Vec::new();
        let found = async {
            while let Some(text) = self.texts.recv().await {
                if holds(&text) {
                    return Some(text);
                }
                seen.push(text.to_string());
            }
            None
        };
        let found = timeout(PATIENCE, found).await.ok().flatten();
        found.unwrap_or_else(|| panic!("waited for {what}, saw {seen:#?}"))
    }

    /// Waits until the interview goes on.
    pub(crate) async fn until_active(&mut self) {
        self.until("the interview to go on", |text| {
            text["type"] == "state" && text["state"] == "active"
        })
        .await;
    }

    /// Ends the interview as its page would, and waits until nothing of it is left.
    pub(crate) async fn ends(&mut self, house: &House, id: &SessionId) {
        self.say(r#"{"type":"end"}"#).await;
        self.until_type("ended").await;
        house.ended(id).await;
        house.idle().await;
    }

    /// The next text of that type.
    pub(crate) async fn until_type(&mut self, kind: &str) -> Value {
        self.until(kind, |text| {
            text.get("type").and_then(Value::as_str) == Some(kind)
        })
        .await
    }

    /// Waits until it has received so many audio packets more.
    pub(crate) async fn hears_more(&mut self, packets: u64) {
        let enough = *self.packets.borrow() + packets;
        let heard = self.packets.wait_for(|count| *count >= enough);
        timeout(PATIENCE, heard)
            .await
            .expect("audio comes")
            .unwrap();
    }

    /// Sends text on the data channel.
    pub(crate) async fn say(&self, text: &str) {
        self.says.send(Say::Text(text.to_owned())).await.unwrap();
    }

    /// Closes the peer.
    pub(crate) async fn leave(self) {
        drop(self.says.send(Say::Leave).await);
    }
}

/// Opus silence of 20 ms (RFC 6716, section 3.1: configuration 31, one frame).
const SILENCE: [u8; 3] = [0xF8, 0xFF, 0xFE];
const FRAME: Duration = Duration::from_millis(20);

async fn run(
    mut peer: Peer,
    mut socket: UdpSocket,
    texts: mpsc::Sender<Value>,
    packets: watch::Sender<u64>,
    mut orders: mpsc::Receiver<Say>,
) {
    let mut local = socket.local_addr().unwrap();
    let mut out = Vec::new();
    let mut buffer = [0; 2_048];
    let mut up = false;
    let mut silent_until = Instant::now();
    let mut rtp_time: u32 = 0;
    let mut tick = tokio::time::interval(FRAME);
    loop {
        for output in out.drain(..) {
            match output {
                // What it would send over a network that is gone gets nowhere.
                PeerOutput::Transmit { source, .. }
                    if source != local || Instant::now() < silent_until => {}
                PeerOutput::Transmit {
                    destination, bytes, ..
                } => drop(socket.send_to(&bytes, destination).await),
                PeerOutput::Up => up = true,
                PeerOutput::Lost => return,
                PeerOutput::Audio { .. } => packets.send_modify(|count| *count += 1),
                PeerOutput::Text(text) => {
                    drop(texts.try_send(serde_json::from_str(&text).unwrap()))
                }
            }
        }
        let due = peer.deadline();
        tokio::select! {
            received = socket.recv_from(&mut buffer) => if let Ok((length, source)) = received
                && Instant::now() >= silent_until
            {
                let bytes = buffer.get(..length).unwrap();
                peer.datagram(Instant::now(), Datagram { proto: Proto::Udp, source, destination: local, bytes }, &mut out);
            },
            order = orders.recv() => match order {
                Some(Say::Text(text)) => peer.send_text(Instant::now(), &text, &mut out),
                Some(Say::Leave) => {
                    peer.close(Instant::now(), &mut out);
                    for output in out.drain(..) {
                        if let PeerOutput::Transmit { destination, bytes, .. } = output {
                            drop(socket.send_to(&bytes, destination).await);
                        }
                    }
                    return;
                }
                Some(Say::Hop(next, offer)) => {
                    (local, socket) = (next.local_addr().unwrap(), next);
                    offer.send(peer.restart_offer(local).unwrap().to_string()).unwrap();
                }
                Some(Say::Silence(how_long)) => silent_until = Instant::now() + how_long,
                Some(Say::Arrive(answer)) => {
                    let answer = IceFragment::parse(&answer).unwrap();
                    peer.restart_answer(Instant::now(), &answer).unwrap();
                }
                None => return,
            },
            _ = tick.tick(), if up => {
                peer.send_audio(Instant::now(), rtp_time, SILENCE, &mut out);
                rtp_time = rtp_time.wrapping_add(960);
            }
            () = tokio::time::sleep_until(due.into()) => peer.timeout(Instant::now(), &mut out),
        }
    }
}
