//! From YAML to a study, field by field. A mistake is noted and reading goes on, so that all are told at once.

use std::collections::BTreeMap;
use std::time::Duration;

use engine::cost::MicroUsd;
use engine::ids::{PhaseId, StudyId, TopicId};
use engine::journal::Outcome;
use engine::link::Patience;
use engine::plan::{Limits, Need, Next, Phase, Topic, Wording};

use super::yaml::{Node, Value};
use super::{Code, Completion, Study};
use crate::mistake::{Mistake, nearest};

/// Collects mistakes.
pub(super) struct Reader {
    mistakes: Vec<Mistake>,
}

/// A group of fields and what it is called.
struct Group<'a> {
    path: String,
    line: usize,
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

    fn mistake(
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
    fn group<'a>(&mut self, node: &'a Node, path: &str, known: &[&str]) -> Group<'a> {
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

    fn find<'a>(&mut self, group: &Group<'a>, key: &str) -> Option<&'a Node> {
        group
            .fields
            .iter()
            .find(|(name, ..)| name == key)
            .map(|(.., node)| node)
            .filter(|node| !matches!(node.value, Value::Null))
    }

    fn needed<'a>(&mut self, group: &Group<'a>, key: &str, remedy: &str) -> Option<&'a Node> {
        let found = self.find(group, key);
        if found.is_none() {
            self.mistake(group.line, 1, &join(&group.path, key), "is missing", remedy);
        }
        found
    }

    fn text_of(&mut self, node: &Node, field: &str) -> String {
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
            other => {
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

    fn text(&mut self, group: &Group<'_>, key: &str, remedy: &str) -> String {
        let field = join(&group.path, key);
        self.needed(group, key, remedy)
            .map(|node| self.text_of(node, &field))
            .unwrap_or_default()
    }

    fn text_or(&mut self, group: &Group<'_>, key: &str, default: &str) -> String {
        let field = join(&group.path, key);
        self.find(group, key)
            .map_or_else(|| default.to_owned(), |node| self.text_of(node, &field))
    }

    fn optional(&mut self, group: &Group<'_>, key: &str) -> Option<String> {
        let field = join(&group.path, key);
        self.find(group, key).map(|node| self.text_of(node, &field))
    }

    fn slug(&mut self, group: &Group<'_>, key: &str) -> String {
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

    fn list<'a>(&mut self, group: &Group<'a>, key: &str) -> &'a [Node] {
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

    fn texts(&mut self, group: &Group<'_>, key: &str) -> Vec<String> {
        let items = self.list(group, key);
        items
            .iter()
            .enumerate()
            .map(|(index, node)| {
                self.text_of(node, &format!("{}[{index}]", join(&group.path, key)))
            })
            .collect()
    }

    fn flag(&mut self, group: &Group<'_>, key: &str) -> bool {
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

    fn whole(
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
    fn minutes(&mut self, group: &Group<'_>, key: &str) -> Option<Duration> {
        let node = self.find(group, key)?;
        let minutes = match node.value {
            Value::Integer(number) => i32::try_from(number).ok().map(f64::from),
            Value::Number(number) => Some(number),
            _ => None,
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

    fn choice<T: Copy>(
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
    fn money(&mut self, group: &Group<'_>, key: &str) -> Option<MicroUsd> {
        let node = self.find(group, key)?;
        let dollars = match &node.value {
            Value::Integer(number) => i32::try_from(*number).ok().map(f64::from),
            Value::Number(number) => Some(*number),
            Value::Text(text) => text.trim_start_matches('$').parse().ok(),
            _ => None,
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

const STUDY: &[&str] = &[
    "id",
    "title",
    "organisation",
    "contact",
    "languages",
    "welcome",
    "consent",
    "persona",
    "greeting",
    "closing",
    "provider",
    "turn_taking",
    "budget",
    "limits",
    "completion",
    "codebook",
    "phases",
];

/// Reads the whole study.
pub(super) fn study(reader: &mut Reader, root: &Node) -> Study {
    let group = reader.group(root, "", STUDY);
    let provider = section(reader, &group, "provider", &["order", "model", "voice"]);
    let (limits, resume_window) = limits(reader, &group);
    let budget = section(reader, &group, "budget", &["session_usd"]);
    Study {
        id: StudyId::from(reader.slug(&group, "id")),
        title: reader.text(&group, "title", "Write the title that participants see"),
        organisation: reader.text(&group, "organisation", "Say who asks, such as `the Remote Work Lab`"),
        contact: reader.text(&group, "contact", "Say whom participants can ask, such as an e-mail address"),
        welcome: reader.text(&group, "welcome", "Write the first words on the participant's page"),
        consent_text: reader.text(&group, "consent", "Write what participants agree to: what is recorded, who hears it, how long it is kept"),
        languages: languages(reader, &group),
        providers: provider.as_ref().map(|provider| reader.texts(provider, "order")).unwrap_or_default(),
        model: provider.as_ref().and_then(|provider| reader.optional(provider, "model")),
        voice: provider.as_ref().and_then(|provider| reader.optional(provider, "voice")),
        persona: reader.text_or(&group, "persona", "You are warm, curious and neutral."),
        greeting: reader.text(&group, "greeting", "Write the interviewer's first words; they must say that it is an AI and that it records"),
        closing: reader.text_or(&group, "closing", "That brings us to the end. Thank you very much for your time. Your answers have been saved, and you can close this page now. Goodbye."),
        patience: patience(reader, &group),
        budget: budget.and_then(|budget| reader.money(&budget, "session_usd")),
        limits,
        resume_window,
        completion: completion(reader, &group),
        codebook: codebook(reader, &group),
        phases: phases(reader, &group),
    }
}

fn section<'a>(
    reader: &mut Reader,
    group: &Group<'a>,
    key: &str,
    known: &[&str],
) -> Option<Group<'a>> {
    let node = reader.find(group, key)?;
    Some(reader.group(node, &join(&group.path, key), known))
}

fn languages(reader: &mut Reader, group: &Group<'_>) -> Vec<String> {
    let written = reader.texts(group, "languages");
    let nodes = reader.list(group, "languages");
    for (index, (language, node)) in written.iter().zip(nodes).enumerate() {
        let mut parts = language.split('-');
        let primary = parts.next().unwrap_or_default();
        let legal = (2..=3).contains(&primary.len())
            && primary.chars().all(|c| c.is_ascii_lowercase())
            && parts.all(|part| {
                (2..=8).contains(&part.len()) && part.chars().all(|c| c.is_ascii_alphanumeric())
            });
        if !legal {
            reader.mistake(
                node.line,
                node.column,
                &format!("languages[{index}]"),
                format!("`{language}` is not a language tag"),
                "Write a BCP 47 tag such as en, en-GB, es or ja",
            );
        }
    }
    if written.is_empty() {
        vec!["en".to_owned()]
    } else {
        written
    }
}

fn patience(reader: &mut Reader, group: &Group<'_>) -> Patience {
    let balanced = 700;
    let Some(turns) = section(
        reader,
        group,
        "turn_taking",
        &["patience", "silence_ms", "threshold_permille", "prefix_ms"],
    ) else {
        return Patience {
            silence_ms: balanced,
            threshold_permille: 500,
            prefix_ms: 300,
        };
    };
    let preset = reader.choice(
        &turns,
        "patience",
        &[("quick", 400), ("balanced", balanced), ("patient", 1_200)],
        balanced,
    );
    Patience {
        silence_ms: reader.whole(&turns, "silence_ms", 200..=5_000, preset),
        threshold_permille: reader.whole(&turns, "threshold_permille", 0..=1_000, 500),
        prefix_ms: reader.whole(&turns, "prefix_ms", 0..=2_000, 300),
    }
}

fn limits(reader: &mut Reader, group: &Group<'_>) -> (Limits, Duration) {
    let mut limits = Limits::default();
    let day = Duration::from_secs(24 * 3_600);
    let Some(written) = section(
        reader,
        group,
        "limits",
        &["session_minutes", "resume_hours"],
    ) else {
        return (limits, day);
    };
    limits.session =
        Duration::from_secs(60 * u64::from(reader.whole(&written, "session_minutes", 5..=60, 60)));
    let hours = reader.whole(&written, "resume_hours", 0..=336, 24);
    (limits, Duration::from_secs(3_600 * u64::from(hours)))
}

fn completion(reader: &mut Reader, group: &Group<'_>) -> BTreeMap<Outcome, Completion> {
    let names: Vec<&str> = Outcome::ALL.iter().map(|outcome| outcome.name()).collect();
    let Some(written) = section(reader, group, "completion", &names) else {
        return BTreeMap::new();
    };
    let mut found = BTreeMap::new();
    for outcome in Outcome::ALL {
        let Some(one) = section(
            reader,
            &written,
            outcome.name(),
            &["message", "code", "redirect_url"],
        ) else {
            continue;
        };
        let redirect_url = reader.optional(&one, "redirect_url");
        if redirect_url
            .as_ref()
            .is_some_and(|url| !url.starts_with("https://") && !url.starts_with("http://localhost"))
        {
            let node = reader.find(&one, "redirect_url");
            let line = node.map_or(one.line, |node| node.line);
            reader.mistake(
                line,
                1,
                &join(&one.path, "redirect_url"),
                "is not an https address",
                "Write https://panel.example.org/done?code=...",
            );
        }
        let message = reader.text_or(&one, "message", super::default_message(outcome));
        found.insert(
            outcome,
            Completion {
                message,
                code: reader.optional(&one, "code"),
                redirect_url,
            },
        );
    }
    found
}

fn codebook(reader: &mut Reader, group: &Group<'_>) -> Vec<Code> {
    let items = reader.list(group, "codebook");
    let read = |(index, node): (usize, &Node)| {
        let code = reader.group(
            node,
            &format!("codebook[{index}]"),
            &["id", "label", "description"],
        );
        Code {
            id: reader.slug(&code, "id"),
            label: reader.text(&code, "label", "Write what people read in the report"),
            description: reader.text_or(&code, "description", ""),
        }
    };
    items.iter().enumerate().map(read).collect()
}

const PHASE: &[&str] = &[
    "id",
    "title",
    "objective",
    "instructions",
    "minutes",
    "topics",
    "follow_up",
    "next",
];

fn phases(reader: &mut Reader, group: &Group<'_>) -> Vec<Phase> {
    let _ = reader.needed(
        group,
        "phases",
        "List the phases of the interview, first to last",
    );
    let items = reader.list(group, "phases");
    items
        .iter()
        .enumerate()
        .map(|(index, node)| phase(reader, node, index))
        .collect()
}

fn phase(reader: &mut Reader, node: &Node, index: usize) -> Phase {
    let group = reader.group(node, &format!("phases[{index}]"), PHASE);
    let minutes = section(reader, &group, "minutes", &["min", "target", "max"]);
    if minutes.is_none() {
        reader.mistake(
            group.line,
            1,
            &join(&group.path, "minutes"),
            "is missing",
            "Write how long it takes: {min: 3, target: 4, max: 5}",
        );
    }
    let mut minute = |key: &str| {
        minutes
            .as_ref()
            .and_then(|minutes| reader.minutes(minutes, key))
    };
    let (min, target, max) = (minute("min"), minute("target"), minute("max"));
    let max = max
        .or(target.map(|target| target * 3 / 2))
        .unwrap_or(Duration::from_secs(600));
    let target = target.unwrap_or(max * 2 / 3);
    let follow_up = section(reader, &group, "follow_up", &["triggers", "probes_max"]);
    let id = reader.slug(&group, "id");
    Phase {
        title: reader.text_or(&group, "title", &id),
        id: PhaseId::from(id),
        objective: reader.text(
            &group,
            "objective",
            "Write in a sentence what this phase is to find out",
        ),
        instructions: reader.text_or(&group, "instructions", ""),
        topics: topics(reader, &group),
        triggers: follow_up
            .as_ref()
            .map(|group| reader.texts(group, "triggers"))
            .unwrap_or_default(),
        probes_max: follow_up
            .as_ref()
            .map_or(2, |group| reader.whole(group, "probes_max", 0..=10, 2)),
        min: min.unwrap_or(Duration::ZERO),
        target,
        max,
        next: next(reader, &group),
    }
}

fn topics(reader: &mut Reader, group: &Group<'_>) -> Vec<Topic> {
    let items = reader.list(group, "topics");
    let read = |(index, node): (usize, &Node)| {
        let topic = reader.group(
            node,
            &format!("{}[{index}]", join(&group.path, "topics")),
            &["id", "ask", "wording", "required"],
        );
        Topic {
            id: TopicId::from(reader.slug(&topic, "id")),
            question: reader.text(&topic, "ask", "Write the question"),
            wording: reader.choice(
                &topic,
                "wording",
                &[("verbatim", Wording::Verbatim), ("free", Wording::Free)],
                Wording::Free,
            ),
            need: if reader.flag(&topic, "required") {
                Need::Required
            } else {
                Need::Optional
            },
        }
    };
    items.iter().enumerate().map(read).collect()
}

fn next(reader: &mut Reader, group: &Group<'_>) -> Vec<Next> {
    let names = reader.texts(group, "next");
    if names.is_empty() {
        reader.mistake(
            group.line,
            1,
            &join(&group.path, "next"),
            "is missing",
            "Write which phases may follow, or [end]",
        );
    }
    names
        .into_iter()
        .map(|name| {
            if name == "end" {
                Next::End
            } else {
                Next::Phase(PhaseId::from(name))
            }
        })
        .collect()
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}
