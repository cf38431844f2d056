//! What must hold of an interview, whatever happened to it. Pure: journals in, what is wrong with them out.

use std::collections::BTreeSet;

use serde_json::Value;

use super::people::Interview;
use crate::house::api::Session;

/// How the greeting of the study begins.
const GREETING: &str = "Hello, and thank you";

/// What is wrong with an interview that is over.
pub(super) fn interview(
    interview: &Interview,
    session: &Session,
    journal: &[Value],
    costs: &Value,
) -> Vec<String> {
    let mut wrong = Vec::new();
    match &interview.result {
        Err(error) => wrong.push(format!("whoever came back did not go on: {error}")),
        Ok(report) => {
            if report.outcome != "complete" {
                wrong.push(format!("it ended as {}", report.outcome));
            }
            for caption in &report.captions {
                wrong.extend(heard(
                    journal,
                    caption.turn,
                    &caption.speaker,
                    &caption.text,
                ));
            }
        }
    }
    if session.state != "ended" {
        wrong.push(format!("it is {} and not ended", session.state));
    }
    wrong.extend(whole(journal));
    wrong.extend(paid(journal, costs));
    wrong
}

/// Whether what was committed before is there after, as it was; none if it is.
pub(super) fn kept(before: &[Value], after: &[Value]) -> Option<String> {
    if after.len() < before.len() {
        return Some(format!(
            "{} of {} journal entries are missing",
            before.len() - after.len(),
            before.len()
        ));
    }
    let changed = before.iter().zip(after).find(|(old, new)| old != new);
    changed.map(|(old, _)| format!("journal entry {} is not what it was", old["seq"]))
}

/// A word that was heard and is not in the transcript.
fn heard(journal: &[Value], turn: u64, speaker: &str, text: &str) -> Option<String> {
    let written = of_kind(journal, "turn")
        .find(|entry| entry["body"]["turn"] == turn && entry["body"]["speaker"] == speaker);
    let Some(written) = written else {
        return Some(format!(
            "turn {turn} of the {speaker} was heard and is lost"
        ));
    };
    let known = words(written["body"]["text"].as_str().unwrap_or_default());
    let missing = words(text).difference(&known).count();
    (missing > 0).then(|| format!("{missing} words of turn {turn} were heard and are lost"))
}

fn words(text: &str) -> BTreeSet<String> {
    text.split_whitespace()
        .map(|word| {
            word.trim_matches(|c: char| !c.is_alphanumeric())
                .to_lowercase()
        })
        .filter(|word| !word.is_empty())
        .collect()
}

/// Nothing is missing in the journal, and nothing is there twice.
fn whole(journal: &[Value]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (entry, seq) in journal.iter().zip(1_u64..) {
        if entry["seq"] != seq {
            wrong.push(format!(
                "journal entry {seq} has the number {}",
                entry["seq"]
            ));
            break;
        }
    }
    let turns: Vec<u64> = of_kind(journal, "turn")
        .filter_map(|entry| entry["body"]["turn"].as_u64())
        .collect();
    let different: BTreeSet<&u64> = turns.iter().collect();
    if different.len() != turns.len() {
        wrong.push(format!(
            "{} turns are there twice",
            turns.len() - different.len()
        ));
    }
    let greetings = of_kind(journal, "turn").filter(|entry| {
        entry["body"]["text"]
            .as_str()
            .is_some_and(|text| text.contains(GREETING))
    });
    let once = [
        ("consents", of_kind(journal, "consent_given").count()),
        ("ends", of_kind(journal, "ended").count()),
    ];
    for (what, count) in once {
        if count != 1 {
            wrong.push(format!("{count} {what}"));
        }
    }
    // Somebody who drops at the first word has heard none; it is never said again.
    let greetings = greetings.count();
    if greetings > 1 {
        wrong.push(format!("{greetings} greetings"));
    }
    let paused = of_kind(journal, "paused").count();
    let resumed = of_kind(journal, "resumed").count();
    if paused != resumed {
        wrong.push(format!(
            "it was paused {paused} times and resumed {resumed}"
        ));
    }
    wrong
}

/// The ledger is what the journal charged.
fn paid(journal: &[Value], costs: &Value) -> Option<String> {
    let rows = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let sum = |rows: &[Value]| -> i64 {
        rows.iter()
            .filter_map(|row| row["cost_micro_usd"].as_i64())
            .sum()
    };
    let charges: Vec<Value> = of_kind(journal, "charged")
        .flat_map(|entry| rows(&entry["body"]["charges"]))
        .collect();
    let mut ledger = rows(&costs["components"]);
    ledger.retain(|row| {
        row["component"]
            .as_str()
            .is_some_and(|name| !name.starts_with("enrichment"))
    });
    let (charged, paid) = (sum(&charges), sum(&ledger));
    if charged == 0 {
        return Some("nothing was charged".to_owned());
    }
    (charged != paid)
        .then(|| format!("the journal charged {charged} micro-dollars and the ledger has {paid}"))
}

