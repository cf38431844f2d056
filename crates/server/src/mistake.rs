//! A mistake in a file that a person wrote: where it is, what is wrong, and what to write instead.

use std::fmt;

use serde::Serialize;
use utoipa::ToSchema;

/// One mistake, or one warning, in a configuration or study file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Mistake {
    /// Line, counted from 1; 0 if it is not in the file (an environment variable, something missing altogether).
    pub line: usize,
    /// Column, counted from 1; 0 if unknown.
    pub column: usize,
    /// The field, such as `phases[1].minutes.max`.
    pub field: String,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub remedy: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 0 {
            write!(f, "line {}", self.line)?;
            if self.column > 0 {
                write!(f, ", column {}", self.column)?;
            }
            f.write_str(": ")?;
        }
        write!(f, "{}: {}. {}", self.field, self.message, self.remedy)
    }
}

/// The known name that is nearest to a misspelt one, if one is near enough to be meant.
#[must_use]
pub fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|name| (distance(written, name), name))
        .filter(|(distance, name)| *distance <= name.len().max(6) / 3)
        .min()
        .map(|(_, name)| name)
}

/// Levenshtein distance in characters; names here are short.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = i;
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
        for (j, to) in b.iter().enumerate() {
            let above = row[j + 1];
            let cost = usize::from(from != *to);
            row[j + 1] = (diagonal + cost).min(above + 1).min(row[j] + 1);
            diagonal = above;
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_misspelt_name_finds_its_neighbour_and_a_strange_one_finds_none() {
        let known = ["openai_api_key", "openai_base_url", "default_profile"];
        assert_eq!(nearest("openai_apikey", known), Some("openai_api_key"));
        assert_eq!(nearest("volume", known), None);
    }
}
