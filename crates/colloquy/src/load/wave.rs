//! What a participant hears as a wave file, and what can be measured on it.
//!
//! A packet is heard when it arrived, or when the one before it has been heard: as through a buffer that is as short as it
//! can be. What was measured on packets can be checked against sound that way, with a hand on any audio editor.

mod file;

use std::path::PathBuf;
use std::time::Instant;

use media::opus::Decoder;
use serde::Serialize;
use sim::participant::{Sound, Tapped};

use file::WaveFile;
pub(super) use file::read;

/// What is decoded to.
pub(super) const RATE_HZ: u32 = 24_000;
/// Loudness from which 20 ms count as audible: -42 dBFS, root mean square. Speech lies 20 dB over it.
const AUDIBLE_RMS: f64 = 250.0;
/// Samples of 20 ms.
const FRAME: usize = RATE_HZ as usize / 50;
/// No more is written: two hours.
const SAMPLES_MAX: u64 = 2 * 3_600 * RATE_HZ as u64;

/// A file, and when the participant spoke on its timeline, which begins with the connection.
#[derive(Debug)]
pub(super) struct Recorded {
    pub(super) file: PathBuf,
    pub(super) spoke: Vec<Spoke>,
    /// Packets that could not be taken in time, or decoded.
    pub(super) missed: u64,
}

/// Own speech, from beginning to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spoke {
    pub(super) from_ms: u32,
    pub(super) until_ms: u32,
}

/// What the waveform says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Measured {
    /// From the connection to the first audible frame.
    pub(super) first_voice_ms: Option<u32>,
    /// From the end of own speech to the next audible frame.
    pub(super) heard_latencies_ms: Vec<u32>,
    /// Ends of own speech at which the interviewer was audible: nothing to measure.
    pub(super) overlapped: u32,
    /// Ends of own speech after which nothing was audible until the participant spoke again, or the interview was over.
    pub(super) unanswered: u32,
}

/// Writes what is heard until the participant is gone. None if it was never connected.
pub(super) async fn record(mut tapped: Tapped, path: PathBuf) -> anyhow::Result<Option<Recorded>> {
    let mut line: Option<Line> = None;
    while let Some(sound) = tapped.next().await {
        match sound {
            Sound::Up { at } => match &mut line {
                Some(line) => line.again()?,
                None => line = Some(Line::open(at, path.clone())?),
            },
            Sound::Packet { at, seq, opus } => {
                if let Some(line) = &mut line {
                    line.packet(at, seq, &opus)?;
                }
            }
            Sound::Speaks { at } => {
                if let Some(line) = &mut line {
                    line.speaks = Some(line.ms(at));
                }
            }
            Sound::Spoke { at } => {
                if let Some(line) = &mut line {
                    line.spoke(at);
                }
            }
        }
    }
    let Some(line) = line else {
        return Ok(None);
    };
    line.file.finish()?;
    Ok(Some(Recorded {
        file: path,
        spoke: line.spoke,
        missed: line.broken + tapped.missed(),
    }))
}

/// A file that is being written.
struct Line {
    began: Instant,
    file: WaveFile,
    decoder: Decoder,
    written: u64,
    last: Option<u64>,
    speaks: Option<u32>,
    spoke: Vec<Spoke>,
    broken: u64,
}

impl Line {
    fn open(began: Instant, path: PathBuf) -> anyhow::Result<Line> {
        Ok(Line {
            began,
            file: WaveFile::create(path, RATE_HZ)?,
            decoder: Decoder::new(RATE_HZ)?,
            written: 0,
            last: None,
            speaks: None,
            spoke: Vec::new(),
            broken: 0,
        })
    }

    /// Another connection: its packets are counted from anywhere, and its sound does not go on from what was before.
    fn again(&mut self) -> anyhow::Result<()> {
        self.last = None;
        self.speaks = None;
        self.decoder = Decoder::new(RATE_HZ)?;
        Ok(())
    }

    fn packet(&mut self, at: Instant, seq: u64, opus: &[u8]) -> anyhow::Result<()> {
        if self.last.is_some_and(|last| seq <= last) || self.written >= SAMPLES_MAX {
            return Ok(());
        }
        self.last = Some(seq);
        let Ok(pcm) = self.decoder.decode(opus) else {
            self.broken += 1;
            return Ok(());
        };
        let us = at.saturating_duration_since(self.began).as_micros();
        let due = u64::try_from(us).unwrap_or(u64::MAX) * u64::from(RATE_HZ) / 1_000_000;
        let silence = due.min(SAMPLES_MAX).saturating_sub(self.written);
        self.file.silence(silence)?;
        self.file.samples(pcm)?;
        self.written += silence + pcm.len() as u64;
        Ok(())
    }

    fn spoke(&mut self, at: Instant) {
        let until_ms = self.ms(at);
        if let Some(from_ms) = self.speaks.take() {
            self.spoke.push(Spoke { from_ms, until_ms });
        }
    }

    fn ms(&self, at: Instant) -> u32 {
        let since = at.saturating_duration_since(self.began);
        u32::try_from(since.as_millis()).unwrap_or(u32::MAX)
    }
}

/// Measures a waveform; the ends of own speech are in ascending order.
pub(super) fn measure(pcm: &[i16], spoke: &[Spoke]) -> Measured {
    let mut measured = Measured {
        first_voice_ms: first_audible(pcm, 0, ms_of(pcm.len())),
        ..Measured::default()
    };
    for (index, own) in spoke.iter().enumerate() {
        let next = spoke.get(index + 1);
        let before = next.map_or_else(|| ms_of(pcm.len()), |next| next.from_ms);
        let around = own.until_ms.saturating_sub(20);
        if first_audible(pcm, around, own.until_ms).is_some() {
            measured.overlapped += 1;
            continue;
        }
        match first_audible(pcm, own.until_ms, before) {
            Some(at_ms) => measured.heard_latencies_ms.push(at_ms - own.until_ms),
            None => measured.unanswered += 1,
        }
    }
    measured
}

/// When the first audible frame begins, of those that begin within this time.
fn first_audible(pcm: &[i16], from_ms: u32, before_ms: u32) -> Option<u32> {
    let first = sample_of(from_ms).min(pcm.len());
    let last = sample_of(before_ms).min(pcm.len());
    let frames = pcm.get(first..)?.chunks(FRAME);
    let place = frames
        .take((last.saturating_sub(first)).div_ceil(FRAME))
        .position(is_audible)?;
    Some(from_ms + ms_of(place * FRAME))
}

fn is_audible(frame: &[i16]) -> bool {
    let energy: f64 = frame.iter().map(|sample| f64::from(*sample).powi(2)).sum();
    // A frame that the end of the file cuts off counts as if silence followed.
    energy > AUDIBLE_RMS.powi(2) * FRAME as f64
}

fn sample_of(ms: u32) -> usize {
    ms as usize * (RATE_HZ as usize / 1_000)
}

fn ms_of(samples: usize) -> u32 {
    u32::try_from(samples / (RATE_HZ as usize / 1_000)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
