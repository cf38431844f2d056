//! Audio files as 24 kHz mono: Ogg/Opus and WAV, the two that Colloquy makes.

use std::io::Cursor;

/// Our rate.
const RATE_HZ: u32 = 24_000;

/// What is wrong with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum DecodeError {
    /// Neither of the formats.
    #[error("neither Ogg/Opus nor WAV with 16-bit PCM")]
    Unknown,
    /// Broken off, or not what its headers say.
    #[error("the file is broken")]
    Broken,
}

/// Decodes a file.
pub(super) fn decode(file: &[u8]) -> Result<Vec<i16>, DecodeError> {
    match file {
        [b'O', b'g', b'g', b'S', ..] => opus(file),
        [b'R', b'I', b'F', b'F', ..] => wav(file),
        _ => Err(DecodeError::Unknown),
    }
}

/// The first Opus stream of an Ogg file; stereo is mixed down by the decoder.
fn opus(file: &[u8]) -> Result<Vec<i16>, DecodeError> {
    let mut reader = ogg::PacketReader::new(Cursor::new(file));
    let head = reader
        .read_packet()
        .ok()
        .flatten()
        .ok_or(DecodeError::Broken)?;
    if !head.data.starts_with(b"OpusHead") || head.data.len() < 19 {
        return Err(DecodeError::Unknown);
    }
    // RFC 7845, section 5.1: pre-skip at octet 10, in samples at 48 kHz.
    let pre_skip = usize::from(u16::from_le_bytes([head.data[10], head.data[11]])) / 2;
    let serial = head.stream_serial();
    let mut decoder =
        opus::Decoder::new(RATE_HZ, opus::Channels::Mono).map_err(|_| DecodeError::Broken)?;
    let mut frame = [0; 2880]; // 120 ms, the longest packet there is (RFC 6716, section 2.1.4).
    let (mut pcm, mut headers) = (Vec::new(), 1);
    while let Some(packet) = reader.read_packet().map_err(|_| DecodeError::Broken)? {
        if packet.stream_serial() != serial {
            continue;
        }
        if headers < 2 {
            headers += 1;
            continue;
        }
        let samples = decoder
            .decode(&packet.data, &mut frame, false)
            .map_err(|_| DecodeError::Broken)?;
        pcm.extend_from_slice(&frame[..samples]);
    }
    pcm.drain(..pre_skip.min(pcm.len()));
    Ok(pcm)
}

/// WAV with 16-bit PCM at any rate, mixed down.
fn wav(file: &[u8]) -> Result<Vec<i16>, DecodeError> {
    let number = |at: usize| {
        file.get(at..at + 4)
            .map(|bytes| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    };
    let (mut at, mut format) = (12, None);
    while let Some(size) = number(at + 4) {
        let body = file.get(at + 8..).ok_or(DecodeError::Broken)?;
        let body = &body[..body.len().min(usize::try_from(size).unwrap_or(usize::MAX))];
        match file.get(at..at + 4) {
            Some(b"fmt ") if body.len() >= 16 => {
                let short = |at: usize| u16::from_le_bytes([body[at], body[at + 1]]);
                if short(0) != 1 || short(14) != 16 {
                    return Err(DecodeError::Unknown);
                }
                format = Some((usize::from(short(2)), number(at + 12).unwrap_or(RATE_HZ)));
            }
            Some(b"data") => {
                let (channels, rate_hz) = format
                    .filter(|(channels, rate_hz)| *channels > 0 && *rate_hz > 0)
                    .ok_or(DecodeError::Broken)?;
                return Ok(resample(&mix(body, channels), rate_hz));
            }
            _ => {}
        }
        // Chunks are padded to an even size.
        at += 8 + usize::try_from(size).unwrap_or(usize::MAX / 2).div_ceil(2) * 2;
    }
    Err(DecodeError::Broken)
}

fn mix(bytes: &[u8], channels: usize) -> Vec<i16> {
    let samples: Vec<i16> = crate::provider::realtime::samples(bytes).collect();
    let mixed = samples.chunks_exact(channels).map(|frame| {
        frame.iter().map(|sample| i32::from(*sample)).sum::<i32>()
            / i32::try_from(channels).unwrap_or(1)
    });
    mixed
        .map(|sample| i16::try_from(sample).unwrap_or_default())
        .collect()
}

/// Straight lines between samples: enough for a recogniser that looks at the shape of the spectrum.
fn resample(pcm: &[i16], rate_hz: u32) -> Vec<i16> {
    if rate_hz == RATE_HZ {
        return pcm.to_vec();
    }
    let (from, to) = (u64::from(rate_hz), u64::from(RATE_HZ));
    let count = pcm.len() as u64 * to / from;
    let at = |index: u64| {
        pcm.get(usize::try_from(index).unwrap_or(usize::MAX))
            .copied()
            .map_or(0, i64::from)
    };
    let sample = |n: u64| {
        let (index, rest) = (
            n * from / to,
            i64::try_from(n * from % to).unwrap_or_default(),
        );
        let span = i64::from(RATE_HZ);
        (at(index) * (span - rest) + at(index + 1) * rest) / span
    };
    (0..count)
        .map(|n| i16::try_from(sample(n)).unwrap_or_default())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wav_of(channels: u16, rate_hz: u32, samples: &[i16]) -> Vec<u8> {
        let data: Vec<u8> = samples
            .iter()
            .flat_map(|sample| sample.to_le_bytes())
            .collect();
        let mut file = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0".to_vec();
        file.extend(channels.to_le_bytes());
        file.extend(rate_hz.to_le_bytes());
        file.extend([0; 6]);
        file.extend(16_u16.to_le_bytes());
        file.extend(b"LIST\x03\0\0\0abc\0data");
        file.extend(u32::try_from(data.len()).expect("short").to_le_bytes());
        file.extend(data);
        file
    }

    #[test]
    fn wav_is_mixed_down_and_resampled() {
        assert_eq!(decode(&wav_of(1, 24_000, &[1, 2, 3])), Ok(vec![1, 2, 3]));
        assert_eq!(
            decode(&wav_of(2, 24_000, &[100, 300, -5, 5])),
            Ok(vec![200, 0])
        );
        assert_eq!(
            decode(&wav_of(1, 48_000, &[0, 10, 20, 30])),
            Ok(vec![0, 20])
        );
        assert_eq!(
            decode(&wav_of(1, 12_000, &[0, 100])),
            Ok(vec![0, 50, 100, 50])
        );
    }

    #[test]
    fn other_files_and_broken_ones_are_told_apart() {
        assert_eq!(decode(b"ID3 mp3"), Err(DecodeError::Unknown));
        assert_eq!(decode(b"OggS broken"), Err(DecodeError::Broken));
        assert_eq!(decode(b"RIFF\0\0\0\0WAVE"), Err(DecodeError::Broken));
    }
}
