//! Studies, sessions and journals.

use engine::ids::{SessionId, StudyId};
use engine::journal::Entry;
use sha2::{Digest, Sha256};

use super::Store;
use crate::error::StoreError;
use crate::job::NewJob;
use crate::op::{
    Append, ClaimSession, CreateSessions, Decision, FinishSession, PutStudy, RecordConsent,
    ReopenSession,
};
use crate::rows::{
    CoveredTopic, Epoch, LedgerRow, NewSession, NewStudy, PhaseRow, SessionFilter, SessionRow,
    StudyRow, TurnRow,
};
use crate::sql::Finished;

impl Store {
    /// Keeps a study. A source that is the same as that of the latest version is that version; a changed one is the next.
    ///
    /// # Errors
    /// As for any write.
    pub async fn put_study(&self, study: NewStudy) -> Result<StudyRow, StoreError> {
        let id = study.study_id.clone();
        let source_sha256 = Sha256::digest(study.source.as_bytes()).into();
        let version = self
            .write(PutStudy {
                study,
                source_sha256,
                at_us: self.now_us(),
            })
            .await?;
        let row = self.shared.reader.study(&id, Some(version)).await?;
        row.ok_or_else(|| StoreError::corrupt(format!("study {id} was written and is not there")))
    }

    /// The latest version of each study, by id.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn studies(&self) -> Result<Vec<StudyRow>, StoreError> {
        self.shared.reader.studies().await
    }

    /// A version of a study, or its latest.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn study(
        &self,
        id: &StudyId,
        version: Option<u32>,
    ) -> Result<Option<StudyRow>, StoreError> {
        self.shared.reader.study(id, version).await
    }

    /// Creates sessions, all or none. Each begins its journal with `session_created`.
    ///
    /// # Errors
    /// `NotFound` if there is no such version of a study, `Conflict` if an id or a link is taken; else as for any write.
    pub async fn create_sessions(&self, sessions: Vec<NewSession>) -> Result<(), StoreError> {
        self.write(CreateSessions {
            sessions,
            at_us: self.now_us(),
        })
        .await
    }

    /// A session.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn session(&self, id: &SessionId) -> Result<Option<SessionRow>, StoreError> {
        self.shared.reader.session(id).await
    }

    /// The session whose link has this hash.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn session_by_link(
        &self,
        link_hash: &[u8; 32],
    ) -> Result<Option<SessionRow>, StoreError> {
        self.shared.reader.session_by_link(link_hash).await
    }

    /// Sessions, newest first, a page at a time.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn sessions(&self, filter: SessionFilter) -> Result<Vec<SessionRow>, StoreError> {
        self.shared.reader.sessions(&filter).await
    }

    /// Sessions that began and were not finished. At boot: what a crash left behind.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn unfinished_sessions(&self) -> Result<Vec<SessionRow>, StoreError> {
        self.shared
            .reader
            .unfinished_sessions(&self.shared.node)
            .await
    }

    /// Running sessions in which the participant took at least that many turns that are in no segment yet.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn sessions_to_cut(&self, least: u32) -> Result<Vec<SessionRow>, StoreError> {
        self.shared.reader.sessions_to_cut(least).await
    }

    /// Records whether the participant takes part, and which text was decided about. The same decision again changes
    /// nothing. A no ends the session with outcome `no_consent`.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` if the other decision is on record or the session is over; else as for any write.
    pub async fn record_consent(
        &self,
        id: &SessionId,
        accepted: bool,
        text_digest: [u8; 32],
    ) -> Result<SessionRow, StoreError> {
        let decision = if accepted {
            Decision::Accept
        } else {
            Decision::Decline
        };
        let at_us = self.now_us();
        self.write(RecordConsent {
            session_id: id.clone(),
            decision,
            text_digest,
            at_us,
        })
        .await?;
        self.session(id)
            .await?
            .ok_or_else(|| StoreError::session_missing(id))
    }

    /// Makes `node` the owner of a session. Whoever owned it before is fenced off from now on.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` if the session is finished; else as for any write.
    pub async fn claim_session(&self, id: &SessionId, node: &str) -> Result<Epoch, StoreError> {
        self.write(ClaimSession {
            session_id: id.clone(),
            node: node.to_owned(),
        })
        .await
    }

    /// Takes up a session again that ended as `partial`: it is paused as before, and what followed from its end is made
    /// again at the next one. Whoever still works on that finds it gone.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` if it did not end, or not as `partial`; else as for any write.
    pub async fn reopen_session(&self, id: &SessionId) -> Result<(), StoreError> {
        self.write(ReopenSession {
            session_id: id.clone(),
            at_us: self.now_us(),
        })
        .await
    }

    /// Writes entries and what they project to, all or none, and gives back the number of the last one. When this
    /// resolves with success the entries survive a crash.
    ///
    /// # Errors
    /// `Fenced` if the session has a newer owner, `Conflict` if it is finished, `NotFound`; else as for any write.
    pub async fn append(
        &self,
        id: &SessionId,
        epoch: Epoch,
        entries: Vec<Entry>,
    ) -> Result<u64, StoreError> {
        self.write_append(Append {
            session_id: id.clone(),
            epoch,
            entries,
            at_us: self.now_us(),
        })
        .await
    }

    /// Finishes a session in one transaction: its last entries (the one that ends it, if it is not written yet), the jobs
    /// that follow, and the release of its ownership. Repeating it changes nothing.
    ///
    /// # Errors
    /// `Fenced` if the session has a newer owner, `NotFound`; else as for any write.
    pub async fn finish_session(
        &self,
        id: &SessionId,
        epoch: Epoch,
        last: Vec<Entry>,
        jobs: Vec<NewJob>,
    ) -> Result<(), StoreError> {
        let append = Append {
            session_id: id.clone(),
            epoch,
            entries: last,
            at_us: self.now_us(),
        };
        let finished = self
            .write(FinishSession {
                last: append,
                jobs: jobs.clone(),
            })
            .await?;
        if finished == Finished::Now {
            self.wake(&jobs);
        }
        Ok(())
    }

    /// The turns of a session, in speech order.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn turns(&self, id: &SessionId) -> Result<Vec<TurnRow>, StoreError> {
        self.shared.reader.turns(id).await
    }

    /// The last turns that began before a moment, in speech order.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn turns_before(
        &self,
        id: &SessionId,
        start_ms: u64,
        count: u32,
    ) -> Result<Vec<TurnRow>, StoreError> {
        self.shared.reader.turns_before(id, start_ms, count).await
    }

    /// The phases of a session, in the order in which they were entered.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn phases(&self, id: &SessionId) -> Result<Vec<PhaseRow>, StoreError> {
        self.shared.reader.phases(id).await
    }

    /// The topics that were covered, in the order in which they were.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn covered(&self, id: &SessionId) -> Result<Vec<CoveredTopic>, StoreError> {
        self.shared.reader.covered(id).await
    }

    /// What a session cost, summed by component, in the order of a bill.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn ledger(&self, id: &SessionId) -> Result<Vec<LedgerRow>, StoreError> {
        self.shared.reader.ledger(id).await
    }
}
