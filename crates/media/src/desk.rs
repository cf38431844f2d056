//! One session's audio. The desk outlives its peers: recording and playout go on while a participant reconnects.

mod io;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::ids::ItemId;

use crate::fragment::IceFragment;
use crate::gap::{Gap, Gaps};
use crate::jitter::Packet;
use crate::listen::{Listener, Said, Tally};
use crate::net::{Datagram, NetConfig};
use crate::offer::{self, Answer, OfferError};
use crate::opus::{self, Encoder};
use crate::peer::{Peer, PeerGone, PeerOutput, RestartError};
use crate::playout::{Encode, Playout, Sent};
use crate::record::Writer;
use crate::stats::{DeskStats, LatencySamples};

pub use io::{DeskConfig, DeskError, DeskFact, DeskOutput, Recording};

/// "Never", as a deadline.
const NEVER: Duration = Duration::from_secs(24 * 3_600);

/// One session's audio.
pub struct Desk {
    config: DeskConfig,
    listener: Listener,
    playout: Playout,
    writer: Option<Writer>,
    recording: Recording,
    peer: Option<Peer>,
    peer_no: u32,
    /// ICE user fragment of the other side, by which a restart is told from a repetition.
    their_ufrag: String,
    flowing: bool,
    gaps: Gaps,
    /// Outputs of calls that cannot hand them over.
    pending: Vec<DeskOutput>,
    origin: Instant,
    stats: DeskStats,
    texts_dropped: u64,
    latency: LatencySamples,
    peer_out: Vec<PeerOutput>,
    said: Vec<Said>,
    sent: Vec<Sent>,
}

impl Desk {
    /// Makes a desk without a peer.
    ///
    /// # Errors
    /// When the codec refuses the settings.
    pub fn new(origin: Instant, config: DeskConfig) -> Result<Desk, DeskError> {
        let encoder = Encoder::new(
            config.model_rate_hz,
            config.opus_complexity,
            config.opus_bitrate_bps,
        )?;
        Ok(Desk {
            listener: Listener::new(config.model_rate_hz)?,
            playout: Playout::new(origin, config.model_rate_hz, encoder),
            writer: None,
            recording: config.recording,
            config,
            peer: None,
            peer_no: 0,
            their_ufrag: String::new(),
            flowing: false,
            gaps: Gaps::default(),
            pending: Vec::new(),
            origin,
            stats: DeskStats::default(),
            texts_dropped: 0,
            latency: LatencySamples::default(),
            peer_out: Vec::new(),
            said: Vec::new(),
            sent: Vec::new(),
        })
    }

    /// Answers an offer. Replaces any older peer, whose connection is closed without a `Lost`.
    ///
    /// # Errors
    /// When the offer cannot become an interview. The older peer is then kept.
    pub fn accept(
        &mut self,
        now: Instant,
        offer_sdp: &str,
        net: &NetConfig,
    ) -> Result<Answer, OfferError> {
        let (peer, answer) = Peer::accept(now, offer_sdp, net)?;
        let mut goodbye = std::mem::take(&mut self.pending);
        if !self.config.farewell.is_empty() && self.peer.as_ref().is_some_and(Peer::is_up) {
            self.send_text(now, self.config.farewell, &mut goodbye);
        }
        self.close_peer(now, &mut goodbye);
        self.pending = goodbye;
        self.peer = Some(peer);
        self.peer_no += 1;
        self.their_ufrag = offer::ufrag(offer_sdp).unwrap_or_default().to_owned();
        self.flowing = false;
        self.gaps = Gaps::default();
        self.listener.new_peer();
        Ok(answer)
    }

    /// Answers an ICE restart of the peer. Nothing else changes: what is heard, played and recorded goes on.
    ///
    /// # Errors
    /// When there is no peer (any more), or the credentials are those that it has.
    pub fn restart(
        &mut self,
        now: Instant,
        theirs: &IceFragment,
    ) -> Result<IceFragment, RestartError> {
        let peer = self.peer.as_mut().ok_or(PeerGone)?;
        if theirs.ufrag == self.their_ufrag {
            return Err(RestartError::NotNew);
        }
        let ours = peer.restart(now, theirs)?;
        self.their_ufrag.clone_from(&theirs.ufrag);
        Ok(ours)
    }

    /// Closes the peer, if there is one. No `Lost` follows: the caller knows.
    pub fn close_peer(&mut self, now: Instant, out: &mut Vec<DeskOutput>) {
        out.append(&mut self.pending);
        if let Some(mut peer) = self.peer.take() {
            let mut peer_out = std::mem::take(&mut self.peer_out);
            peer.close(now, &mut peer_out);
            self.texts_dropped += peer.texts_dropped();
            out.extend(peer_out.drain(..).filter_map(transmit));
            self.peer_out = peer_out;
        }
    }

