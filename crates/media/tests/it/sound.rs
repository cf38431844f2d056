//! Sound to send and ways to look at what came out.

use media::opus::{Decoder, Encoder};
use ogg::reading::PacketReader;
use std::io::Cursor;

/// A participant's answer of 4.5 s with a thinking pause of 0.9 s in it.
pub(crate) const ANSWER_WITH_PAUSE: &[u8] =
    include_bytes!("../data/a-leon-exploration-meetings-1.opus");
/// A participant's answer of 2.8 s.
pub(crate) const ANSWER: &[u8] = include_bytes!("../data/a-priya-wrapup-advice-1.opus");
/// The interviewer's question of 1.9 s.
pub(crate) const QUESTION: &[u8] = include_bytes!("../data/q-probing-example-1.opus");

/// Samples of 20 ms at 24 kHz.
pub(crate) const FRAME: usize = 480;

/// The Opus packets of a clip.
pub(crate) fn packets(clip: &[u8]) -> Vec<Vec<u8>> {
    let mut reader = PacketReader::new(Cursor::new(clip));
    let mut packets = Vec::new();
    while let Some(packet) = reader.read_packet().unwrap() {
        if !packet.data.starts_with(b"Opus") {
            packets.push(packet.data);
        }
    }
    packets
}

/// A clip at 24 kHz.
pub(crate) fn pcm(clip: &[u8]) -> Vec<i16> {
    decode(&packets(clip))
}

pub(crate) fn decode(packets: &[Vec<u8>]) -> Vec<i16> {
    let mut decoder = Decoder::new(24_000).unwrap();
    packets
        .iter()
        .flat_map(|packet| decoder.decode(packet).unwrap().to_vec())
        .collect()
}

pub(crate) fn encode(pcm: &[i16]) -> Vec<Vec<u8>> {
    let mut encoder = Encoder::new(24_000, 5, 28_000).unwrap();
    // As browsers do: copies against loss in every packet.
    encoder.expect_loss(10).unwrap();
    pcm.chunks_exact(FRAME)
        .map(|frame| encoder.encode(frame).unwrap().to_vec())
        .collect()
}

/// A tone at 24 kHz.
pub(crate) fn tone(hz: f64, ms: usize) -> Vec<i16> {
    let sample =
        |n: usize| ((n as f64 * hz * std::f64::consts::TAU / 24_000.0).sin() * 8_000.0) as i16;
    (0..ms * 24).map(sample).collect()
}

/// Packets of nothing, as a browser sends them from a quiet microphone.
pub(crate) fn quiet(ms: usize) -> Vec<Vec<u8>> {
    encode(&vec![0; ms * 24])
}

pub(crate) fn rms(pcm: &[i16]) -> f64 {
    (pcm.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / pcm.len().max(1) as f64).sqrt()
}

/// The lag in samples, within `most` either way, at which two signals agree best, and how well (-1 to 1). Searched in
/// steps of half a millisecond, then to the sample.
pub(crate) fn best_lag(reference: &[i16], heard: &[i16], most: usize) -> (isize, f64) {
    let most = isize::try_from(most).unwrap();
    let best = |lags: &mut dyn Iterator<Item = isize>| {
        lags.map(|lag| (lag, correlation(reference, heard, lag)))
            .max_by(|a, b| a.1.total_cmp(&b.1))
            .unwrap()
    };
    let (coarse, _) = best(&mut (-most..=most).step_by(12));
    best(&mut (coarse - 12..=coarse + 12))
}

fn correlation(a: &[i16], b: &[i16], lag: isize) -> f64 {
    let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for (n, x) in a.iter().enumerate().step_by(7) {
        let m = isize::try_from(n).unwrap() + lag;
        let Some(y) = usize::try_from(m).ok().and_then(|m| b.get(m)) else {
            continue;
        };
        let (x, y) = (f64::from(*x), f64::from(*y));
        ab += x * y;
        aa += x * x;
        bb += y * y;
    }
    ab / (aa * bb).sqrt().max(1.0)
}
