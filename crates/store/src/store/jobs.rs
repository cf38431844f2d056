//! Durable work and its results.

use std::collections::BTreeMap;
use std::time::Duration;

use engine::ids::{SessionId, StudyId};
use serde_json::Value;
use tokio::time::Instant;

use super::Store;
use crate::error::StoreError;
use crate::job::{
    Fate, JobFilter, JobRow, Lane, LaneDepth, Lease, NewJob, Replay, Retry, Settlement, Take,
};
use crate::op::{
    Attempt, ClaimJobs, CompleteJob, CorrectSegment, CutTranscript, Enqueue, FailJob, GiveUpJob,
    Heartbeat, ReleaseLeases, ReplayJobs, SettleJobs,
};
use crate::results::{Completion, Cut, NewCorrection, OpenTopic, SegmentRow};

/// Longest text of an error that is kept with a job, in characters: enough for a vendor's message, not for its HTML page.
const ERROR_MAX: usize = 2_000;

/// How long, and how often, a call's result is tried to be written. A database that is started again takes a minute.
const SETTLE_WAIT: Duration = Duration::from_secs(120);
const SETTLE_PAUSE: Duration = Duration::from_millis(500);

impl Store {
    /// Puts jobs and wakes a worker of their lanes. One that is on record (same kind, session and key) stays as it is.
    ///
    /// # Errors
    /// `NotFound` if there is no such session; else as for any write.
    pub async fn enqueue(&self, jobs: Vec<NewJob>) -> Result<(), StoreError> {
        self.write(Enqueue {
            jobs: jobs.clone(),
            at_us: self.now_us(),
        })
        .await?;
        self.wake(&jobs);
        Ok(())
    }

    /// Leases the job of a lane that is first in the order, and those of its session, kind and round that may share its call
    /// with it, oldest first. Jobs whose lease ran out are among them. Empty if nothing waits.
    ///
    /// # Errors
    /// As for any write.
    pub async fn claim(&self, lane: Lane, take: &Take) -> Result<Vec<Lease>, StoreError> {
        let at_us = self.now_us();
        let leases = self
            .write(ClaimJobs {
                lane,
                take: take.clone(),
                owner: self.shared.node.clone(),
                lease_until_us: after(at_us, take.lease),
                at_us,
            })
            .await?;
        // A wake-up reaches one worker; as there may be more than it took, it passes the word on.
        if !leases.is_empty() {
            self.wake_of(lane).notify_one();
        }
        Ok(leases)
    }

    /// Keeps a lease until `length` from now.
    ///
    /// # Errors
    /// `Fenced` if the lease was lost: stop working. Else as for any write.
    pub async fn heartbeat(&self, lease: &Lease, length: Duration) -> Result<(), StoreError> {
        let lease_until_us = after(self.now_us(), length);
        self.write(Heartbeat {
            job_id: lease.job_id,
            fence: lease.fence,
            lease_until_us,
        })
        .await
    }

    /// Writes what a job achieved, what it cost and what follows, and that it is done: all of it or nothing.
    ///
    /// # Errors
    /// `Fenced` if the lease was lost; `NotFound` if a coding's segment is not on record; `Conflict` if a quote is not a
    /// verbatim part of its segment; else as for any write. The lease is still held after all but the first.
    pub async fn complete(&self, lease: &Lease, completion: Completion) -> Result<(), StoreError> {
        let mut jobs = completion.jobs.clone();
        jobs.extend(completion.last.clone());
        let cut = completion.cut.is_some();
        self.write(CompleteJob {
            lease: lease.clone(),
            completion,
            at_us: self.now_us(),
        })
        .await?;
        if cut {
            self.wake_of(Lane::Enrichment).notify_one();
        }
        self.wake(&jobs);
        Ok(())
    }

    /// Writes what became of jobs that shared a call, and what the call cost; says how many of the leases were still held.
    /// What became of the others is not kept, but for the cost: it was paid. While the database is away, or full, this waits
    /// for two minutes and tries again: to make the call again would cost again.
    ///
    /// # Errors
    /// As for [`complete`](Store::complete), but for `Fenced`.
    pub async fn settle(
        &self,
        leases: &[Lease],
        settlement: Settlement,
    ) -> Result<usize, StoreError> {
        let lane = leases.first().map(|lease| lease.lane);
        let again = settlement
            .fates
            .iter()
            .any(|(_, fate)| matches!(fate, Fate::Again { .. }));
        let mut follow = settlement.jobs.clone();
        follow.extend(settlement.last.clone());
        let mut settle = SettleJobs {
            leases: leases.to_vec(),
            settlement,
            at_us: self.now_us(),
            again: false,
        };
        let until = Instant::now() + SETTLE_WAIT;
        let held = loop {
            match self.write(settle.clone()).await {
                Ok(held) => break held,
                Err(
                    error @ (StoreError::Unavailable { .. }
                    | StoreError::Busy { .. }
                    | StoreError::Full { .. }),
                ) => {
                    if Instant::now() >= until || self.shared.queue.is_closed() {
                        return Err(error);
                    }
                    tracing::warn!(%error, "what a call brought cannot be written yet");
                    settle.again = true;
                    tokio::time::sleep(SETTLE_PAUSE).await;
                }
                Err(error) => return Err(error),
            }
        };
        if let Some(lane) = lane.filter(|_| again) {
            self.wake_of(lane).notify_one();
        }
        self.wake(&follow);
        Ok(held)
    }

