//! Sounds of our own: files read into samples, and a tone where there is no file.

use std::f32::consts::TAU;
use std::io::Cursor;

use ogg::reading::PacketReader;

use crate::opus::{CLOCK_HZ, Decoder, OpusError};

/// Loudest sample of the tone: about -20 dBFS, as loud as speech.
const LOUDNESS: f32 = 3_200.0;

/// A file that is no clip.
#[derive(Debug, thiserror::Error)]
pub enum ClipError {
    /// Not Ogg.
    #[error("not an Ogg file: {0}")]
    Ogg(#[from] ogg::OggReadError),
    /// Not Opus inside, or not at this rate.
    #[error(transparent)]
    Opus(#[from] OpusError),
    /// Shorter than its own header.
    #[error("it has no Opus header")]
    Header,
}

/// Reads a mono Ogg/Opus file (RFC 7845) at this rate, without what its header says to skip.
///
/// # Errors
/// When it is not one.
pub fn read(file: &[u8], rate_hz: u32) -> Result<Vec<i16>, ClipError> {
    let mut reader = PacketReader::new(Cursor::new(file));
    let head = reader.read_packet()?.ok_or(ClipError::Header)?.data;
    let Some([low, high]) = head.get(10..12) else {
        return Err(ClipError::Header);
    };
    let skip = u64::from(u16::from_le_bytes([*low, *high]));
    reader.read_packet()?;
    let mut decoder = Decoder::new(rate_hz)?;
    let (mut pcm, mut end_48k) = (Vec::new(), 0);
    while let Some(packet) = reader.read_packet()? {
        end_48k = packet.absgp_page();
        pcm.extend_from_slice(decoder.decode(&packet.data)?);
    }
    let here = |samples_48k: u64| {
        usize::try_from(samples_48k * u64::from(rate_hz) / CLOCK_HZ).unwrap_or(usize::MAX)
    };
    pcm.truncate(here(end_48k));
    pcm.drain(..here(skip).min(pcm.len()));
    Ok(pcm)
}

/// Two soft notes, the second higher: somebody is there. 0.6 s.
#[must_use]
pub fn tone(rate_hz: u32) -> Vec<i16> {
    [523.25, 659.25]
        .into_iter()
        .flat_map(|pitch_hz| note(rate_hz, pitch_hz))
        .collect()
}

/// 0.3 s that swell and fade, so that nothing clicks.
fn note(rate_hz: u32, pitch_hz: f32) -> impl Iterator<Item = i16> {
    let count = rate_hz * 3 / 10;
    (0..count).map(move |n| {
        #[expect(clippy::cast_precision_loss, reason = "thousands of samples")]
        let (at, of, rate) = (n as f32, count as f32, rate_hz as f32);
        let swell = (at / of * TAU / 2.0).sin();
        #[expect(
            clippy::cast_possible_truncation,
            reason = "far below the largest sample"
        )]
        let sample = ((at / rate * pitch_hz * TAU).sin() * swell * LOUDNESS) as i16;
        sample
    })
}

#[cfg(test)]
mod tests {
    use super::{read, tone};

    #[test]
    fn a_clip_has_the_length_that_its_header_says_at_any_rate() {
        let file = include_bytes!("../tests/data/q-probing-example-1.opus");
        let lengths = [16_000, 24_000, 48_000].map(|rate_hz| {
            let samples = read(file, rate_hz).map(|pcm| pcm.len()).unwrap_or(0);
            samples * 1_000 / rate_hz as usize
        });
        assert!(lengths[0] > 1_000);
        assert!(
            lengths.iter().all(|ms| ms.abs_diff(lengths[0]) <= 1),
            "{lengths:?}"
        );
    }

    #[test]
    fn what_is_no_clip_is_an_error() {
        for bad in [
            &b""[..],
            b"OggS",
            b"RIFF and so on, long enough to be read as something",
        ] {
            assert!(read(bad, 24_000).is_err());
        }
    }

    #[test]
    fn a_tone_is_heard_and_does_not_click() {
        let pcm = tone(24_000);
        assert_eq!(pcm.len(), 14_400);
        assert!(pcm.iter().any(|sample| sample.abs() > 2_000));
        let steps = pcm.windows(2).map(|pair| (pair[0] - pair[1]).abs());
        assert!(steps.max() < Some(800));
    }
}
