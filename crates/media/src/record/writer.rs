//! Writes the recording.
//!
//! Packets wait a moment before they are written, so that reordered ones find their place and a hole is known to be
//! one. Then they are final: a chunk is a list of whole pages and is never touched again.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use ogg::writing::{PacketWriteEndInfo, PacketWriter};

use super::{Beginning, Chunk, INTERVIEWER, PARTICIPANT, PRE_SKIP};
use crate::opus::{self, CLOCK_HZ, FRAME_48K, SILENCE};

/// Length of a chunk. With the wait below, a crash costs 2.0 s and the time of one write (the limit is 2.5 s).
const CHUNK: Duration = Duration::from_millis(1_800);
/// How long a packet waits for the ones before it.
const HOLD_BACK: Duration = Duration::from_millis(200);
/// Packets per page: half a second, so that a file cut within a page loses no more.
const PAGE_PACKETS: usize = 25;
/// A track that is further behind than this is filled even in the middle of speech: 100 ms.
const BEHIND_MAX_48K: i64 = 4_800;
/// A track that is further ahead than this loses a packet even in the middle of speech: 500 ms. A sender whose clock
/// runs 100 ppm fast gains that in 80 minutes, and pauses for breath long before.
const AHEAD_MAX_48K: i64 = 24_000;
/// How far a track may be ahead before it loses a packet in a pause.
const AHEAD_48K: i64 = 960;
/// Most packets of the participant that wait: a second of 2.5 ms packets. More is an attack.
const WAITING_MAX: usize = 800;

/// A packet that waits to be written.
#[derive(Debug)]
struct Waiting {
    start_48k: i64,
    voice: bool,
    payload: Vec<u8>,
}

/// One logical stream.
#[derive(Debug)]
struct Track {
    serial: u32,
    written_48k: u64,
    in_page: usize,
    /// The last packet and its granule position. It is written when it is known whether it ends a page.
    last: Option<(Vec<u8>, u64)>,
}

impl Track {
    fn new(serial: u32, written_48k: u64) -> Track {
        Track {
            serial,
            written_48k,
            in_page: 0,
            last: None,
        }
    }

    fn flush(&mut self, ogg: &mut PacketWriter<'static, Vec<u8>>, end: PacketWriteEndInfo) {
        if let Some((payload, granule)) = self.last.take() {
            self.in_page = if end == PacketWriteEndInfo::NormalPacket {
                self.in_page + 1
            } else {
                0
            };
            write(ogg, payload, self.serial, end, granule);
        }
    }
}

/// Writes one recording.
pub struct Writer {
    zero: Instant,
    /// What the timeline shows there.
    zero_48k: u64,
    ogg: PacketWriter<'static, Vec<u8>>,
    participant: Track,
    interviewer: Track,
    /// Keyed by peer and sequence number.
    waiting: BTreeMap<(u32, u64), Waiting>,
    last_key: Option<(u32, u64)>,
    sent: Vec<Waiting>,
    chunk_no: u32,
    chunk_start_ms: u64,
    horizon: Instant,
    unrecorded: u64,
}

impl Writer {
    /// Begins a recording whose timeline starts at `zero`.
    #[must_use]
    pub fn new(zero: Instant) -> Writer {
        Writer::going_on(zero, Beginning::default())
    }

    /// Goes on with a recording at `zero`. Both streams are opened anew, at the place that they had reached: a reader that
    /// has the chunks of both processes sees one timeline.
    #[must_use]
    pub fn going_on(zero: Instant, from: Beginning) -> Writer {
        let zero_48k = from.timeline_ms * CLOCK_HZ / 1_000;
        let mut writer = Writer {
            zero,
            zero_48k,
            ogg: PacketWriter::new(Vec::new()),
            participant: Track::new(PARTICIPANT, zero_48k),
            interviewer: Track::new(INTERVIEWER, zero_48k),
            waiting: BTreeMap::new(),
            last_key: None,
            sent: Vec::new(),
            chunk_no: from.chunk_no,
            chunk_start_ms: from.timeline_ms,
            horizon: zero,
            unrecorded: 0,
        };
        writer.headers();
        writer
    }

