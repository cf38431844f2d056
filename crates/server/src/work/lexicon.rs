//! Coding without any endpoint: an estimate, and marked as one.
//!
//! English sentiment is VADER's (Hutto and Gilbert, ICWSM 2014), in a port that agrees with the reference to the last digit.
//! On interview-like text such lexicons agree with people in 55 to 60 % of cases; a single person agrees with the others in 67
//! to 88 %. Topics are those codes of the study's codebook whose own words were said. Other languages get nothing rather than
//! something bad.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use engine::enrich::Code;
use rust_stemmers::{Algorithm, Stemmer};
use store::{CodingRow, Sentiment};
use vader_parity::SentimentIntensityAnalyzer;

/// Named in place of a model, so that nobody takes it for one.
pub(super) const MODEL: &str = "lexicon estimate";
/// Which lexicon, in place of a prompt.
const VERSION: &str = "vader-parity-0.1.0";
/// Changes with the rules below.
const RULES: &str = "lexicon-1";

/// Compound scores closer to zero than this are unsure, and called neutral. VADER's own limit of 0.05 calls a single polite
/// word a feeling.
const UNSURE: f64 = 0.2;
/// Shorter words say nothing about a topic.
const WORD_CHARS_MIN: usize = 4;
/// Words of codebooks that are in every answer.
const COMMON: [&str; 16] = [
    "about", "being", "does", "from", "have", "into", "like", "more", "other", "people", "than",
    "that", "their", "they", "what", "with",
];

/// The coding of a segment; none for a language that the lexicon does not know.
pub(super) fn code(text: &str, language: &str, codebook: &[Code]) -> Option<CodingRow> {
    let english = language
        .split('-')
        .next()
        .is_some_and(|primary| primary.eq_ignore_ascii_case("en"));
    if !english {
        return None;
    }
    static ANALYZER: OnceLock<SentimentIntensityAnalyzer> = OnceLock::new();
    let scores = ANALYZER
        .get_or_init(SentimentIntensityAnalyzer::new)
        .polarity_scores(text);
    let sentiment = match scores.compound {
        good if good >= UNSURE => Sentiment::Positive,
        bad if bad <= -UNSURE => Sentiment::Negative,
        _ => Sentiment::Neutral,
    };
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a compound lies between -1 and 1"
    )]
    let score_permille = (scores.compound * 1_000.0).round() as i32;
    let said = stems(text);
    let topics = codebook.iter().filter(|code| is_about(&said, code));
    Some(CodingRow {
        sentiment,
        score_permille,
        topics: topics.map(|code| code.id.clone()).collect(),
        quote: None,
        model: MODEL.to_owned(),
        prompt_version: VERSION.to_owned(),
        schema_version: RULES.to_owned(),
    })
}

/// Whether any word of the code's id or label was said. Its description is for people: it explains with words of other codes.
fn is_about(said: &BTreeSet<String>, code: &Code) -> bool {
    let own = stems(&format!("{} {}", code.id, code.label));
    !own.is_disjoint(said)
}

fn stems(text: &str) -> BTreeSet<String> {
    let stemmer = Stemmer::create(Algorithm::English);
    text.split(|c: char| !c.is_alphabetic())
        .map(str::to_lowercase)
        .filter(|word| word.chars().count() >= WORD_CHARS_MIN && !COMMON.contains(&word.as_str()))
        .map(|word| stemmer.stem(&word).into_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn codebook() -> Vec<Code> {
        let code = |id: &str, label: &str| Code {
            id: id.to_owned(),
            label: label.to_owned(),
            description: "Being able to work".to_owned(),
        };
        vec![
            code("focus", "Focus and interruptions"),
            code("cost", "What it costs"),
        ]
    }

    fn coded(text: &str) -> CodingRow {
        code(text, "en-GB", &codebook()).unwrap()
    }

    #[test]
    fn sentiment_is_the_references_and_what_is_unsure_is_neutral() {
        // The compound of each is what vaderSentiment 3.3.2 gives.
        let cases = [
            (
                "VADER is smart, handsome, and funny.",
                832,
                Sentiment::Positive,
            ),
            ("Today SUX!", -546, Sentiment::Negative),
            ("The book was good.", 440, Sentiment::Positive),
            ("I work from home.", 0, Sentiment::Neutral),
        ];
        for (text, score_permille, sentiment) in cases {
            let coding = coded(text);
            assert_eq!(
                (coding.score_permille, coding.sentiment),
                (score_permille, sentiment),
                "{text}"
            );
        }
    }

    #[test]
    fn topics_are_codes_whose_own_words_were_said_in_any_form() {
        assert_eq!(coded("I get interrupted all day.").topics, ["focus"]);
        assert_eq!(
            coded("Its cost, and I cannot focus.").topics,
            ["focus", "cost"]
        );
        assert_eq!(coded("I work with people.").topics, Vec::<String>::new());
    }

    #[test]
    fn other_languages_get_nothing_and_it_is_never_taken_for_a_model() {
        assert_eq!(code("Ich hasse es.", "de", &codebook()), None);
        assert_eq!(coded("Fine.").model, "lexicon estimate");
    }
}
