//! ICE restart: other credentials, perhaps other addresses, and everything above them unharmed (RFC 8445, 9).
//!
//! DTLS keys, sequence numbers and the data channel belong to the peer, not to its path, so they go on. Until the first
//! check on the new path says that it works, audio leaves on the old one, and what still arrives there is taken.

use std::net::SocketAddr;
use std::time::Instant;

use str0m::{Candidate, IceCreds, Input};

use super::setup::credentials;
use super::{AnswerError, Peer, State};
use crate::fragment::IceFragment;
use crate::net::Proto;

/// The connection is over; only a new offer helps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the connection is gone")]
pub struct PeerGone;

/// Why an ICE restart is not answered. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RestartError {
    /// There is no connection to restart.
    #[error(transparent)]
    Gone(#[from] PeerGone),
    /// The credentials are those that the connection has already.
    #[error(
        "the credentials are those that the connection has already, so there is nothing to restart"
    )]
    NotNew,
}

/// What the offering side of a restart keeps until the answer comes.
pub(super) struct Asked {
    credentials: IceCreds,
    local: SocketAddr,
}

impl Peer {
    /// Answers an ICE restart. The addresses of the other side are learned from its checks, its candidates are not used.
    ///
    /// # Errors
    /// When there is nothing left to restart.
    pub fn restart(&mut self, now: Instant, theirs: &IceFragment) -> Result<IceFragment, PeerGone> {
        if self.state == State::Gone {
            return Err(PeerGone);
        }
        let ours = credentials();
        let addresses = self.candidates.clone();
        let candidates = self.renew(now, &ours, theirs, &addresses);
        Ok(IceFragment {
            ufrag: ours.ufrag,
            pwd: ours.pass,
            mid: theirs.mid.clone(),
            candidates,
        })
    }

    /// Asks for an ICE restart, as a browser whose address has changed to `local`. Nothing changes before the answer.
    ///
    /// # Errors
    /// When there is nothing left to restart.
    pub fn restart_offer(&mut self, local: SocketAddr) -> Result<IceFragment, PeerGone> {
        if self.state == State::Gone {
            return Err(PeerGone);
        }
        let ours = credentials();
        let fragment = IceFragment {
            ufrag: ours.ufrag.clone(),
            pwd: ours.pass.clone(),
            mid: self.mid.map_or_else(String::new, |mid| mid.to_string()),
            candidates: candidate(Proto::Udp, local)
                .map(|candidate| written(candidate, &ours))
                .into_iter()
                .collect(),
        };
        self.asked = Some(Asked {
            credentials: ours,
            local,
        });
        Ok(fragment)
    }

    /// Takes the answer to our restart.
    ///
    /// # Errors
    /// When nothing was asked, or the connection is over.
    pub fn restart_answer(
        &mut self,
        now: Instant,
        theirs: &IceFragment,
    ) -> Result<(), AnswerError> {
        let asked = self
            .asked
            .take()
            .filter(|_| self.state != State::Gone)
            .ok_or_else(|| AnswerError("no restart was asked for".to_owned()))?;
        self.renew(
            now,
            &asked.credentials,
            theirs,
            &[(Proto::Udp, asked.local)],
        );
        for line in &theirs.candidates {
            // One that cannot be read (an mDNS name) is one way less.
            if let Ok(candidate) = Candidate::from_sdp_string(line) {
                self.rtc.add_remote_candidate(candidate);
            }
        }
        self.wake(now);
        Ok(())
    }

    /// Changes the credentials of both sides and our addresses; returns the latter as they are told.
    fn renew(
        &mut self,
        now: Instant,
        ours: &IceCreds,
        theirs: &IceFragment,
        addresses: &[(Proto, SocketAddr)],
    ) -> Vec<String> {
        self.former = self.way;
        let mut api = self.rtc.direct_api();
        // A pair of the old path has the same priority as one of the new path, and would keep it from being chosen.
        for (proto, addr) in self.candidates.drain(..) {
            if let Some(candidate) = candidate(proto, addr) {
                api.invalidate_candidate(&candidate);
            }
        }
        api.set_local_ice_credentials(ours.clone());
        api.set_remote_ice_credentials(IceCreds {
            ufrag: theirs.ufrag.clone(),
            pass: theirs.pwd.clone(),
        });
        let told = addresses
            .iter()
            .filter_map(|(proto, addr)| self.add_candidate(*proto, *addr))
            .map(|candidate| written(candidate, ours))
            .collect();
        self.wake(now);
        told
    }

    /// What was changed directly is noticed with the next timeout, which would otherwise be seconds away.
    fn wake(&mut self, now: Instant) {
        if let Err(error) = self.rtc.handle_input(Input::Timeout(now)) {
            tracing::debug!(error = %error, "a timer of the connection failed");
        }
        self.settle(now);
    }

    pub(super) fn add_candidate(&mut self, proto: Proto, addr: SocketAddr) -> Option<Candidate> {
        let added = self
            .rtc
            .add_local_candidate(candidate(proto, addr)?)?
            .clone();
        self.candidates.push((proto, addr));
        Some(added)
    }
}

/// A candidate of ours. A wildcard or broken address is a mistake of configuration, which is checked where it is read.
fn candidate(proto: Proto, addr: SocketAddr) -> Option<Candidate> {
    let candidate = match proto {
        Proto::Udp => Candidate::host(addr, "udp"),
        Proto::Tcp => Candidate::builder()
            .tcp()
            .host(addr)
            .tcptype(str0m::net::TcpType::Passive)
            .build(),
    };
    candidate.ok()
}

/// One that is taken up again keeps the user fragment that it began with.
fn written(mut candidate: Candidate, ours: &IceCreds) -> String {
    candidate.set_ufrag(&ours.ufrag);
    candidate.to_sdp_string()
}
