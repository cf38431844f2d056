//! One WebRTC connection, and the only caller of str0m.
//!
//! str0m wants every mutation followed by a complete drain of its output. Here each public method mutates and drains
//! before it returns, so that nobody else can get it wrong. It runs in RTP mode: packets come out the moment they
//! arrive, in whatever order, because the wait for a missing one is ours to decide (see `jitter`).

mod io;
mod loss;
mod restart;
mod setup;
mod texts;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use str0m::change::{SdpAnswer, SdpOffer, SdpPendingOffer};
use str0m::channel::{ChannelData, ChannelId};
use str0m::format::Codec;
use str0m::media::{Direction, MediaKind, Mid, Pt};
use str0m::net::Receive;
use str0m::rtp::{RtpPacket, RtpWrite};
use str0m::{Event, Input, Output, Rtc, RtcConfig};

use crate::net::{Datagram, NetConfig, Proto};
use crate::offer::{self, Answer, OfferError};
use crate::opus;
pub use io::{AnswerError, PeerConfig, PeerOutput};
use loss::Reported;
pub use restart::{PeerGone, RestartError};
use setup::{base_config, credentials, random};
use texts::Texts;

/// The data channel's label, agreed with the page.
const CHANNEL: &str = "colloquy";
/// A peer that is not connected after this long never will be: browsers give up on ICE after about 15 s.
const CONNECT_LIMIT: Duration = Duration::from_secs(30);
/// A connected peer that sent nothing at all for this long is gone. Browsers check consent every 5 s at most
/// (RFC 7675, 5.1); a Chromium with a broken network calls its connection failed after about 15 s, which an ICE
/// restart mends all the same. So who has no network for 20 s comes back on the same connection.
const SILENCE_LIMIT: Duration = Duration::from_secs(25);
/// The first byte of a STUN message is below this, that of DTLS, RTP and RTCP is not (RFC 7983, 7).
const STUN_BELOW: u8 = 4;
/// How often timers that are due already are run within one call.
const DUE_ROUNDS_MAX: u8 = 3;
/// Where extended RTP time begins; a multiple of 2^32, so that the lower bits stay what was on the wire.
const RTP_ZERO: u64 = 1 << 40;
/// "Never", as a deadline.
const NEVER: Duration = Duration::from_secs(24 * 3_600);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Connecting,
    Up,
    Gone,
}

/// One WebRTC connection.
pub struct Peer {
    rtc: Rtc,
    state: State,
    candidates: Vec<(Proto, SocketAddr)>,
    /// Where DTLS or media came from last, and where it came from before a restart.
    way: Option<SocketAddr>,
    former: Option<SocketAddr>,
    asked: Option<restart::Asked>,
    offered: Option<SdpPendingOffer>,
    mid: Option<Mid>,
    opus_pt: Option<Pt>,
    seq: u64,
    next_rtp_time: Option<u32>,
    /// The last one received, extended.
    rtp_time: Option<u64>,
    channel: Option<ChannelId>,
    texts: Texts,
    started: Instant,
    heard: Instant,
    rtc_deadline: Instant,
    pending: Vec<PeerOutput>,
    reported: Reported,
}

impl Peer {
    /// Answers a browser's offer: ICE-lite, audio and the data channel only.
    ///
    /// # Errors
    /// When the offer cannot become an interview.
    pub fn accept(
        now: Instant,
        offer_sdp: &str,
        net: &NetConfig,
    ) -> Result<(Peer, Answer), OfferError> {
        let reduced = offer::reduce(offer_sdp)?;
        let offer = SdpOffer::from_sdp_string(&reduced)
            .map_err(|error| OfferError::NotSdp(error.to_string()))?;
        let creds = credentials();
        let ufrag = creds.ufrag.clone();
        let config = base_config()
            .set_ice_lite(true)
            .set_local_ice_credentials(creds)
            .set_dtls_cert(net.cert.0.clone());
        let mut peer = Peer::new(now, config);
        for addr in &net.udp {
            peer.add_candidate(Proto::Udp, *addr);
        }
        for addr in &net.tcp {
            peer.add_candidate(Proto::Tcp, *addr);
        }
        let answer = peer
            .rtc
            .sdp_api()
            .accept_offer(offer)
            .map_err(|error| OfferError::Unusable(error.to_string()))?;
        peer.settle(now);
        Ok((
            peer,
            Answer {
                sdp: answer.to_sdp_string(),
                ufrag,
            },
        ))
    }

