//! All live sessions of this process: starts them, finds them, hands them what people ask.

use std::collections::HashMap;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use engine::admission::{Bearable, Door, Strain, Verdict};
use engine::ids::{PeerNo, SessionId};
use engine::session::Request;
use media::{Certificate, NetConfig};
use providers::{Codec, Profile, Secret};
use store::Store;
use tokio::runtime::Handle;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::link;
use super::offer::{Accepted, Begun, NotLive, OfferRefusal, Start};
use super::shard::{Lateness, Shards};
use super::tally::Way;
use super::task::Command;
use crate::app::Change;
use crate::clock::Clock;
use crate::config::Config;
use crate::metrics::Metrics;
use crate::udp::Net;

/// For a session task to take a command, and for an answer to an offer or a restart. All take milliseconds.
pub(super) const ANSWERED_WITHIN: Duration = Duration::from_secs(5);
/// Kept of a drain for pausing what still runs.
const PARK_BEFORE: Duration = Duration::from_secs(8);
/// Kept of a drain for sessions that must be stopped by force: their journal and the last chunk of their recording.
const FORCE_BEFORE: Duration = Duration::from_secs(3);

/// Makes the codec of a link from its profile, the key and the root of the vendor's API. [`providers::codec`], unless a
/// test wants one that fails.
pub type MakeCodec = fn(&Profile, Option<&Secret>, &str) -> Box<dyn Codec>;

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
    /// How links are made.
    pub codec: MakeCodec,
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
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) parts: Parts,
    /// What browsers are told.
    pub(super) told: Arc<NetConfig>,
    /// TLS towards providers.
    pub(super) tls: Arc<rustls::ClientConfig>,
    pub(super) tasks: Tasks,
    sessions: Mutex<HashMap<SessionId, Entry>>,
    /// Before it wait those who found no place.
    door: Mutex<Door>,
    /// How many sessions there are, for whoever waits for none.
    live: watch::Sender<usize>,
    draining: AtomicBool,
    /// Sessions end by force once it is cancelled.
    pub(super) stop: CancellationToken,
}

pub(super) enum Entry {
    /// Being started by another offer; the receiver learns when that is over.
    Starting(watch::Receiver<()>),
    /// Running; this is how it is told things.
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
        self.inner
            .live
            .send_modify(|live| *live = live.saturating_sub(1));
        self.inner.parts.metrics.sessions_live.dec();
    }
}

