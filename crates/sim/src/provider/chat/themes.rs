//! Merges labels into themes: one that shares a long enough beginning of a word with a theme belongs to it.

use serde_json::{Map, Value, json};

/// Letters that two words must have in common.
const SHARED: usize = 4;

/// Answers a request that lists themes (`- theme`) and labels (`key: label`) under the schema's keys; none if it is another one.
#[must_use]
pub(super) fn fill(root: &Value, message: &str) -> Option<Value> {
    let keys = root["properties"].as_object()?;
    let (_, rest) = message.split_once("Themes so far:\n")?;
    let (themes, labels) = rest.split_once("Labels:\n")?;
    let mut themes: Vec<&str> = themes
        .lines()
        .filter_map(|line| line.strip_prefix("- "))
        .collect();
    let mut filled = Map::new();
    for (key, label) in labels.lines().filter_map(|line| line.split_once(": ")) {
        if !keys.contains_key(key) {
            continue;
        }
        let theme = match themes.iter().find(|theme| alike(theme, label)) {
            Some(theme) => theme,
            None => {
                themes.push(label);
                label
            }
        };
        filled.insert(key.to_owned(), json!(theme));
    }
    (filled.len() == keys.len()).then_some(Value::Object(filled))
}

fn alike(one: &str, other: &str) -> bool {
    let beginnings = |text: &str| -> Vec<String> {
        let words = text.split_whitespace().map(str::to_lowercase);
        words
            .filter(|word| word.chars().count() >= SHARED)
            .map(|word| word.chars().take(SHARED).collect())
            .collect()
    };
    let others = beginnings(other);
    beginnings(one)
        .iter()
        .any(|beginning| others.contains(beginning))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn labels_join_the_themes_that_they_share_a_word_with() {
        let schema = json!({ "type": "object", "properties": { "l1": {"type": "string"}, "l2": {"type": "string"}, "l3": {"type": "string"} } });
        let message = "Themes so far:\n- meetings\n\nLabels:\nl1: meeting overload\nl2: noise\nl3: noisy home\n";
        let filled = super::fill(&schema, message);
        assert_eq!(
            filled,
            Some(json!({ "l1": "meetings", "l2": "noise", "l3": "noise" }))
        );
        assert_eq!(super::fill(&schema, "Segments:\nl1: x"), None);
    }
}
