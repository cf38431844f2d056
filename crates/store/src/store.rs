//! The handle that everyone else holds.

mod grants;
mod jobs;
mod journal;
mod recordings;
mod sessions;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::mpsc::error::SendTimeoutError;
use tokio::sync::{Notify, mpsc, oneshot};

use crate::clock::Steady;
use crate::config::{Database, StoreConfig};
use crate::error::StoreError;
use crate::job::{Lane, NewJob};
use crate::objects::Objects;
use crate::op::{Append, LimitPages};
use crate::sql::{self, Counters, Message, Operation, Pool, Reader, Task, Write, Writer};

/// Everything durable. Cheap to clone; all clones are one store.
///
/// A write resolves when it is durable. Dropping the future of a write does not undo it: whether it was kept is then
/// unknown to the one who dropped it. A write waits for room in the queue and then for the disk, each with a deadline
/// ([`StoreConfig::queue_wait`], [`StoreConfig::commit_wait`]).
#[derive(Clone, Debug)]
pub struct Store {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    queue: mpsc::Sender<Message>,
    reader: Reader,
    objects: Objects,
    counters: Arc<Counters>,
    clock: Steady,
    node: String,
    database: Database,
    queue_wait: Duration,
    commit_wait: Duration,
    wakes: Arc<Wakes>,
}

/// Who waits for work, by lane.
#[derive(Debug, Default)]
struct Wakes([Notify; Lane::ALL.len()]);

impl Wakes {
    fn of(&self, lane: Lane) -> &Notify {
        let [
            recording,
            transcript,
            enrichment,
            analysis,
            delivery,
            second,
        ] = &self.0;
        match lane {
            Lane::Recording => recording,
            Lane::Transcript => transcript,
            Lane::Enrichment => enrichment,
            Lane::Analysis => analysis,
            Lane::Delivery => delivery,
            Lane::SecondTranscript => second,
        }
    }
}

/// What the writer has done since the store was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Transactions committed.
    pub transactions: u64,
    /// Operations committed in them.
    pub operations: u64,
    /// Operations refused or failed.
    pub failed: u64,
    /// Of these: for want of room.
    pub full: u64,
    /// Writes that wait for the writer now.
    pub queued: u64,
    /// How often the machine's clock was set back.
    pub clock_set_back: u64,
}

impl Store {
    /// Opens a store, creating and migrating it as needed, and starts its writer. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// `InUse`, `NewerDatabase`, `NotWritable`, `Full`, `Corrupt`: each says what to do.
    pub async fn open(config: StoreConfig) -> Result<Store, StoreError> {
        let objects = Objects::open(&config.recordings)?;
        let opened = sql::open(&config).await?;
        let readers = opened.readers.clone();
        let wakes = Arc::new(Wakes::default());
        if matches!(readers, Pool::Postgres(_)) {
            let wakes = Arc::clone(&wakes);
            let wake = move |lane| wakes.of(lane).notify_one();
            tokio::spawn(sql::listen(readers.clone(), Arc::new(wake)));
        }
        let counters = Arc::new(Counters::default());
        let (queue, queued) = mpsc::channel(config.queue.max(1));
        let writer = Writer::new(
            queued,
            opened,
            Arc::clone(&counters),
            config.gather,
            config.group_max,
            config.on_commit.clone(),
        );
        tokio::spawn(writer.run());
        let shared = Shared {
            queue,
            reader: Reader::new(readers),
            objects,
            counters,
            clock: Steady::new(config.clock),
            node: config.node,
            database: config.database,
            queue_wait: config.queue_wait,
            commit_wait: config.commit_wait,
            wakes,
        };
        Ok(Store {
            shared: Arc::new(shared),
        })
    }

