//! A media shard's end of the sockets: what came in for its sessions, handed over in batches, and what they send,
//! gathered until all of them have had their turn.
//!
//! ```text
//! media-net:  recvmmsg ──> table ──> inbox of the lane ──(one wake-up per batch)──┐
//! shard:        session tasks <── their queues <── carry() <──────────────────────┘
//!               session tasks ──> outbox ──> carry(), once they have all had their turn ──> sendmmsg
//! ```

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use media::Proto;
use tokio::sync::{Notify, mpsc};

use super::batch::{self, Outgoing};
use super::demux::Inbound;
use super::{Net, Route};

/// Datagrams waiting for a shard: half a second of 250 sessions. A shard that is this far behind cannot be helped by more.
const INBOX: usize = 8_192;

/// A shard's end of the sockets; a cheap handle.
#[derive(Clone)]
pub(crate) struct Lane {
    net: Net,
    shared: Arc<Shared>,
}

/// What the reading thread knows of a lane.
pub(super) struct Shared {
    inbox: Mutex<Vec<Addressed>>,
    outbox: Mutex<Vec<Outgoing>>,
    changed: Notify,
}

/// A datagram and the queue of the session that it is for.
pub(super) struct Addressed {
    pub(super) inbound: Inbound,
    pub(super) queue: mpsc::Sender<Inbound>,
}

/// Takes from what is shared; every change of it is a single call, so that a panic leaves it whole.
fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    fn new() -> Shared {
        Shared {
            inbox: Mutex::default(),
            outbox: Mutex::default(),
            changed: Notify::new(),
        }
    }

    /// Hands over a batch with one wake-up and leaves the vector empty; how many found no room.
    pub(super) fn hand_over(&self, batch: &mut Vec<Addressed>) -> u64 {
        let mut inbox = lock(&self.inbox);
        let room = INBOX.saturating_sub(inbox.len()).min(batch.len());
        inbox.extend(batch.drain(..room));
        drop(inbox);
        self.changed.notify_one();
        let lost = batch.len() as u64;
        batch.clear();
        lost
    }
}

impl Lane {
    /// A lane whose [`Lane::carry`] must run on the shard.
    pub(crate) fn new(net: &Net) -> Lane {
        Lane {
            net: net.clone(),
            shared: Arc::new(Shared::new()),
        }
    }

    /// Lets datagrams for this user fragment reach `queue`, until the route is dropped.
    pub(crate) fn route(&self, ufrag: &str, queue: mpsc::Sender<Inbound>) -> Route {
        self.net.route(ufrag, queue, Arc::clone(&self.shared))
    }

    /// Sends once all tasks that are ready now had their turn. What cannot be sent then is lost and counted.
    pub(crate) fn send(&self, proto: Proto, destination: SocketAddr, bytes: Vec<u8>) {
        if proto == Proto::Tcp {
            return self.net.send_tcp(destination, bytes);
        }
        let mut outbox = lock(&self.shared.outbox);
        outbox.push(Outgoing { destination, bytes });
        // One more and the shard may never get to it: with so many it sends at once.
        if outbox.len() >= batch::AT_ONCE {
            self.net.send_udp(&outbox);
            outbox.clear();
        } else if outbox.len() == 1 {
            self.shared.changed.notify_one();
        }
    }

    /// Carries datagrams both ways for as long as it is polled.
    pub(crate) async fn carry(self) {
        let mut arrived = Vec::new();
        loop {
            self.shared.changed.notified().await;
            std::mem::swap(&mut arrived, &mut *lock(&self.shared.inbox));
            self.deliver(&mut arrived);
            self.flush();
        }
    }

    /// Sends what was gathered.
    pub(crate) fn flush(&self) {
        let mut outbox = lock(&self.shared.outbox);
        if !outbox.is_empty() {
            self.net.send_udp(&outbox);
            outbox.clear();
        }
    }

    /// Into the sessions' queues. Their tasks are on this thread: no wake-up crosses threads.
    fn deliver(&self, arrived: &mut Vec<Addressed>) {
        for Addressed { inbound, queue } in arrived.drain(..) {
            match queue.try_send(inbound) {
                Ok(()) => {}
                // Its media task is behind. Audio is worthless late, STUN and DTLS repeat themselves.
                Err(mpsc::error::TrySendError::Full(_)) => self.net.dropped("datagram", 1),
                // Its peer has just gone.
                Err(mpsc::error::TrySendError::Closed(_)) => {
                    self.net.dropped("unknown_datagram", 1);
                }
            }
        }
    }
}
