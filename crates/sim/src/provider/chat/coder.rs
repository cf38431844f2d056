//! Codes segments of an interview: sentiment, topics and a key quote for each, in whatever shape the request's schema wants them.
//!
//! For texts of the corpus these are the author's labels; for any other text a small lexicon estimates. Good enough for demonstrations and
//! plumbing, and never called a measurement.

use serde_json::{Map, Value, json};

use super::lexicon::{self, Mood};
use super::schema;
use crate::corpus::{Clip, Corpus, Role};

/// What the user message asks about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Task {
    /// Segments by their id, in order.
    pub segments: Vec<(String, String)>,
    /// Topics of the codebook: id and label. Empty for open coding.
    pub codebook: Vec<(String, String)>,
}

impl Task {
    /// Reads a user message: `{id}: {text}` per segment and `- {topic}: {label}` per code, under whatever headings. Only ids that the schema
    /// names are segments; without such, lines like `1. text` are.
    #[must_use]
    pub fn read(message: &str, ids: &[&str]) -> Task {
        let mut task = Task::default();
        for line in message.lines().map(str::trim) {
            if let Some((topic, label)) = line
                .strip_prefix("- ")
                .and_then(|code| code.split_once(':'))
            {
                task.codebook
                    .push((topic.trim().to_owned(), label.trim().to_owned()));
                continue;
            }
            let Some((id, text)) = line.split_once(':').or_else(|| line.split_once(". ")) else {
                continue;
            };
            let id = id.trim().trim_start_matches('[').trim_end_matches(']');
            let fits = if ids.is_empty() {
                id.parse::<u32>().is_ok()
            } else {
                ids.contains(&id)
            };
            if fits && !task.segments.iter().any(|(known, _)| known == id) {
                task.segments.push((id.to_owned(), text.trim().to_owned()));
            }
        }
        task
    }
}

/// Codes of one segment.
#[derive(Clone, Debug, PartialEq)]
pub struct Code {
    /// negative, mixed, neutral or positive.
    pub sentiment: &'static str,
    /// From -1 to 1.
    pub score: f64,
    /// Topic ids.
    pub topics: Vec<String>,
    /// A verbatim part of the segment, if anything in it is worth quoting.
    pub quote: Option<String>,
}

/// Codes one segment.
#[must_use]
pub fn code(text: &str, codebook: &[(String, String)]) -> Code {
    let clip = known(text);
    let mood = match clip.and_then(|clip| clip.sentiment.as_deref()) {
        Some(label) => Mood::from_name(label),
        None => lexicon::mood(text),
    };
    let topics = match clip {
        Some(clip) => {
            let named = |topic: &&String| {
                codebook.is_empty() || codebook.iter().any(|(id, _)| id == *topic)
            };
            clip.topics.iter().filter(named).cloned().collect()
        }
        None if codebook.is_empty() => lexicon::topics(text),
        None => lexicon::matching(text, codebook),
    };
    Code {
        sentiment: mood.name(),
        score: mood.score(),
        topics,
        quote: quote(text),
    }
}

/// The participant's clip whose words these are, or a part of.
fn known(text: &str) -> Option<&'static Clip> {
    let wanted = plain(text);
    // A short text, such as "Yes.", could be part of anything.
    const PART_MIN_CHARS: usize = 24;
    let fits = |clip: &&Clip| {
        let words = plain(&clip.text);
        words == wanted || (wanted.chars().count() >= PART_MIN_CHARS && words.contains(&wanted))
    };
    Corpus::embedded()
        .clips()
        .iter()
        .filter(|clip| clip.role == Role::Participant)
        .find(fits)
}

fn plain(text: &str) -> String {
    text.chars()
        .flat_map(char::to_lowercase)
        .filter(|c| c.is_alphanumeric())
        .collect()
}

/// The sentence that says most: the one with the strongest words, else the longest; nothing if all are very short.
fn quote(text: &str) -> Option<String> {
    const MIN_CHARS: usize = 16;
    if text.contains("[unrecognised speech]") {
        return None;
    }
    let sentences = text
        .split_inclusive(['.', '?', '!', '。', '？', '！'])
        .map(str::trim);
    let long_enough = sentences.filter(|sentence| {
        sentence
            .chars()
            .map(|c| if c < '\u{3040}' { 1 } else { 3 })
            .sum::<usize>()
            >= MIN_CHARS
    });
    long_enough
        .max_by_key(|sentence| (lexicon::strength(sentence), sentence.len()))
        .map(str::to_owned)
}

