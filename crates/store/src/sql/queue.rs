//! What goes through the writer's queue: operations with whoever waits for them.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::AtomicU64;

use tokio::sync::oneshot;

use super::apply::Operation;
use super::db::Db;
use crate::error::StoreError;
use crate::op::Append;

/// What reaches the writer.
pub(crate) enum Message {
    /// An operation and whoever waits for it.
    Write(Write),
    /// Write what is queued, refuse what comes later, close, say so.
    Close(oneshot::Sender<Result<(), StoreError>>),
}

/// An operation in the queue.
pub(crate) enum Write {
    /// An append. Those that follow each other are written as one set.
    Append(Task<Append>),
    /// Any other operation.
    Other(Box<dyn Step>),
}

impl Write {
    pub(super) fn as_append(&mut self) -> Option<&mut Task<Append>> {
        if let Write::Append(task) = self {
            Some(task)
        } else {
            None
        }
    }

    pub(super) async fn apply(&mut self, db: &mut Db) -> Result<(), StoreError> {
        match self {
            Write::Append(task) => task.apply(db).await,
            Write::Other(step) => step.apply(db).await,
        }
    }

    pub(super) fn settle(self, fate: Result<(), StoreError>) {
        match self {
            Write::Append(task) => Box::new(task).settle(fate),
            Write::Other(step) => step.settle(fate),
        }
    }
}

/// What the writer counts.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) transactions: AtomicU64,
    pub(crate) operations: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) full: AtomicU64,
}

/// An operation with its type hidden, so that all of them fit one queue.
pub(crate) trait Step: Send {
    /// Carries it out and keeps what it brings back.
    fn apply<'a>(&'a mut self, db: &'a mut Db) -> Applying<'a>;
    /// Tells whoever waits: what it brought back if `fate` is good, else the error.
    fn settle(self: Box<Self>, fate: Result<(), StoreError>);
}

type Applying<'a> = Pin<Box<dyn Future<Output = Result<(), StoreError>> + Send + 'a>>;

/// An operation, what it brought back, and whoever waits for it.
pub(crate) struct Task<O: Operation> {
    pub(super) operation: O,
    pub(super) out: Option<O::Out>,
    ack: oneshot::Sender<Result<O::Out, StoreError>>,
}

impl<O: Operation> Task<O> {
    /// Pairs an operation with the place where its result is awaited.
    pub(crate) fn new(operation: O) -> (Task<O>, oneshot::Receiver<Result<O::Out, StoreError>>) {
        let (ack, result) = oneshot::channel();
        (
            Task {
                operation,
                out: None,
                ack,
            },
            result,
        )
    }
}

impl<O: Operation> Step for Task<O> {
    fn apply<'a>(&'a mut self, db: &'a mut Db) -> Applying<'a> {
        Box::pin(async move {
            self.out = Some(self.operation.apply(db).await?);
            Ok(())
        })
    }

    fn settle(self: Box<Self>, fate: Result<(), StoreError>) {
        let Task { out, ack, .. } = *self;
        let lost = || StoreError::unavailable("the write brought nothing back; this is a bug");
        // Whoever waited may have given up; the write stands all the same.
        let _ = ack.send(fate.and_then(|()| out.ok_or_else(lost)));
    }
}
