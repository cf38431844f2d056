//! All live sessions of this process: starts them, finds them, hands them what people ask.

use std::collections::HashMap;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use engine::ids::{PeerNo, SessionId};
use engine::plan::Plan;
use engine::session::{Request, Session, State};
use media::{Certificate, Desk, DeskConfig, NetConfig, OfferError, Recording};
use providers::{Profile, Secret};
use store::{Epoch, Store, StoreError};
use tokio::runtime::Handle;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::outbox::Outbox;
use super::recorder::{self, Recorder};
use super::shard::Shards;
use super::supervise::Supervised;
use super::task::{self, Command, Provider, SessionTask};
use super::{link, media as media_task};
use crate::app::Change;
use crate::clock::Clock;
use crate::config::Config;
use crate::metrics::Metrics;
use crate::study::Study;
use crate::udp::Net;

/// For a session task to take a command, and for an answer to an offer. Both take milliseconds.
const ANSWERED_WITHIN: Duration = Duration::from_secs(5);
/// Kept of a drain for sessions that must be ended by force: their journal and the last chunk of their recording.
const FORCE_BEFORE: Duration = Duration::from_secs(3);

/// What a session needs to begin.
pub struct Start {
    /// Whose.
    pub session_id: SessionId,
    /// Its study.
    pub study: Arc<Study>,
    /// The study as this session runs it.
    pub plan: Plan,
    /// The provider profile that was chosen for it.
    pub profile: Profile,
}

/// An offer was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The answer.
    pub sdp: String,
    /// The new peer.
    pub peer: PeerNo,
}

/// Why an offer was not accepted.
#[derive(Clone, Debug, thiserror::Error)]
pub enum OfferRefusal {
    /// The offer itself.
    #[error("{0}")]
    Bad(OfferError),
    /// As many sessions as allowed are running.
    #[error("as many interviews as this server may hold are running; try again in a few minutes")]
    Full,
    /// The process is about to end.
    #[error("this server is about to restart; try again in a minute")]
    Draining,
    /// The session is over, or ending.
    #[error("this interview is over")]
    Ended,
    /// The store.
    #[error("the interview cannot be written down right now ({0}); try again in a minute")]
    Store(#[from] StoreError),
    /// The session did not answer in time, or its audio cannot be set up.
    #[error("the interview cannot be connected right now; try again in a minute")]
    Unavailable,
}

/// There is no such session on this process, or it is ending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this interview is not running")]
pub struct NotLive;

/// What the registry is made of.
pub struct Parts {
    /// Configuration.
    pub config: Config,
    /// Everything durable.
    pub store: Store,
    /// Numbers.
    pub metrics: Arc<Metrics>,
    /// Time.
    pub clock: Clock,
    /// Console events.
    pub changes: broadcast::Sender<Change>,
    /// Media sockets.
    pub net: Net,
    /// Media threads.
    pub shards: Shards,
    /// This process's name, as owner of its sessions.
    pub node: String,
}

/// Counts and spawns the tasks of sessions. The one way to spawn here, so that a test can see all of them end.
#[derive(Clone)]
pub(super) struct Tasks {
    tracker: TaskTracker,
    control: Handle,
}

impl Tasks {
    /// Spawns on the control runtime.
    pub(super) fn spawn<F>(&self, task: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.spawn_on(task, &self.control)
    }

    /// Spawns on a shard.
    pub(super) fn spawn_on<F>(&self, task: F, on: &Handle) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.tracker.spawn_on(task, on)
    }
}

/// All live sessions. A cheap handle.
#[derive(Clone)]
pub struct Registry {
    inner: Arc<Inner>,
}

struct Inner {
    parts: Parts,
    told: Arc<NetConfig>,
    tls: Arc<rustls::ClientConfig>,
    tasks: Tasks,
    sessions: Mutex<HashMap<SessionId, Entry>>,
    draining: AtomicBool,
    stop: CancellationToken,
}

enum Entry {
    /// Being started by another offer; the receiver learns when that is over.
    Starting(watch::Receiver<()>),
    Live(mpsc::Sender<Command>),
}

/// A session's place in the registry; dropping it frees the place.
pub(super) struct Slot {
    inner: Arc<Inner>,
    session_id: SessionId,
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.inner.sessions().remove(&self.session_id);
        self.inner.parts.metrics.sessions_live.dec();
    }
}

impl Inner {
    fn sessions(&self) -> MutexGuard<'_, HashMap<SessionId, Entry>> {
        // Held for single map calls, which leave it whole.
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Found {
    Live(mpsc::Sender<Command>),
    Starting(watch::Receiver<()>),
    Free(Slot, watch::Sender<()>),
}

impl Registry {
    /// An empty registry whose sessions run their control on the runtime that this is called on.
    #[must_use]
    pub fn new(parts: Parts) -> Registry {
        let told = NetConfig {
            udp: parts.net.udp_told().to_vec(),
            tcp: parts.net.tcp_told().to_vec(),
            cert: Certificate::generate(),
        };
        let tracker = TaskTracker::new();
        // Closed only means that `wait` may return; tasks can still be spawned.
        tracker.close();
        let inner = Inner {
            parts,
            told: Arc::new(told),
            tls: link::tls(),
            tasks: Tasks {
                tracker,
                control: Handle::current(),
            },
            sessions: Mutex::default(),
            draining: AtomicBool::new(false),
            stop: CancellationToken::new(),
        };
        Registry {
            inner: Arc::new(inner),
        }
    }

