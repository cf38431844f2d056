//! From a participant's packets to an unbroken stream of 20 ms frames for the provider, and to edges of speech.
//!
//! Order is put right in `jitter`; here holes are filled. What a packet's neighbours know of it is used first (in-band
//! FEC), then the decoder's imagination (for at most 120 ms), then silence. When nothing comes at all (the browser
//! stopped sending, or the network did), silence is fed in real time, so that the provider's voice detection sees the
//! end of what was being said.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::clock::RtpClock;
use crate::jitter::{Fate, Jitter, Packet, Play};
use crate::opus::{self, Decoder, FRAME_48K, OpusError};
use crate::stats::{DeskStats, LatencySamples};
use crate::vad::{Edge, Vad};

/// 20 ms.
const FRAME: Duration = Duration::from_millis(20);
/// Frames that the decoder may make up before silence is more honest: 120 ms, about a syllable.
const CONCEALED_FRAMES_MAX: u64 = 6;
/// A pause of this length in arrivals is taken for the end of sending. Shorter ones are jitter.
const QUIET_AFTER: Duration = Duration::from_millis(200);
/// The same after a packet that announces discontinuous transmission (1 or 2 bytes, RFC 6716, 2.1.9).
const QUIET_AFTER_DTX: Duration = Duration::from_millis(60);
/// Silence fed in one gap at most. The most patient turn detection waits 5 s.
const SILENCE_MAX: Duration = Duration::from_secs(10);
/// The same in frames, for a gap that is known by its end.
const SILENCE_FRAMES_MAX: u64 = 500;
/// Packets of digital silence after which nothing of the sound before is left in the decoder.
const SETTLED: u32 = 4;
/// A packet this far from where its clock puts it comes from another clock. Networks hold packets back for less.
const CLOCK_ERROR_MAX: Duration = Duration::from_secs(5);
/// Marks kept to date an edge of speech that is recognised 320 ms after it happened.
const MARKS_MAX: usize = 64;
/// Forward jump in RTP time beyond which it is another stream and not a gap: one minute.
const JUMP_MAX: u64 = 60 * opus::CLOCK_HZ;

/// What was heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// 20 ms at the model's rate.
    Audio(Vec<i16>),
    /// Speech began.
    Started(Instant),
    /// Speech ended.
    Ended(Instant),
}

/// A packet as the recording wants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Placed {
    /// When its first sample would have arrived without jitter.
    pub(crate) start: Instant,
    /// Whether speech was going on.
    pub(crate) voice: bool,
}

/// Where silence is owed if nothing comes.
#[derive(Clone, Copy, Debug)]
struct Quiet {
    /// Up to here, the stream is complete.
    from: Instant,
    /// Not before this moment.
    trigger: Instant,
    /// Fed in this gap so far.
    fed: Duration,
}

/// One participant's ear.
pub(crate) struct Listener {
    frame: usize,
    rate_hz: u64,
    decoder: Decoder,
    /// Packets of digital silence in a row.
    silent: u32,
    jitter: Jitter,
    clock: Option<RtpClock>,
    next_rtp: Option<u64>,
    filled_48k: u64,
    quiet: Option<Quiet>,
    pending: Vec<i16>,
    position: u64,
    marks: VecDeque<(u64, Instant)>,
    vad: Vad,
    edges: Vec<Edge>,
    plays: Vec<Play>,
    last_transit: Option<(Instant, u64)>,
}

impl Listener {
    pub(crate) fn new(rate_hz: u32) -> Result<Listener, OpusError> {
        Ok(Listener {
            frame: rate_hz as usize / 50,
            rate_hz: u64::from(rate_hz),
            decoder: Decoder::new(rate_hz)?,
            silent: 0,
            jitter: Jitter::new(),
            clock: None,
            next_rtp: None,
            filled_48k: 0,
            quiet: None,
            pending: Vec::new(),
            position: 0,
            marks: VecDeque::new(),
            vad: Vad::new(),
            edges: Vec::new(),
            plays: Vec::new(),
            last_transit: None,
        })
    }

    /// Another peer follows: its numbers, clock and encoder are new. What is being said goes on.
    pub(crate) fn new_peer(&mut self) {
        self.jitter = Jitter::new();
        self.restart();
    }

    fn restart(&mut self) {
        self.clock = None;
        self.next_rtp = None;
        self.last_transit = None;
        // Cannot fail; and if it did, the decoder would merely begin with what it remembers.
        let _ = self.decoder.reset();
    }

