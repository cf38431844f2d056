//! What a synthesiser's audio needs to stand beside clips: rate and level.

use crate::corpus::RATE_HZ;

/// Loudness of the interviewer's clips where they speak: root mean square of 16-bit samples (measured: 3,300 to 3,600).
const SPEECH_RMS: f32 = 3_500.0;

/// Side lobes of the interpolating sinc on each side. 16 keep aliases 60 dB down under a Hann window.
const LOBES: isize = 16;

/// The audio of a WAV file of 16-bit mono. Lengths in the headers are not trusted: a program that streams does not know them.
pub(super) fn wav(bytes: &[u8]) -> Option<(u32, Vec<i16>)> {
    let rest = bytes
        .strip_prefix(b"RIFF")?
        .get(4..)?
        .strip_prefix(b"WAVE")?;
    let mut chunks = rest;
    let mut rate_hz = None;
    loop {
        let (name, after) = chunks.split_at_checked(4)?;
        let (length, body) = after.split_at_checked(4)?;
        let length = u32::from_le_bytes(length.try_into().ok()?) as usize;
        if name == b"fmt " {
            let u16_at =
                |at: usize| Some(u16::from_le_bytes(body.get(at..at + 2)?.try_into().ok()?));
            if (u16_at(0)?, u16_at(2)?, u16_at(14)?) != (1, 1, 16) {
                return None;
            }
            rate_hz = Some(u32::from_le_bytes(body.get(4..8)?.try_into().ok()?));
        } else if name == b"data" {
            let body = &body[..length.min(body.len())];
            let samples = body
                .chunks_exact(2)
                .map(|s| i16::from_le_bytes([s[0], s[1]]));
            let rate_hz = rate_hz.filter(|rate| (8_000..=48_000).contains(rate))?;
            return Some((rate_hz, samples.collect()));
        }
        // Chunks are padded to even lengths.
        chunks = body.get(length.checked_next_multiple_of(2)?..)?;
    }
}

/// From a rate to [`RATE_HZ`], by a windowed sinc.
pub(super) fn resample(pcm: &[i16], rate_hz: u32) -> Vec<i16> {
    if rate_hz == RATE_HZ {
        return pcm.to_vec();
    }
    let step = f64::from(rate_hz) / f64::from(RATE_HZ);
    // When the rate falls, what the new one cannot carry is filtered out.
    let cutoff = (1.0 / step).min(1.0);
    let reach = (LOBES as f64 / cutoff).ceil() as isize;
    let length = (pcm.len() as f64 / step) as usize;
    (0..length)
        .map(|n| {
            let at = n as f64 * step;
            let middle = at.floor() as isize;
            let sum: f64 = (middle - reach + 1..=middle + reach)
                .filter_map(|k| {
                    let sample = f64::from(*pcm.get(usize::try_from(k).ok()?)?);
                    let off = at - k as f64;
                    let window = 0.5 + 0.5 * (std::f64::consts::PI * off / reach as f64).cos();
                    Some(sample * window * cutoff * sinc(off * cutoff))
                })
                .sum();
            sum.round() as i16
        })
        .collect()
}

fn sinc(x: f64) -> f64 {
    let x = x * std::f64::consts::PI;
    if x.abs() < 1e-9 { 1.0 } else { x.sin() / x }
}

/// Makes speech as loud as the corpus, without clipping.
pub(super) fn level(pcm: &mut [i16]) {
    let peak = pcm.iter().map(|s| s.unsigned_abs()).max().unwrap_or(0);
    let wanted = SPEECH_RMS / active_rms(pcm).max(1.0);
    let factor = wanted.min(30_000.0 / f32::from(peak.max(1)));
    for sample in pcm {
        *sample = (f32::from(*sample) * factor) as i16;
    }
}

/// Root mean square of the frames within 30 dB of the loudest.
pub(super) fn active_rms(pcm: &[i16]) -> f32 {
    let energy = |frame: &[i16]| {
        frame.iter().map(|s| f32::from(*s).powi(2)).sum::<f32>() / frame.len() as f32
    };
    let frames: Vec<f32> = pcm.chunks(RATE_HZ as usize / 50).map(energy).collect();
    let loudest = frames.iter().copied().fold(0.0, f32::max);
    let active: Vec<f32> = frames
        .into_iter()
        .filter(|energy| *energy > loudest / 1000.0)
        .collect();
    (active.iter().sum::<f32>() / active.len().max(1) as f32).sqrt()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn sine(hz: f64, rate_hz: u32, samples: usize) -> Vec<i16> {
        let turn = std::f64::consts::TAU * hz / f64::from(rate_hz);
        (0..samples)
            .map(|n| ((turn * n as f64).sin() * 10_000.0) as i16)
            .collect()
    }

    #[test]
    fn a_tone_keeps_its_pitch_and_level_at_another_rate() {
        for rate_hz in [16_000, 22_050, 48_000] {
            let out = resample(&sine(1000.0, rate_hz, rate_hz as usize), rate_hz);
            let expected = sine(1000.0, RATE_HZ, RATE_HZ as usize);
            let middle = 1000..23_000;
            let worst = out[middle.clone()]
                .iter()
                .zip(&expected[middle])
                .map(|(a, b)| a.abs_diff(*b))
                .max()
                .unwrap();
            assert!(worst < 100, "{rate_hz}: off by {worst}");
        }
    }

    #[test]
    fn what_the_new_rate_cannot_carry_is_gone() {
        let out = resample(&sine(15_000.0, 48_000, 48_000), 48_000);
        assert!(out[1000..23_000].iter().all(|s| s.unsigned_abs() < 200));
    }

    #[test]
    fn speech_gets_the_level_of_the_corpus() {
        let mut quiet: Vec<i16> = sine(300.0, RATE_HZ, 24_000)
            .iter()
            .map(|s| s / 10)
            .collect();
        level(&mut quiet);
        assert!((3_400.0..3_600.0).contains(&active_rms(&quiet)));
        let greeting = crate::corpus::Corpus::embedded()
            .get("s-greeting-1")
            .unwrap();
        let rms = active_rms(greeting.pcm());
        assert!((3_000.0..4_000.0).contains(&rms), "{rms}");
    }

    #[test]
    fn only_mono_of_16_bits_is_read() {
        let mut file = b"RIFF\0\0\0\x7fWAVEfmt \x10\0\0\0\x01\0\x01\0\x80\x3e\0\0\0\x7d\0\0\x02\0\x10\0data\xff\xff\xff\x7f".to_vec();
        file.extend([1, 0, 255, 255, 9]);
        assert_eq!(wav(&file), Some((16_000, vec![1, -1])));
        file[22] = 2;
        assert_eq!(wav(&file), None);
        assert_eq!(wav(b"RIFF"), None);
        assert_eq!(wav(&[]), None);
    }
}
