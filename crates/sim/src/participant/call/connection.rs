//! One WebRTC connection: the peer, its socket, what the network does to both, and ICE restarts.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, UdpSocket as StdSocket};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use media::{Certificate, Datagram, IceFragment, Peer, PeerConfig, PeerOutput, Proto};
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

use crate::participant::api::{ASK_AGAIN, Api, Offered};
use crate::participant::trouble::Way;
use crate::participant::{ParticipantConfig, ParticipantError};

/// Largest datagram: WebRTC stays below an Ethernet frame.
const DATAGRAM_MAX: usize = 2_000;

/// A connection that is not up after this is offered anew, as the page does.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// Silence after which a browser calls ICE disconnected.
const SILENT_AFTER: Duration = Duration::from_secs(5);

/// From one try of an ICE restart to the next.
const RESTART_EVERY: Duration = Duration::from_secs(2);

/// Silence after which nobody believes in this connection any more.
const LOST_AFTER: Duration = Duration::from_secs(25);

/// All participants of a process show the same: making one costs a millisecond, and hundreds may join within a second.
static CERTIFICATE: LazyLock<Certificate> = LazyLock::new(Certificate::generate);

/// A peer on a socket.
pub(super) struct Connection {
    api: Api,
    peer: Peer,
    socket: UdpSocket,
    local: SocketAddr,
    location: Option<String>,
    datagram: Vec<u8>,
    blocked: Option<(Way, Instant)>,
    restarting: Restarting,
    offered: Instant,
    up: Option<Instant>,
    /// The last datagram from the server.
    heard: Instant,
}

/// An ICE restart.
enum Restarting {
    /// Not asked for.
    No,
    /// Asked; the answer is on its way.
    Asked(JoinHandle<Result<IceFragment, ParticipantError>>),
    /// Asked before; again when it is due.
    Again(Instant),
}

/// Whether a connection is good for anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Health {
    Good,
    /// Only a new one helps.
    Lost,
}

impl Connection {
    /// Offers a connection and takes the answer. Who is to stand in line does so, and offers a new one each time as the page
    /// does; the participant's own deadline ends it.
    pub(super) async fn open(
        config: &ParticipantConfig,
        api: &Api,
        grant: Option<&str>,
        in_line: &(impl Fn(u32) + Sync),
    ) -> Result<(Connection, Option<String>), ParticipantError> {
        let local_ip = match config.local_ip {
            Some(ip) => ip,
            None => way_to(api).await?,
        };
        loop {
            let socket = UdpSocket::bind((local_ip, 0)).await.map_err(media)?;
            let local = socket.local_addr().map_err(media)?;
            let offered = Instant::now();
            let cert = Some(CERTIFICATE.clone());
            let (mut peer, offer) = Peer::offer(offered, &PeerConfig { local, cert });
            let accepted = match api.offer(offer, grant).await? {
                Offered::Accepted(accepted) => accepted,
                Offered::InLine { position } => {
                    in_line(position);
                    tokio::time::sleep(ASK_AGAIN).await;
                    continue;
                }
            };
            peer.answer(Instant::now(), &accepted.sdp)
                .map_err(|error| ParticipantError::Media(error.to_string()))?;
            let connection = Connection {
                api: api.clone(),
                peer,
                socket,
                local,
                location: accepted.location,
                datagram: vec![0; DATAGRAM_MAX],
                blocked: None,
                restarting: Restarting::No,
                offered,
                up: None,
                heard: Instant::now(),
            };
            return Ok((connection, accepted.grant));
        }
    }

    /// From the offer to the connection, if it came about.
    pub(super) fn connect_ms(&self) -> Option<u32> {
        self.up.map(|up| super::ms(up - self.offered))
    }

    /// Since when it is up.
    pub(super) fn up(&self) -> Option<Instant> {
        self.up
    }

    /// Waits for a datagram or the answer to a restart. Safe to cancel.
    pub(super) async fn something(&mut self, out: &mut Vec<PeerOutput>) -> Health {
        tokio::select! {
            received = self.socket.recv_from(&mut self.datagram) => {
                // A closed port on the other side comes back as an error; ICE finds out by itself.
                if let Ok((length, source)) = received
                    && !self.swallows(Way::In)
                {
                    self.heard = Instant::now();
                    let bytes = &self.datagram[..length];
                    let datagram = Datagram { proto: Proto::Udp, source, destination: self.local, bytes };
                    self.peer.datagram(Instant::now(), datagram, out);
                }
                Health::Good
            }
            answer = restarted(&mut self.restarting) => self.take(answer),
        }
    }

    fn take(&mut self, answer: Result<IceFragment, ParticipantError>) -> Health {
        let now = Instant::now();
        self.restarting = Restarting::Again(now + RESTART_EVERY);
        match answer {
            Ok(fragment) => match self.peer.restart_answer(now, &fragment) {
                Ok(()) => Health::Good,
                Err(_) => Health::Lost,
            },
            // The server may be back in a moment, and may know this connection then.
            Err(ParticipantError::Unreachable(_)) => Health::Good,
            Err(_) => Health::Lost,
        }
    }