/// Fills a schema with codes, if it asks for some: an object with a key for each segment, or a list of objects that name their segment.
#[must_use]
pub fn fill(root: &Value, message: &str) -> Option<Value> {
    let properties = root["properties"].as_object()?;
    let ids: Vec<&str> = properties
        .iter()
        .filter(|(_, schema)| is_code(root, schema))
        .map(|(id, _)| id.as_str())
        .collect();
    if !ids.is_empty() {
        let task = Task::read(message, &ids);
        let coded = |(id, schema): (&String, &Value)| {
            let value = match task.segments.iter().find(|(segment, _)| segment == id) {
                Some((_, text)) => shape(root, schema, id, &code(text, &task.codebook)),
                None => schema::build(root, schema, message, 1),
            };
            (id.clone(), value)
        };
        return Some(Value::Object(
            properties.iter().map(coded).collect::<Map<_, _>>(),
        ));
    }
    let (list, schema) = properties
        .iter()
        .find(|(_, schema)| schema["type"] == "array" && is_code(root, &schema["items"]))?;
    let task = Task::read(message, &[]);
    let coded = task
        .segments
        .iter()
        .map(|(id, text)| shape(root, &schema["items"], id, &code(text, &task.codebook)))
        .collect();
    let mut filled = schema::build(root, root, message, 0);
    filled[list.as_str()] = Value::Array(coded);
    Some(filled)
}

fn resolved<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    schema["$ref"]
        .as_str()
        .and_then(|reference| root.pointer(reference.strip_prefix('#')?))
        .unwrap_or(schema)
}

fn is_code(root: &Value, schema: &Value) -> bool {
    resolved(root, schema)["properties"]
        .get("sentiment")
        .is_some()
}

/// Writes codes the way a schema wants them.
fn shape(root: &Value, schema: &Value, id: &str, code: &Code) -> Value {
    let schema = resolved(root, schema);
    let fields = schema["properties"].as_object().into_iter().flatten();
    let field = |(name, schema): (&String, &Value)| {
        let schema = resolved(root, schema);
        let value = match name.as_str() {
            "sentiment" => {
                legal(schema, code.sentiment).unwrap_or_else(|| schema::build(root, schema, "", 1))
            }
            "score" | "score_permille" => score(schema, code.score),
            "topics" => {
                let items = resolved(root, &schema["items"]);
                let most = schema["maxItems"]
                    .as_u64()
                    .and_then(|most| usize::try_from(most).ok())
                    .unwrap_or(usize::MAX);
                code.topics
                    .iter()
                    .filter_map(|topic| legal(items, topic))
                    .take(most)
                    .collect()
            }
            "quote" | "key_quote" => quoted(schema, code.quote.as_deref()),
            "i" | "id" | "segment" if schema::type_of(schema) == "integer" => {
                json!(id.parse::<u32>().unwrap_or_default())
            }
            "i" | "id" | "segment" => json!(id),
            _ => schema::build(root, schema, "", 1),
        };
        (name.clone(), value)
    };
    Value::Object(fields.map(field).collect::<Map<_, _>>())
}

/// A text, if the schema allows it.
fn legal(schema: &Value, text: &str) -> Option<Value> {
    let allowed = schema["enum"]
        .as_array()
        .is_none_or(|values| values.iter().any(|value| value == text));
    allowed.then(|| json!(text))
}

/// A score on the schema's scale; from -1 to 1 if it has none.
fn score(schema: &Value, score: f64) -> Value {
    let high = schema["maximum"].as_f64().unwrap_or(1.0);
    let low = schema["minimum"].as_f64().unwrap_or(-high);
    let scaled = low + (score + 1.0) / 2.0 * (high - low);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "scales of scores are small"
    )]
    if schema::type_of(schema) == "integer" {
        json!(scaled.round() as i64)
    } else {
        json!(scaled)
    }
}

