//! What of an answer is believed.

use std::collections::BTreeSet;

/// Topics of one segment at most; more is a list, not a coding.
const TOPICS_MAX: usize = 8;
/// Characters of an open label at most.
const LABEL_CHARS_MAX: usize = 60;

/// What the model answered for one segment, before anything is believed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// As written.
    pub sentiment: String,
    /// The score times 1,000, rounded; none if it was not a finite number.
    pub score_permille: Option<i64>,
    /// As written.
    pub topics: Vec<String>,
    /// As written.
    pub quote: Option<String>,
}

/// How a segment feels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sentiment {
    /// Negative.
    Negative,
    /// Neither.
    Neutral,
    /// Positive.
    Positive,
    /// Both.
    Mixed,
}

impl Sentiment {
    /// All, in the order of the schema's enumeration.
    pub const ALL: [Sentiment; 4] = [
        Sentiment::Negative,
        Sentiment::Neutral,
        Sentiment::Positive,
        Sentiment::Mixed,
    ];

    /// The name in schema, API and console.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Sentiment::Negative => "negative",
            Sentiment::Neutral => "neutral",
            Sentiment::Positive => "positive",
            Sentiment::Mixed => "mixed",
        }
    }
}

/// A coding that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coding {
    /// How it feels.
    pub sentiment: Sentiment,
    /// How strongly, -1,000 to 1,000.
    pub score_permille: i32,
    /// Codebook ids, or open labels.
    pub topics: Vec<String>,
    /// A verbatim part of the segment.
    pub quote: Option<QuoteAt>,
}

/// A verbatim part of a segment, by characters (not bytes).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuoteAt {
    /// First character.
    pub start_char: u32,
    /// One past the last.
    pub end_char: u32,
    /// The characters between them.
    pub text: String,
}

/// Which topics are legal.
#[derive(Clone, Copy, Debug)]
pub enum Topics<'a> {
    /// These ids only.
    Codebook(&'a BTreeSet<String>),
    /// Any short label.
    Open,
}

/// What became of the answer for one segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All of it holds.
    Accepted(Coding),
    /// Some of it does not. `rest` is what would hold without that part, for when asking again did not help.
    Refused {
        /// What is wrong.
        reason: Refusal,
        /// What holds all the same.
        rest: Option<Coding>,
    },
}

/// Why an answer is asked again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refusal {
    /// Nothing was said about this segment.
    Missing,
    /// The sentiment is none of the four.
    Sentiment,
    /// The score is no number from -1 to 1.
    Score,
    /// A topic is not in the codebook.
    Topic,
    /// The quote does not stand in the segment.
    Quote,
}

impl Refusal {
    /// In words, for the job's error.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Refusal::Missing => "not answered",
            Refusal::Sentiment => "unknown sentiment",
            Refusal::Score => "score out of range",
            Refusal::Topic => "topic that is not in the codebook",
            Refusal::Quote => "quote that is not in the segment",
        }
    }
}

/// Checks the answer for the segment `text`.
#[must_use]
pub fn check(text: &str, answer: Option<&Answer>, topics: Topics<'_>) -> Verdict {
    let Some(answer) = answer else {
        return Verdict::Refused {
            reason: Refusal::Missing,
            rest: None,
        };
    };
    let Some(sentiment) = Sentiment::ALL
        .into_iter()
        .find(|known| known.name() == answer.sentiment)
    else {
        return Verdict::Refused {
            reason: Refusal::Sentiment,
            rest: None,
        };
    };
    let score = answer
        .score_permille
        .filter(|score| (-1_000..=1_000).contains(score))
        .and_then(|score| i32::try_from(score).ok());
    let Some(score_permille) = score else {
        return Verdict::Refused {
            reason: Refusal::Score,
            rest: None,
        };
    };
    let (topics, unknown_topic) = legal_topics(&answer.topics, topics);
    let written = answer
        .quote
        .as_deref()
        .map(str::trim)
        .filter(|quote| !quote.is_empty());
    let quote = written.and_then(|quote| find(text, quote));
    let invented_quote = written.is_some() && quote.is_none();
    let coding = Coding {
        sentiment,
        score_permille,
        topics,
        quote,
    };
    match (invented_quote, unknown_topic) {
        (true, _) => Verdict::Refused {
            reason: Refusal::Quote,
            rest: Some(coding),
        },
        (false, true) => Verdict::Refused {
            reason: Refusal::Topic,
            rest: Some(coding),
        },
        (false, false) => Verdict::Accepted(coding),
    }
}

/// The legal ones among the topics, each once, and whether there were others.
fn legal_topics(written: &[String], topics: Topics<'_>) -> (Vec<String>, bool) {
    let mut legal: Vec<String> = Vec::new();
    let mut unknown = false;
    for topic in written {
        let topic = match topics {
            Topics::Codebook(_) => topic.trim().to_owned(),
            Topics::Open => topic.trim().to_lowercase(),
        };
        let fits = match topics {
            Topics::Codebook(ids) => ids.contains(&topic),
            Topics::Open => !topic.is_empty() && topic.chars().count() <= LABEL_CHARS_MAX,
        };
        if !fits {
            unknown = true;
        } else if !legal.contains(&topic) && legal.len() < TOPICS_MAX {
            legal.push(topic);
        }
    }
    (legal, unknown)
}

/// Finds the quote word for word. Only white space may differ (a model writes one space where the transcript has two);
/// what is kept is what stands in the segment.
fn find(text: &str, quote: &str) -> Option<QuoteAt> {
    let text: Vec<char> = text.chars().collect();
    let quote: Vec<char> = quote.chars().collect();
    (0..text.len()).find_map(|start| {
        let length = matches_at(text.get(start..)?, &quote)?;
        let found: String = text.get(start..start + length)?.iter().collect();
        Some(QuoteAt {
            start_char: u32::try_from(start).ok()?,
            end_char: u32::try_from(start + length).ok()?,
            text: found,
        })
    })
}

/// How many characters of `text` the quote covers if it stands at its beginning.
fn matches_at(text: &[char], quote: &[char]) -> Option<usize> {
    let (mut at, mut wanted) = (0, 0);
    while let Some(next) = quote.get(wanted) {
        let here = text.get(at)?;
        if next.is_whitespace() {
            if !here.is_whitespace() {
                return None;
            }
            at += text
                .get(at..)?
                .iter()
                .take_while(|c| c.is_whitespace())
                .count();
            wanted += quote
                .get(wanted..)?
                .iter()
                .take_while(|c| c.is_whitespace())
                .count();
        } else if here == next {
            at += 1;
            wanted += 1;
        } else {
            return None;
        }
    }
    Some(at)
}