    /// Takes a packet. Says where the recording should put it, unless it is not Opus or not new.
    pub(crate) fn packet(
        &mut self,
        now: Instant,
        packet: Packet,
        tally: &mut Tally<'_>,
        out: &mut Vec<Said>,
    ) -> Option<Placed> {
        tally.stats.packets_in += 1;
        self.note_jitter(&packet, tally.stats);
        let (at, rtp_time, end) = (packet.at, packet.rtp_time, packet.rtp_time + packet.length);
        let voice = self.vad.speaking();
        // A browser that switched its microphone may count from elsewhere; then nothing known of the clock holds.
        self.clock = self
            .clock
            .take()
            .filter(|clock| clock.error(at, end) < CLOCK_ERROR_MAX);
        if let Some(clock) = &mut self.clock {
            clock.observe(at, end);
        }
        let mut plays = std::mem::take(&mut self.plays);
        let fate = self.jitter.push(now, packet, &mut plays);
        self.play(now, &mut plays, tally, out);
        self.plays = plays;
        let start = self
            .clock
            .get_or_insert_with(|| RtpClock::new(at, end))
            .local(rtp_time);
        let placed = Placed { start, voice };
        match fate {
            Fate::Taken => Some(placed),
            Fate::Late => {
                tally.stats.packets_late += 1;
                Some(placed)
            }
            Fate::Duplicate => None,
        }
    }

    /// Does what is due: gives up holes, feeds silence.
    pub(crate) fn timeout(&mut self, now: Instant, tally: &mut Tally<'_>, out: &mut Vec<Said>) {
        let mut plays = std::mem::take(&mut self.plays);
        self.jitter.timeout(now, &mut plays);
        self.play(now, &mut plays, tally, out);
        self.plays = plays;
        // While packets wait behind a hole, audio is about to come.
        if self.jitter.deadline().is_none() {
            self.feed_silence(now, tally, out);
        }
    }