    /// Connects a participant: starts the session, or gives a running one a new peer in place of its old one. A running
    /// session is never refused for want of room.
    ///
    /// # Errors
    /// See [`OfferRefusal`]; a refused offer changes nothing.
    pub async fn offer(&self, start: Start, sdp: String) -> Result<Accepted, OfferRefusal> {
        loop {
            match self.find(&start.session_id)? {
                Found::Live(commands) => return again(&commands, sdp).await,
                Found::Starting(mut over) => {
                    // The sender is dropped when the other offer was answered.
                    if timeout(ANSWERED_WITHIN, over.changed()).await.is_err() {
                        return Err(OfferRefusal::Unavailable);
                    }
                }
                Found::Free(slot, over) => {
                    let accepted = self.start(start, &sdp, slot).await;
                    drop(over);
                    return accepted;
                }
            }
        }
    }

    /// Closes a peer whose page hung up.
    ///
    /// # Errors
    /// If the session is not running here.
    pub async fn close_peer(&self, id: &SessionId, peer: PeerNo) -> Result<(), NotLive> {
        self.command(id, Command::HangUp(peer)).await
    }

    /// Passes on what a participant asks.
    ///
    /// # Errors
    /// If the session is not running here.
    pub async fn request(&self, id: &SessionId, request: Request) -> Result<(), NotLive> {
        self.command(id, Command::Request(request)).await
    }

    /// Ends a session in the operator's name.
    ///
    /// # Errors
    /// If the session is not running here.
    pub async fn end(&self, id: &SessionId) -> Result<(), NotLive> {
        self.command(id, Command::End).await
    }

    /// How many sessions there are, starting and ending ones included.
    #[must_use]
    pub fn live(&self) -> usize {
        self.inner.sessions().len()
    }

    /// How many tasks there are for them.
    #[must_use]
    pub fn tasks(&self) -> usize {
        self.inner.tasks.tracker.len()
    }

    /// Resolves when there are no tasks (any more).
    pub async fn idle(&self) {
        self.inner.tasks.tracker.wait().await;
    }

    /// Takes no new sessions and ends those that run: politely at first, by force when the deadline is near. Says
    /// whether all of them were written down in time.
    pub async fn drain(&self, deadline: Duration) -> bool {
        self.inner.draining.store(true, Ordering::Release);
        let until = tokio::time::Instant::now() + deadline;
        let live: Vec<_> = self.inner.sessions().keys().cloned().collect();
        for id in &live {
            // Whoever is not live any more needs no end.
            drop(self.end(id).await);
        }
        let polite = until - deadline.min(FORCE_BEFORE.min(deadline / 2));
        if tokio::time::timeout_at(polite, self.idle()).await.is_err() {
            tracing::warn!(
                sessions = self.live(),
                "sessions did not end in time and are ended by force"
            );
            self.inner.stop.cancel();
        }
        tokio::time::timeout_at(until, self.idle()).await.is_ok()
    }

    /// Ends the media threads. Blocks until they are gone; to be called when no session is left.
    pub fn stop_shards(&self) {
        self.inner.parts.shards.stop();
    }

    async fn command(&self, id: &SessionId, command: Command) -> Result<(), NotLive> {
        let commands = match self.inner.sessions().get(id) {
            Some(Entry::Live(commands)) => commands.clone(),
            Some(Entry::Starting(_)) | None => return Err(NotLive),
        };
        match timeout(ANSWERED_WITHIN, commands.send(command)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(NotLive),
        }
    }

    fn find(&self, id: &SessionId) -> Result<Found, OfferRefusal> {
        let mut sessions = self.inner.sessions();
        match sessions.get(id) {
            Some(Entry::Live(commands)) => return Ok(Found::Live(commands.clone())),
            Some(Entry::Starting(over)) => return Ok(Found::Starting(over.clone())),
            None => {}
        }
        if self.inner.draining.load(Ordering::Acquire) {
            return Err(OfferRefusal::Draining);
        }
        if sessions.len() >= self.inner.parts.config.capacity.sessions_max {
            return Err(OfferRefusal::Full);
        }
        let (over_in, over) = watch::channel(());
        sessions.insert(id.clone(), Entry::Starting(over));
        self.inner.parts.metrics.sessions_live.inc();
        Ok(Found::Free(
            Slot {
                inner: Arc::clone(&self.inner),
                session_id: id.clone(),
            },
            over_in,
        ))
    }

