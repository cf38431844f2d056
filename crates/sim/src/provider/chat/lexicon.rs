//! Words that tell a mood or a topic: the estimate for texts that nobody labelled.

/// A mood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mood {
    Negative,
    Mixed,
    Neutral,
    Positive,
}

impl Mood {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Mood::Negative => "negative",
            Mood::Mixed => "mixed",
            Mood::Neutral => "neutral",
            Mood::Positive => "positive",
        }
    }

    pub(super) fn from_name(name: &str) -> Mood {
        match name {
            "negative" => Mood::Negative,
            "mixed" => Mood::Mixed,
            "positive" => Mood::Positive,
            _ => Mood::Neutral,
        }
    }

    pub(super) const fn score(self) -> f64 {
        match self {
            Mood::Negative => -0.7,
            Mood::Mixed | Mood::Neutral => 0.0,
            Mood::Positive => 0.7,
        }
    }
}

/// Beginnings of words, so that "enjoy" finds "enjoyed".
const POSITIVE: [&str; 34] = [
    "good",
    "great",
    "love",
    "like",
    "enjoy",
    "happy",
    "help",
    "easy",
    "easier",
    "fast",
    "faster",
    "nice",
    "well",
    "better",
    "best",
    "relief",
    "calm",
    "clear",
    "useful",
    "wonderful",
    "excellent",
    "contento",
    "bueno",
    "mejor",
    "fácil",
    "rápid",
    "encanta",
    "bien",
    "content",
    "mieux",
    "facile",
    "良",
    "便利",
    "楽",
];

const NEGATIVE: [&str; 38] = [
    "bad",
    "hate",
    "awful",
    "terrible",
    "slow",
    "expensive",
    "annoy",
    "frustrat",
    "tired",
    "tiring",
    "lost",
    "lose",
    "problem",
    "difficult",
    "worse",
    "worst",
    "mess",
    "broke",
    "broken",
    "confus",
    "stress",
    "waste",
    "cry",
    "disappear",
    "interrupt",
    "distract",
    "lonely",
    "malo",
    "peor",
    "caro",
    "difícil",
    "problema",
    "larguísim",
    "mauvais",
    "cher",
    "problème",
    "高い",
    "困",
];

/// Topics of open coding, and beginnings of words that speak of them. The ids are those of the corpus.
const TOPICS: [(&str, &[&str]); 14] = [
    (
        "meetings",
        &["meeting", "call", "agenda", "reunion", "réunion", "会議"],
    ),
    (
        "cost",
        &[
            "cost",
            "price",
            "pay",
            "expensive",
            "budget",
            "money",
            "cheap",
            "dollar",
            "euro",
            "precio",
            "prix",
            "値段",
        ],
    ),
    (
        "tools",
        &[
            "tool",
            "app",
            "software",
            "board",
            "spreadsheet",
            "editor",
            "herramient",
            "outil",
            "アプリ",
        ],
    ),
    (
        "focus",
        &[
            "focus",
            "concentrat",
            "quiet",
            "deep",
            "distract",
            "concentr",
            "集中",
        ],
    ),
    (
        "notifications",
        &["notification", "ping", "message", "aviso", "通知"],
    ),
    (
        "switching",
        &[
            "switch", "moved", "migrat", "changed", "replace", "cambi", "変え",
        ],
    ),
    (
        "collaboration",
        &[
            "team",
            "together",
            "colleague",
            "shared",
            "equipo",
            "équipe",
        ],
    ),
    ("chat", &["chat", "channel", "slack"]),
    (
        "workspace",
        &[
            "desk", "office", "room", "window", "kitchen", "bureau", "oficina",
        ],
    ),
    (
        "routine",
        &["yesterday", "morning", "every day", "routine", "lunch"],
    ),
    ("role", &["my job", "i work as", "i'm a ", "i am a "]),
    (
        "wellbeing",
        &["tired", "stress", "lonely", "relief", "calm", "health"],
    ),
    (
        "family",
        &[
            "child", "kids", "family", "husband", "wife", "daughter", "son ", "hija", "enfant",
        ],
    ),
    ("support", &["support", "help desk", "soporte", "hotline"]),
];

/// The mood of a text.
pub(super) fn mood(text: &str) -> Mood {
    match (count(text, &POSITIVE), count(text, &NEGATIVE)) {
        (0, 0) => Mood::Neutral,
        (_, 0) => Mood::Positive,
        (0, _) => Mood::Negative,
        (good, bad) if good > 2 * bad => Mood::Positive,
        (good, bad) if bad > 2 * good => Mood::Negative,
        _ => Mood::Mixed,
    }
}

/// How many words of mood a text has.
pub(super) fn strength(text: &str) -> usize {
    count(text, &POSITIVE) + count(text, &NEGATIVE)
}

fn count(text: &str, beginnings: &[&str]) -> usize {
    beginnings
        .iter()
        .map(|beginning| occurrences(text, beginning))
        .sum()
}

/// How often a word begins like this; anywhere in scripts without spaces.
fn occurrences(text: &str, beginning: &str) -> usize {
    let text = text.to_lowercase();
    let unspaced = beginning.chars().any(|c| c >= '\u{3040}');
    text.match_indices(beginning)
        .filter(|(at, _)| {
            unspaced
                || text[..*at]
                    .chars()
                    .next_back()
                    .is_none_or(|before| !before.is_alphanumeric())
        })
        .count()
}

/// Topics that a text speaks of, three at most.
pub(super) fn topics(text: &str) -> Vec<String> {
    let spoken_of = TOPICS.iter().filter(|(_, words)| count(text, words) > 0);
    spoken_of
        .take(3)
        .map(|(topic, _)| (*topic).to_owned())
        .collect()
}

/// Topics of a codebook that a text speaks of, three at most: by our own words for that topic, or by the words of its id and label.
pub(super) fn matching(text: &str, codebook: &[(String, String)]) -> Vec<String> {
    let speaks_of = |(id, label): &&(String, String)| {
        let known = TOPICS
            .iter()
            .find(|(topic, _)| topic == id)
            .is_some_and(|(_, words)| count(text, words) > 0);
        let label = label.to_lowercase();
        let words = label
            .split(|c: char| !c.is_alphanumeric())
            .chain(id.split(['-', '_']))
            .filter(|word| word.chars().count() >= 4);
        known || words.into_iter().any(|word| occurrences(text, word) > 0)
    };
    codebook
        .iter()
        .filter(speaks_of)
        .take(3)
        .map(|(id, _)| id.clone())
        .collect()
}