    /// Takes a datagram.
    pub fn datagram(&mut self, now: Instant, datagram: Datagram<'_>, out: &mut Vec<DeskOutput>) {
        out.append(&mut self.pending);
        self.with_peer(now, out, |peer, peer_out| {
            peer.datagram(now, datagram, peer_out)
        });
        if self.peer.as_ref().is_some_and(|peer| peer.heard() == now) {
            self.gaps.packet(now);
        }
    }

    /// Queues audio of an utterance at the model's rate: any length, faster than real time. After it, ask
    /// [`Desk::deadline`] again: the first frame is due at once.
    pub fn interviewer_audio(&mut self, now: Instant, item: &ItemId, pcm: &[i16]) {
        self.playout.audio(now, item, pcm, &mut self.stats);
    }

    /// No more audio comes for this utterance.
    pub fn interviewer_done(&mut self, now: Instant, item: &ItemId) {
        self.playout.done(now, item);
    }

    /// Stops playing within one frame. Everything queued ends with `PlayoutEnded { cut: true }`; what was queued but not
    /// begun, with `played_ms: 0`.
    pub fn cut(&mut self, now: Instant, out: &mut Vec<DeskOutput>) {
        out.append(&mut self.pending);
        self.playout.cut(now);
        out.extend(self.playout.facts().map(DeskOutput::Fact));
    }

    /// Plays nothing more of this utterance, and nothing of it that still arrives. If it was queued or being played,
    /// the next call of [`Desk::timeout`] says how much of it was heard.
    pub fn drop_utterance(&mut self, item: &ItemId) {
        self.playout.drop_utterance(item);
    }

    /// Sends text to the page; kept (bounded) until the data channel opens. Dropped and counted without a peer.
    pub fn send_text(&mut self, now: Instant, text: &str, out: &mut Vec<DeskOutput>) {
        out.append(&mut self.pending);
        if self.peer.is_none() {
            self.texts_dropped += 1;
        }
        self.with_peer(now, out, |peer, peer_out| {
            peer.send_text(now, text, peer_out)
        });
    }

    /// Ends the recording with its last chunk. Nothing is recorded after it.
    pub fn finish(&mut self, now: Instant, out: &mut Vec<DeskOutput>) {
        out.append(&mut self.pending);
        self.recording = Recording::Off;
        if let Some(writer) = self.writer.take() {
            self.stats.packets_unrecorded = writer.unrecorded();
            out.push(DeskOutput::Chunk(writer.finish(now)));
        }
    }

    /// Does what is due.
    pub fn timeout(&mut self, now: Instant, out: &mut Vec<DeskOutput>) {
        out.append(&mut self.pending);
        self.play(now, out);
        self.with_peer(now, out, |peer, peer_out| {
            if peer.deadline() <= now {
                peer.timeout(now, peer_out);
            }
        });
        if self
            .listener
            .deadline()
            .is_some_and(|deadline| deadline <= now)
        {
            let mut said = std::mem::take(&mut self.said);
            self.listener.timeout(
                now,
                &mut Tally {
                    stats: &mut self.stats,
                    latency: &mut self.latency,
                },
                &mut said,
            );
            out.extend(said.drain(..).map(heard));
            self.said = said;
        }
        if let Some(writer) = &mut self.writer {
            out.extend(writer.cut(now).map(DeskOutput::Chunk));
            self.stats.packets_unrecorded = writer.unrecorded();
        }
    }

