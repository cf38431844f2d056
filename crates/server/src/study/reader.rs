//! Fields of a YAML file, read one by one. A mistake is noted and reading goes on, so that all are told at once.

use std::time::Duration;

use engine::cost::MicroUsd;

use super::yaml::{Node, Value};
use crate::mistake::{Mistake, nearest};

/// Collects mistakes.
pub(super) struct Reader {
    mistakes: Vec<Mistake>,
}

/// A group of fields and what it is called.
pub(super) struct Group<'a> {
    pub(super) path: String,
    pub(super) line: usize,
    fields: &'a [(String, usize, Node)],
}

impl Reader {
    pub(super) const fn new() -> Reader {
        Reader {
            mistakes: Vec::new(),
        }
    }

    pub(super) fn into_mistakes(self) -> Vec<Mistake> {
        self.mistakes
    }

    pub(super) fn mistake(
        &mut self,
        line: usize,
        column: usize,
        field: &str,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.mistakes.push(Mistake {
            line,
            column,
            field: field.to_owned(),
            message: message.into(),
            remedy: remedy.into(),
        });
    }

    /// Opens a group, noting unknown fields.
    pub(super) fn group<'a>(&mut self, node: &'a Node, path: &str, known: &[&str]) -> Group<'a> {
        let Value::Map(fields) = &node.value else {
            let name = if path.is_empty() { "study file" } else { path };
            self.mistake(
                node.line,
                node.column,
                name,
                format!("is {} where fields are needed", node.value.kind()),
                format!("Give it the fields {}", known.join(", ")),
            );
            return Group {
                path: path.to_owned(),
                line: node.line,
                fields: &[],
            };
        };
        for (index, (key, line, _)) in fields.iter().enumerate() {
            let field = join(path, key);
            if !known.contains(&key.as_str()) {
                let remedy = nearest(key, known.iter().copied()).map_or_else(
                    || format!("Remove it, or use one of: {}", known.join(", ")),
                    |near| format!("Did you mean `{near}`?"),
                );
                self.mistake(
                    *line,
                    1,
                    &field,
                    "is not a field that a study has here",
                    remedy,
                );
            } else if fields
                .iter()
                .take(index)
                .any(|(earlier, ..)| earlier == key)
            {
                self.mistake(*line, 1, &field, "stands here twice", "Keep one of them");
            }
        }
        Group {
            path: path.to_owned(),
            line: node.line,
            fields,
        }
    }

    pub(super) fn find<'a>(&self, group: &Group<'a>, key: &str) -> Option<&'a Node> {
        group
            .fields
            .iter()
            .find(|(name, ..)| name == key)
            .map(|(.., node)| node)
            .filter(|node| !matches!(node.value, Value::Null))
    }

    pub(super) fn needed<'a>(
        &mut self,
        group: &Group<'a>,
        key: &str,
        remedy: &str,
    ) -> Option<&'a Node> {
        let found = self.find(group, key);
        if found.is_none() {
            self.mistake(group.line, 1, &join(&group.path, key), "is missing", remedy);
        }
        found
    }

    pub(super) fn text_of(&mut self, node: &Node, field: &str) -> String {
        match &node.value {
            Value::Text(text) if !text.is_empty() => text.clone(),
            Value::Text(_) => {
                self.mistake(
                    node.line,
                    node.column,
                    field,
                    "is empty",
                    "Write a text, or remove the line",
                );
                String::new()
            }
            // A code such as 1234 or a title such as 2026 is meant as text.
            Value::Integer(number) => number.to_string(),
            other @ (Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::List(_)
            | Value::Map(_)
            | Value::Strange(_)) => {
                self.mistake(
                    node.line,
                    node.column,
                    field,
                    format!("is {} where text is needed", other.kind()),
                    "Put the text in quotes",
                );
                String::new()
            }
        }
    }

    pub(super) fn text(&mut self, group: &Group<'_>, key: &str, remedy: &str) -> String {
        let field = join(&group.path, key);
        self.needed(group, key, remedy)
            .map(|node| self.text_of(node, &field))
            .unwrap_or_default()
    }

    pub(super) fn text_or(&mut self, group: &Group<'_>, key: &str, default: &str) -> String {
        let field = join(&group.path, key);
        self.find(group, key)
            .map_or_else(|| default.to_owned(), |node| self.text_of(node, &field))
    }

    pub(super) fn optional(&mut self, group: &Group<'_>, key: &str) -> Option<String> {
        let field = join(&group.path, key);
        self.find(group, key).map(|node| self.text_of(node, &field))
    }

    pub(super) fn slug(&mut self, group: &Group<'_>, key: &str) -> String {
        let text = self.text(group, key, "Give it a short name such as `warmup`");
        let legal = text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.len() <= 64
            && text
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_');
        if !text.is_empty() && !legal {
            let node = self.find(group, key);
            let (line, column) = node.map_or((group.line, 1), |node| (node.line, node.column));
            self.mistake(
                line,
                column,
                &join(&group.path, key),
                format!("`{text}` is not a short name"),
                "Use small letters, digits, - and _, beginning with a letter, 64 at most",
            );
        }
        text
    }

    pub(super) fn list<'a>(&mut self, group: &Group<'a>, key: &str) -> &'a [Node] {
        let Some(node) = self.find(group, key) else {
            return &[];
        };
        if let Value::List(items) = &node.value {
            return items;
        }
        self.mistake(
            node.line,
            node.column,
            &join(&group.path, key),
            format!("is {} where a list is needed", node.value.kind()),
            "Write one item per line, each after `- `, or [one, two]",
        );
        &[]
    }

    pub(super) fn texts(&mut self, group: &Group<'_>, key: &str) -> Vec<String> {
        let items = self.list(group, key);
        items
            .iter()
            .enumerate()
            .map(|(index, node)| {
                self.text_of(node, &format!("{}[{index}]", join(&group.path, key)))
            })
            .collect()
    }

    pub(super) fn flag(&mut self, group: &Group<'_>, key: &str) -> bool {
        let Some(node) = self.find(group, key) else {
            return false;
        };
        if let Value::Bool(flag) = node.value {
            return flag;
        }
        self.mistake(
            node.line,
            node.column,
            &join(&group.path, key),
            format!("is {} where true or false is needed", node.value.kind()),
            "Write true or false without quotes",
        );
        false
    }

    pub(super) fn whole(
        &mut self,
        group: &Group<'_>,
        key: &str,
        range: std::ops::RangeInclusive<i64>,
        default: u32,
    ) -> u32 {
        let Some(node) = self.find(group, key) else {
            return default;
        };
        if let Value::Integer(number) = node.value
            && range.contains(&number)
        {
            return u32::try_from(number).unwrap_or(default);
        }
        let remedy = format!(
            "Write a whole number from {} to {}, without a unit",
            range.start(),
            range.end()
        );
        self.mistake(
            node.line,
            node.column,
            &join(&group.path, key),
            "is not a number that fits",
            remedy,
        );
        default
    }

    /// Minutes, whole or with a fraction, from 0 to 240.
    pub(super) fn minutes(&mut self, group: &Group<'_>, key: &str) -> Option<Duration> {
        let node = self.find(group, key)?;
        let minutes = match node.value {
            Value::Integer(number) => i32::try_from(number).ok().map(f64::from),
            Value::Number(number) => Some(number),
            Value::Null
            | Value::Bool(_)
            | Value::Text(_)
            | Value::List(_)
            | Value::Map(_)
            | Value::Strange(_) => None,
        };
        let legal = minutes.filter(|minutes| (0.0..=240.0).contains(minutes));
        if legal.is_none() {
            self.mistake(
                node.line,
                node.column,
                &join(&group.path, key),
                "is not a number of minutes",
                "Write minutes as a number from 0 to 240 without a unit: 5 or 2.5",
            );
        }
        legal.map(|minutes| Duration::from_secs_f64((minutes * 60.0).round()))
    }

    pub(super) fn choice<T: Copy>(
        &mut self,
        group: &Group<'_>,
        key: &str,
        choices: &[(&str, T)],
        default: T,
    ) -> T {
        let Some(node) = self.find(group, key) else {
            return default;
        };
        let field = join(&group.path, key);
        let text = self.text_of(node, &field);
        if let Some((_, value)) = choices.iter().find(|(name, _)| *name == text) {
            return *value;
        }
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        self.mistake(
            node.line,
            node.column,
            &field,
            format!("`{text}` is not one of the choices"),
            format!("Write one of: {}", names.join(", ")),
        );
        default
    }

    /// Dollars with up to six decimals, from text such as `2.50` or a number.
    pub(super) fn money(&mut self, group: &Group<'_>, key: &str) -> Option<MicroUsd> {
        let node = self.find(group, key)?;
        let dollars = match &node.value {
            Value::Integer(number) => i32::try_from(*number).ok().map(f64::from),
            Value::Number(number) => Some(*number),
            Value::Text(text) => text.trim_start_matches('$').parse().ok(),
            Value::Null | Value::Bool(_) | Value::List(_) | Value::Map(_) | Value::Strange(_) => {
                None
            }
        };
        let legal = dollars.filter(|dollars| *dollars > 0.0 && *dollars <= 10_000.0);
        if legal.is_none() {
            self.mistake(
                node.line,
                node.column,
                &join(&group.path, key),
                "is not an amount of dollars",
                "Write dollars above 0, such as 2.50",
            );
        }
        #[expect(
            clippy::cast_possible_truncation,
            reason = "at most 10,000 dollars: ten digits of micro-dollars"
        )]
        legal.map(|dollars| MicroUsd((dollars * 1_000_000.0).round() as i64))
    }
}

pub(super) fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}
