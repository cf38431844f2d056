//! YAML with positions, reduced to what a study file may hold.

use saphyr::{LoadableYamlNode, MarkedYaml, Scalar, YamlData};

use crate::mistake::Mistake;

/// A value and where it stands.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) value: Value,
}

/// A value.
#[derive(Debug)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Integer(i64),
    /// Kept as text where money is meant; see `read::money`.
    Number(f64),
    Text(String),
    List(Vec<Node>),
    /// Keys with their own line.
    Map(Vec<(String, usize, Node)>),
    /// Tags, aliases and keys that are not text.
    Strange(&'static str),
}

impl Value {
    /// What it is, for a message.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Value::Null => "empty",
            Value::Bool(_) => "true or false",
            Value::Integer(_) => "a whole number",
            Value::Number(_) => "a number",
            Value::Text(_) => "text",
            Value::List(_) => "a list",
            Value::Map(_) => "a group of fields",
            Value::Strange(what) => what,
        }
    }
}

/// Reads one document.
///
/// # Errors
/// What is not YAML, or no document, or several.
pub(super) fn read(text: &str) -> Result<Node, Mistake> {
    let documents = MarkedYaml::load_from_str(text).map_err(|error| Mistake {
        line: error.marker().line(),
        column: error.marker().col() + 1,
        field: "study file".into(),
        message: format!("is not YAML: {}", error.info()),
        remedy: "Look at this line and the one above: indentation by two spaces, a colon and a space after each key, quotes around texts with a colon".into(),
    })?;
    match documents.as_slice() {
        [one] => Ok(node(one)),
        [] => Err(whole_file(
            "is empty",
            "Begin with the lines of an example: `colloquy study example`",
        )),
        [..] => Err(whole_file(
            "holds several documents",
            "Keep one study per file and remove the lines `---`",
        )),
    }
}

fn whole_file(message: &str, remedy: &str) -> Mistake {
    Mistake {
        line: 1,
        column: 1,
        field: "study file".into(),
        message: message.into(),
        remedy: remedy.into(),
    }
}

fn node(yaml: &MarkedYaml<'_>) -> Node {
    let value = match &yaml.data {
        YamlData::Value(Scalar::Null) => Value::Null,
        YamlData::Value(Scalar::Boolean(flag)) => Value::Bool(*flag),
        YamlData::Value(Scalar::Integer(number)) => Value::Integer(*number),
        YamlData::Value(Scalar::FloatingPoint(number)) => Value::Number(number.into_inner()),
        YamlData::Value(Scalar::String(text)) => Value::Text(text.trim().to_owned()),
        YamlData::Sequence(items) => Value::List(items.iter().map(node).collect()),
        YamlData::Mapping(entries) => entries
            .iter()
            .map(|(key, value)| {
                let YamlData::Value(Scalar::String(name)) = &key.data else {
                    return None;
                };
                Some((name.to_string(), key.span.start.line(), node(value)))
            })
            .collect::<Option<Vec<_>>>()
            .map_or(
                Value::Strange("a group whose keys are not words"),
                Value::Map,
            ),
        YamlData::Alias(_) => Value::Strange("an alias"),
        YamlData::Representation(..) | YamlData::Tagged(..) => Value::Strange("a tagged value"),
        YamlData::BadValue => Value::Strange("unreadable"),
    };
    Node {
        line: yaml.span.start.line(),
        column: yaml.span.start.col() + 1,
        value,
    }
}
