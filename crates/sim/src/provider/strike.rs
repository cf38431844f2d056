//! Striking realtime connections that are open: what networks and vendors do in the middle of an interview.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;

use super::config::FaultKind;

/// Strikes that wait for one connection, at most.
const WAITING_MAX: usize = 8;

/// What is done to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strike {
    /// The TCP connection ends without a close frame.
    Cut,
    /// The TCP connection stays, and nothing comes or goes on it any more.
    HalfOpen,
    /// It goes wrong in this way from now on.
    Fault(FaultKind),
}

/// The realtime connections of a simulator that are open now, by number.
#[derive(Clone, Debug, Default)]
pub struct Sockets(Arc<Mutex<BTreeMap<u32, mpsc::Sender<Strike>>>>);

impl Sockets {
    /// Numbers of the open connections, oldest first.
    #[must_use]
    pub fn open(&self) -> Vec<u32> {
        self.lock().keys().copied().collect()
    }

    /// Strikes one; false if it is not open.
    #[must_use]
    pub fn strike(&self, number: u32, strike: Strike) -> bool {
        self.lock()
            .get(&number)
            .is_some_and(|socket| socket.try_send(strike).is_ok())
    }

    /// A connection is open until what this returns is dropped.
    pub(super) fn enter(&self, number: u32) -> Strikes {
        let (send, receive) = mpsc::channel(WAITING_MAX);
        self.lock().insert(number, send);
        Strikes {
            sockets: self.clone(),
            number,
            receive,
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<u32, mpsc::Sender<Strike>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The strikes of one connection.
pub(super) struct Strikes {
    sockets: Sockets,
    number: u32,
    receive: mpsc::Receiver<Strike>,
}

impl Strikes {
    /// The next one, if ever. Safe to cancel.
    pub(super) async fn next(&mut self) -> Strike {
        match self.receive.recv().await {
            Some(strike) => strike,
            None => std::future::pending().await,
        }
    }
}

impl Drop for Strikes {
    fn drop(&mut self) {
        self.sockets.lock().remove(&self.number);
    }
}