    /// Makes an offer, as a browser would: full ICE, one audio track both ways, a data channel `colloquy`.
    #[must_use]
    pub fn offer(now: Instant, config: &PeerConfig) -> (Peer, String) {
        let mut rtc = base_config().set_local_ice_credentials(credentials());
        if let Some(cert) = &config.cert {
            rtc = rtc.set_dtls_cert(cert.0.clone());
        }
        let mut peer = Peer::new(now, rtc);
        peer.add_candidate(Proto::Udp, config.local);
        let mut api = peer.rtc.sdp_api();
        let mid = api.add_media(MediaKind::Audio, Direction::SendRecv, None, None, None);
        api.add_channel(CHANNEL.to_owned());
        let (offer, pending) = api
            .apply()
            .expect("new media and a channel need negotiation");
        peer.mid = Some(mid);
        peer.offered = Some(pending);
        peer.settle(now);
        (peer, offer.to_sdp_string())
    }

    /// Takes the answer to our offer.
    ///
    /// # Errors
    /// When it is not an answer to that offer.
    pub fn answer(&mut self, now: Instant, sdp: &str) -> Result<(), AnswerError> {
        let answer =
            SdpAnswer::from_sdp_string(sdp).map_err(|error| AnswerError(error.to_string()))?;
        let pending = self
            .offered
            .take()
            .ok_or_else(|| AnswerError("nothing was offered".to_owned()))?;
        self.rtc
            .sdp_api()
            .accept_answer(pending, answer)
            .map_err(|error| AnswerError(error.to_string()))?;
        self.settle(now);
        Ok(())
    }

    fn new(now: Instant, config: RtcConfig) -> Peer {
        Peer {
            rtc: config.build(now),
            state: State::Connecting,
            candidates: Vec::new(),
            way: None,
            former: None,
            asked: None,
            offered: None,
            mid: None,
            opus_pt: None,
            // Random, as RFC 3550 5.1 wants it, and below 2^15 so that no wrap-around is missed at the start.
            seq: random::<2>().map_or(0, |bytes| u64::from(u16::from_be_bytes(bytes) & 0x7FFF)),
            next_rtp_time: None,
            rtp_time: None,
            channel: None,
            texts: Texts::default(),
            started: now,
            heard: now,
            rtc_deadline: now,
            pending: Vec::new(),
            reported: Reported::default(),
        }
    }

    /// Drains what negotiation left behind. There is nowhere to send it yet; it goes out with the next call.
    fn settle(&mut self, now: Instant) {
        let mut out = std::mem::take(&mut self.pending);
        self.drain(now, &mut out);
        self.pending = out;
    }

    /// Takes a datagram.
    pub fn datagram(&mut self, now: Instant, datagram: Datagram<'_>, out: &mut Vec<PeerOutput>) {
        out.append(&mut self.pending);
        if self.state == State::Gone {
            return;
        }
        let destination = self.own_address(datagram.proto, datagram.destination);
        let received = Receive::new(
            datagram.proto.to_str0m(),
            datagram.source,
            destination,
            datagram.bytes,
        );
        // Not STUN, DTLS or (S)RTP: noise from the internet.
        let Ok(receive) = received else { return };
        let input = Input::Receive(now, receive);
        let stun = datagram
            .bytes
            .first()
            .is_some_and(|first| *first < STUN_BELOW);
        let late = !stun && self.former == Some(datagram.source);
        if !late && !self.rtc.accepts(&input) {
            return;
        }
        if !stun && !late {
            self.way = Some(datagram.source);
        }
        self.heard = now;
        if let Err(error) = self.rtc.handle_input(input) {
            // A datagram that makes no sense ends nothing: if the connection is really broken, silence will tell.
            tracing::debug!(error = %error, "a datagram was refused");
        }
        self.drain(now, out);
    }

    /// Does what is due.
    pub fn timeout(&mut self, now: Instant, out: &mut Vec<PeerOutput>) {
        out.append(&mut self.pending);
        if self.state == State::Gone {
            return;
        }
        if now >= self.silence_deadline() {
            self.lose(out);
            return;
        }
        if let Err(error) = self.rtc.handle_input(Input::Timeout(now)) {
            tracing::debug!(error = %error, "a timer of the connection failed");
        }
        self.drain(now, out);
        if !self.texts.is_empty() && self.write_texts(now) {
            self.drain(now, out);
        }
    }

