//! Why a job failed and what becomes of it.

use std::time::Duration;

use providers::chat::{ChatError, ChatErrorCategory};
use store::{Lease, Retry, StoreError};

use super::Office;

/// Waits grow by doubling from the first to the longest.
const WAIT_FIRST: Duration = Duration::from_millis(500);
const WAIT_LONGEST: Duration = Duration::from_secs(60);
/// A vendor that asks for more than this is asked again all the same: its day of rest may be a clock that is wrong.
const PATIENCE_LONGEST: Duration = Duration::from_secs(600);

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

    /// Nothing that the job did: again after this, at no attempt's cost.
    pub(super) fn later(reason: impl Into<String>, after: Duration) -> Failure {
        Failure {
            reason: reason.into(),
            remedy: Remedy::Patience(Some(after)),
        }
    }

    pub(super) fn reason(&self) -> &str {
        &self.reason
    }

    /// Gives the job back, later or never.
    pub(super) async fn settle(self, office: &Office, lease: &Lease) {
        let spent = lease.attempts >= office.attempts_max;
        let written = match self.remedy {
            Remedy::Lost => return,
            Remedy::Again if !spent => {
                self.again(office, lease, wait(lease), Attempt::Counts)
                    .await
            }
            Remedy::Patience(asked) => {
                let wait = asked.map_or_else(|| wait(lease), |asked| asked.min(PATIENCE_LONGEST));
                self.again(office, lease, wait, Attempt::Free).await
            }
            Remedy::GiveUp | Remedy::Again => self.give_up(office, lease).await,
        };
        if let Err(error) = written {
            // The lease runs out by itself and the job runs again.
            tracing::error!(job.id = lease.job_id, %error, "the failure of a job cannot be written");
        }
    }

    async fn again(
        &self,
        office: &Office,
        lease: &Lease,
        wait: Duration,
        attempt: Attempt,
    ) -> Result<(), StoreError> {
        tracing::warn!(session.id = %lease.session_id, job.kind = lease.kind, wait_ms = wait.as_millis(), reason = self.reason, "a job failed and will run again");
        let wait_us = i64::try_from(wait.as_micros()).unwrap_or(i64::MAX);
        let retry = Retry::At(office.store.now_us().saturating_add(wait_us));
        let costs_attempt = matches!(attempt, Attempt::Counts);
        office
            .store
            .fail(lease, &self.reason, retry, costs_attempt)
            .await
    }

    async fn give_up(&self, office: &Office, lease: &Lease) -> Result<(), StoreError> {
        office.metrics.dead_jobs.inc();
        tracing::error!(session.id = %lease.session_id, job.kind = lease.kind, job.key = lease.key, reason = self.reason, "a job is given up for good");
        // What cannot be coded must not hold back the report of all the rest.
        let holds_the_report =
            lease.kind == super::CODE || lease.kind == crate::session::CUT_TRANSCRIPT;
        let last = holds_the_report.then(|| super::report_job(lease));
        office.store.give_up(lease, &self.reason, last).await
    }
}

enum Attempt {
    Counts,
    Free,
}

/// Doubles with each lease, between half and all of it, so that jobs that failed together do not return together. Leases
/// are counted and not attempts: patience with a busy endpoint grows too.
fn wait(lease: &Lease) -> Duration {
    let doublings = u32::try_from(lease.fence.saturating_sub(1).clamp(0, 16)).unwrap_or(0);
    let longest = WAIT_FIRST.saturating_mul(1 << doublings).min(WAIT_LONGEST);
    // The job's id is as good as chance here, and reproducible.
    let share =
        u32::try_from(lease.job_id.unsigned_abs().wrapping_mul(0x9E37_79B9) % 512).unwrap_or(0);
    longest / 2 + (longest / 2) * share / 512
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
            // When to ask again is the gate's business: the job is ready at once.
            ChatErrorCategory::RateLimited | ChatErrorCategory::Misconfigured => {
                Remedy::Patience(Some(Duration::ZERO))
            }
            ChatErrorCategory::Retryable | ChatErrorCategory::Malformed => Remedy::Again,
            ChatErrorCategory::Invalid
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
