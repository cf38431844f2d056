//! Coding: what of an answer is believed.

use std::collections::BTreeSet;

use engine::enrich::{Answer, Coding, Refusal, Sentiment, Topics, Verdict, check};

const TEXT: &str = "I love the tools, but the  meetings\nare too long.";

fn answer(sentiment: &str, score: Option<i64>, topics: &[&str], quote: Option<&str>) -> Answer {
    Answer {
        sentiment: sentiment.to_owned(),
        score_permille: score,
        topics: topics.iter().map(|topic| (*topic).to_owned()).collect(),
        quote: quote.map(str::to_owned),
    }
}

fn codebook() -> BTreeSet<String> {
    BTreeSet::from(["focus".to_owned(), "tools".to_owned()])
}

fn judge(answer: &Answer) -> Verdict {
    check(TEXT, Some(answer), Topics::Codebook(&codebook()))
}

fn accepted(verdict: Verdict) -> Coding {
    match verdict {
        Verdict::Accepted(coding) => coding,
        Verdict::Refused { reason, .. } => panic!("refused: {}", reason.name()),
    }
}

fn refused(verdict: Verdict) -> (Refusal, Option<Coding>) {
    match verdict {
        Verdict::Refused { reason, rest } => (reason, rest),
        Verdict::Accepted(coding) => panic!("accepted: {coding:?}"),
    }
}

#[test]
fn a_right_answer_is_kept_as_it_is() {
    let coding = accepted(judge(&answer(
        "mixed",
        Some(-250),
        &["tools"],
        Some("the tools"),
    )));
    assert_eq!(coding.sentiment, Sentiment::Mixed);
    assert_eq!(coding.score_permille, -250);
    assert_eq!(coding.topics, ["tools"]);
    let quote = coding.quote.unwrap();
    assert_eq!(
        (quote.start_char, quote.end_char, quote.text.as_str()),
        (7, 16, "the tools")
    );
}

#[test]
fn each_kind_of_mistake_is_named_and_what_holds_all_the_same_is_kept() {
    let good = |quote| answer("neutral", Some(0), &["tools"], quote);
    let cases = [
        (None, Refusal::Missing, false),
        (
            Some(answer("", Some(0), &[], None)),
            Refusal::Sentiment,
            false,
        ),
        (
            Some(answer("happy", Some(0), &[], None)),
            Refusal::Sentiment,
            false,
        ),
        (
            Some(answer("Neutral", Some(0), &[], None)),
            Refusal::Sentiment,
            false,
        ),
        // No number, or not a finite one.
        (
            Some(answer("neutral", None, &[], None)),
            Refusal::Score,
            false,
        ),
        (
            Some(answer("neutral", Some(1_001), &[], None)),
            Refusal::Score,
            false,
        ),
        (
            Some(answer("neutral", Some(i64::MIN), &[], None)),
            Refusal::Score,
            false,
        ),
        (
            Some(answer("neutral", Some(0), &["tools", "salary"], None)),
            Refusal::Topic,
            true,
        ),
        (
            Some(answer("neutral", Some(0), &["Tools"], None)),
            Refusal::Topic,
            true,
        ),
        (Some(good(Some("I hate the tools"))), Refusal::Quote, true),
        (Some(good(Some("the tools but"))), Refusal::Quote, true),
        (Some(good(Some("i love the tools"))), Refusal::Quote, true),
        (Some(good(Some("lovethe"))), Refusal::Quote, true),
    ];
    for (answer, reason, something_holds) in cases {
        let verdict = check(TEXT, answer.as_ref(), Topics::Codebook(&codebook()));
        let (found, rest) = refused(verdict);
        assert_eq!(
            (found, rest.is_some()),
            (reason, something_holds),
            "{answer:?}"
        );
        if let Some(rest) = rest {
            assert!(rest.topics.iter().all(|topic| codebook().contains(topic)));
            assert!(rest.quote.is_none(), "{answer:?}");
        }
    }
}

#[test]
fn an_invented_quote_costs_the_quote_and_not_the_codes() {
    let (_, rest) = refused(judge(&answer(
        "positive",
        Some(900),
        &["tools", "tools", "focus"],
        Some("They are the best tools in the world"),
    )));
    let rest = rest.unwrap();
    assert_eq!(rest.topics, ["tools", "focus"], "each once");
    assert_eq!((rest.sentiment, rest.quote), (Sentiment::Positive, None));
}

#[test]
fn a_quote_of_nothing_is_none() {
    for quote in [None, Some(""), Some("  \n")] {
        let coding = accepted(judge(&answer("neutral", Some(0), &[], quote)));
        assert_eq!(coding.quote, None);
    }
}