    /// When [`Peer::timeout`] is due next.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        if !self.pending.is_empty() {
            return self.started;
        }
        match self.state {
            State::Gone => self.heard + NEVER,
            State::Connecting | State::Up => {
                let deadline = self.rtc_deadline.min(self.silence_deadline());
                self.texts
                    .retry
                    .map_or(deadline, |retry| retry.min(deadline))
            }
        }
    }

    /// Sends one Opus packet. The timestamp is that of its first sample at 48 kHz; a jump from the packet before marks
    /// the start of a talkspurt (RFC 3551, 4.1).
    pub fn send_audio(
        &mut self,
        now: Instant,
        rtp_time_48k: u32,
        payload: impl Into<Arc<[u8]>>,
        out: &mut Vec<PeerOutput>,
    ) {
        out.append(&mut self.pending);
        if self.state != State::Up {
            return;
        }
        let (Some(mid), Some(pt)) = (self.mid, self.opus_pt()) else {
            return;
        };
        let marker = self.next_rtp_time != Some(rtp_time_48k);
        let payload = payload.into();
        let length = opus::duration_48k(&payload).unwrap_or(opus::FRAME_48K);
        let mut api = self.rtc.direct_api();
        let Some(stream) = api.stream_tx_by_mid(mid, None) else {
            return;
        };
        self.seq += 1;
        stream.write_rtp(
            RtpWrite::new(pt, self.seq.into(), rtp_time_48k, now, payload).marker(marker),
        );
        self.next_rtp_time = Some(rtp_time_48k.wrapping_add(u32::try_from(length).unwrap_or(0)));
        self.drain(now, out);
    }

    /// Sends text on the data channel; kept (bounded, the oldest is dropped) until it opens.
    pub fn send_text(&mut self, now: Instant, text: &str, out: &mut Vec<PeerOutput>) {
        out.append(&mut self.pending);
        if self.state == State::Gone {
            return;
        }
        self.texts.push(text);
        if self.write_texts(now) {
            self.drain(now, out);
        }
    }

    /// Says goodbye, so that the other side need not wait for a timeout.
    pub fn close(&mut self, now: Instant, out: &mut Vec<PeerOutput>) {
        out.append(&mut self.pending);
        if self.state == State::Gone {
            return;
        }
        self.state = State::Gone;
        if self.rtc.close().is_ok() {
            self.drain(now, out);
        }
        self.rtc.disconnect();
    }

    /// How much of our audio the other side lost lately, in percent, as it reports itself (RFC 3550, 6.4.1).
    #[must_use]
    pub fn loss_percent(&self) -> u8 {
        self.reported.percent()
    }

    /// Whether audio can be sent.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.state == State::Up
    }

    /// Texts that were dropped because the channel did not open in time.
    #[must_use]
    pub fn texts_dropped(&self) -> u64 {
        self.texts.dropped
    }

    fn own_address(&self, proto: Proto, destination: SocketAddr) -> SocketAddr {
        if self.candidates.contains(&(proto, destination)) {
            return destination;
        }
        let same = |(p, addr): &&(Proto, SocketAddr)| {
            *p == proto && addr.is_ipv4() == destination.is_ipv4()
        };
        let any = |(p, _): &&(Proto, SocketAddr)| *p == proto;
        let found = self
            .candidates
            .iter()
            .find(same)
            .or_else(|| self.candidates.iter().find(any));
        found.map_or(destination, |(_, addr)| *addr)
    }

    fn silence_deadline(&self) -> Instant {
        match self.state {
            State::Connecting => self.started + CONNECT_LIMIT,
            State::Up | State::Gone => self.heard + SILENCE_LIMIT,
        }
    }

    fn lose(&mut self, out: &mut Vec<PeerOutput>) {
        if self.state != State::Gone {
            self.state = State::Gone;
            self.rtc.disconnect();
            out.push(PeerOutput::Lost);
        }
    }

    fn opus_pt(&mut self) -> Option<Pt> {
        if self.opus_pt.is_none() {
            let media = self.rtc.media(self.mid?)?;
            let is_opus = |pt: &Pt| {
                let config = self.rtc.codec_config();
                config
                    .find(|params| params.pt() == *pt && params.spec().codec == Codec::Opus)
                    .is_some()
            };
            self.opus_pt = media.remote_pts().iter().copied().find(is_opus);
        }
        self.opus_pt
    }

    /// Drains to the next timer. What was written only leaves when time moves, so a timer that is due already is run at
    /// once: a frame must not wait for the caller's next round.
    fn drain(&mut self, now: Instant, out: &mut Vec<PeerOutput>) {
        let mut rounds = 0;
        loop {
            match self.rtc.poll_output() {
                Ok(Output::Timeout(at)) if at <= now && rounds < DUE_ROUNDS_MAX => {
                    rounds += 1;
                    if let Err(error) = self.rtc.handle_input(Input::Timeout(now)) {
                        tracing::debug!(error = %error, "a timer of the connection failed");
                    }
                }
                Ok(Output::Timeout(at)) => {
                    // A timer in the past would spin the caller; one millisecond is below every timer in use.
                    self.rtc_deadline = at.max(now + Duration::from_millis(1));
                    return;
                }
                Ok(Output::Transmit(transmit)) => out.push(PeerOutput::Transmit {
                    proto: Proto::from_str0m(transmit.proto),
                    source: transmit.source,
                    destination: transmit.destination,
                    bytes: transmit.contents.into(),
                }),
                Ok(Output::Event(event)) => self.on_event(now, event, out),
                Err(error) => {
                    tracing::debug!(error = %error, "the connection broke");
                    self.lose(out);
                    return;
                }
            }
        }
    }

    fn on_event(&mut self, now: Instant, event: Event, out: &mut Vec<PeerOutput>) {
        // Not `match`: the enum is open, and what is not listed here is not for us.
        if let Event::RtpPacket(packet) = event {
            self.on_packet(packet, out);
        } else if let Event::Connected = event {
            if self.state == State::Connecting {
                self.state = State::Up;
                out.push(PeerOutput::Up);
            }
        } else if let Event::MediaAdded(added) = event {
            if added.kind == MediaKind::Audio && self.mid.is_none() {
                self.mid = Some(added.mid);
            }
        } else if let Event::ChannelOpen(id, label) = event {
            if label == CHANNEL {
                self.channel = Some(id);
                self.write_texts(now);
            }
        } else if let Event::ChannelData(data) = event {
            self.on_text(data, out);
        } else if let Event::ChannelClose(id) = event {
            if self.channel == Some(id) {
                self.channel = None;
            }
        } else if let Event::MediaEgressStats(stats) = event {
            if let Some(remote) = stats.remote {
                let total = (*remote.maximum_sequence_number, remote.packets_lost);
                self.reported.note(total, stats.packets);
            }
        } else if let Event::Closed = event {
            self.lose(out);
        }
    }

    fn on_packet(&mut self, packet: RtpPacket, out: &mut Vec<PeerOutput>) {
        // Padding without payload, or a payload type that is not ours.
        if packet.payload.is_empty() || self.opus_pt() != Some(packet.header.payload_type) {
            return;
        }
        out.push(PeerOutput::Audio {
            seq: *packet.seq_no,
            rtp_time: self.extend(packet.header.timestamp),
            payload: packet.payload,
            at: packet.timestamp,
        });
    }

    /// Extends an RTP timestamp past 32 bits, to the value nearest to the one before. It begins far above zero, so that a
    /// browser may step back (another microphone, another clock).
    fn extend(&mut self, timestamp: u32) -> u64 {
        let last = self.rtp_time.unwrap_or(RTP_ZERO + u64::from(timestamp));
        let step = timestamp
            .wrapping_sub((last & u64::from(u32::MAX)) as u32)
            .cast_signed();
        let extended = last.saturating_add_signed(i64::from(step));
        self.rtp_time = Some(extended);
        extended
    }

    fn on_text(&self, data: ChannelData, out: &mut Vec<PeerOutput>) {
        if data.binary || self.channel != Some(data.id) {
            return;
        }
        if let Ok(text) = String::from_utf8(data.data) {
            out.push(PeerOutput::Text(text));
        }
    }

    /// Writes queued texts as far as the channel takes them; whether any was.
    fn write_texts(&mut self, now: Instant) -> bool {
        self.channel
            .is_some_and(|id| self.texts.write(now, &mut self.rtc, id))
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Peer({:?})", self.state)
    }
}
