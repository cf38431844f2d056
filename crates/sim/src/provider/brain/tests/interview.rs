//! Whole interviews, with the texts of the corpus.

use super::*;

/// What the session machine does, as far as the model can see it: keeps the phase, answers tool calls, and says when to speak.
struct Session {
    phase: usize,
    covered: Vec<String>,
    memory: Vec<Memory>,
    transcript: Vec<String>,
}

const PHASES: [(&str, &str, &[(&str, &str)]); 3] = [
    (
        "warmup",
        "exploration",
        &[("role", "q-warmup-role-1"), ("day", "q-warmup-day-1")],
    ),
    (
        "exploration",
        "wrapup",
        &[
            ("tools", "q-exploration-tools-1"),
            ("focus", "q-exploration-focus-1"),
            ("cost", "q-exploration-cost-1"),
        ],
    ),
    (
        "wrapup",
        "end",
        &[
            ("advice", "q-wrapup-advice-1"),
            ("anything", "q-wrapup-anything-1"),
        ],
    ),
];

impl Session {
    fn instructions(&self) -> String {
        let (id, next, topics) = PHASES[self.phase];
        let line = |(no, (topic, clip)): (usize, &(&str, &str))| {
            let covered = if self.covered.iter().any(|known| known == topic) {
                ", covered"
            } else {
                ""
            };
            format!(
                "{}. [{topic}] (required, verbatim{covered}) {}",
                no + 1,
                Corpus::embedded().get(clip).unwrap().text
            )
        };
        let topics: Vec<String> = topics.iter().enumerate().map(line).collect();
        format!(
            "Speak en.\n## Phase: {id}\n### Topic guide\n{}\n### Follow up when\n- a feeling is mentioned\nAt most 2 follow-ups per topic.\n\
             ### Moving on\nWhen the guide is done, call advance_phase with one of: {next}\n",
            topics.join("\n")
        )
    }

    fn turn(&mut self, also: &str) -> Vec<ToolCall> {
        let reply = ask(&self.instructions(), also, &self.memory);
        self.transcript.push(reply.text());
        self.memory.push(said(&reply.text()));
        for (no, call) in reply.calls.iter().enumerate() {
            let id = format!("c{}-{no}", self.memory.len());
            self.memory.extend([
                called(&id, &call.name, &call.arguments),
                answered(&id, r#"{"ok":true}"#),
            ]);
            if call.name == "cover_topic" {
                let arguments: serde_json::Value = serde_json::from_str(&call.arguments).unwrap();
                self.covered
                    .push(arguments["topic"].as_str().unwrap().to_owned());
            }
        }
        reply.calls
    }
}

#[test]
fn every_persona_is_led_through_a_whole_interview() {
    for persona in Corpus::embedded().personas("en") {
        let mut session = Session {
            phase: 0,
            covered: Vec::new(),
            memory: Vec::new(),
            transcript: Vec::new(),
        };
        let mut calls =
            session.turn("Say exactly: \"Hello.\" Then ask the first question of the topic guide.");
        let mut turns = 0;
        loop {
            turns += 1;
            assert!(
                turns < 40,
                "{persona}: it never ends: {:#?}",
                session.transcript
            );
            if calls.iter().any(|call| call.name == "advance_phase") {
                session.phase += 1;
                if session.phase == PHASES.len() {
                    break;
                }
                calls = session.turn("Go on with the new phase: say one short transition, then ask its first question.");
                continue;
            }
            let last = session.transcript.last().unwrap();
            let question = Corpus::embedded().clips().iter().rfind(|clip| {
                clip.id.starts_with("q-") && clip.language == "en" && last.contains(&clip.text)
            });
            let question = question.unwrap_or_else(|| panic!("no question in {last:?}"));
            let answer = Corpus::embedded()
                .answers(persona, question, &[])
                .first()
                .map(|clip| clip.text.clone())
                .unwrap();
            session.memory.push(heard(&answer));
            calls = session.turn("");
        }
        let asked: Vec<&str> = PHASES
            .iter()
            .flat_map(|(_, _, topics)| topics.iter().map(|(topic, _)| *topic))
            .collect();
        assert_eq!(
            session.covered, asked,
            "{persona}: every topic is reported once, in the guide's order"
        );
        let probes = session
            .transcript
            .iter()
            .filter(|text| {
                phrases::phrases("en")
                    .probes
                    .iter()
                    .any(|probe| text.contains(probe))
            })
            .count();
        assert!(probes <= 4, "{persona}: {probes} follow-ups are not sparse");
    }
}

#[test]
fn every_phrase_of_a_language_with_clips_has_a_clip() {
    let corpus = Corpus::embedded();
    let embedded = |language: &str| corpus.clips().iter().any(|clip| clip.language == language);
    assert!(embedded("en"));
    for (language, phrases) in phrases::ALL
        .into_iter()
        .filter(|(language, _)| embedded(language))
    {
        let transitions = phrases
            .transitions
            .iter()
            .map(|(_, text)| text)
            .chain([&phrases.transition]);
        let repeat = [&phrases.repeat].into_iter().filter(|_| language == "en");
        for text in phrases
            .acks
            .iter()
            .chain(phrases.probes)
            .chain(transitions)
            .chain(repeat)
        {
            assert!(corpus.find(language, text).is_some(), "{language}: {text}");
        }
    }
}
