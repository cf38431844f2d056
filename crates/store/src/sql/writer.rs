//! The only task that writes. It gathers what is queued into one transaction, so that one fsync makes many sessions'
//! entries durable, and acknowledges each operation only after COMMIT.
//!
//! Every operation of a group has a savepoint of its own (appends, which are most of them and check before they write, one
//! for each run of them): one that is refused (fenced off, say) leaves its neighbours alone. Where the transaction itself breaks
//! (disk full, an I/O error, two nodes that wait for each other) all of it is rolled back and each operation is carried out
//! again in a transaction of its own, so that the one for which there is no room fails and the others do not.
//! Only a COMMIT that fails for another reason leaves a fate unknown, and says so.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout};

use super::db::Db;
use super::error::{breaks_transaction, is_rolled_back};
use super::journal::append_all;
use super::open::{self, Again, Opened};
use super::queue::{Counters, Message, Step, Task, Write};
use crate::config::OnCommit;
use crate::error::StoreError;
use crate::op::Append;

/// Without work for so long, the WAL is written back and cut to nothing.
const IDLE: Duration = Duration::from_secs(30);
/// A server on the same continent begins a transaction within a tenth of a second.
const BEGIN_WAIT: Duration = Duration::from_secs(3);

/// The writer task. It owns the connection, the lock on the database, and the queue's receiving end.
pub(crate) struct Writer {
    queue: mpsc::Receiver<Message>,
    /// None after a failure that left the connection in doubt; the next group opens a new one.
    db: Option<Db>,
    again: Again,
    counters: Arc<Counters>,
    gather: Duration,
    group_max: usize,
    /// Let go of last, when nothing is written any more.
    _lock: Option<File>,
    on_commit: OnCommit,
}

/// How a transaction ended.
enum Committed {
    /// Durable.
    Yes,
    /// Rolled back, and may be tried again.
    No(StoreError),
    /// Nobody knows.
    Unknown(StoreError),
}

impl Writer {
    pub(crate) fn new(
        queue: mpsc::Receiver<Message>,
        opened: Opened,
        counters: Arc<Counters>,
        gather: Duration,
        group_max: usize,
        on_commit: OnCommit,
    ) -> Writer {
        Writer {
            queue,
            db: Some(opened.writer),
            again: opened.again,
            counters,
            gather,
            group_max: group_max.max(1),
            on_commit,
            _lock: opened.lock,
        }
    }

    /// Writes until it is closed or all handles are gone.
    pub(crate) async fn run(mut self) {
        let mut written_since_checkpoint = 0_usize;
        let closing = loop {
            let message = match tokio::time::timeout(IDLE, self.queue.recv()).await {
                Ok(Some(message)) => message,
                Ok(None) => break None,
                Err(_idle) => {
                    if std::mem::take(&mut written_since_checkpoint) > 0 {
                        self.checkpoint().await;
                    }
                    continue;
                }
            };
            let (group, closing) = self.gather(message).await;
            written_since_checkpoint = written_since_checkpoint.saturating_add(group.len());
            self.write(group).await;
            if closing.is_some() {
                break closing;
            }
        };
        self.shut(closing).await;
    }

    /// Takes what comes within the gathering time, up to the size of a group.
    async fn gather(
        &mut self,
        first: Message,
    ) -> (Vec<Write>, Option<oneshot::Sender<Result<(), StoreError>>>) {
        let mut group = Vec::new();
        let until = Instant::now() + self.gather;
        let mut next = Some(first);
        while let Some(message) = next {
            match message {
                Message::Write(write) => group.push(write),
                Message::Close(ack) => return (group, Some(ack)),
            }
            if group.len() >= self.group_max {
                break;
            }
            next = tokio::time::timeout_at(until, self.queue.recv())
                .await
                .ok()
                .flatten();
        }
        (group, None)
    }

    async fn write(&mut self, mut group: Vec<Write>) {
        if group.len() > 1 {
            match self.write_together(group).await {
                Ok(()) => return,
                Err(undone) => group = undone,
            }
        }
        for write in group {
            self.write_alone(write).await;
        }
    }

