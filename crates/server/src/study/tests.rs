#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use engine::cost::{MicroUsd, Prices};
use engine::journal::Outcome;
use engine::plan::{Need, Next, Wording};

use store::Length;

use super::{SCHEMA_JSON, parse, warnings};

const GOOD: &str = "\
id: small
title: A small study
organisation: the Lab
contact: lab@example.org
welcome: Hello.
consent: We record you.
greeting: Hello, I'm an AI and I record this.
languages: [en]
budget: {session_usd: 2.50}
phases:
  - id: open
    objective: Meet.
    minutes: {min: 1, target: 2, max: 3}
    topics:
      - {id: role, ask: What do you do?, wording: verbatim, required: true}
      - {id: day, ask: And yesterday?}
    next: [close]
  - id: close
    objective: Part.
    minutes: {target: 1}
    next: [end]
";

fn check(text: &str, expected: &[(usize, &str, &str)]) {
    let mistakes = parse(text).expect_err("the study has mistakes");
    let found: Vec<_> = mistakes
        .iter()
        .map(|m| (m.line, m.field.as_str(), m.message.as_str()))
        .collect();
    for (line, field, message) in expected {
        assert!(
            found
                .iter()
                .any(|(l, f, m)| l == line && f == field && m.contains(message)),
            "no {line} {field} {message} in {found:#?}"
        );
    }
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    assert!(
        mistakes.iter().all(|mistake| mistake.remedy.len() > 5),
        "{mistakes:#?}"
    );
}

#[test]
fn a_good_study_becomes_a_plan() {
    let study = parse(GOOD).unwrap();
    assert_eq!(study.minutes(), (1, 3, 5));
    assert_eq!(study.budget, Some(MicroUsd(2_500_000)));
    let plan = study.plan(Length::Full, "en", Prices::default());
    let first = plan.phases.first().unwrap();
    assert_eq!(
        (first.topics.len(), first.next.clone()),
        (2, vec![Next::Phase("close".into())])
    );
    let topic = first.topics.first().unwrap();
    assert_eq!(
        (topic.wording, topic.need),
        (Wording::Verbatim, Need::Required)
    );
    assert_eq!(study.completion(Outcome::Complete).code, None);
}

#[test]
fn a_rehearsal_asks_one_question_per_phase_and_does_not_wait() {
    let plan = parse(GOOD)
        .unwrap()
        .plan(Length::Rehearsal, "en", Prices::default());
    let first = plan.phases.first().unwrap();
    assert_eq!(
        (first.topics.len(), first.min, first.probes_max),
        (1, Duration::ZERO, 1)
    );
}

#[test]
fn every_mistake_is_named_at_once_with_its_line() {
    let text = GOOD
        .replace("title: A small study", "titel: A small study")
        .replace("languages: [en]", "languages: [English]")
        .replace(
            "{min: 1, target: 2, max: 3}",
            "{min: 1, target: two, max: 3}",
        )
        .replace("wording: verbatim", "wording: exact")
        .replace("session_usd: 2.50", "session_usd: -1");
    check(
        &text,
        &[
            (2, "titel", "is not a field"),
            (1, "title", "is missing"),
            (8, "languages[0]", "not a language tag"),
            (9, "budget.session_usd", "not an amount"),
            (13, "phases[0].minutes.target", "not a number of minutes"),
            (15, "phases[0].topics[0].wording", "not one of the choices"),
        ],
    );
}

#[test]
fn rules_across_fields_name_the_phase() {
    check(
        &GOOD.replace("next: [close]", "next: [closing]"),
        &[
            (11, "phases[0].next", "`closing`, which is not a phase"),
            (11, "phases[0].next", "never leads to the end"),
            (18, "phases[1]", "never reached"),
        ],
    );
    check(
        &GOOD.replace("max: 3", "max: 1"),
        &[(11, "phases[0].minutes", "out of order")],
    );
    check(
        &GOOD.replace("id: day", "id: role"),
        &[(11, "phases[0].topics", "stands twice")],
    );
    check(
        &GOOD.replace("next: [end]", "next: [open]"),
        &[
            (11, "phases[0].next", "never leads to the end"),
            (18, "phases[1].next", "never leads to the end"),
        ],
    );
}

#[test]
fn what_is_not_yaml_is_said_where() {
    check("id: x\n  title: [", &[(2, "study file", "is not YAML")]);
    check("", &[(1, "study file", "is empty")]);
    let mut expected = vec![(1, "study file", "a list where fields are needed")];
    expected.extend(MISSING.iter().map(|field| (1, *field, "is missing")));
    check("- just\n- a list\n", &expected);
}

const MISSING: &[&str] = &[
    "id",
    "title",
    "organisation",
    "contact",
    "welcome",
    "consent",
    "greeting",
    "phases",
];

#[test]
fn what_is_probably_not_meant_is_a_warning() {
    let found = warnings(&parse(GOOD).unwrap()).join("\n");
    assert!(
        found.contains("2 of at least three usual phases"),
        "{found}"
    );
    assert!(found.contains("Phase `close` has no questions"), "{found}");
    assert!(
        !found.contains("does not say that the interviewer is an AI"),
        "{found}"
    );
}

#[test]
fn the_examples_are_good_and_agree_with_the_published_schema() {
    let schema: serde_json::Value = serde_json::from_str(SCHEMA_JSON).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for text in [
        include_str!("../../../../studies/remote-work-tools.yaml"),
        include_str!("../../../../studies/first-job.yaml"),
        GOOD,
    ] {
        parse(text).unwrap();
        let errors: Vec<String> = validator
            .iter_errors(&json(text))
            .map(|error| error.to_string())
            .collect();
        assert!(errors.is_empty(), "{errors:#?}");
    }
    let broken = json(&GOOD.replace("title:", "titel:"));
    assert!(
        !validator.is_valid(&broken),
        "the schema lets an unknown field pass"
    );
}

/// The file as JSON, the way an editor's schema check sees it.
fn json(text: &str) -> serde_json::Value {
    use super::yaml::{Node, Value, read};
    fn convert(node: &Node) -> serde_json::Value {
        match &node.value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(flag) => (*flag).into(),
            Value::Integer(number) => (*number).into(),
            Value::Number(number) => (*number).into(),
            Value::Text(text) => text.clone().into(),
            Value::List(items) => items.iter().map(convert).collect(),
            Value::Map(fields) => fields
                .iter()
                .map(|(key, _, node)| (key.clone(), convert(node)))
                .collect::<serde_json::Map<_, _>>()
                .into(),
            Value::Strange(what) => panic!("{what}"),
        }
    }
    convert(&read(text).unwrap())
}
