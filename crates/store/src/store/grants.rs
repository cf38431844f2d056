//! Grants.

use engine::ids::SessionId;

use super::Store;
use crate::error::StoreError;
use crate::op::{IssueGrant, RedeemGrant, ReturnGrant};
use crate::rows::{GrantRow, Redeemed};

impl Store {
    /// The grant of that hash.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    pub async fn grant(&self, hash: &[u8; 32]) -> Result<Option<GrantRow>, StoreError> {
        self.shared.reader.grant(hash).await
    }

    /// Issues a grant of a session. One that was not used yet counts as used from now on: there is one good grant.
    ///
    /// # Errors
    /// `NotFound` if there is no such session; else as for any write.
    pub async fn issue_grant(&self, id: &SessionId, next_hash: [u8; 32]) -> Result<(), StoreError> {
        self.write(IssueGrant {
            session_id: id.clone(),
            next_hash,
            at_us: self.now_us(),
        })
        .await
    }

    /// Uses a grant of a session up and issues the next one, both or neither. Of any number of calls for one grant
    /// exactly one is told [`Redeemed::Now`].
    ///
    /// # Errors
    /// As for any write.
    pub async fn redeem_grant(
        &self,
        id: &SessionId,
        grant_hash: [u8; 32],
        next_hash: [u8; 32],
    ) -> Result<Redeemed, StoreError> {
        self.write(RedeemGrant {
            session_id: id.clone(),
            grant_hash,
            next_hash,
            at_us: self.now_us(),
        })
        .await
    }

    /// Undoes a redemption that came to nothing: the grant is good again, the next one was never issued. Does nothing if
    /// that one was used, or replaced, meanwhile.
    ///
    /// # Errors
    /// As for any write.
    pub async fn return_grant(
        &self,
        grant_hash: [u8; 32],
        next_hash: [u8; 32],
    ) -> Result<(), StoreError> {
        self.write(ReturnGrant {
            grant_hash,
            next_hash,
        })
        .await
    }
}