#[test]
fn white_space_may_differ_and_what_is_kept_stands_in_the_segment() {
    for written in [
        "the meetings are too long.",
        " the  meetings\tare too long.\n",
    ] {
        let coding = accepted(judge(&answer("neutral", Some(0), &[], Some(written))));
        let quote = coding.quote.unwrap();
        assert_eq!(quote.text, "the  meetings\nare too long.");
        assert_eq!((quote.start_char, quote.end_char), (22, 49));
    }
}

#[test]
fn places_are_counted_in_characters_whatever_the_script() {
    let cases = [
        ("🙂🙂 gut, 🙂 sehr gut", "sehr gut", 10),
        ("本当に楽しいです。", "楽しい", 3),
        ("العمل من البيت مريح", "البيت مريح", 9),
        ("e\u{301}cole et travail", "travail", 10),
        ("👩‍👩‍👧 ja", "ja", 6),
    ];
    for (text, written, start) in cases {
        let answer = answer("neutral", Some(0), &[], Some(written));
        let coding = accepted(check(text, Some(&answer), Topics::Open));
        let quote = coding.quote.unwrap();
        let length = u32::try_from(written.chars().count()).unwrap();
        assert_eq!(
            (quote.start_char, quote.end_char, quote.text.as_str()),
            (start, start + length, written),
            "{text}"
        );
    }
}

#[test]
fn open_labels_are_short_and_small() {
    let long = "x".repeat(61);
    let ok = answer("neutral", Some(0), &[" Remote Work ", "remote work"], None);
    let coding = accepted(check(TEXT, Some(&ok), Topics::Open));
    assert_eq!(coding.topics, ["remote work"]);
    for wrong in ["", "  ", long.as_str()] {
        let (reason, rest) = refused(check(
            TEXT,
            Some(&answer("neutral", Some(0), &["pay", wrong], None)),
            Topics::Open,
        ));
        assert_eq!(reason, Refusal::Topic);
        assert_eq!(rest.unwrap().topics, ["pay"]);
    }
}

#[test]
fn no_segment_carries_more_than_eight_topics() {
    let many: Vec<String> = (0..20).map(|no| format!("topic {no}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let coding = accepted(check(
        TEXT,
        Some(&answer("neutral", Some(0), &many, None)),
        Topics::Open,
    ));
    assert_eq!(coding.topics.len(), 8);
}

/// Numerical Recipes' generator: the same garbage every time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }

    fn text(&mut self, length: usize) -> String {
        const LETTERS: [char; 16] = [
            'a', 'b', ' ', ' ', '\n', '\u{a0}', 'é', '\u{301}', '本', 'ع', '🙂', '\u{200d}', '.',
            '"', '\0', 'A',
        ];
        (0..self.below(length + 1))
            .map(|_| LETTERS[self.below(LETTERS.len())])
            .collect()
    }
}

#[test]
fn whatever_is_believed_of_garbage_stands_word_for_word_in_its_segment() {
    let mut chance = Chance(7);
    let codebook = codebook();
    let (mut believed, mut quoted) = (0, 0);
    for _ in 0..20_000 {
        let text = chance.text(40);
        let part = |chance: &mut Chance| {
            let from = chance.below(text.chars().count() + 1);
            let length = chance.below(12);
            text.chars().skip(from).take(length).collect::<String>()
        };
        let quote = match chance.below(4) {
            0 => None,
            1 => Some(chance.text(6)),
            2 => Some(part(&mut chance)),
            _ => Some(format!("{}{}", part(&mut chance), part(&mut chance))),
        };
        let garbage = Answer {
            sentiment: ["neutral", "mixed", "glad"][chance.below(3)].to_owned(),
            score_permille: [None, Some(0), Some(-1_000), Some(2_000)][chance.below(4)],
            topics: vec![["tools", "focus", "", "pay"][chance.below(4)].to_owned()],
            quote,
        };
        let topics = [Topics::Open, Topics::Codebook(&codebook)][chance.below(2)];
        let coding = match check(&text, Some(&garbage), topics) {
            Verdict::Accepted(coding) => coding,
            Verdict::Refused { rest, .. } => {
                let Some(rest) = rest else { continue };
                rest
            }
        };
        believed += 1;
        assert!((-1_000..=1_000).contains(&coding.score_permille));
        if matches!(topics, Topics::Codebook(_)) {
            assert!(coding.topics.iter().all(|topic| codebook.contains(topic)));
        }
        let Some(quote) = coding.quote else { continue };
        quoted += 1;
        let (start, end) = (quote.start_char as usize, quote.end_char as usize);
        let stands: String = text.chars().skip(start).take(end - start).collect();
        assert_eq!(stands, quote.text);
        assert!(!quote.text.trim().is_empty());
        let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(
            squeezed(&quote.text),
            squeezed(garbage.quote.as_deref().unwrap()),
            "only white space may differ"
        );
    }
    assert!(
        believed > 2_000 && quoted > 500,
        "garbage that is never believed proves nothing: {believed}, {quoted}"
    );
}