    /// When [`Desk::timeout`] is due next. It is never so far away that a wait for it needs a bound of its own.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        if !self.pending.is_empty() {
            return self.origin;
        }
        let peer = self.peer.as_ref().map(Peer::deadline);
        let writer = self.writer.as_ref().map(Writer::deadline);
        let deadlines = [
            peer,
            writer,
            self.playout.deadline(),
            self.listener.deadline(),
        ];
        deadlines
            .into_iter()
            .flatten()
            .min()
            .unwrap_or(self.origin + NEVER)
    }

    /// Counters since the beginning.
    #[must_use]
    pub fn stats(&self) -> DeskStats {
        let texts = self.texts_dropped + self.peer.as_ref().map_or(0, Peer::texts_dropped);
        DeskStats {
            texts_dropped: texts,
            ..self.stats
        }
    }

    /// Latency samples that were gathered since [`Desk::forget_latency`].
    #[must_use]
    pub fn latency(&self) -> &LatencySamples {
        &self.latency
    }

    /// Begins to gather anew.
    pub fn forget_latency(&mut self) {
        self.latency.inbound_us.clear();
        self.latency.outbound_us.clear();
    }

    /// Sends the frames that are due: to the peer, if there is one, and to the recording.
    fn play(&mut self, now: Instant, out: &mut Vec<DeskOutput>) {
        let listened = self.peer.as_ref().is_some_and(Peer::is_up) || self.writer.is_some();
        let encode = if listened { Encode::Yes } else { Encode::No };
        // 0 without a peer, and again with a new one: nobody has lost anything yet.
        let loss_percent = self.peer.as_ref().map_or(0, Peer::loss_percent);
        self.playout.expect_loss(loss_percent);
        let mut sent = std::mem::take(&mut self.sent);
        let played =
            self.playout
                .timeout(now, encode, &mut self.stats, &mut self.latency, &mut sent);
        if let Err(error) = played {
            // Frames have the codec's length by construction; if it fails all the same, the participant hears a gap.
            tracing::error!(error = %error, "a frame could not be encoded");
        }
        for frame in sent.drain(..) {
            if let Some(writer) = &mut self.writer {
                writer.interviewer(frame.at, &frame.payload);
            }
            self.stats.packets_out += u64::from(self.peer.as_ref().is_some_and(Peer::is_up));
            self.with_peer(now, out, |peer, peer_out| {
                peer.send_audio(now, frame.rtp_time, Arc::clone(&frame.payload), peer_out)
            });
        }
        self.sent = sent;
        out.extend(self.playout.facts().map(DeskOutput::Fact));
    }

    /// Calls the peer and passes on what it says.
    fn with_peer(
        &mut self,
        now: Instant,
        out: &mut Vec<DeskOutput>,
        call: impl FnOnce(&mut Peer, &mut Vec<PeerOutput>),
    ) {
        let Some(peer) = &mut self.peer else { return };
        let mut peer_out = std::mem::take(&mut self.peer_out);
        call(peer, &mut peer_out);
        for output in peer_out.drain(..) {
            self.on_peer(now, output, out);
        }
        self.peer_out = peer_out;
    }

    fn on_peer(&mut self, now: Instant, output: PeerOutput, out: &mut Vec<DeskOutput>) {
        match output {
            PeerOutput::Transmit {
                proto,
                source,
                destination,
                bytes,
            } => {
                out.push(DeskOutput::Transmit {
                    proto,
                    source,
                    destination,
                    bytes,
                });
            }
            PeerOutput::Up => out.push(DeskOutput::Fact(DeskFact::Up)),
            PeerOutput::Lost => {
                if let Some(peer) = self.peer.take() {
                    self.texts_dropped += peer.texts_dropped();
                }
                out.push(DeskOutput::Fact(DeskFact::Lost));
            }
            PeerOutput::Audio {
                seq,
                rtp_time,
                payload,
                at,
            } => self.on_audio(now, seq, rtp_time, payload, at, out),
            PeerOutput::Text(text) => out.push(DeskOutput::Text(text)),
        }
    }

    fn on_audio(
        &mut self,
        now: Instant,
        seq: u64,
        rtp_time: u64,
        payload: Arc<[u8]>,
        at: Instant,
        out: &mut Vec<DeskOutput>,
    ) {
        let Some(length) = opus::duration_48k(&payload) else {
            self.stats.packets_bad += 1;
            return;
        };
        if !self.flowing {
            self.flowing = true;
            out.push(DeskOutput::Fact(DeskFact::AudioFlowing { at }));
        }
        if let Some(Gap { from, to }) = self.gaps.audio(now) {
            out.push(DeskOutput::Fact(DeskFact::NetworkGap { from, to }));
        }
        let packet = Packet {
            seq,
            rtp_time,
            length,
            payload: Arc::clone(&payload),
            at,
        };
        let mut said = std::mem::take(&mut self.said);
        let tally = &mut Tally {
            stats: &mut self.stats,
            latency: &mut self.latency,
        };
        let placed = self.listener.packet(now, packet, tally, &mut said);
        out.extend(said.drain(..).map(heard));
        self.said = said;
        let Some(placed) = placed else { return };
        if self.writer.is_none() && self.recording == Recording::On {
            self.writer = Some(Writer::going_on(placed.start, self.config.beginning));
        }
        if let Some(writer) = &mut self.writer {
            writer.participant(self.peer_no, seq, placed.start, placed.voice, &payload);
        }
    }
}

fn heard(said: Said) -> DeskOutput {
    match said {
        Said::Audio(pcm) => DeskOutput::ParticipantAudio(pcm),
        Said::Started(at) => DeskOutput::Fact(DeskFact::SpeechStarted { at }),
        Said::Ended(at) => DeskOutput::Fact(DeskFact::SpeechEnded { at }),
    }
}

/// What a closed peer may still send; the rest of what it says is no longer news.
fn transmit(output: PeerOutput) -> Option<DeskOutput> {
    match output {
        PeerOutput::Transmit {
            proto,
            source,
            destination,
            bytes,
        } => Some(DeskOutput::Transmit {
            proto,
            source,
            destination,
            bytes,
        }),
        PeerOutput::Up | PeerOutput::Lost | PeerOutput::Audio { .. } | PeerOutput::Text(_) => None,
    }
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Desk({:?}, peer {} {:?})",
            self.config, self.peer_no, self.peer
        )
    }
}

#[cfg(test)]
mod tests;
