//! The one door to the chat endpoint: whoever calls takes a turn first.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use engine::enrich::{Allowance, Answered, CallVerdict, Limiter, Permit, Reported, Stop};
use providers::chat::{ChatError, ChatErrorCategory, RateLimits, Reply, Window};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::clock::Clock;
use crate::metrics::Metrics;

/// Decides together with [`Limiter`], whose lock is never held across a wait.
pub struct Gate {
    limiter: Mutex<Limiter>,
    settled: Notify,
    clock: Clock,
    metrics: Arc<Metrics>,
}

/// The right to make one call. Dropped without one, it is given back.
pub(super) struct Turn {
    gate: Arc<Gate>,
    permit: Option<Permit>,
}

impl Gate {
    /// At most `ceiling` calls at once; a stopped endpoint is asked again every `probe_every`.
    #[must_use]
    pub fn new(ceiling: usize, probe_every: Duration, clock: Clock, metrics: Arc<Metrics>) -> Gate {
        let ceiling = u32::try_from(ceiling).unwrap_or(u32::MAX);
        Gate {
            limiter: Mutex::new(Limiter::new(ceiling, probe_every)),
            settled: Notify::new(),
            clock,
            metrics,
        }
    }

    /// What keeps every call from being made, in words for the operator; none if nothing does.
    #[must_use]
    pub fn stopped(&self) -> Option<&'static str> {
        match self.limiter().stopped()? {
            Stop::Misconfigured => Some(
                "the endpoint refuses the key, the quota, the model or the address: check [enrichment] and the account; it is asked again now and then",
            ),
        }
    }

    /// Waits for a turn: for a slot, for the vendor's patience, for its budget. `tokens`: what the call will use, if that is
    /// known better than by habit.
    pub(super) async fn turn(self: &Arc<Gate>, tokens: Option<u64>) -> Turn {
        loop {
            let settled = self.settled.notified();
            tokio::pin!(settled);
            // Whatever is settled from here on is heard of.
            settled.as_mut().enable();
            let verdict = self.limiter().next(self.clock.now(), tokens);
            match verdict {
                CallVerdict::Go(permit) => {
                    return Turn {
                        gate: Arc::clone(self),
                        permit: Some(permit),
                    };
                }
                CallVerdict::WaitForAnswer => settled.await,
                CallVerdict::Wait(until) => tokio::select! {
                    () = settled => {}
                    () = sleep_until(Instant::from_std(self.clock.instant(until))) => {}
                },
            }
        }
    }

    fn limiter(&self) -> MutexGuard<'_, Limiter> {
        // A limiter that panicked half-way counts wrongly at worst; calls must go on.
        self.limiter.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn settle(&self, permit: Permit, answered: Answered, reported: Reported) {
        let jitter_permille = getrandom::u32().map_or(500, |chance| chance % 1_001);
        let (cap, before, after) = {
            let mut limiter = self.limiter();
            let before = limiter.stopped();
            limiter.settle(
                self.clock.now(),
                permit,
                answered,
                reported,
                jitter_permille,
            );
            (limiter.cap(), before, limiter.stopped())
        };
        self.metrics.enrichment_calls_max.set(i64::from(cap));
        self.metrics
            .enrichment_stopped
            .set(i64::from(after.is_some()));
        match (before, after) {
            (None, Some(_)) => {
                let why = self.stopped().unwrap_or_default();
                tracing::error!(why, "coding stands still; jobs wait and lose no attempt");
            }
            (Some(_), None) => tracing::info!("the endpoint answers again; coding goes on"),
            (None, None) | (Some(_), Some(_)) => {}
        }
        self.settled.notify_waiters();
    }
}

impl Turn {
    /// Learns from how the call ended.
    pub(super) fn end(mut self, result: &Result<Reply, ChatError>) {
        let (answered, limits, name) = match result {
            Ok(reply) => {
                let tokens = reply.usage.iter().map(|(_, quantity)| quantity).sum();
                let tokens = Some(tokens).filter(|tokens| *tokens > 0);
                (Answered::Fine { tokens }, reply.limits, "answered")
            }
            Err(error) => {
                let (answered, name) = ended(error);
                (answered, error.limits, name)
            }
        };
        self.gate
            .metrics
            .enrichment_calls
            .get_or_create(&[("result", name)])
            .inc();
        if let Some(permit) = self.permit.take() {
            self.gate.settle(permit, answered, reported(limits));
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(permit) = self.permit.take() {
            self.gate
                .settle(permit, Answered::Unused, Reported::default());
        }
    }
}

fn ended(error: &ChatError) -> (Answered, &'static str) {
    match error.category {
        ChatErrorCategory::RateLimited => {
            let retry_after = error.retry_after;
            (Answered::Busy { retry_after }, "busy")
        }
        ChatErrorCategory::Retryable => (Answered::Trouble, "trouble"),
        ChatErrorCategory::Misconfigured => (Answered::Stop(Stop::Misconfigured), "stopped"),
        // The endpoint is well; what it was asked is another matter.
        ChatErrorCategory::TooLarge
        | ChatErrorCategory::Invalid
        | ChatErrorCategory::Refused
        | ChatErrorCategory::Malformed => (Answered::Fine { tokens: None }, "refused"),
    }
}

fn reported(limits: RateLimits) -> Reported {
    let allowance = |window: Window| Allowance {
        limit: window.limit,
        remaining: window.remaining,
    };
    Reported {
        requests: limits.requests.map(allowance),
        tokens: limits.tokens.map(allowance),
    }
}
