//! A participant's WebRTC connection that tells the moment of every packet, in and out.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use media::{Certificate, Datagram, Peer, PeerConfig, PeerOutput, Proto};
use tokio::net::UdpSocket;
use tokio::time::sleep_until;

use crate::house::api::{Api, Invitation};

/// One packet.
pub(super) const FRAME: Duration = Duration::from_millis(20);
/// Samples of one packet at RTP's 48 kHz.
const FRAME_48K: u32 = 960;
/// From the offer to a connection.
const UP_WITHIN: Duration = Duration::from_secs(10);
/// No path carries larger datagrams to us.
const DATAGRAM_MAX: usize = 2_048;
/// A timer of the connection that is due again at once would spin.
const TICK_MIN: Duration = Duration::from_millis(1);

/// What happens in a call.
#[derive(Debug)]
pub(super) enum Event {
    /// The next packet is to be sent.
    FrameDue,
    /// A packet of the interviewer came.
    Audio {
        /// Opus.
        payload: Vec<u8>,
        /// When it was read from the socket.
        at: Instant,
    },
}

/// A connection.
pub(super) struct Call {
    peer: Peer,
    socket: UdpSocket,
    local: SocketAddr,
    out: Vec<PeerOutput>,
    events: VecDeque<Event>,
    rtp_time: u32,
    next_frame: Option<Instant>,
    earliest: Instant,
    lost: bool,
}

impl Call {
    /// Consents and connects. Packets are due from then on.
    pub(super) async fn join(
        api: &Api,
        invitation: &Invitation,
        cert: &Certificate,
    ) -> anyhow::Result<Call> {
        let socket = UdpSocket::bind("127.0.0.1:0")
            .await
            .context("no UDP port on loopback")?;
        let local = socket.local_addr()?;
        let (mut peer, offer) = Peer::offer(
            Instant::now(),
            &PeerConfig {
                local,
                cert: Some(cert.clone()),
            },
        );
        let answer = api.connect(invitation, offer).await?;
        peer.answer(Instant::now(), &answer)?;
        let earliest = Instant::now();
        let mut call = Call {
            peer,
            socket,
            local,
            out: Vec::new(),
            events: VecDeque::new(),
            rtp_time: 0,
            next_frame: None,
            earliest,
            lost: false,
        };
        let up = async {
            while !call.peer.is_up() {
                call.step().await?;
            }
            anyhow::Ok(())
        };
        tokio::time::timeout(UP_WITHIN, up)
            .await
            .with_context(|| format!("no connection within {} s", UP_WITHIN.as_secs()))??;
        call.next_frame = Some(Instant::now());
        Ok(call)
    }

    /// The next thing that happens.
    pub(super) async fn next(&mut self) -> anyhow::Result<Event> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(event);
            }
            self.step().await?;
        }
    }

    /// Sends a packet; returns the moment before it left.
    pub(super) fn send(&mut self, payload: &[u8]) -> Instant {
        let now = Instant::now();
        self.peer
            .send_audio(now, self.rtp_time, payload, &mut self.out);
        self.rtp_time = self.rtp_time.wrapping_add(FRAME_48K);
        self.carry_out();
        now
    }

    /// Says goodbye.
    pub(super) fn leave(mut self) {
        self.peer.close(Instant::now(), &mut self.out);
        self.carry_out();
    }

    async fn step(&mut self) -> anyhow::Result<()> {
        let mut buffer = [0; DATAGRAM_MAX];
        let due = self.peer.deadline().max(self.earliest);
        let frame = self.next_frame;
        tokio::select! {
            biased;
            received = self.socket.recv_from(&mut buffer) => {
                let now = Instant::now();
                let (length, source) = received.context("the participant's socket failed")?;
                let datagram = Datagram { proto: Proto::Udp, source, destination: self.local, bytes: buffer.get(..length).unwrap_or_default() };
                self.peer.datagram(now, datagram, &mut self.out);
            }
            () = sleep_until(frame.unwrap_or(due).into()), if frame.is_some() => {
                self.next_frame = frame.map(|at| at + FRAME);
                self.events.push_back(Event::FrameDue);
            }
            () = sleep_until(due.into()) => {
                let now = Instant::now();
                self.earliest = now + TICK_MIN;
                self.peer.timeout(now, &mut self.out);
            }
        }
        self.carry_out();
        if self.lost {
            bail!("the server closed the connection");
        }
        Ok(())
    }

    fn carry_out(&mut self) {
        for output in self.out.drain(..) {
            match output {
                // A datagram that the socket does not take is lost, as on any network; what is missing is counted by
                // whoever waits for it.
                PeerOutput::Transmit {
                    destination, bytes, ..
                } => drop(self.socket.try_send_to(&bytes, destination)),
                PeerOutput::Audio { payload, at, .. } => self.events.push_back(Event::Audio {
                    payload: payload.to_vec(),
                    at,
                }),
                PeerOutput::Lost => self.lost = true,
                PeerOutput::Up | PeerOutput::Text(_) => {}
            }
        }
    }
}