    /// One transaction for all, one savepoint for each. Gives the operations back if the transaction broke.
    async fn write_together(&mut self, mut group: Vec<Write>) -> Result<(), Vec<Write>> {
        let db = match self.begin().await {
            Ok(db) => db,
            // Nothing was written, and to ask again for each would keep the last of them waiting for ever.
            Err(error) => {
                for write in group {
                    self.settle(write, Err(error.clone()));
                }
                return Ok(());
            }
        };
        let fates = match apply_all(db, &mut group).await {
            Ok(fates) => fates,
            Err(broken) => {
                tracing::warn!(error = %broken, "a transaction broke and its operations are written one by one");
                self.roll_back().await;
                return Err(group);
            }
        };
        match self.commit().await {
            Committed::Yes => {
                for (write, fate) in group.into_iter().zip(fates) {
                    self.settle(write, fate);
                }
                Ok(())
            }
            Committed::No(error) => {
                tracing::warn!(%error, "a transaction could not be committed and its operations are written one by one");
                Err(group)
            }
            Committed::Unknown(error) => {
                for (write, fate) in group.into_iter().zip(fates) {
                    self.settle(write, fate.and(Err(error.clone())));
                }
                Ok(())
            }
        }
    }

    async fn write_alone(&mut self, mut write: Write) {
        let fate = match self.begin().await {
            Err(error) => Err(error),
            Ok(db) => match write.apply(db).await {
                Ok(()) => match self.commit().await {
                    Committed::Yes => Ok(()),
                    Committed::No(error) | Committed::Unknown(error) => Err(error),
                },
                Err(error) => {
                    self.roll_back().await;
                    Err(error)
                }
            },
        };
        self.settle(write, fate);
    }

    fn settle(&self, write: Write, fate: Result<(), StoreError>) {
        let counter = if fate.is_ok() {
            &self.counters.operations
        } else {
            &self.counters.failed
        };
        counter.fetch_add(1, Ordering::Relaxed);
        if matches!(fate, Err(StoreError::Full { .. })) {
            self.counters.full.fetch_add(1, Ordering::Relaxed);
        }
        write.settle(fate);
    }

    async fn begin(&mut self) -> Result<&mut Db, StoreError> {
        // A connection that stood still may be gone without anybody having noticed.
        if let Some(mut db) = self.db.take()
            && begin(&mut db).await.is_ok()
        {
            return Ok(self.db.insert(db));
        }
        let mut db = self.again.connect().await?;
        begin(&mut db).await?;
        Ok(self.db.insert(db))
    }

    async fn commit(&mut self) -> Committed {
        let Some(db) = &mut self.db else {
            return Committed::Unknown(StoreError::unavailable(
                "the connection was lost before COMMIT",
            ));
        };
        let began = Instant::now();
        match db.batch("COMMIT").await {
            Ok(()) => {
                self.on_commit.committed(began.elapsed());
                self.counters.transactions.fetch_add(1, Ordering::Relaxed);
                Committed::Yes
            }
            Err(error) => {
                let error = StoreError::from(error);
                self.roll_back().await;
                if matches!(error, StoreError::Full { .. }) {
                    return Committed::No(error);
                }
                self.db = None;
                Committed::Unknown(StoreError::unavailable(format!(
                    "it is not known whether the write was kept: {error}"
                )))
            }
        }
    }

    /// Ends the transaction. Where SQLite has done so by itself there is nothing to roll back; in any other doubt the
    /// connection is given up, which rolls back as well.
    async fn roll_back(&mut self) {
        let Some(mut db) = self.db.take() else { return };
        match db.batch("ROLLBACK").await {
            Ok(()) => self.db = Some(db),
            Err(error) if is_rolled_back(&error) => self.db = Some(db),
            Err(error) => tracing::warn!(%error, "a rollback failed; the writer reconnects"),
        }
    }

