//! Finding words as people think of them: upper and lower case, accents and white space do not matter.

use std::ops::Range;

use unicode_normalization::char::{decompose_canonical, is_combining_mark};

/// What is looked for, folded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Needle(Vec<char>);

impl Needle {
    /// None if nothing is left to look for.
    pub(crate) fn new(phrase: &str) -> Option<Needle> {
        let folded: Vec<char> = folded(phrase.trim()).into_iter().map(|(c, _)| c).collect();
        (!folded.is_empty()).then_some(Needle(folded))
    }

    /// Where it stands in a text, by characters (Unicode code points); places do not overlap.
    pub(crate) fn places(&self, text: &str) -> Vec<Range<u32>> {
        let text = folded(text);
        let length = self.0.len();
        let mut places = Vec::new();
        let mut at = 0;
        while let Some(window) = text.get(at..at + length) {
            let hit = window.iter().map(|(c, _)| c).eq(self.0.iter());
            if let (true, Some((_, first)), Some((_, last))) = (hit, window.first(), window.last())
            {
                places.push(*first..last + 1);
                at += length;
            } else {
                at += 1;
            }
        }
        places
    }
}

/// The characters as they are compared, each with the number of the one that it comes from. Runs of white space are one space.
fn folded(text: &str) -> Vec<(char, u32)> {
    let mut folded: Vec<(char, u32)> = Vec::new();
    for (index, original) in (0..).zip(text.chars()) {
        if original.is_whitespace() {
            if folded.last().is_none_or(|(c, _)| *c != ' ') {
                folded.push((' ', index));
            }
            continue;
        }
        for lower in original.to_lowercase() {
            decompose_canonical(lower, |part| {
                if !is_combining_mark(part) {
                    folded.push((part, index));
                }
            });
        }
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::Needle;

    fn found(phrase: &str, text: &str) -> Vec<String> {
        let places = Needle::new(phrase).map(|needle| needle.places(text));
        let part = |place: std::ops::Range<u32>| {
            let (start, end) = (place.start as usize, place.end as usize);
            text.chars().skip(start).take(end - start).collect()
        };
        places.unwrap_or_default().into_iter().map(part).collect()
    }

    #[test]
    fn case_accents_and_white_space_do_not_matter_and_what_is_shown_is_what_was_said() {
        assert_eq!(
            found("resume", "My Résumé, and a RESUME."),
            ["Résumé", "RESUME"]
        );
        assert_eq!(found("größe", "Die GROSSE Größe"), ["Größe"]);
        assert_eq!(found("at  home", "I am at\nhome."), ["at\nhome"]);
        assert_eq!(found("cafe\u{301}", "a café"), ["café"]);
    }

    #[test]
    fn scripts_without_spaces_and_emoji_are_found_at_their_characters() {
        assert_eq!(found("仕事", "私の仕事は仕事です"), ["仕事", "仕事"]);
        assert_eq!(found("🙂", "fine 🙂 fine"), ["🙂"]);
        assert_eq!(found("مرحبا", "قال مرحبا"), ["مرحبا"]);
    }

    #[test]
    fn nothing_is_found_nowhere_and_places_do_not_overlap() {
        assert_eq!(Needle::new("  "), None);
        assert_eq!(Needle::new("\u{301}"), None);
        assert_eq!(found("aa", "aaaa").len(), 2);
        assert!(found("longer than the text", "text").is_empty());
    }
}
