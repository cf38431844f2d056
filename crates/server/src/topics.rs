//! Open labels of different interviews that mean the same, as one theme.
//!
//! Labels whose words are the same but for their endings and order are one theme without asking anybody. For the others a model
//! says once per label which theme it belongs to (`work::merge`); until then, and without a model, each is a theme of its own.

use std::collections::{BTreeMap, BTreeSet};

use rust_stemmers::{Algorithm, Stemmer};
use store::OpenTopic;

/// The themes that a study's open labels belong to.
#[derive(Clone, Debug, Default)]
pub struct Merged {
    themes: BTreeMap<String, String>,
}

impl Merged {
    /// Of all open labels of a study, oldest first.
    #[must_use]
    pub fn of(topics: &[OpenTopic]) -> Merged {
        let told: BTreeMap<&str, &str> = topics
            .iter()
            .filter_map(|topic| Some((topic.label.as_str(), topic.theme.as_deref()?)))
            .collect();
        // Of labels with the same words: the theme that one of them was given, or else the oldest of them.
        let mut by_words: BTreeMap<Vec<String>, &str> = BTreeMap::new();
        for topic in topics {
            by_words.entry(words(&topic.label)).or_insert(&topic.label);
        }
        for topic in topics {
            if let Some(theme) = &topic.theme {
                by_words.insert(words(&topic.label), theme);
            }
        }
        let themes = topics.iter().map(|topic| {
            let mut theme = *by_words
                .get(&words(&topic.label))
                .unwrap_or(&topic.label.as_str());
            // A theme that was merged into another one later. Two that name each other end where they were seen before.
            let mut seen = BTreeSet::from([theme]);
            while let Some(next) = told.get(theme).filter(|next| seen.insert(**next)) {
                theme = next;
            }
            (topic.label.clone(), theme.to_owned())
        });
        Merged {
            themes: themes.collect(),
        }
    }

    /// The theme of a label; itself if it is a code of a codebook, or not known.
    #[must_use]
    pub fn theme<'a>(&'a self, label: &'a str) -> &'a str {
        self.themes.get(label).map_or(label, String::as_str)
    }

    /// Labels of one segment as themes, each once, in order.
    #[must_use]
    pub fn all(&self, labels: Vec<String>) -> Vec<String> {
        let mut themes: Vec<String> = Vec::with_capacity(labels.len());
        for label in labels {
            let theme = self.theme(&label);
            if !themes.iter().any(|known| known == theme) {
                themes.push(theme.to_owned());
            }
        }
        themes
    }

    /// Every label with its theme.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.themes
            .iter()
            .map(|(label, theme)| (label.as_str(), theme.as_str()))
    }
}

/// What a label says, whatever its endings and the order of its words. Labels are asked for in English; words of other languages
/// stay as they are but for case.
#[must_use]
pub fn words(label: &str) -> Vec<String> {
    const EMPTY: [&str; 13] = [
        "a", "an", "and", "at", "by", "for", "from", "in", "of", "on", "the", "to", "with",
    ];
    let stemmer = Stemmer::create(Algorithm::English);
    let lower = label.to_lowercase();
    let all = lower.split(|c: char| !c.is_alphanumeric());
    let told: BTreeSet<String> = all
        .filter(|word| !word.is_empty() && !EMPTY.contains(word))
        .map(|word| stemmer.stem(word).into_owned())
        .collect();
    if told.is_empty() {
        return vec![lower];
    }
    told.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::{Merged, words};
    use store::OpenTopic;

    fn topic(label: &str, theme: Option<&str>) -> OpenTopic {
        OpenTopic {
            label: label.to_owned(),
            theme: theme.map(str::to_owned),
        }
    }

    #[test]
    fn endings_order_and_little_words_make_no_new_theme() {
        assert_eq!(words("First jobs"), words("the first job"));
        assert_eq!(words("cost of tools"), words("tool cost"));
        assert_ne!(words("first job"), words("second job"));
        assert_eq!(words("!?"), ["!?"]);
        let merged = Merged::of(&[topic("first job", None), topic("First jobs", None)]);
        assert_eq!(merged.theme("First jobs"), "first job");
        assert_eq!(
            merged.all(vec!["First jobs".into(), "first job".into()]),
            ["first job"]
        );
        assert_eq!(merged.theme("never seen"), "never seen");
    }

    #[test]
    fn a_theme_that_was_told_holds_for_all_labels_of_the_same_words_and_is_followed() {
        let merged = Merged::of(&[
            topic("meeting overload", None),
            topic("meetings overload", Some("too many meetings")),
            topic("too many meetings", Some("meetings")),
            topic("meetings", None),
        ]);
        for label in [
            "meeting overload",
            "meetings overload",
            "too many meetings",
            "meetings",
        ] {
            assert_eq!(merged.theme(label), "meetings", "{label}");
        }
    }

    #[test]
    fn themes_that_name_each_other_come_to_an_end() {
        let merged = Merged::of(&[topic("pay", Some("wages")), topic("wages", Some("pay"))]);
        assert_eq!(merged.theme("pay"), merged.theme("pay"));
        assert!(["pay", "wages"].contains(&merged.theme("wages")));
    }
}
