//! The finished recording: one stereo file that browsers play and seek, and its waveform.
//!
//! Browsers play one track of an Ogg file, so both are decoded and encoded again as left and right. Everything streams,
//! 20 ms at a time: an hour of audio would be 700 MB.

use std::collections::VecDeque;

use ogg::writing::{PacketWriteEndInfo, PacketWriter};

use crate::opus::{self, CLOCK_HZ, Channels, Decoder, Encoder, FRAME_48K, OpusError, SILENCE};
use crate::record::{self, PRE_SKIP};

/// Serial number of the finished stream.
const SERIAL: u32 = 1;
/// 48 kHz frame of 20 ms.
const FRAME: usize = FRAME_48K as usize;
/// Two voices that rarely speak together; quiet stretches take far less.
const BITRATE_BPS: u32 = 48_000;
/// Encoding at 1 takes half the time that it takes at 5 (measured), and at this rate nobody hears it.
const COMPLEXITY: u8 = 1;
/// Packets per page: a second, the grain of seeking.
const PAGE_PACKETS: u64 = 50;
/// Stretches in a waveform at most: more than a wide screen has points.
const PEAKS_MAX: u64 = 4_000;
/// Silence up to this many packets between speech stands for lost packets, which the decoder bridges better.
const LOST_MAX: usize = 3;

/// A finished recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// Ogg/Opus, 48 kHz, left participant, right interviewer.
    pub ogg: Vec<u8>,
    /// Its length.
    pub duration_ms: u64,
    /// Its waveform.
    pub peaks: Peaks,
}

/// Loudest sample per stretch, 0 to 255.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peaks {
    /// Length of a stretch.
    pub ms_per_peak: u32,
    /// The participant's.
    pub participant: Vec<u8>,
    /// The interviewer's.
    pub interviewer: Vec<u8>,
}

/// Why a recording could not be finished.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum FinishError {
    /// Nothing in it.
    #[error("the recording holds no audio")]
    Empty,
    /// The codec failed.
    #[error("the recording could not be encoded: {0}")]
    Opus(#[from] OpusError),
}

/// Turns all chunks of a recording, joined in order, into a finished file. Takes about 1 s per 2 minutes of interview:
/// call it in a worker thread.
///
/// # Errors
/// When there is no audio in it.
pub fn finish(recording: &[u8]) -> Result<Finished, FinishError> {
    let tracks = record::read(recording);
    let duration_ms = tracks.duration_ms;
    if duration_ms == 0 {
        return Err(FinishError::Empty);
    }
    let samples = duration_ms * CLOCK_HZ / 1_000;
    let mut left = Track::new(&tracks.participant)?;
    let mut right = Track::new(&tracks.interviewer)?;
    let mut peaks = Meter::new(duration_ms);
    let mut file = File::new(samples)?;
    let mut stereo = vec![0i16; FRAME * 2];
    while !file.is_complete() {
        left.frame(&mut stereo, 0)?;
        right.frame(&mut stereo, 1)?;
        // The last packet may carry nothing but the codec's delay.
        if file.packets * FRAME_48K < samples {
            peaks.frame(&stereo);
        }
        file.frame(&stereo)?;
    }
    Ok(Finished {
        ogg: file.ogg.into_inner(),
        duration_ms,
        peaks: peaks.finish(),
    })
}

/// One track, decoded as it is asked for.
struct Track<'a> {
    packets: &'a [(u64, Vec<u8>)],
    next: usize,
    decoder: Decoder,
    ready: VecDeque<i16>,
    /// Where the next decoded sample stands, in samples of the timeline plus the codec's delay.
    at_48k: u64,
    quiet: usize,
}

