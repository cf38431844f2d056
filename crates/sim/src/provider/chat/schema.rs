//! JSON Schemas of structured output: what the vendor's strict mode demands of them, and an instance of any of them.

use serde_json::{Map, Value, json};

/// Nesting that is followed; the vendor allows 10 levels (structured outputs guide, November 2026).
const DEPTH_MAX: usize = 10;

/// Checks a schema by the rules of strict mode: every object closed, all its properties required, an object at the root.
///
/// # Errors
/// Says where it breaks which rule, as the vendor words it.
pub fn check_strict(schema: &Value) -> Result<(), String> {
    if schema["type"] != "object" {
        return Err("schema must be a JSON Schema of 'type: \"object\"', got another type.".into());
    }
    check(schema, "", 0)
}

fn check(schema: &Value, context: &str, depth: usize) -> Result<(), String> {
    if depth > DEPTH_MAX {
        return Err(format!(
            "In context=({context}), nesting exceeds {DEPTH_MAX} levels."
        ));
    }
    let children = ["items", "additionalItems"]
        .into_iter()
        .filter_map(|name| schema.get(name).map(|child| (name.to_owned(), child)));
    let alternatives = schema["anyOf"]
        .as_array()
        .into_iter()
        .flatten()
        .enumerate()
        .map(|(index, child)| (format!("anyOf[{index}]"), child));
    let definitions = schema["$defs"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, child)| (format!("$defs.{name}"), child));
    for (name, child) in children.chain(alternatives).chain(definitions) {
        check(child, &format!("{context}{name}."), depth + 1)?;
    }
    let Some(properties) = schema["properties"].as_object() else {
        return Ok(());
    };
    if schema["additionalProperties"] != Value::Bool(false) {
        return Err(format!(
            "In context=({context}), 'additionalProperties' is required to be supplied and to be false."
        ));
    }
    let required: Vec<&str> = schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    if let Some(missing) = properties
        .keys()
        .find(|key| !required.contains(&key.as_str()))
    {
        return Err(format!(
            "In context=({context}), 'required' is required to be supplied and to be an array including every key in properties. Missing '{missing}'."
        ));
    }
    properties.iter().try_for_each(|(name, child)| {
        check(child, &format!("{context}properties.{name}."), depth + 1)
    })
}

/// A valid instance of a schema, its texts taken from the prompt.
#[must_use]
pub fn instance(schema: &Value, prompt: &str) -> Value {
    build(schema, schema, prompt, 0)
}

/// A valid instance of a part of a schema.
pub(super) fn build(root: &Value, schema: &Value, prompt: &str, depth: usize) -> Value {
    if depth > DEPTH_MAX {
        return Value::Null;
    }
    if let Some(target) = schema["$ref"]
        .as_str()
        .and_then(|reference| root.pointer(reference.strip_prefix('#')?))
    {
        return build(root, target, prompt, depth + 1);
    }
    if let Some(value) = schema
        .get("const")
        .or_else(|| schema["enum"].get(0))
        .or_else(|| schema.get("default"))
    {
        return value.clone();
    }
    if let Some(first) = schema["anyOf"].get(0) {
        return build(root, first, prompt, depth + 1);
    }
    let minimum = |name: &str| schema[name].as_f64();
    match type_of(schema) {
        "object" => {
            let properties = schema["properties"].as_object().into_iter().flatten();
            Value::Object(
                properties
                    .map(|(key, child)| (key.clone(), build(root, child, prompt, depth + 1)))
                    .collect::<Map<_, _>>(),
            )
        }
        "array" => {
            let count = schema["minItems"].as_u64().unwrap_or(0);
            Value::Array(
                (0..count)
                    .map(|_| build(root, &schema["items"], prompt, depth + 1))
                    .collect(),
            )
        }
        #[expect(
            clippy::cast_possible_truncation,
            reason = "bounds of integers in a schema are small"
        )]
        "integer" => json!(
            minimum("minimum")
                .or(minimum("exclusiveMinimum").map(|least| least + 1.0))
                .unwrap_or(0.0)
                .ceil() as i64
        ),
        "number" => json!(
            minimum("minimum")
                .or(minimum("exclusiveMinimum").map(|least| least + 0.5))
                .unwrap_or(0.0)
        ),
        "boolean" => json!(false),
        "null" => Value::Null,
        _ => {
            let text = summary(prompt);
            let longest = schema["maxLength"]
                .as_u64()
                .and_then(|longest| usize::try_from(longest).ok())
                .unwrap_or(usize::MAX);
            json!(text.chars().take(longest).collect::<String>())
        }
    }
}