    /// When [`Listener::timeout`] is due.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let quiet = self
            .quiet
            .filter(|quiet| quiet.fed < SILENCE_MAX)
            .map(|quiet| quiet.trigger.max(quiet.from + FRAME));
        self.jitter.deadline().or(quiet)
    }

    fn play(
        &mut self,
        now: Instant,
        plays: &mut Vec<Play>,
        tally: &mut Tally<'_>,
        out: &mut Vec<Said>,
    ) {
        for play in plays.drain(..) {
            match play {
                Play::Restart => self.restart(),
                Play::Packet { packet, lost } => {
                    tally.stats.packets_lost += lost;
                    let end = packet.rtp_time + packet.length;
                    self.clock
                        .get_or_insert_with(|| RtpClock::new(packet.at, end));
                    self.fill_gap(&packet, lost, tally, out);
                    self.decode(&packet, tally, out);
                    tally
                        .latency
                        .inbound(now.saturating_duration_since(packet.at));
                    let after = if packet.payload.len() <= 2 {
                        QUIET_AFTER_DTX
                    } else {
                        QUIET_AFTER
                    };
                    self.quiet = Some(Quiet {
                        from: now,
                        trigger: now + after,
                        fed: Duration::ZERO,
                    });
                    self.filled_48k = 0;
                    self.next_rtp = Some(packet.rtp_time + packet.length);
                }
            }
        }
    }

    /// Fills the stream up to a packet. Silence that was fed in the meantime counts.
    fn fill_gap(&mut self, packet: &Packet, lost: u64, tally: &mut Tally<'_>, out: &mut Vec<Said>) {
        let gap = self
            .next_rtp
            .map_or(0, |next| packet.rtp_time.saturating_sub(next));
        let missing = if gap > JUMP_MAX {
            0
        } else {
            gap.saturating_sub(self.filled_48k)
        };
        // Rounded: half a frame either way is no loss that anyone hears.
        let frames = (missing + FRAME_48K / 2) / FRAME_48K;
        let start = self.local(packet.rtp_time.saturating_sub(missing), packet.at);
        for index in 0..frames {
            let at = after(start, index);
            if lost > 0 && index + 1 == frames {
                self.made_up(&packet.payload, at, tally, out);
            } else if lost > 0 && index + 1 < CONCEALED_FRAMES_MAX {
                self.made_up(&[], at, tally, out);
            } else if index < SILENCE_FRAMES_MAX {
                self.silence(at, tally, out);
            }
        }
    }

    fn decode(&mut self, packet: &Packet, tally: &mut Tally<'_>, out: &mut Vec<Said>) {
        let at = self.local(packet.rtp_time, packet.at);
        self.silent = if packet.payload[..] == opus::SILENCE {
            self.silent.saturating_add(1)
        } else {
            0
        };
        if self.silent > SETTLED {
            // The decoder has faded out by now; to ask it would be to pay for zeros.
            return self.emit(vec![0; self.frame], at, out);
        }
        match self.decoder.decode(&packet.payload) {
            Ok(pcm) => {
                let pcm = pcm.to_vec();
                self.emit(pcm, at, out);
            }
            Err(_) => {
                tally.stats.packets_bad += 1;
                self.made_up(&[], at, tally, out);
            }
        }
    }

    /// 20 ms from the next packet's FEC, or from nothing.
    fn made_up(&mut self, next: &[u8], at: Instant, tally: &mut Tally<'_>, out: &mut Vec<Said>) {
        let pcm = match self.decoder.recover(next, self.frame) {
            Ok(pcm) => pcm.to_vec(),
            Err(_) => vec![0; self.frame],
        };
        tally.stats.concealed_ms += 20;
        self.emit(pcm, at, out);
    }

    fn silence(&mut self, at: Instant, tally: &mut Tally<'_>, out: &mut Vec<Said>) {
        tally.stats.silence_ms += 20;
        self.emit(vec![0; self.frame], at, out);
    }

    fn feed_silence(&mut self, now: Instant, tally: &mut Tally<'_>, out: &mut Vec<Said>) {
        let Some(mut quiet) = self.quiet else { return };
        if now < quiet.trigger {
            return;
        }
        while quiet.from + FRAME <= now && quiet.fed < SILENCE_MAX {
            self.silence(quiet.from, tally, out);
            quiet.from += FRAME;
            quiet.fed += FRAME;
            self.filled_48k += FRAME_48K;
        }
        self.quiet = Some(quiet);
    }

    fn local(&self, rtp: u64, otherwise: Instant) -> Instant {
        self.clock
            .as_ref()
            .map_or(otherwise, |clock| clock.local(rtp))
    }

    /// Hands over audio that began at `at`: as it is if it is a frame, as nearly always, and cut into frames otherwise.
    fn emit(&mut self, pcm: Vec<i16>, at: Instant, out: &mut Vec<Said>) {
        self.marks.push_back((self.position, at));
        if self.marks.len() > MARKS_MAX {
            self.marks.pop_front();
        }
        self.position += pcm.len() as u64;
        let mut edges = std::mem::take(&mut self.edges);
        self.vad.push(&pcm, &mut edges);
        if self.pending.is_empty() && pcm.len() == self.frame {
            out.push(Said::Audio(pcm));
        } else {
            self.cut(&pcm, out);
        }
        for edge in edges.drain(..) {
            out.push(match edge {
                Edge::Started(sample) => Said::Started(self.moment(sample, at)),
                Edge::Ended(sample) => Said::Ended(self.moment(sample, at)),
            });
        }
        self.edges = edges;
    }

    /// Cuts into frames; what is left of one waits for more.
    fn cut(&mut self, pcm: &[i16], out: &mut Vec<Said>) {
        self.pending.extend_from_slice(pcm);
        let whole = self.pending.len() / self.frame * self.frame;
        out.extend(
            self.pending[..whole]
                .chunks_exact(self.frame)
                .map(|frame| Said::Audio(frame.to_vec())),
        );
        self.pending.drain(..whole);
    }

    /// When a sample of the stream was heard.
    fn moment(&self, sample: u64, otherwise: Instant) -> Instant {
        let mark = self
            .marks
            .iter()
            .rev()
            .find(|(position, _)| *position <= sample);
        mark.map_or(otherwise, |(position, at)| {
            *at + Duration::from_micros((sample - position) * 1_000_000 / self.rate_hz)
        })
    }

    /// RFC 3550, 6.4.1: a running mean of the difference in transit of neighbouring packets.
    fn note_jitter(&mut self, packet: &Packet, stats: &mut DeskStats) {
        if let Some((at, rtp_time)) = self.last_transit.replace((packet.at, packet.rtp_time)) {
            let arrived_us =
                i128::try_from(packet.at.saturating_duration_since(at).as_micros()).unwrap_or(0);
            let sent_us = (i128::from(packet.rtp_time) - i128::from(rtp_time)) * 125 / 6;
            let difference =
                i64::try_from((arrived_us - sent_us).abs().min(1_000_000)).unwrap_or(0);
            let jitter = i64::try_from(stats.jitter_us).unwrap_or(0);
            stats.jitter_us = u64::try_from(jitter + (difference - jitter) / 16).unwrap_or(0);
        }
    }
}

fn after(start: Instant, frames: u64) -> Instant {
    start + Duration::from_millis(frames * 20)
}

/// Where counts go.
pub(crate) struct Tally<'a> {
    pub(crate) stats: &'a mut DeskStats,
    pub(crate) latency: &'a mut LatencySamples,
}