    async fn checkpoint(&mut self) {
        let Some(db @ Db::Sqlite(_)) = &mut self.db else {
            return;
        };
        if let Err(error) = db.batch("PRAGMA wal_checkpoint(TRUNCATE)").await {
            tracing::warn!(%error, "the write-ahead log could not be written back; it is tried again later");
        }
    }

    /// Writes what is still queued and lets go of the database.
    async fn shut(mut self, closing: Option<oneshot::Sender<Result<(), StoreError>>>) {
        self.queue.close();
        let mut waiting: Vec<_> = closing.into_iter().collect();
        while let Some(message) = self.queue.recv().await {
            match message {
                Message::Write(write) => self.write_alone(write).await,
                Message::Close(ack) => waiting.push(ack),
            }
        }
        let closed = match self.db.take() {
            Some(db) => open::close(db).await,
            None => Ok(()),
        };
        if let Err(error) = &closed {
            tracing::warn!(%error, "the database did not close cleanly; its log is replayed at the next start");
        }
        drop(self);
        for ack in waiting {
            let _ = ack.send(closed.clone());
        }
    }
}

/// SQLite takes the write lock at once, so that nothing read in the transaction can be overtaken before it writes. PostgreSQL
/// lets others write meanwhile; operations lock the rows that must not move.
async fn begin(db: &mut Db) -> Result<(), StoreError> {
    match db {
        Db::Sqlite(_) => Ok(db.batch("BEGIN IMMEDIATE").await?),
        // Not an answer that takes work: without one the connection is gone, and a new one is tried.
        Db::Postgres(_) => match timeout(BEGIN_WAIT, db.batch("BEGIN")).await {
            Ok(begun) => Ok(begun?),
            Err(_late) => Err(StoreError::unavailable(
                "the database does not answer any more",
            )),
        },
    }
}

/// Closes the savepoint of the operation before, which went well, and opens one for the next: one trip to the database.
const NEXT_SAVEPOINT: &str = "RELEASE operation; SAVEPOINT operation";

/// Carries the operations of a group out, in their order. `Err` means that the transaction is broken.
async fn apply_all(
    db: &mut Db,
    group: &mut [Write],
) -> Result<Vec<Result<(), StoreError>>, StoreError> {
    let mut fates = Vec::with_capacity(group.len());
    db.batch("SAVEPOINT operation").await?;
    for run in
        group.chunk_by_mut(|one, next| matches!((one, next), (Write::Append(_), Write::Append(_))))
    {
        match run {
            [Write::Other(step)] => fates.push(in_savepoint(db, step.as_mut()).await?),
            run => apply_appends(db, run, &mut fates).await?,
        }
    }
    Ok(fates)
}

async fn in_savepoint(
    db: &mut Db,
    step: &mut dyn Step,
) -> Result<Result<(), StoreError>, StoreError> {
    let fate = step.apply(db).await;
    match &fate {
        Ok(()) => db.batch(NEXT_SAVEPOINT).await?,
        Err(error) if breaks_transaction(error) => return Err(error.clone()),
        // Undoes the operation and keeps its savepoint, for the next one to use.
        Err(_refused) => db.batch("ROLLBACK TO operation").await?,
    };
    Ok(fate)
}

/// Appends check everything before they write anything, so that a refused one needs no savepoint.
async fn apply_appends(
    db: &mut Db,
    run: &mut [Write],
    fates: &mut Vec<Result<(), StoreError>>,
) -> Result<(), StoreError> {
    let mut tasks: Vec<&mut Task<Append>> = run.iter_mut().filter_map(Write::as_append).collect();
    let operations: Vec<&Append> = tasks.iter().map(|task| &task.operation).collect();
    let appended = append_all(db, &operations).await?;
    for (task, appended) in tasks.iter_mut().zip(appended) {
        fates.push(appended.map(|seq| task.out = Some(seq)));
    }
    Ok(db.batch(NEXT_SAVEPOINT).await?)
}
