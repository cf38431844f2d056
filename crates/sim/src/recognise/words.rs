//! Where in a clip its words are.
//!
//! Nobody marked that (but thinking pauses), so it is estimated: pauses of the sound are pinned to punctuation of the text, and between the
//! pins words take voiced time in proportion to their letters. A word counts as heard if its middle was, so that two halves of a clip give each word exactly once.

use std::ops::Range;

use super::print::{HOP, Print};
use crate::corpus::Clip;

/// A pause is worth pinning from this length on, in frames: 180 ms.
const PAUSE_MIN: usize = 18;

/// A pause is pinned to punctuation at most this far from where the letters put it, in frames of voiced time: 1 s.
const PIN_MAX: f32 = 100.0;

/// What a pause may follow.
const STOPS: [char; 6] = ['.', ',', '?', '!', ';', ':'];

/// A word of a clip.
#[derive(Clone, Debug)]
pub(super) struct Word {
    /// Where it is in the text, with its punctuation.
    pub(super) at: Range<usize>,
    /// The middle of its sound, in samples of the clip.
    pub(super) middle: i64,
}

/// A place where text and sound meet: so many letters of the text, so many voiced frames of the sound.
#[derive(Clone, Copy)]
struct Pin {
    letters: f32,
    voiced: f32,
}

/// Places the words of a clip in its sound.
pub(super) fn map(clip: &Clip, print: &Print) -> Vec<Word> {
    let text = clip.text.as_str();
    let spans = spans(text);
    // Every word costs one letter more than it has: also the shortest takes time.
    let ends: Vec<f32> = spans
        .iter()
        .scan(0.0, |letters, at| {
            *letters += 1.0
                + text[at.clone()]
                    .chars()
                    .filter(|c| c.is_alphanumeric())
                    .count() as f32;
            Some(*letters)
        })
        .collect();
    let voiced: Vec<usize> = (0..print.len())
        .filter(|&frame| print.is_speech(frame))
        .collect();
    let Some(all) = ends.last() else {
        return Vec::new();
    };
    let mut pins = vec![
        Pin {
            letters: 0.0,
            voiced: 0.0,
        },
        Pin {
            letters: *all,
            voiced: voiced.len() as f32,
        },
    ];
    let mut pauses = pauses(&voiced).into_iter();
    if let Some(words) = clip.pause_after_words
        && let (Some(&letters), Some(at)) = (ends.get(words.wrapping_sub(1)), pauses.next())
    {
        pins.insert(
            1,
            Pin {
                letters,
                voiced: at,
            },
        );
    }
    let stops: Vec<f32> = spans
        .iter()
        .zip(&ends)
        .filter(|(at, _)| text[..at.end].ends_with(STOPS))
        .map(|(_, end)| *end)
        .collect();
    for at in pauses {
        pin(&mut pins, &stops, at);
    }
    let mut before = 0.0;
    spans
        .into_iter()
        .zip(ends)
        .map(|(at, end)| {
            let middle = place((before + end) / 2.0, &pins);
            before = end;
            let frame = voiced
                .get(middle as usize)
                .or(voiced.last())
                .copied()
                .unwrap_or(0);
            Word {
                at,
                middle: (frame * HOP) as i64,
            }
        })
        .collect()
}

/// The words of a text. Punctuation on its own belongs to the word before it.
fn spans(text: &str) -> Vec<Range<usize>> {
    let mut spans: Vec<Range<usize>> = Vec::new();
    for word in text.split_whitespace() {
        let start = word.as_ptr().addr() - text.as_ptr().addr();
        let end = start + word.len();
        match spans.last_mut() {
            Some(last) if !word.contains(char::is_alphanumeric) => last.end = end,
            _ => spans.push(start..end),
        }
    }
    spans
}

/// Where the sound pauses, as the number of voiced frames before it; the longest pause first.
fn pauses(voiced: &[usize]) -> Vec<f32> {
    let gaps = voiced
        .windows(2)
        .enumerate()
        .map(|(no, pair)| (pair[1] - pair[0], no + 1));
    let mut pauses: Vec<(usize, usize)> = gaps.filter(|(frames, _)| *frames > PAUSE_MIN).collect();
    pauses.sort_unstable_by(|a, b| b.cmp(a));
    pauses.into_iter().map(|(_, at)| at as f32).collect()
}

/// Pins a pause to the punctuation that is nearest to it, within what the pins so far leave.
fn pin(pins: &mut Vec<Pin>, stops: &[f32], at: f32) {
    let next = pins
        .partition_point(|pin| pin.voiced < at)
        .clamp(1, pins.len() - 1);
    let (left, right) = (pins[next - 1], pins[next]);
    let within = stops
        .iter()
        .filter(|letters| left.letters < **letters && **letters < right.letters);
    let nearest = within
        .map(|letters| ((place(*letters, pins) - at).abs(), *letters))
        .min_by(|a, b| a.0.total_cmp(&b.0));
    if let Some((off, letters)) = nearest
        && off < PIN_MAX
    {
        pins.insert(
            next,
            Pin {
                letters,
                voiced: at,
            },
        );
    }
}

/// The voiced frame of a letter, between the pins around it.
fn place(letters: f32, pins: &[Pin]) -> f32 {
    let next = pins
        .partition_point(|pin| pin.letters < letters)
        .clamp(1, pins.len() - 1);
    let (left, right) = (pins[next - 1], pins[next]);
    left.voiced
        + (right.voiced - left.voiced) * (letters - left.letters) / (right.letters - left.letters)
}