    /// Writes what is queued, writes the log back into the database, and lets go of the files. Later writes are refused.
    /// Closing twice does nothing.
    ///
    /// # Errors
    /// `Unavailable` if that took longer than [`StoreConfig::commit_wait`]; `Full` if the log could not be written back
    /// (nothing is lost: it is replayed at the next start).
    pub async fn close(&self) -> Result<(), StoreError> {
        let (ack, closed) = oneshot::channel();
        if self
            .shared
            .queue
            .send_timeout(Message::Close(ack), self.shared.queue_wait)
            .await
            .is_err()
        {
            if self.shared.queue.is_closed() {
                return Ok(());
            }
            return Err(StoreError::Busy {
                waited_ms: millis(self.shared.queue_wait),
            });
        }
        // Readers first: the log can only be cut when nobody reads from it.
        self.shared.reader.close().await;
        match tokio::time::timeout(self.shared.commit_wait, closed).await {
            Ok(Ok(result)) => result.map_err(|error| self.placed(error)),
            // The writer went between the two: somebody else closed it.
            Ok(Err(_gone)) => Ok(()),
            Err(_late) => Err(StoreError::unavailable("the writer did not close in time")),
        }
    }

    /// What the writer has done.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let counters = &self.shared.counters;
        let queue = &self.shared.queue;
        Stats {
            transactions: counters.transactions.load(Ordering::Relaxed),
            operations: counters.operations.load(Ordering::Relaxed),
            failed: counters.failed.load(Ordering::Relaxed),
            full: counters.full.load(Ordering::Relaxed),
            queued: queue.max_capacity().saturating_sub(queue.capacity()) as u64,
            clock_set_back: self.shared.clock.set_back(),
        }
    }

    /// Now, by the store's clock, in microseconds UTC. Never less than before: a machine's clock that is set back is not
    /// followed.
    #[must_use]
    pub fn now_us(&self) -> i64 {
        self.shared.clock.now_us()
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// `Unavailable` with the reason.
    pub async fn ping(&self) -> Result<(), StoreError> {
        if self.shared.queue.is_closed() {
            return Err(closed());
        }
        self.shared.reader.ping().await
    }

    /// Limits the database to so many pages of 4 KiB from now on; none lifts the limit. A write beyond it fails with
    /// `Full`, as on a full disk, which is how that is rehearsed.
    ///
    /// # Errors
    /// As for any write.
    pub async fn limit_pages(&self, pages_max: Option<u32>) -> Result<(), StoreError> {
        self.write(LimitPages { pages_max }).await
    }

    /// Queues an operation and waits until it is durable.
    async fn write<O: Operation>(&self, operation: O) -> Result<O::Out, StoreError> {
        let (task, result) = Task::new(operation);
        self.queue_and_wait(Write::Other(Box::new(task)), result)
            .await
    }

    /// As `write`, for the operation that comes most often.
    async fn write_append(&self, append: Append) -> Result<u64, StoreError> {
        let (task, result) = Task::new(append);
        self.queue_and_wait(Write::Append(task), result).await
    }

    async fn queue_and_wait<T>(
        &self,
        write: Write,
        result: oneshot::Receiver<Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let wait = self.shared.queue_wait;
        match self
            .shared
            .queue
            .send_timeout(Message::Write(write), wait)
            .await
        {
            Ok(()) => {}
            Err(SendTimeoutError::Timeout(_)) => {
                return Err(StoreError::Busy {
                    waited_ms: millis(wait),
                });
            }
            Err(SendTimeoutError::Closed(_)) => return Err(closed()),
        }
        match tokio::time::timeout(self.shared.commit_wait, result).await {
            Ok(Ok(result)) => result.map_err(|error| self.placed(error)),
            Ok(Err(_gone)) => Err(StoreError::unavailable(
                "the writer stopped; it is not known whether the write was kept",
            )),
            Err(_late) => Err(StoreError::unavailable(format!(
                "the database did not answer for {} ms; it is not known whether the write was kept",
                millis(self.shared.commit_wait)
            ))),
        }
    }

    /// Says where the room is missing; the dialect does not know its own path.
    fn placed(&self, error: StoreError) -> StoreError {
        let StoreError::Full { what, .. } = error else {
            return error;
        };
        StoreError::Full {
            what,
            place: self.shared.database.to_string(),
        }
    }

    /// Wakes one worker of each lane that got work.
    fn wake(&self, jobs: &[NewJob]) {
        for lane in Lane::ALL {
            if jobs.iter().any(|job| job.lane == lane) {
                self.wake_of(lane).notify_one();
            }
        }
    }

    fn wake_of(&self, lane: Lane) -> &Notify {
        self.shared.wakes.of(lane)
    }
}

fn closed() -> StoreError {
    StoreError::unavailable("it was closed; this process is stopping")
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