fn of_kind<'j>(journal: &'j [Value], kind: &'static str) -> impl Iterator<Item = &'j Value> {
    journal.iter().filter(move |entry| entry["kind"] == kind)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use serde_json::json;
    use sim::participant::{Caption, ParticipantReport};

    use super::*;

    fn journal() -> Vec<Value> {
        let bodies = [
            ("consent_given", json!({})),
            (
                "turn",
                json!({"turn": 1, "speaker": "interviewer", "text": "Hello, and thank you for joining. Ready?"}),
            ),
            (
                "charged",
                json!({"charges": [{"cost_micro_usd": 30}, {"cost_micro_usd": 12}]}),
            ),
            (
                "turn",
                json!({"turn": 2, "speaker": "participant", "text": "Yes, I am."}),
            ),
            ("paused", json!({})),
            ("resumed", json!({})),
            ("ended", json!({})),
        ];
        let entry = |(seq, (kind, body)): (u64, (&str, Value))| json!({"seq": seq, "kind": kind, "body": body});
        (1..).zip(bodies).map(entry).collect()
    }

    fn found(
        journal: &[Value],
        change: impl Fn(&mut Interview, &mut Session, &mut Value),
    ) -> Vec<String> {
        let caption = |turn, speaker: &str, text: &str| Caption {
            turn,
            speaker: speaker.to_owned(),
            text: text.to_owned(),
        };
        let mut gone = Interview {
            id: "s".to_owned(),
            result: Ok(ParticipantReport {
                outcome: "complete".to_owned(),
                captions: vec![
                    caption(1, "interviewer", "Hello, and thank you for joining."),
                    caption(2, "participant", "Yes, I am."),
                ],
                ..ParticipantReport::default()
            }),
        };
        let mut session: Session = serde_json::from_value(
            json!({"state": "ended", "outcome": "complete", "report": "ready", "first_voice_ms": null}),
        )
        .unwrap();
        let mut costs = json!({"components": [
            {"component": "audio_in", "cost_micro_usd": 42}, {"component": "enrichment_in", "cost_micro_usd": 7},
        ]});
        change(&mut gone, &mut session, &mut costs);
        interview(&gone, &session, journal, &costs)
    }

    #[test]
    fn nothing_is_wrong_with_an_interview_that_went_on() {
        assert_eq!(found(&journal(), |_, _, _| {}), Vec::<String>::new());
    }

    #[test]
    fn each_thing_that_must_hold_is_missed_when_it_does_not() {
        let broken = |change: &dyn Fn(&mut Vec<Value>)| {
            let mut journal = journal();
            change(&mut journal);
            found(&journal, |_, _, _| {})
        };
        let one = |wrong: Vec<String>, what: &str| {
            assert!(
                wrong.iter().any(|wrong| wrong.contains(what)),
                "{what}: {wrong:?}"
            );
        };
        one(broken(&|j| j.truncate(6)), "0 ends");
        one(
            broken(&|j| drop(j.remove(3))),
            "journal entry 4 has the number 5",
        );
        one(
            broken(&|j| drop(j.remove(3))),
            "turn 2 of the participant was heard and is lost",
        );
        one(broken(&|j| j.push(j[1].clone())), "1 turns are there twice");
        one(broken(&|j| j.push(j[0].clone())), "2 consents");
        one(broken(&|j| j.push(j[1].clone())), "2 greetings");
        one(
            broken(&|j| j.push(j[4].clone())),
            "paused 2 times and resumed 1",
        );
        one(
            broken(&|j| j[1]["body"]["text"] = json!("Hello, and thank you joining.")),
            "1 words of turn 1",
        );
        one(
            broken(&|j| j.push(j[2].clone())),
            "charged 84 micro-dollars and the ledger has 42",
        );
        one(
            found(&journal(), |_, _, costs| *costs = json!({})),
            "the ledger has 0",
        );
        one(
            found(&journal(), |_, session, _| {
                session.state = "paused".to_owned()
            }),
            "not ended",
        );
        one(
            found(&journal(), |gone, _, _| gone.result = Err("no".to_owned())),
            "did not go on: no",
        );
        let partial = |gone: &mut Interview, _: &mut Session, _: &mut Value| {
            gone.result.as_mut().unwrap().outcome = "partial".to_owned();
        };
        one(found(&journal(), partial), "it ended as partial");
    }

    #[test]
    fn what_was_committed_is_compared_entry_by_entry() {
        let before = journal();
        let mut after = before.clone();
        after.push(json!({"seq": 8}));
        assert_eq!(kept(&before, &after), None);
        assert!(kept(&after, &before).unwrap().contains("1 of 8"));
        after[2]["body"]["charges"][0]["cost_micro_usd"] = json!(31);
        assert_eq!(
            kept(&before, &after).unwrap(),
            "journal entry 3 is not what it was"
        );
    }
}
