//! What is heard when nothing can speak the words: a murmur with the rhythm of the text. Nobody takes it for words, but it
//! can be heard, measured and interrupted like speech.

use std::f32::consts::TAU;

use crate::corpus::RATE_HZ;

/// Samples per letter: 62 ms, an unhurried reading speed of 16 letters a second.
const LETTER: usize = RATE_HZ as usize * 62 / 1000;

/// Pause after punctuation, in samples: 250 ms.
const STOP: usize = RATE_HZ as usize / 4;

/// Pitch of the voice in hertz, between the corpus's women and men.
const PITCH_HZ: f32 = 165.0;

/// Root mean square of the murmur, a little under that of speech.
const LEVEL: f32 = 2_800.0;

/// A murmur for a text: one hum per word, as long as its letters, falling at the end of a sentence.
pub(super) fn murmur(text: &str) -> Vec<i16> {
    let mut pcm = Vec::new();
    for word in text.split_whitespace() {
        let letters = word.chars().filter(|c| c.is_alphanumeric()).count();
        hum(&mut pcm, letters * LETTER, letters);
        let gap = if word.ends_with(|c: char| c.is_ascii_punctuation()) {
            STOP
        } else {
            LETTER
        };
        pcm.resize(pcm.len() + gap, 0);
    }
    pcm
}

/// A hum of some vowel: harmonics of the pitch under two formants that differ from word to word, swelling and fading.
fn hum(pcm: &mut Vec<i16>, samples: usize, vowel: usize) {
    let formants = [
        [500.0, 1500.0],
        [350.0, 2000.0],
        [650.0, 1100.0],
        [450.0, 900.0],
    ][vowel % 4];
    let weight = |hz: f32| -> f32 {
        formants
            .iter()
            .map(|formant: &f32| (-((hz - formant) / 180.0).powi(2)).exp())
            .sum::<f32>()
            + 0.05
    };
    let harmonics: Vec<(f32, f32)> = (1..=16)
        .map(|n| PITCH_HZ * n as f32)
        .map(|hz| (hz, weight(hz)))
        .collect();
    let power: f32 = harmonics
        .iter()
        .map(|(_, weight)| weight * weight / 2.0)
        .sum();
    for n in 0..samples {
        let t = n as f32 / RATE_HZ as f32;
        let swell = (std::f32::consts::PI * n as f32 / samples as f32).sin();
        // Syllables of about a quarter of a second.
        let syllables = 0.75 + 0.25 * (TAU * 4.0 * t).cos();
        let tone: f32 = harmonics
            .iter()
            .map(|(hz, weight)| weight * (TAU * hz * t).sin())
            .sum();
        pcm.push((tone / power.sqrt() * LEVEL * swell * syllables) as i16);
    }
}