    /// When something is due.
    pub(super) fn deadline(&self) -> Instant {
        let silent = match &self.restarting {
            Restarting::No => self.heard + SILENT_AFTER,
            Restarting::Again(at) => *at.max(&(self.heard + SILENT_AFTER)),
            Restarting::Asked(_) => self.heard + LOST_AFTER,
        };
        self.peer.deadline().min(silent)
    }

    /// Does what is due.
    pub(super) fn due(&mut self, now: Instant, out: &mut Vec<PeerOutput>) -> Health {
        if self.peer.deadline() <= now {
            self.peer.timeout(now, out);
        }
        let silence = now.saturating_duration_since(self.heard);
        if self.up.is_none() {
            return if now >= self.offered + CONNECT_WITHIN {
                Health::Lost
            } else {
                Health::Good
            };
        }
        if silence >= LOST_AFTER {
            return Health::Lost;
        }
        let may_ask = match &self.restarting {
            Restarting::No => true,
            Restarting::Again(at) => *at <= now,
            Restarting::Asked(_) => false,
        };
        if silence >= SILENT_AFTER && may_ask {
            return self.restart();
        }
        Health::Good
    }

    /// Asks for an ICE restart.
    fn restart(&mut self) -> Health {
        let (Ok(fragment), Some(location)) =
            (self.peer.restart_offer(self.local), self.location.clone())
        else {
            return Health::Lost;
        };
        let api = self.api.clone();
        let asked = tokio::spawn(async move { api.restart(&location, &fragment).await });
        self.restarting = Restarting::Asked(asked);
        Health::Good
    }

    /// Another network: another address, and the page notices.
    pub(super) async fn moved(&mut self) -> Result<Health, ParticipantError> {
        let socket = UdpSocket::bind((self.local.ip(), 0)).await.map_err(media)?;
        self.local = socket.local_addr().map_err(media)?;
        self.socket = socket;
        Ok(self.restart())
    }

    /// Datagrams are swallowed from now on.
    pub(super) fn block(&mut self, way: Way, span: Duration) {
        self.blocked = Some((way, Instant::now() + span));
    }

    fn swallows(&self, direction: Way) -> bool {
        self.blocked.is_some_and(|(way, until)| {
            (way == Way::Both || way == direction) && Instant::now() < until
        })
    }

    /// Sends an audio packet.
    pub(super) fn send_audio(
        &mut self,
        now: Instant,
        rtp_time: u32,
        packet: &[u8],
        out: &mut Vec<PeerOutput>,
    ) {
        self.peer.send_audio(now, rtp_time, packet, out);
    }

    /// Sends a datagram. As on a real network, what cannot be sent is lost.
    pub(super) async fn transmit(&self, destination: SocketAddr, bytes: &[u8]) {
        if self.swallows(Way::Out) {
            return;
        }
        let sent = match self.socket.try_send_to(bytes, destination) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.socket.send_to(bytes, destination).await
            }
            sent => sent,
        };
        if let Err(error) = sent {
            tracing::debug!(%error, "a datagram was not sent");
        }
    }

    /// It is up.
    pub(super) fn came_up(&mut self, now: Instant) {
        self.up = Some(now);
    }

    /// Tells the server that this connection is over. It may know.
    pub(super) async fn hang_up(&mut self) {
        if let Some(location) = self.location.take()
            && let Err(error) = self.api.hang_up(&location).await
        {
            tracing::debug!(%error, "hanging up failed");
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Restarting::Asked(asked) = &self.restarting {
            asked.abort();
        }
    }
}

/// Waits for the answer to a restart, if one was asked for. Safe to cancel.
async fn restarted(restarting: &mut Restarting) -> Result<IceFragment, ParticipantError> {
    let Restarting::Asked(asked) = restarting else {
        return std::future::pending().await;
    };
    asked
        .await
        .unwrap_or_else(|error| Err(ParticipantError::Media(error.to_string())))
}

/// The local address that leads to the server.
async fn way_to(api: &Api) -> Result<IpAddr, ParticipantError> {
    let host = api.host()?;
    let server = tokio::net::lookup_host(host).await.map_err(media)?.next();
    let server = server
        .ok_or_else(|| ParticipantError::Unreachable("the server has no address".to_owned()))?;
    let any: IpAddr = if server.is_ipv4() {
        [0; 4].into()
    } else {
        [0; 16].into()
    };
    // Nothing is sent: connecting a UDP socket only asks the routing table.
    let probe =
        StdSocket::bind((any, 0)).and_then(|socket| socket.connect(server).map(|()| socket));
    Ok(probe
        .and_then(|socket| socket.local_addr())
        .map_err(media)?
        .ip())
}

fn media(error: std::io::Error) -> ParticipantError {
    ParticipantError::Media(error.to_string())
}