    /// Takes a packet of the participant. `peer` and `seq` say what it follows, `start` where it belongs.
    pub fn participant(
        &mut self,
        peer: u32,
        seq: u64,
        start: Instant,
        voice: bool,
        payload: &[u8],
    ) {
        let late = self.last_key.is_some_and(|last| (peer, seq) <= last);
        if late || self.waiting.len() >= WAITING_MAX {
            self.unrecorded += 1;
            return;
        }
        let waiting = Waiting {
            start_48k: self.samples(start),
            voice,
            payload: payload.to_vec(),
        };
        self.waiting.insert((peer, seq), waiting);
    }

    /// Takes a packet of the interviewer, which is sent at `start`.
    pub fn interviewer(&mut self, start: Instant, payload: &[u8]) {
        let start_48k = self.samples(start);
        self.sent.push(Waiting {
            start_48k,
            voice: true,
            payload: payload.to_vec(),
        });
    }

    /// When [`Writer::cut`] has a chunk to give.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.horizon + CHUNK + HOLD_BACK
    }

    /// Packets that were left out so far: too late, or one too many from a clock that runs fast.
    #[must_use]
    pub fn unrecorded(&self) -> u64 {
        self.unrecorded
    }

    /// The next chunk, if it is due.
    pub fn cut(&mut self, now: Instant) -> Option<Chunk> {
        if now < self.deadline() {
            return None;
        }
        // A caller that comes late gets one longer chunk rather than many at once.
        self.write_until(now - HOLD_BACK);
        Some(self.take_chunk(PacketWriteEndInfo::EndPage))
    }

    /// The last chunk: everything up to `now`, and the ends of both streams.
    #[must_use]
    pub fn finish(mut self, now: Instant) -> Chunk {
        self.write_until(now.max(self.horizon));
        // A stream ends with a packet, so each gets one more.
        self.put(PARTICIPANT, SILENCE.to_vec());
        self.put(INTERVIEWER, SILENCE.to_vec());
        self.take_chunk(PacketWriteEndInfo::EndStream)
    }

    fn write_until(&mut self, horizon: Instant) {
        let limit = self.samples(horizon);
        // Alternately in half seconds, so that a reader never has to look far for the other track (RFC 3533, 4).
        let mut until = self.samples(self.horizon);
        while until < limit {
            until = (until + PAGE_PACKETS as i64 * FRAME_48K as i64).min(limit);
            self.write_participant(until);
            self.write_interviewer(until);
        }
        self.horizon = horizon;
    }

    fn write_participant(&mut self, until: i64) {
        while let Some(entry) = self.waiting.first_entry() {
            if entry.get().start_48k >= until {
                break;
            }
            let (key, packet) = entry.remove_entry();
            let follows = self
                .last_key
                .is_some_and(|(peer, seq)| key == (peer, seq + 1));
            self.last_key = Some(key);
            let behind = packet.start_48k - self.participant.written_48k as i64;
            // Between neighbours only the clocks' difference is corrected, and in speech not even that: a pause comes.
            if !follows || !packet.voice || behind > BEHIND_MAX_48K {
                self.fill(PARTICIPANT, behind);
            }
            if -behind > AHEAD_MAX_48K || (-behind > AHEAD_48K && !packet.voice) {
                self.unrecorded += 1;
            } else {
                self.put(PARTICIPANT, packet.payload);
            }
        }
        // Nothing came for a while: the track goes on in silence. What may still come keeps its place.
        let behind = until - self.participant.written_48k as i64;
        if behind > BEHIND_MAX_48K {
            self.fill(PARTICIPANT, behind - BEHIND_MAX_48K);
        }
    }

    fn write_interviewer(&mut self, until: i64) {
        let count = self
            .sent
            .iter()
            .take_while(|packet| packet.start_48k < until)
            .count();
        let packets: Vec<Waiting> = self.sent.drain(..count).collect();
        for packet in packets {
            self.fill(
                INTERVIEWER,
                packet.start_48k - self.interviewer.written_48k as i64,
            );
            self.put(INTERVIEWER, packet.payload);
        }
        let behind = until - self.interviewer.written_48k as i64;
        self.fill(INTERVIEWER, behind - FRAME_48K as i64);
    }

    /// Fills with silence, to the nearest packet.
    fn fill(&mut self, serial: u32, behind_48k: i64) {
        let frames = (behind_48k + FRAME_48K as i64 / 2).max(0) / FRAME_48K as i64;
        for _ in 0..frames {
            self.put(serial, SILENCE.to_vec());
        }
    }

    fn put(&mut self, serial: u32, payload: Vec<u8>) {
        let Some(length) = opus::duration_48k(&payload) else {
            return;
        };
        let track = if serial == PARTICIPANT {
            &mut self.participant
        } else {
            &mut self.interviewer
        };
        let full = track.in_page + 1 >= PAGE_PACKETS;
        track.flush(
            &mut self.ogg,
            if full {
                PacketWriteEndInfo::EndPage
            } else {
                PacketWriteEndInfo::NormalPacket
            },
        );
        track.written_48k += length;
        track.last = Some((payload, track.written_48k + u64::from(PRE_SKIP)));
    }

    /// Whole pages only, so that the chunk can be read without the next.
    fn take_chunk(&mut self, end: PacketWriteEndInfo) -> Chunk {
        self.participant.flush(&mut self.ogg, end);
        self.interviewer.flush(&mut self.ogg, end);
        let bytes = std::mem::take(self.ogg.inner_mut());
        let end_48k = self
            .participant
            .written_48k
            .max(self.interviewer.written_48k);
        let (start_ms, end_ms) = (self.chunk_start_ms, end_48k * 1_000 / CLOCK_HZ);
        let no = self.chunk_no;
        self.chunk_no += 1;
        self.chunk_start_ms = end_ms;
        Chunk {
            no,
            start_ms,
            end_ms,
            bytes,
        }
    }

    fn headers(&mut self) {
        let mut head = b"OpusHead\x01\x01".to_vec();
        head.extend_from_slice(&PRE_SKIP.to_le_bytes());
        head.extend_from_slice(&48_000u32.to_le_bytes());
        // Gain 0, mapping family 0 (RFC 7845, 5.1).
        head.extend_from_slice(&[0, 0, 0]);
        // All streams begin before any goes on (RFC 3533, 4).
        for serial in [PARTICIPANT, INTERVIEWER] {
            write(
                &mut self.ogg,
                head.clone(),
                serial,
                PacketWriteEndInfo::EndPage,
                0,
            );
        }
        for (serial, title) in [(PARTICIPANT, "participant"), (INTERVIEWER, "interviewer")] {
            let tags = tags(&[("TITLE", title)]);
            write(&mut self.ogg, tags, serial, PacketWriteEndInfo::EndPage, 0);
        }
    }

    fn samples(&self, at: Instant) -> i64 {
        let after = at.saturating_duration_since(self.zero).as_micros() * 48 / 1_000;
        let before = self.zero.saturating_duration_since(at).as_micros() * 48 / 1_000;
        let base = i64::try_from(self.zero_48k).unwrap_or(0);
        base.saturating_add(i64::try_from(after).unwrap_or(i64::MAX))
            .saturating_sub(i64::try_from(before).unwrap_or(0))
    }
}

/// The comment header (RFC 7845, 5.2).
pub(crate) fn tags(comments: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = b"OpusTags".to_vec();
    let mut push = |text: &str| {
        bytes.extend_from_slice(&u32::try_from(text.len()).unwrap_or(0).to_le_bytes());
        bytes.extend_from_slice(text.as_bytes());
    };
    push("Colloquy");
    let count = u32::try_from(comments.len()).unwrap_or(0);
    bytes.extend_from_slice(&count.to_le_bytes());
    for (name, value) in comments {
        let comment = format!("{name}={value}");
        bytes.extend_from_slice(&u32::try_from(comment.len()).unwrap_or(0).to_le_bytes());
        bytes.extend_from_slice(comment.as_bytes());
    }
    bytes
}

pub(crate) fn write(
    ogg: &mut PacketWriter<'static, Vec<u8>>,
    payload: Vec<u8>,
    serial: u32,
    end: PacketWriteEndInfo,
    granule: u64,
) {
    ogg.write_packet(payload, serial, end, granule)
        .expect("writing to memory does not fail");
}
