//! A bounded queue for audio: when it is full the oldest goes. Late audio is worth less than none, so the writer never
//! waits and the reader always hears the newest.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// The writing side.
pub(super) struct Sender<T> {
    shared: Arc<Shared<T>>,
}

/// The reading side; there is one.
pub(super) struct Receiver<T> {
    shared: Arc<Shared<T>>,
}

/// What became of what was sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sent<T> {
    /// It is in the queue.
    Queued,
    /// It is in the queue, and the oldest was dropped for it.
    OldestDropped,
    /// Nobody reads any more: this is everything that was not read, oldest first.
    Closed(VecDeque<T>),
}

struct Shared<T> {
    queue: Mutex<Queue<T>>,
    changed: Notify,
    capacity: usize,
}

struct Queue<T> {
    items: VecDeque<T>,
    open: bool,
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, Queue<T>> {
        // Held for a push or a pop, which leave the queue whole even if something panics around them.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self) {
        self.lock().open = false;
        self.changed.notify_one();
    }
}

/// Makes a queue that holds `capacity` items.
pub(super) fn channel<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    let queue = Mutex::new(Queue {
        items: VecDeque::new(),
        open: true,
    });
    let shared = Arc::new(Shared {
        queue,
        changed: Notify::new(),
        capacity,
    });
    (
        Sender {
            shared: Arc::clone(&shared),
        },
        Receiver { shared },
    )
}

impl<T> Sender<T> {
    /// Adds an item at once, if need be in place of the oldest.
    pub(super) fn send(&self, item: T) -> Sent<T> {
        let mut queue = self.shared.lock();
        if !queue.open {
            queue.items.push_back(item);
            return Sent::Closed(std::mem::take(&mut queue.items));
        }
        let sent = if queue.items.len() < self.shared.capacity {
            Sent::Queued
        } else {
            queue.items.pop_front();
            Sent::OldestDropped
        };
        queue.items.push_back(item);
        drop(queue);
        self.shared.changed.notify_one();
        sent
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.shared.close();
    }
}

#[expect(
    clippy::needless_pass_by_ref_mut,
    reason = "one reader at a time, as with any channel"
)]
impl<T> Receiver<T> {
    /// The next item; none once the writer is gone and the queue is empty. Loses nothing when cancelled.
    pub(super) async fn recv(&mut self) -> Option<T> {
        loop {
            {
                let mut queue = self.shared.lock();
                if let Some(item) = queue.items.pop_front() {
                    return Some(item);
                }
                if !queue.open {
                    return None;
                }
            }
            // A notification between the look and this line is kept as a permit: there is only one reader.
            self.shared.changed.notified().await;
        }
    }

    /// The next item, if one is there.
    pub(super) fn try_recv(&mut self) -> Option<T> {
        self.shared.lock().items.pop_front()
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.shared.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_full_queue_forgets_the_oldest() {
        let (sender, mut receiver) = channel(2);
        assert_eq!(sender.send(1), Sent::Queued);
        assert_eq!(sender.send(2), Sent::Queued);
        assert_eq!(sender.send(3), Sent::OldestDropped);
        assert_eq!(receiver.recv().await, Some(2));
        assert_eq!(receiver.try_recv(), Some(3));
        assert_eq!(receiver.try_recv(), None);
    }

    #[tokio::test]
    async fn each_side_learns_that_the_other_is_gone() {
        let (sender, mut receiver) = channel(2);
        drop(sender.send(1));
        drop(sender);
        assert_eq!(receiver.recv().await, Some(1));
        assert_eq!(receiver.recv().await, None);
        let (sender, receiver) = channel(2);
        assert_eq!(sender.send(1), Sent::Queued);
        drop(receiver);
        assert_eq!(
            sender.send(2),
            Sent::Closed([1, 2].into()),
            "nothing unread is lost"
        );
    }

    #[tokio::test]
    async fn a_waiting_reader_is_woken() {
        let (sender, mut receiver) = channel(2);
        let (received, sent) = tokio::join!(receiver.recv(), async { sender.send(7) });
        assert_eq!((received, sent), (Some(7), Sent::Queued));
    }
}