impl<'a> Track<'a> {
    fn new(packets: &'a [(u64, Vec<u8>)]) -> Result<Track<'a>, OpusError> {
        let mut track = Track {
            packets,
            next: 0,
            decoder: Decoder::new(48_000)?,
            ready: VecDeque::new(),
            at_48k: 0,
            quiet: 0,
        };
        while track.ready.len() < usize::from(PRE_SKIP) {
            track.more()?;
        }
        track.ready.drain(..usize::from(PRE_SKIP));
        Ok(track)
    }

    /// Writes the next 20 ms into one channel.
    fn frame(&mut self, stereo: &mut [i16], channel: usize) -> Result<(), OpusError> {
        while self.ready.len() < FRAME {
            self.more()?;
        }
        for (slot, sample) in stereo
            .iter_mut()
            .skip(channel)
            .step_by(2)
            .zip(self.ready.drain(..FRAME))
        {
            *slot = sample;
        }
        Ok(())
    }

    fn more(&mut self) -> Result<(), OpusError> {
        let Some((start_ms, packet)) = self.packets.get(self.next) else {
            self.zeros(FRAME);
            return Ok(());
        };
        // A chunk is missing: its time passes in silence. Half a frame is rounding.
        if start_ms * 48 > self.at_48k + FRAME_48K / 2 {
            self.zeros(FRAME);
            return Ok(());
        }
        self.next += 1;
        if packet[..] != SILENCE {
            self.quiet = 0;
            return self.decoded(packet);
        }
        self.quiet += 1;
        match self.next_voice() {
            // The decoder is silent by now and need not be asked.
            _ if self.quiet > LOST_MAX + 1 => self.zeros(FRAME),
            Some((distance, next))
                if self.quiet + distance <= LOST_MAX + 1 && self.next > self.quiet =>
            {
                let pcm = if distance == 1 {
                    self.decoder.recover(next, FRAME)?
                } else {
                    self.decoder.conceal(FRAME)?
                };
                self.ready.extend(pcm);
                self.at_48k += FRAME_48K;
            }
            Some(_) | None => self.decoded(packet)?,
        }
        Ok(())
    }

    /// The next packet with a voice, if it is near.
    fn next_voice(&self) -> Option<(usize, &'a [u8])> {
        let near = self.packets.get(self.next..)?.iter().take(LOST_MAX);
        let (index, (_, packet)) = near
            .enumerate()
            .find(|(_, (_, packet))| packet[..] != SILENCE)?;
        Some((index + 1, packet))
    }

    fn decoded(&mut self, packet: &[u8]) -> Result<(), OpusError> {
        let length = opus::duration_48k(packet).unwrap_or(FRAME_48K);
        match self.decoder.decode(packet) {
            Ok(pcm) => self.ready.extend(pcm),
            // One broken packet is a hole, not the end of the recording.
            Err(_) => self.ready.extend(self.decoder.conceal(FRAME)?),
        }
        self.at_48k += length;
        Ok(())
    }

    fn zeros(&mut self, samples: usize) {
        self.ready.extend(std::iter::repeat_n(0, samples));
        self.at_48k += samples as u64;
    }
}

/// Measures the waveform.
struct Meter {
    frames_per_peak: u64,
    in_peak: u64,
    loudest: [u16; 2],
    peaks: Peaks,
}

impl Meter {
    fn new(duration_ms: u64) -> Meter {
        let frames_per_peak = duration_ms.div_ceil(20).div_ceil(PEAKS_MAX).max(1);
        let ms_per_peak = u32::try_from(frames_per_peak * 20).unwrap_or(u32::MAX);
        Meter {
            frames_per_peak,
            in_peak: 0,
            loudest: [0; 2],
            peaks: Peaks {
                ms_per_peak,
                ..Peaks::default()
            },
        }
    }

    fn frame(&mut self, stereo: &[i16]) {
        for pair in stereo.chunks_exact(2) {
            for (loudest, sample) in self.loudest.iter_mut().zip(pair) {
                *loudest = (*loudest).max(sample.unsigned_abs());
            }
        }
        self.in_peak += 1;
        if self.in_peak == self.frames_per_peak {
            self.take();
        }
    }

    fn take(&mut self) {
        let scaled = |loudest: u16| u8::try_from(loudest.min(32_767) >> 7).unwrap_or(u8::MAX);
        self.peaks.participant.push(scaled(self.loudest[0]));
        self.peaks.interviewer.push(scaled(self.loudest[1]));
        self.loudest = [0; 2];
        self.in_peak = 0;
    }

    fn finish(mut self) -> Peaks {
        if self.in_peak > 0 {
            self.take();
        }
        self.peaks
    }
}

/// Writes the stereo file.
struct File {
    ogg: PacketWriter<'static, Vec<u8>>,
    encoder: Encoder,
    pre_skip: u64,
    samples: u64,
    packets: u64,
    packets_max: u64,
}

impl File {
    fn new(samples: u64) -> Result<File, OpusError> {
        let mut encoder = Encoder::for_file(48_000, Channels::Stereo, COMPLEXITY, BITRATE_BPS)?;
        let pre_skip = encoder.lookahead_48k()?;
        let mut ogg = PacketWriter::new(Vec::new());
        let mut head = b"OpusHead\x01\x02".to_vec();
        head.extend_from_slice(&pre_skip.to_le_bytes());
        head.extend_from_slice(&48_000u32.to_le_bytes());
        head.extend_from_slice(&[0, 0, 0]);
        record::write(&mut ogg, head, SERIAL, PacketWriteEndInfo::EndPage, 0);
        let tags = record::tags(&[
            ("TITLE", "Interview"),
            (
                "DESCRIPTION",
                "Left channel: participant. Right channel: interviewer (a machine).",
            ),
        ]);
        record::write(&mut ogg, tags, SERIAL, PacketWriteEndInfo::EndPage, 0);
        let pre_skip = u64::from(pre_skip);
        let packets_max = (samples + pre_skip).div_ceil(FRAME_48K);
        Ok(File {
            ogg,
            encoder,
            pre_skip,
            samples,
            packets: 0,
            packets_max,
        })
    }

    fn is_complete(&self) -> bool {
        self.packets == self.packets_max
    }

    fn frame(&mut self, stereo: &[i16]) -> Result<(), OpusError> {
        let packet = self.encoder.encode(stereo)?.to_vec();
        self.packets += 1;
        let (end, granule) = if self.is_complete() {
            // The end is trimmed to the exact sample (RFC 7845, 4.4).
            (PacketWriteEndInfo::EndStream, self.samples + self.pre_skip)
        } else if self.packets.is_multiple_of(PAGE_PACKETS) {
            (PacketWriteEndInfo::EndPage, self.packets * FRAME_48K)
        } else {
            (PacketWriteEndInfo::NormalPacket, self.packets * FRAME_48K)
        };
        record::write(&mut self.ogg, packet, SERIAL, end, granule);
        Ok(())
    }
}