    async fn start(&self, start: Start, sdp: &str, slot: Slot) -> Result<Accepted, OfferRefusal> {
        let inner = &self.inner;
        // The offer is looked at first: a bad one must leave no trace.
        let mut desk = self.desk(&start.profile)?;
        let answer = desk
            .accept(Instant::now(), sdp, &inner.told)
            .map_err(OfferRefusal::Bad)?;
        let row = inner
            .parts
            .store
            .session(&start.session_id)
            .await?
            .ok_or(OfferRefusal::Ended)?;
        if row.state == State::Ended {
            return Err(OfferRefusal::Ended);
        }
        let epoch = inner
            .parts
            .store
            .claim_session(&start.session_id, &inner.parts.node)
            .await?;
        let peer = PeerNo(1);
        self.spawn(
            start,
            desk,
            &answer.ufrag,
            peer,
            (epoch, row.last_seq),
            slot,
        );
        Ok(Accepted {
            sdp: answer.sdp,
            peer,
        })
    }

    fn desk(&self, profile: &Profile) -> Result<Desk, OfferRefusal> {
        let config = DeskConfig {
            model_rate_hz: profile.input_rate_hz,
            opus_complexity: self.inner.parts.config.media.opus_complexity,
            opus_bitrate_bps: self.inner.parts.config.media.opus_bitrate_bps,
            recording: Recording::On,
        };
        Desk::new(Instant::now(), config).map_err(|error| {
            tracing::error!(%error, "audio cannot be set up");
            OfferRefusal::Unavailable
        })
    }

    /// Connects all parts of a session and sets them going.
    fn spawn(
        &self,
        start: Start,
        desk: Desk,
        ufrag: &str,
        peer: PeerNo,
        (epoch, last_seq): (Epoch, u64),
        slot: Slot,
    ) {
        let inner = &self.inner;
        let parts = &inner.parts;
        let session_id = start.session_id.clone();
        let (commands_in, commands) = mpsc::channel(task::COMMANDS);
        let (orders_in, orders) = mpsc::channel(media_task::ORDERS);
        let (spoken_in, spoken) = mpsc::channel(media_task::SPOKEN);
        let (reports_in, reports) = mpsc::channel(media_task::REPORTS);
        let (datagrams_in, datagrams) = mpsc::channel(media_task::DATAGRAMS);
        let (chunks_in, chunks) = mpsc::channel(recorder::QUEUE);
        let (events_in, events) = mpsc::channel(task::EVENTS);
        let (gaps_in, gaps) = mpsc::channel(4);
        let (failures_in, failures) = mpsc::channel(4);
        let seat = parts.shards.seat();
        let media = media_task::MediaTask {
            desk,
            peer,
            route: Some(parts.net.route(ufrag, datagrams_in.clone())),
            datagrams_in,
            datagrams,
            orders,
            spoken,
            reports: reports_in,
            chunks: Some(chunks_in),
            failures: failures_in.clone(),
            net: parts.net.clone(),
            told: Arc::clone(&inner.told),
            clock: parts.clock,
            metrics: Arc::clone(&parts.metrics),
        };
        drop(inner.tasks.spawn_on(media.run(), seat.handle()));
        let recorder = Recorder {
            store: parts.store.clone(),
            session_id: session_id.clone(),
            chunks,
            gaps: gaps_in,
            metrics: Arc::clone(&parts.metrics),
        };
        let recorder = inner.tasks.spawn(recorder.run());
        let task = SessionTask {
            session_id: session_id.clone(),
            session: Session::new(parts.clock.now(), start.plan, start.profile.capabilities),
            study: start.study,
            outbox: Outbox::new(
                parts.store.clone(),
                session_id.clone(),
                epoch,
                last_seq,
                Arc::clone(&parts.metrics),
            ),
            peer,
            commands,
            reports,
            events,
            events_in,
            gaps,
            failures,
            failures_in,
            media: orders_in,
            spoken: spoken_in,
            link: None,
            provider: self.provider(start.profile),
            seat,
            tasks: inner.tasks.clone(),
            stop: inner.stop.clone(),
            changes: parts.changes.clone(),
            clock: parts.clock,
            metrics: Arc::clone(&parts.metrics),
        };
        let supervised = Supervised {
            task,
            recorder,
            store: parts.store.clone(),
            epoch,
            stop: inner.stop.clone(),
            slot,
        };
        // Before the task runs: its end takes the entry out again.
        inner
            .sessions()
            .insert(session_id, Entry::Live(commands_in));
        drop(inner.tasks.spawn(supervised.run()));
    }

    fn provider(&self, profile: Profile) -> Provider {
        let config = &self.inner.parts.config.provider;
        let key = &config.openai_api_key;
        Provider {
            profile,
            base_url: config.openai_base_url.clone(),
            key: (!key.expose().is_empty()).then(|| Secret::clone(key)),
            ready_within: Duration::from_millis(config.connect_timeout_ms),
            tls: Arc::clone(&self.inner.tls),
        }
    }
}

async fn again(commands: &mpsc::Sender<Command>, sdp: String) -> Result<Accepted, OfferRefusal> {
    let (reply, answer) = oneshot::channel();
    let asked = async {
        commands
            .send(Command::Offer { sdp, reply })
            .await
            .map_err(|_| OfferRefusal::Ended)?;
        answer.await.map_err(|_| OfferRefusal::Ended)?
    };
    timeout(ANSWERED_WITHIN, asked)
        .await
        .map_err(|_elapsed| OfferRefusal::Unavailable)?
}
