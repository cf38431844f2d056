//! Why a job failed and what becomes of it.

use std::time::Duration;

use providers::chat::{ChatError, ChatErrorCategory};
use store::{Lease, Retry, StoreError};

use crate::app::App;

/// Waits grow by doubling from the first to the longest.
const WAIT_FIRST: Duration = Duration::from_millis(500);
const WAIT_LONGEST: Duration = Duration::from_secs(60);

/// A failed job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// For the operator. No words of people.
    reason: String,
    /// What to do about it.
    remedy: Remedy,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Remedy {
    /// Again later, up to the configured number of attempts.
    Again,
    /// Again later, as often as it takes: the vendor asked for patience, the job is not to blame.
    Patience(Option<Duration>),
    /// Never.
    GiveUp,
    /// Nothing: somebody else has the job.
    Lost,
}

impl Failure {
    /// Something that may go away by itself.
    pub fn transient(reason: impl Into<String>) -> Failure {
        Failure {
            reason: reason.into(),
            remedy: Remedy::Again,
        }
    }

    /// Something that will not.
    pub fn hopeless(reason: impl Into<String>) -> Failure {
        Failure {
            reason: reason.into(),
            remedy: Remedy::GiveUp,
        }
    }

    /// Gives the job back, later or never.
    pub(super) async fn settle(self, app: &App, lease: &Lease) {
        let spent = lease.attempts >= app.config.enrichment.attempts_max;
        let (retry, costs_attempt) = match self.remedy {
            Remedy::Lost => return,
            Remedy::GiveUp => (Retry::Dead, true),
            Remedy::Again if spent => (Retry::Dead, true),
            Remedy::Again => (Retry::At(at(app, wait(lease))), true),
            Remedy::Patience(asked) => (
                Retry::At(at(app, asked.unwrap_or_else(|| wait(lease)))),
                false,
            ),
        };
        let dead = retry == Retry::Dead;
        if dead {
            app.metrics.dead_jobs.inc();
            tracing::error!(session.id = %lease.session_id, job.kind = lease.kind, job.key = lease.key, reason = self.reason, "a job is given up; the console shows it");
        } else {
            tracing::warn!(session.id = %lease.session_id, job.kind = lease.kind, reason = self.reason, "a job failed and will run again");
        }
        if let Err(error) = app
            .store
            .fail(lease, &self.reason, retry, costs_attempt)
            .await
        {
            // The lease runs out by itself and the job runs again.
            tracing::error!(job.id = lease.job_id, error = %error, "the failure of a job cannot be written");
        }
        if dead && lease.kind == super::CODE {
            // Segments that cannot be coded must not hold back the report of all the others.
            if let Err(failure) = super::report_if_last(app, &lease.session_id, lease.rank).await {
                tracing::error!(session.id = %lease.session_id, reason = failure.reason, "the report cannot be enqueued");
            }
        }
    }
}

/// Doubles with each attempt, between half and all of it, so that jobs that failed together do not return together.
fn wait(lease: &Lease) -> Duration {
    let doublings = lease.attempts.saturating_sub(1).min(16);
    let longest = WAIT_FIRST.saturating_mul(1 << doublings).min(WAIT_LONGEST);
    // The job's id is as good as chance here, and reproducible.
    let share =
        u32::try_from(lease.job_id.unsigned_abs().wrapping_mul(0x9E37_79B9) % 512).unwrap_or(0);
    longest / 2 + (longest / 2) * share / 512
}

fn at(app: &App, wait: Duration) -> i64 {
    app.store
        .now_us()
        .saturating_add(i64::try_from(wait.as_micros()).unwrap_or(i64::MAX))
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Failure {
        let remedy = match error {
            StoreError::Fenced { .. } => Remedy::Lost,
            // A full disk or a slow one is nothing that the job did.
            StoreError::Full { .. } | StoreError::Busy { .. } | StoreError::Unavailable { .. } => {
                Remedy::Patience(None)
            }
            StoreError::NotFound { .. }
            | StoreError::Conflict { .. }
            | StoreError::Corrupt { .. }
            | StoreError::InUse { .. }
            | StoreError::NewerDatabase { .. }
            | StoreError::NotWritable { .. } => Remedy::Again,
        };
        Failure {
            reason: error.to_string(),
            remedy,
        }
    }
}

impl From<ChatError> for Failure {
    fn from(error: ChatError) -> Failure {
        let remedy = match error.category {
            ChatErrorCategory::RateLimited => Remedy::Patience(error.retry_after),
            ChatErrorCategory::Retryable | ChatErrorCategory::Malformed => Remedy::Again,
            ChatErrorCategory::Misconfigured
            | ChatErrorCategory::Invalid
            | ChatErrorCategory::Refused
            | ChatErrorCategory::TooLarge => Remedy::GiveUp,
        };
        // The vendor's words may quote the request, which holds what people said: only the category is kept.
        let meaning = match error.category {
            ChatErrorCategory::RateLimited => "the endpoint asks for fewer calls",
            ChatErrorCategory::TooLarge => {
                "the call is larger than the endpoint allows, even with one segment"
            }
            ChatErrorCategory::Misconfigured => {
                "the endpoint refuses the key, the quota or the model: check [enrichment] and the account"
            }
            ChatErrorCategory::Retryable => "the endpoint failed or did not answer in time",
            ChatErrorCategory::Invalid => {
                "the endpoint does not accept the request: it may not know structured output"
            }
            ChatErrorCategory::Refused => "the model declined to code this material",
            ChatErrorCategory::Malformed => "the answer is not what was asked for",
        };
        Failure {
            reason: format!("{}: {meaning}", error.category.name()),
            remedy,
        }
    }
}
