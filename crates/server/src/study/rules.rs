//! What must hold across fields, and what is allowed but probably not meant.

use std::collections::BTreeSet;
use std::time::Duration;

use engine::ids::PhaseId;
use engine::plan::{Need, Next};

use super::Study;
use super::yaml::{Node, Value};
use crate::mistake::{Mistake, nearest};

/// All broken rules, with the line of the phase or field that breaks them.
pub(super) fn mistakes(study: &Study, root: &Node) -> Vec<Mistake> {
    let mut found = Vec::new();
    let mut add = |line: usize, field: String, message: String, remedy: String| {
        found.push(Mistake {
            line,
            column: 1,
            field,
            message,
            remedy,
        });
    };
    if study.phases.is_empty() {
        let line = line_of(root, &["phases"]);
        add(
            line,
            "phases".into(),
            "is empty".into(),
            "List at least one phase; three (opening, main part, wrap-up) are usual".into(),
        );
    }
    duplicates(study, root, &mut add);
    for (index, phase) in study.phases.iter().enumerate() {
        let line = phase_line(root, index);
        let path = format!("phases[{index}]");
        if phase.min > phase.target || phase.target > phase.max {
            let remedy =
                "Write them so that min is not above target and target not above max".to_owned();
            add(
                line,
                format!("{path}.minutes"),
                "are out of order".into(),
                remedy,
            );
        }
        if phase.max < Duration::from_secs(30) {
            add(
                line,
                format!("{path}.minutes.max"),
                "is below half a minute".into(),
                "Give the phase time for one question at least".into(),
            );
        }
        for next in &phase.next {
            if let Next::Phase(id) = next
                && study.phase(id).is_none()
            {
                let ids: Vec<&str> = study.phases.iter().map(|phase| phase.id.as_str()).collect();
                let remedy = nearest(id.as_str(), ids.iter().copied()).map_or_else(
                    || format!("Use one of: {}, end", ids.join(", ")),
                    |near| format!("Did you mean `{near}`?"),
                );
                add(
                    line,
                    format!("{path}.next"),
                    format!("names `{id}`, which is not a phase"),
                    remedy,
                );
            }
        }
        if phase.next.contains(&Next::Phase(phase.id.clone())) {
            add(
                line,
                format!("{path}.next"),
                "leads back to the same phase".into(),
                "Name the phases that may follow".into(),
            );
        }
    }
    paths(study, root, &mut add);
    found
}

fn duplicates(study: &Study, root: &Node, add: &mut impl FnMut(usize, String, String, String)) {
    let mut phases = BTreeSet::new();
    let mut topics = BTreeSet::new();
    let mut codes = BTreeSet::new();
    for (index, phase) in study.phases.iter().enumerate() {
        if phase.id.as_str() == "end" {
            add(
                phase_line(root, index),
                format!("phases[{index}].id"),
                "is `end`, which means the end of the interview".into(),
                "Choose another id, such as `wrapup`".into(),
            );
        }
        if !phases.insert(&phase.id) {
            add(
                phase_line(root, index),
                format!("phases[{index}].id"),
                format!("`{}` stands twice", phase.id),
                "Give each phase an id of its own".into(),
            );
        }
        for topic in &phase.topics {
            if !topics.insert(&topic.id) {
                let remedy = "Give each question an id of its own in the whole study".into();
                add(
                    phase_line(root, index),
                    format!("phases[{index}].topics"),
                    format!("has the id `{}`, which stands twice", topic.id),
                    remedy,
                );
            }
        }
    }
    for (index, code) in study.codebook.iter().enumerate() {
        if !codes.insert(&code.id) {
            add(
                line_of(root, &["codebook"]),
                format!("codebook[{index}].id"),
                format!("`{}` stands twice", code.id),
                "Give each code an id of its own".into(),
            );
        }
    }
}

