//! How far the second transcript of a turn says something else than the live one.

use std::ops::Range;

use similar::{Algorithm, DiffTag, capture_diff_slices};

/// Both transcripts of a turn, compared word by word. Case and punctuation are a matter of taste and do not count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Words of the live transcript.
    pub words: usize,
    /// Words that were put in, left out or heard as something else, each counted once.
    pub differing: usize,
    /// Where the second transcript has words that the live one has not: characters (code points) of the second.
    pub spans: Vec<Range<usize>>,
}

/// Compares them.
#[must_use]
pub fn difference(live: &str, second: &str) -> Difference {
    let live: Vec<String> = words(live).into_iter().map(|(word, _)| word).collect();
    let (other, places): (Vec<String>, Vec<Range<usize>>) = words(second).into_iter().unzip();
    let mut difference = Difference {
        words: live.len(),
        ..Difference::default()
    };
    for op in capture_diff_slices(Algorithm::Myers, &live, &other) {
        if op.tag() == DiffTag::Equal {
            continue;
        }
        difference.differing += op.old_range().len().max(op.new_range().len());
        let new = places.get(op.new_range()).unwrap_or_default();
        if let (Some(first), Some(last)) = (new.first(), new.last()) {
            difference.spans.push(first.start..last.end);
        }
    }
    difference
}

/// Words as they are compared, each with its place. What has neither letter nor digit is no word; a script without spaces has
/// its characters as words.
fn words(text: &str) -> Vec<(String, Range<usize>)> {
    let mut words: Vec<(String, Range<usize>)> = Vec::new();
    let mut open = false;
    for (at, character) in text.chars().enumerate() {
        if is_whole_word(character) {
            words.push((character.to_string(), at..at + 1));
            open = false;
        } else if character.is_alphanumeric() || (open && matches!(character, '\'' | '’')) {
            let lower = character.to_lowercase();
            match words.last_mut().filter(|_| open) {
                Some((word, place)) => {
                    word.extend(lower.filter(|character| character.is_alphanumeric()));
                    place.end = at + 1;
                }
                None => words.push((lower.collect(), at..at + 1)),
            }
            open = true;
        } else {
            open = false;
        }
    }
    words
}

/// Kana, Hangul aside (which is spaced), and ideographs.
fn is_whole_word(character: char) -> bool {
    matches!(character, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{20000}'..='\u{323af}')
}

#[cfg(test)]
mod tests {
    use super::difference;

    #[test]
    fn case_and_punctuation_do_not_count_and_words_do() {
        let same = difference("Well, I don't know.", "well i dont know");
        assert_eq!((same.words, same.differing), (4, 0));
        assert!(same.spans.is_empty());

        let second = "I worked in the bakery at night.";
        let other = difference("I walked in a bakery.", second);
        // worked for walked, the for a, and two words more.
        assert_eq!((other.words, other.differing), (5, 4));
        let marked: Vec<String> = other
            .spans
            .iter()
            .map(|span| second.chars().skip(span.start).take(span.len()).collect())
            .collect();
        assert_eq!(marked, ["worked", "the", "at night"]);
    }

    #[test]
    fn an_empty_transcript_differs_in_all_words_and_scripts_without_spaces_by_character() {
        assert_eq!(difference("", "Yes, three times.").differing, 3);
        assert_eq!(difference("Yes, three times.", "").differing, 3);
        assert_eq!(difference("", ""), super::Difference::default());
        let chinese = difference("我喜欢咖啡", "我喜欢茶");
        assert_eq!((chinese.words, chinese.differing), (5, 2));
        let spans = difference("😀 नमस्ते", "😀 שלום").spans;
        assert_eq!(spans.len(), 1);
    }
}
