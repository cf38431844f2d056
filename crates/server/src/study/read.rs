//! From YAML to a study, field by field.

use std::collections::BTreeMap;
use std::time::Duration;

use engine::ids::{PhaseId, StudyId, TopicId};
use engine::journal::Outcome;
use engine::link::Patience;
use engine::plan::{Limits, Need, Next, Phase, Topic, Wording};

use super::reader::{Group, Reader, join};
use super::yaml::Node;
use super::{Code, Completion, Study};

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
    "results_within_min",
    "phases",
];

/// Reads the whole study.
pub(super) fn study(reader: &mut Reader, root: &Node) -> Study {
    let group = reader.group(root, "", STUDY);
    let provider = section(reader, &group, "provider", &["order", "model", "voice"]);
    let (limits, resume_window) = limits(reader, &group);
    let budget = section(reader, &group, "budget", &["session_usd", "target_usd"]);
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
        cost_target: budget.as_ref().and_then(|budget| reader.money(budget, "target_usd")),
        budget: budget.and_then(|budget| reader.money(&budget, "session_usd")),
        limits,
        resume_window,
        results_within_min: reader
            .find(&group, "results_within_min")
            .is_some()
            .then(|| reader.whole(&group, "results_within_min", 1..=10_080, 30)),
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