impl Inner {
    pub(super) fn sessions(&self) -> MutexGuard<'_, HashMap<SessionId, Entry>> {
        // Held for single map calls, which leave it whole.
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn door(&self) -> MutexGuard<'_, Door> {
        // Held for one decision, which leaves it whole.
        self.door.lock().unwrap_or_else(PoisonError::into_inner)
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
        let capacity = &parts.config.capacity;
        let cap = capacity.sessions_max;
        let share = |percent: u32| match percent {
            100.. => f64::INFINITY,
            percent => f64::from(percent) / 100.0,
        };
        let bearable = Bearable {
            cpu: share(capacity.cpu_percent_max),
            late: share(capacity.late_percent_max),
        };
        let inner = Inner {
            parts,
            told: Arc::new(told),
            tls: link::tls(),
            tasks: Tasks {
                tracker,
                control: Handle::current(),
            },
            sessions: Mutex::default(),
            door: Mutex::new(Door::new(cap, bearable)),
            live: watch::Sender::new(0),
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
            match self.find(&start.session_id, start.begun)? {
                Found::Live(commands) => return again(&commands, sdp, start.way).await,
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

    /// Leaves a running session to the next process.
    ///
    /// # Errors
    /// If the session is not running here.
    pub async fn park(&self, id: &SessionId) -> Result<(), NotLive> {
        self.command(id, Command::Park).await
    }

    /// Keeps a session from being started for as long as the place is held; none if it runs here, or soon.
    pub(super) fn reserve(&self, id: &SessionId) -> Option<(Slot, watch::Sender<()>)> {
        match self.find(id, Begun::Before) {
            Ok(Found::Free(slot, over)) => Some((slot, over)),
            Ok(Found::Live(_) | Found::Starting(_)) | Err(_) => None,
        }
    }

    /// Whether this session runs here, or is starting or ending.
    #[must_use]
    pub fn has(&self, id: &SessionId) -> bool {
        self.inner.sessions().contains_key(id)
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

    /// How many places on media threads they have.
    #[must_use]
    pub fn seats(&self) -> usize {
        self.inner.parts.shards.seats()
    }

    /// TCP addresses that browsers are told.
    #[must_use]
    pub fn tcp_told(&self) -> &[SocketAddr] {
        self.inner.parts.net.tcp_told()
    }

    /// How late media threads were since this was asked last.
    pub(crate) fn lateness(&self) -> Lateness {
        self.inner.parts.shards.lateness()
    }

    /// Tells the door how the machine does, and counts who waits before it.
    pub(crate) fn strained(&self, cpu: f64, late: f64) -> Strain {
        let strain = self.inner.door().told(cpu, late);
        self.count_waiting();
        strain
    }

    /// How the machine did when it was looked at last.
    pub(crate) fn strain(&self) -> Strain {
        self.inner.door().strain()
    }

    fn count_waiting(&self) {
        let now = self.inner.parts.clock.now();
        let waiting = self.inner.door().waiting(now);
        let waiting = i64::try_from(waiting).unwrap_or(i64::MAX);
        self.inner.parts.metrics.sessions_waiting.set(waiting);
    }

    /// Resolves when there are no tasks (any more).
    pub async fn idle(&self) {
        self.inner.tasks.tracker.wait().await;
    }

    /// Takes no new sessions, and lets those that run come to their end. What still runs when the deadline is near is
    /// paused and left to the next process; what cannot even do that is left as a crash would leave it. Says whether
    /// all of them were written down in time.
    pub async fn drain(&self, deadline: Duration) -> bool {
        self.inner.draining.store(true, Ordering::Release);
        let until = tokio::time::Instant::now() + deadline;
        let mut count = self.inner.live.subscribe();
        let reserve = PARK_BEFORE.min(deadline * 3 / 4);
        if tokio::time::timeout_at(until - reserve, count.wait_for(|live| *live == 0))
            .await
            .is_err()
        {
            let live: Vec<_> = self.inner.sessions().keys().cloned().collect();
            tracing::info!(
                sessions = live.len(),
                "interviews still run and are paused for the next process"
            );
            let parked = live.iter().map(|id| self.park(id));
            // Whoever is not live any more needs no parking.
            drop(futures_util::future::join_all(parked).await);
        }
        let polite = until - FORCE_BEFORE.min(deadline / 2);
        if tokio::time::timeout_at(polite, count.wait_for(|live| *live == 0))
            .await
            .is_err()
        {
            tracing::warn!(
                sessions = self.live(),
                "sessions did not let go in time and are left as they are"
            );
            self.inner.stop.cancel();
        }
        // Tasks that still say goodbye to a page need not be waited for.
        tokio::time::timeout_at(until, count.wait_for(|live| *live == 0))
            .await
            .is_ok()
    }

    /// Ends the media threads. Blocks until they are gone; to be called when no session is left.
    pub fn stop_shards(&self) {
        self.inner.parts.shards.stop();
    }

    pub(super) async fn command(&self, id: &SessionId, command: Command) -> Result<(), NotLive> {
        let commands = match self.inner.sessions().get(id) {
            Some(Entry::Live(commands)) => commands.clone(),
            Some(Entry::Starting(_)) | None => return Err(NotLive),
        };
        match timeout(ANSWERED_WITHIN, commands.send(command)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(NotLive),
        }
    }

    fn find(&self, id: &SessionId, begun: Begun) -> Result<Found, OfferRefusal> {
        let mut sessions = self.inner.sessions();
        match sessions.get(id) {
            Some(Entry::Live(commands)) => return Ok(Found::Live(commands.clone())),
            Some(Entry::Starting(over)) => return Ok(Found::Starting(over.clone())),
            None => {}
        }
        if self.inner.draining.load(Ordering::Acquire) {
            return Err(OfferRefusal::Draining);
        }
        if begun == Begun::Now {
            let now = self.inner.parts.clock.now();
            let verdict = self.inner.door().ask(now, id, sessions.len());
            self.count_waiting();
            if let Verdict::Waits { position, waiting } = verdict {
                return Err(OfferRefusal::Full { position, waiting });
            }
        }
        let (over_in, over) = watch::channel(());
        sessions.insert(id.clone(), Entry::Starting(over));
        self.inner.live.send_modify(|live| *live += 1);
        self.inner.parts.metrics.sessions_live.inc();
        Ok(Found::Free(
            Slot {
                inner: Arc::clone(&self.inner),
                session_id: id.clone(),
            },
            over_in,
        ))
    }
}

async fn again(
    commands: &mpsc::Sender<Command>,
    sdp: String,
    way: Way,
) -> Result<Accepted, OfferRefusal> {
    let (reply, answer) = oneshot::channel();
    let asked = async {
        commands
            .send(Command::Offer { sdp, way, reply })
            .await
            .map_err(|_| OfferRefusal::Ended)?;
        answer.await.map_err(|_| OfferRefusal::Ended)?
    };
    timeout(ANSWERED_WITHIN, asked)
        .await
        .map_err(|_elapsed| OfferRefusal::Unavailable)?
}