/// The type that is not `null`.
pub(super) fn type_of(schema: &Value) -> &str {
    let types = &schema["type"];
    match types.as_array() {
        Some(types) => types
            .iter()
            .filter_map(Value::as_str)
            .find(|kind| *kind != "null")
            .unwrap_or("null"),
        None => types.as_str().unwrap_or("string"),
    }
}

/// The participant's longest sentences if the text is a transcript, else its first sentence, shortened to a line.
pub(super) fn summary(text: &str) -> String {
    const PARTICIPANT: &str = "> participant:";
    let said = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix(PARTICIPANT));
    let mut sentences: Vec<(usize, &str)> = said
        .flat_map(|words| words.split_inclusive(['.', '?', '!', '。']))
        .map(str::trim)
        .enumerate()
        .collect();
    if !sentences.is_empty() {
        sentences.sort_by_key(|(_, sentence)| std::cmp::Reverse(sentence.chars().count()));
        sentences.truncate(3);
        sentences.sort_unstable();
        let quoted: Vec<String> = sentences
            .iter()
            .map(|(_, sentence)| format!("“{sentence}”"))
            .collect();
        return format!("In the participant's own words: {}", quoted.join(" "));
    }
    let line = text
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty())
        .unwrap_or("Nothing was said.");
    let sentence = line
        .split_inclusive(['.', '?', '!', '。'])
        .next()
        .unwrap_or(line);
    sentence
        .chars()
        .take(200)
        .collect::<String>()
        .trim()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strict_mode_wants_closed_objects_with_all_keys_required() {
        let good = json!({"type": "object", "additionalProperties": false, "required": ["a"], "properties": {"a": {"type": "string"}}});
        assert_eq!(check_strict(&good), Ok(()));
        let open =
            json!({"type": "object", "required": ["a"], "properties": {"a": {"type": "string"}}});
        assert!(
            check_strict(&open)
                .expect_err("open")
                .contains("additionalProperties")
        );
        let optional = json!({"type": "object", "additionalProperties": false, "required": [], "properties": {"a": {"type": "string"}}});
        assert!(
            check_strict(&optional)
                .expect_err("optional")
                .contains("Missing 'a'")
        );
        assert!(check_strict(&json!({"type": "array", "items": {"type": "string"}})).is_err());
        let nested = json!({"type": "object", "additionalProperties": false, "required": ["a"], "properties": {"a": {"type": "array", "items": open}}});
        assert!(
            check_strict(&nested)
                .expect_err("nested")
                .contains("properties.a.items.")
        );
    }

    #[test]
    fn a_transcript_is_summed_up_in_the_participants_words() {
        let text = "Transcript:\n> interviewer: What do you do, exactly, and with whom?\n> participant: Well. I draw maps of old towns.\n> participant: No.";
        let summary = summary(text);
        assert_eq!(
            summary,
            "In the participant's own words: “Well.” “I draw maps of old towns.” “No.”"
        );
    }

    #[test]
    fn an_instance_is_valid_for_its_schema() {
        let schema = json!({
            "type": "object", "additionalProperties": false, "required": ["title", "count", "tags", "kind", "note", "inner"],
            "properties": {
                "title": {"type": "string", "maxLength": 5}, "count": {"type": "integer", "minimum": 3}, "kind": {"enum": ["x", "y"]},
                "tags": {"type": "array", "minItems": 2, "items": {"$ref": "#/$defs/tag"}}, "note": {"type": ["string", "null"]},
                "inner": {"anyOf": [{"type": "object", "additionalProperties": false, "required": ["b"], "properties": {"b": {"type": "boolean"}}}]},
            },
            "$defs": {"tag": {"type": "string"}},
        });
        let validator = jsonschema::validator_for(&schema).expect("a schema");
        let instance = instance(&schema, "Please summarise. Thanks.");
        assert!(validator.is_valid(&instance), "{instance}");
        assert_eq!(instance["note"], "Please summarise.");
    }
}