    /// Cuts the transcript of a session that still runs, and puts a job for each segment; says how many are new or changed.
    /// Nothing happens to a session that is finished: its transcript is cut as a whole.
    ///
    /// # Errors
    /// `NotFound`; else as for any write.
    pub async fn cut_transcript(&self, id: &SessionId, cut: Cut) -> Result<usize, StoreError> {
        let count = self
            .write(CutTranscript {
                session_id: id.clone(),
                cut,
                at_us: self.now_us(),
            })
            .await?;
        if count > 0 {
            self.wake_of(Lane::Enrichment).notify_one();
        }
        Ok(count)
    }

    /// Puts dead letters back, as if they had never been tried; says how many.
    ///
    /// # Errors
    /// As for any write.
    pub async fn replay(&self, which: Replay) -> Result<u64, StoreError> {
        let lanes = self
            .write(ReplayJobs {
                which,
                at_us: self.now_us(),
            })
            .await?;
        for lane in Lane::ALL.into_iter().filter(|lane| lanes.contains(lane)) {
            self.wake_of(lane).notify_one();
        }
        Ok(lanes.len() as u64)
    }

    /// Keeps what a researcher says about a segment, or forgets it if there is nothing any more, and puts `report`, which is
    /// made again. A coding by a model never takes its place.
    ///
    /// # Errors
    /// `NotFound` if there is no such segment; else as for any write.
    pub async fn correct_segment(
        &self,
        id: &SessionId,
        segment_no: u32,
        correction: Option<NewCorrection>,
        report: NewJob,
    ) -> Result<(), StoreError> {
        let jobs = vec![report.clone()];
        self.write(CorrectSegment {
            session_id: id.clone(),
            segment_no,
            correction,
            report,
            at_us: self.now_us(),
        })
        .await?;
        self.wake(&jobs);
        Ok(())
    }

    /// How much waits in each lane.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn depths(&self) -> Result<BTreeMap<Lane, LaneDepth>, StoreError> {
        self.shared.reader.depths().await
    }

    /// Gives a job back for a later attempt, or up. `costs_attempt` is false for what is nobody's fault, such as a
    /// provider's "too many requests".
    ///
    /// # Errors
    /// `Fenced` if the lease was lost; else as for any write.
    pub async fn fail(
        &self,
        lease: &Lease,
        error: &str,
        retry: Retry,
        costs_attempt: bool,
    ) -> Result<(), StoreError> {
        let attempt = if costs_attempt {
            Attempt::Counts
        } else {
            Attempt::Free
        };
        let error = error.chars().take(ERROR_MAX).collect();
        let (job_id, fence, at_us) = (lease.job_id, lease.fence, self.now_us());
        self.write(FailJob {
            job_id,
            fence,
            error,
            retry,
            attempt,
            at_us,
        })
        .await
    }

    /// Gives a job up for good: a dead letter. `last` is as in [`Completion::last`]: what waits for the end of this lane's
    /// work must not wait for ever because some of it failed.
    ///
    /// # Errors
    /// `Fenced` if the lease was lost; else as for any write.
    pub async fn give_up(
        &self,
        lease: &Lease,
        error: &str,
        last: Option<NewJob>,
    ) -> Result<(), StoreError> {
        let jobs: Vec<NewJob> = last.iter().cloned().collect();
        self.write(GiveUpJob {
            lease: lease.clone(),
            error: error.chars().take(ERROR_MAX).collect(),
            last,
            at_us: self.now_us(),
        })
        .await?;
        self.wake(&jobs);
        Ok(())
    }

    /// Gives back what `node` had leased when it died, and says how many jobs that were. For a node's own boot: nothing
    /// of it can be running then.
    ///
    /// # Errors
    /// As for any write.
    pub async fn release_own_leases(&self, node: &str) -> Result<u64, StoreError> {
        let released = self
            .write(ReleaseLeases {
                owner: node.to_owned(),
            })
            .await?;
        if released > 0 {
            Lane::ALL
                .into_iter()
                .for_each(|lane| self.wake_of(lane).notify_one());
        }
        Ok(released)
    }

    /// Jobs, newest first, a page at a time.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn jobs(&self, filter: JobFilter) -> Result<Vec<JobRow>, StoreError> {
        self.shared.reader.jobs(&filter).await
    }

    /// Wakes one worker of each lane, as if there were new work: retries that fall due, leases that run out and (on SQLite)
    /// other processes wake nobody.
    pub fn wake_all_lanes(&self) {
        for lane in Lane::ALL {
            self.wake_of(lane).notify_one();
        }
    }

    /// Returns as soon as work was put into the lane, and after `timeout` in any case. A wake-up that comes while nobody
    /// waits is kept for the next who does.
    pub async fn wait_for_work(&self, lane: Lane, timeout: Duration) {
        // Both outcomes mean the same: look for work.
        let _ = tokio::time::timeout(timeout, self.wake_of(lane).notified()).await;
    }

    /// The segments of a session in speech order, each with its latest coding.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn segments(&self, id: &SessionId) -> Result<Vec<SegmentRow>, StoreError> {
        self.shared.reader.segments(id, None).await
    }

    /// The same, but only those of these numbers that are on record.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn some_segments(
        &self,
        id: &SessionId,
        numbers: &[u32],
    ) -> Result<Vec<SegmentRow>, StoreError> {
        self.shared.reader.segments(id, Some(numbers)).await
    }

    /// Open labels of a study, oldest first, each with the theme that it belongs to.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn open_topics(&self, id: &StudyId) -> Result<Vec<OpenTopic>, StoreError> {
        self.shared.reader.open_topics(id).await
    }

    /// The report of a session.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn report(&self, id: &SessionId) -> Result<Option<Value>, StoreError> {
        self.shared.reader.report(id).await
    }
}

fn after(at_us: i64, span: Duration) -> i64 {
    at_us.saturating_add(i64::try_from(span.as_micros()).unwrap_or(i64::MAX))
}
