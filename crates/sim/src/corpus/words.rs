//! Words as such: comparing texts without their dress, and finding sentences.

use std::collections::BTreeSet;
use std::ops::Range;

/// A text in lower case without punctuation, words separated by one space: what two texts share when they say the same.
#[must_use]
pub fn normal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split(|c: char| !(c.is_alphanumeric() || c == '\'' || c == '\u{2019}')) {
        let letters: String = word
            .chars()
            .filter(|c| c.is_alphanumeric())
            .flat_map(char::to_lowercase)
            .collect();
        if !letters.is_empty() {
            if !out.is_empty() {
                out.push(' ');
            }
            out.push_str(&letters);
        }
    }
    out
}

/// The language without its region: `en` of `en-GB`.
pub(super) fn primary(language: &str) -> &str {
    language.split('-').next().unwrap_or(language)
}

/// Where the sentences of a text are, without the space around them.
pub(crate) fn sentences(text: &str) -> Vec<Range<usize>> {
    let mut sentences = Vec::new();
    let mut start = None;
    let mut ended = false;
    for (at, c) in text.char_indices() {
        if c.is_whitespace()
            && ended
            && let Some(from) = start.take()
        {
            sentences.push(from..at);
        }
        if c.is_whitespace() {
            ended = false;
            continue;
        }
        start.get_or_insert(at);
        // A closing quote or bracket does not undo the end; anything else does (`3.5`).
        ended = match c {
            '.' | '!' | '?' | '\u{2026}' => true,
            '"' | '\'' | '\u{201d}' | '\u{2019}' | ')' => ended,
            _ => false,
        };
    }
    if let Some(from) = start {
        sentences.push(from..from + text[from..].trim_end().len());
    }
    sentences
}

/// How much of the first text's distinct words are in the second, weighted by their letters, in thousandths. Both texts normal.
pub(super) fn shared_permille(asked: &str, known: &str) -> usize {
    let known: BTreeSet<&str> = known.split(' ').collect();
    let asked: BTreeSet<&str> = asked.split(' ').collect();
    let letters = |words: &mut dyn Iterator<Item = &&str>| {
        words.map(|word| word.chars().count()).sum::<usize>()
    };
    letters(&mut asked.intersection(&known)) * 1000 / letters(&mut asked.iter()).max(1)
}
