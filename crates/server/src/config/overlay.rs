//! Lays the operator's file and the environment over the defaults. The defaults are the schema: what they lack is unknown.

use std::collections::BTreeMap;

use toml::{Table, Value};

use crate::mistake::{Mistake, nearest};

const PREFIX: &str = "COLLOQUY__";

/// Merges all three layers.
///
/// # Errors
/// Every unknown key and every value of another type than the default's.
pub(super) fn merge(
    defaults: &str,
    file: Option<&str>,
    variables: &BTreeMap<String, String>,
) -> Result<Table, Vec<Mistake>> {
    let mut merged: Table = defaults
        .parse()
        .expect("the compiled-in defaults are TOML; a test loads them");
    let mut mistakes = Vec::new();
    if let Some(text) = file {
        match text.parse::<Table>() {
            Ok(table) => lay_file(&mut merged, table, text, &mut mistakes),
            Err(error) => mistakes.push(syntax(&error, text)),
        }
    }
    for (name, written) in variables
        .iter()
        .filter(|(name, _)| name.starts_with(PREFIX))
    {
        lay_variable(&mut merged, name, written, &mut mistakes);
    }
    if mistakes.is_empty() {
        Ok(merged)
    } else {
        Err(mistakes)
    }
}

fn lay_file(merged: &mut Table, table: Table, text: &str, mistakes: &mut Vec<Mistake>) {
    for (section, value) in table {
        let line = line_of_section(text, &section);
        let Some(Value::Table(known)) = merged.get_mut(&section) else {
            let sections: Vec<&str> = merged.keys().map(String::as_str).collect();
            mistakes.push(unknown(
                line,
                section.clone(),
                "section",
                nearest(&section, sections.iter().copied()),
                &sections,
            ));
            continue;
        };
        let Value::Table(entries) = value else {
            mistakes.push(Mistake {
                line,
                column: 1,
                field: section.clone(),
                message: "is a section, not a value".into(),
                remedy: format!("Write [{section}] on a line of its own and its keys below"),
            });
            continue;
        };
        for (key, value) in entries {
            let line = line_of_key(text, &section, &key);
            lay_value(known, &section, &key, value, line, mistakes);
        }
    }
}

fn lay_value(
    known: &mut Table,
    section: &str,
    key: &str,
    value: Value,
    line: usize,
    mistakes: &mut Vec<Mistake>,
) {
    let field = format!("{section}.{key}");
    let Some(default) = known.get(key) else {
        let keys: Vec<&str> = known.keys().map(String::as_str).collect();
        mistakes.push(unknown(
            line,
            field,
            "key",
            nearest(key, keys.iter().copied()),
            &keys,
        ));
        return;
    };
    if default.type_str() != value.type_str() {
        mistakes.push(Mistake {
            line,
            column: 1,
            field,
            message: format!("is {} where {} is needed", with_article(value.type_str()), with_article(default.type_str())),
            remedy: format!("Write it like the default, without a unit (the unit is in the key's name): {key} = {default}"),
        });
        return;
    }
    known.insert(key.to_owned(), value);
}

fn lay_variable(merged: &mut Table, name: &str, written: &str, mistakes: &mut Vec<Mistake>) {
    let path = name.trim_start_matches(PREFIX).to_lowercase();
    let known = path
        .split_once("__")
        .and_then(|(section, key)| match merged.get_mut(section) {
            Some(Value::Table(table)) if table.contains_key(key) => {
                Some((section.to_owned(), key.to_owned()))
            }
            _ => None,
        });
    let Some((section, key)) = known else {
        mistakes.push(Mistake {
            line: 0,
            column: 0,
            field: name.to_owned(),
            message: "is an environment variable for a key that does not exist".into(),
            remedy: "Name it COLLOQUY__SECTION__KEY after a key of config.default.toml".into(),
        });
        return;
    };
    let Some(Value::Table(table)) = merged.get_mut(&section) else {
        return;
    };
    let value = match table.get(&key) {
        Some(Value::String(_)) => Some(Value::String(written.to_owned())),
        // Numbers, booleans and lists are written as in TOML: COLLOQUY__MEDIA__ADVERTISE_IPS='["203.0.113.7"]'.
        _ => format!("value = {written}")
            .parse::<Table>()
            .ok()
            .and_then(|mut parsed| parsed.remove("value")),
    };
    match value {
        Some(value) => {
            let before = mistakes.len();
            lay_value(table, &section, &key, value, 0, mistakes);
            if let Some(mistake) = mistakes.get_mut(before) {
                mistake.field = name.to_owned();
            }
        }
        None => mistakes.push(Mistake {
            line: 0,
            column: 0,
            field: name.to_owned(),
            message: "cannot be read as a value".into(),
            remedy: "Write it as in TOML: 5000, true, [\"203.0.113.7\"]".into(),
        }),
    }
}

fn unknown(line: usize, field: String, what: &str, near: Option<&str>, known: &[&str]) -> Mistake {
    let remedy = match near {
        Some(near) => format!("Did you mean `{near}`?"),
        None => format!("Remove it, or use one of: {}", known.join(", ")),
    };
    Mistake {
        line,
        column: 1,
        field,
        message: format!("is not a {what} that Colloquy knows"),
        remedy,
    }
}

fn syntax(error: &toml::de::Error, text: &str) -> Mistake {
    let start = error.span().map_or(0, |span| span.start);
    let before = text.get(..start).unwrap_or(text);
    let column = before.rsplit('\n').next().map_or(0, str::len) + 1;
    Mistake {
        line: before.matches('\n').count() + 1,
        column,
        field: "configuration file".into(),
        message: format!("is not TOML: {}", error.message().replace('\n', " ")),
        remedy: "Mend this line; strings stand in double quotes, sections in [brackets]".into(),
    }
}

fn with_article(kind: &str) -> String {
    let article = if kind.starts_with(['a', 'e', 'i', 'o', 'u']) {
        "an"
    } else {
        "a"
    };
    format!("{article} {kind}")
}

/// The line of `section.key` in the operator's file, counted from 1; 0 if it is not there.
pub(super) fn line_of(text: &str, field: &str) -> usize {
    let Some((section, key)) = field.split_once('.') else {
        return 0;
    };
    let line = line_of_key(text, section, key);
    if line == line_of_section(text, section) {
        0
    } else {
        line
    }
}

fn line_of_section(text: &str, section: &str) -> usize {
    let found = text.lines().position(|line| {
        let line = line.trim();
        line.starts_with(&format!("[{section}]"))
            || line.starts_with(&format!("{section} "))
            || line.starts_with(&format!("{section}="))
    });
    found.map_or(0, |index| index + 1)
}

fn line_of_key(text: &str, section: &str, key: &str) -> usize {
    let start = line_of_section(text, section);
    let found = text.lines().enumerate().skip(start).find(|(_, line)| {
        line.trim_start()
            .strip_prefix(key)
            .is_some_and(|rest| rest.trim_start().starts_with('='))
    });
    found.map_or(start, |(index, _)| index + 1)
}