fn quoted(schema: &Value, quote: Option<&str>) -> Value {
    let nullable = schema["type"]
        .as_array()
        .is_some_and(|types| types.iter().any(|kind| kind == "null"))
        || schema["anyOf"]
            .as_array()
            .is_some_and(|any| any.iter().any(|one| one["type"] == "null"));
    match quote {
        Some(quote) => {
            let most = schema["maxLength"]
                .as_u64()
                .and_then(|most| usize::try_from(most).ok())
                .unwrap_or(usize::MAX);
            json!(quote.chars().take(most).collect::<String>())
        }
        None if nullable => Value::Null,
        None => json!(""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAYA: &str = "The last one went really well, actually. Fifteen minutes, an agenda in the invite, and somebody wrote the decisions down while we talked. I wish they were all like that.";

    fn segment_schema(quote: &Value) -> Value {
        json!({
            "type": "object", "additionalProperties": false, "required": ["sentiment", "score", "topics", "quote"],
            "properties": {
                "sentiment": {"type": "string", "enum": ["negative", "mixed", "neutral", "positive"]},
                "score": {"type": "integer", "minimum": -1000, "maximum": 1000},
                "topics": {"type": "array", "items": {"type": "string", "enum": ["meetings", "cost", "support"]}, "maxItems": 3},
                "quote": quote,
            },
        })
    }

    fn request(ids: &[&str]) -> Value {
        let properties: Map<String, Value> = ids
            .iter()
            .map(|id| {
                (
                    (*id).to_owned(),
                    segment_schema(&json!({"type": ["string", "null"]})),
                )
            })
            .collect();
        json!({"type": "object", "additionalProperties": false, "required": ids, "properties": properties})
    }

    #[test]
    fn segments_get_valid_codes_and_corpus_texts_the_authors_labels() {
        let schema = request(&["s1", "s2", "s3"]);
        let message = format!(
            "Codebook:\n- meetings: Meetings\n- cost: Price and money\n- support: Help from people\n\nSegments:\ns1: {MAYA}\ns2: It is far too expensive, and I hate the contract.\ns3: Yes."
        );
        let filled = fill(&schema, &message).expect("segments to code");
        assert!(
            jsonschema::validator_for(&schema)
                .expect("a schema")
                .is_valid(&filled),
            "{filled}"
        );
        assert_eq!(
            (&filled["s1"]["sentiment"], &filled["s1"]["topics"]),
            (&json!("positive"), &json!(["meetings"]))
        );
        assert_eq!(
            (&filled["s2"]["sentiment"], &filled["s2"]["topics"]),
            (&json!("negative"), &json!(["cost"]))
        );
        assert_eq!(
            (&filled["s3"]["sentiment"], &filled["s3"]["quote"]),
            (&json!("neutral"), &Value::Null)
        );
        assert!(filled["s2"]["score"].as_i64().expect("an integer") < 0);
    }

    #[test]
    fn quotes_are_verbatim_parts_of_their_segment() {
        for clip in Corpus::embedded()
            .clips()
            .iter()
            .filter(|clip| clip.role == Role::Participant)
        {
            if let Some(quote) = code(&clip.text, &[]).quote {
                assert!(clip.text.contains(&quote), "{}: {quote}", clip.id);
            }
        }
    }

    #[test]
    fn a_part_of_an_answer_is_known_too() {
        let code = code(
            "Fifteen minutes, an agenda in the invite, and somebody wrote the decisions down while we talked.",
            &[],
        );
        assert_eq!(
            (code.sentiment, code.topics),
            (
                "positive",
                vec!["meetings".to_owned(), "documentation".to_owned()]
            )
        );
    }

    #[test]
    fn a_list_of_numbered_segments_is_coded_too() {
        let item = json!({
            "type": "object", "additionalProperties": false, "required": ["i", "sentiment"],
            "properties": {"i": {"type": "integer"}, "sentiment": {"type": "string", "enum": ["negative", "neutral", "positive", "mixed"]}},
        });
        let schema = json!({"type": "object", "additionalProperties": false, "required": ["segments"], "properties": {"segments": {"type": "array", "items": item}}});
        let filled =
            fill(&schema, "1. It is too expensive.\n2. Support was great.").expect("segments");
        assert_eq!(
            filled,
            json!({"segments": [{"i": 1, "sentiment": "negative"}, {"i": 2, "sentiment": "positive"}]})
        );
    }

    #[test]
    fn unknown_speech_is_neutral_and_not_quoted() {
        let code = code("[unrecognised speech]", &[]);
        assert_eq!((code.sentiment, code.quote), ("neutral", None));
    }

    #[test]
    fn a_schema_without_segments_is_not_coded() {
        assert_eq!(
            fill(
                &json!({"type": "object", "properties": {"title": {"type": "string"}}}),
                "s1: x"
            ),
            None
        );
    }
}