/// Every phase is reached from the first, and from every phase there is a way to the end.
fn paths(study: &Study, root: &Node, add: &mut impl FnMut(usize, String, String, String)) {
    let Some(first) = study.phases.first() else {
        return;
    };
    let mut reached: BTreeSet<&PhaseId> = BTreeSet::from([&first.id]);
    let mut open = vec![&first.id];
    while let Some(id) = open.pop() {
        let nexts = study
            .phase(id)
            .map(|(_, phase)| phase.next.as_slice())
            .unwrap_or_default();
        for next in nexts {
            if let Next::Phase(to) = next
                && reached.insert(to)
            {
                open.push(to);
            }
        }
    }
    let mut ending: BTreeSet<&PhaseId> = BTreeSet::new();
    loop {
        let before = ending.len();
        for phase in &study.phases {
            let ends = phase.next.iter().any(|next| match next {
                Next::End => true,
                Next::Phase(to) => ending.contains(to),
            });
            if ends {
                ending.insert(&phase.id);
            }
        }
        if ending.len() == before {
            break;
        }
    }
    for (index, phase) in study.phases.iter().enumerate() {
        let line = phase_line(root, index);
        if !reached.contains(&phase.id) {
            add(
                line,
                format!("phases[{index}]"),
                format!("`{}` is never reached", phase.id),
                "Name it in `next` of an earlier phase, or remove it".into(),
            );
        }
        if !ending.contains(&phase.id) {
            add(
                line,
                format!("phases[{index}].next"),
                format!("`{}` never leads to the end", phase.id),
                "Let it, or a phase after it, have `end` in next".into(),
            );
        }
    }
}

/// Allowed, but probably not meant.
pub(super) fn warnings(study: &Study) -> Vec<String> {
    let mut found = Vec::new();
    if study.phases.len() < 3 {
        found.push(format!(
            "The study has {} of at least three usual phases (opening, main part, wrap-up): participants may find it abrupt.",
            study.phases.len()
        ));
    }
    for phase in &study.phases {
        let needed = u64::try_from(phase.topics.len()).unwrap_or(u64::MAX);
        let minutes = phase.target.as_secs() / 60;
        if needed > minutes.max(1) * 2 {
            found.push(format!("Phase `{}` has {needed} questions for {minutes} minutes: people take about a minute per answer.", phase.id));
        }
        if phase.topics.is_empty() {
            found.push(format!(
                "Phase `{}` has no questions: the interviewer has only its objective to go by.",
                phase.id
            ));
        }
    }
    if !study
        .topics()
        .any(|(_, topic)| topic.need == Need::Required)
    {
        found.push("No question is required: an interview may end without having asked any particular one.".into());
    }
    let (_, target, most) = study.minutes();
    if target > 45 {
        found.push(format!("By plan it takes {target} minutes: participants leave remote interviews that take more than 45."));
    }
    if most * 60 >= study.limits.session.as_secs()
        && target * 60 > study.limits.session.as_secs() * 3 / 4
    {
        found.push(
            "The phases fill the session limit: the last ones may be cut short by the wrap-up."
                .into(),
        );
    }
    let greeting = study.greeting.to_lowercase();
    if !["ai", "automated", "artificial"].iter().any(|word| {
        greeting
            .split(|c: char| !c.is_alphanumeric())
            .any(|part| part == *word)
    }) {
        found.push(
            "The greeting does not say that the interviewer is an AI: in many places it must."
                .into(),
        );
    }
    if study.budget.is_none() {
        found.push("There is no budget: nothing caps what a session may cost.".into());
    }
    found
}

fn phase_line(root: &Node, index: usize) -> usize {
    match field(root, "phases").map(|node| &node.value) {
        Some(Value::List(items)) => items.get(index).map_or(1, |node| node.line),
        _ => 1,
    }
}

fn line_of(root: &Node, path: &[&str]) -> usize {
    let mut node = root;
    for key in path {
        match field(node, key) {
            Some(inner) => node = inner,
            None => break,
        }
    }
    node.line
}

fn field<'a>(node: &'a Node, key: &str) -> Option<&'a Node> {
    let Value::Map(fields) = &node.value else {
        return None;
    };
    fields
        .iter()
        .find(|(name, ..)| name == key)
        .map(|(.., node)| node)
}
