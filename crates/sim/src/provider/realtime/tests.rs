//! The vendor's rules, in virtual time: no sockets, no voice, no recogniser. Every event sent is held against the vendor's schema.
#![expect(clippy::unwrap_used, reason = "tests")]

mod items;
mod responses;
mod turns;

use std::collections::VecDeque;
use std::sync::LazyLock;

use super::*;
use crate::corpus::Corpus;
use crate::provider::config::{Delivery, Fault, Latency, When};

static SCHEMA: LazyLock<jsonschema::Validator> = LazyLock::new(|| {
    let schema = include_str!("../../../../providers/schemas/openai_server.schema.json");
    jsonschema::validator_for(&serde_json::from_str(schema).unwrap()).unwrap()
});

/// A session with a client that speaks, a recogniser that hears what it is told to, and a voice of even speed.
struct Bench {
    realtime: Realtime,
    now_ms: u64,
    events: Vec<Value>,
    /// What the recogniser will say, in order; then `[unrecognised speech]`.
    words: VecDeque<String>,
    /// How long each sentence takes.
    sentence_ms: usize,
    closed: Option<(u16, &'static str)>,
}

impl Bench {
    fn new(config: SimConfig) -> Bench {
        let connection = Connection {
            number: 1,
            model: "gpt-realtime-2.1".into(),
            unix_s: 1_795_341_535,
        };
        let realtime = Realtime::new(Arc::new(config), &connection, 0);
        let mut bench = Bench {
            realtime,
            now_ms: 0,
            events: Vec::new(),
            words: VecDeque::new(),
            sentence_ms: 1000,
            closed: None,
        };
        bench.settle();
        bench
    }

    /// A session with instructions, a tool, transcription and a patient turn detection.
    fn configured(config: SimConfig) -> Bench {
        let mut bench = Bench::new(config);
        bench.update(json!({
            "instructions": INSTRUCTIONS,
            "tools": [tool("cover_topic", "topic", &["day", "setup"]), tool("advance_phase", "to", &["end"])],
            "audio": { "input": {
                "transcription": { "model": "gpt-transcribe" },
                "turn_detection": { "type": "server_vad", "silence_duration_ms": 500 },
            } },
        }));
        bench.events.clear();
        bench
    }

    fn update(&mut self, mut session: Value) {
        session["type"] = json!("realtime");
        self.send(json!({ "type": "session.update", "session": session }));
    }

    fn send(&mut self, event: Value) {
        self.realtime.frame(self.now_ms, &event.to_string());
        self.settle();
    }

    /// Does what the session asks for, at once.
    fn settle(&mut self) {
        loop {
            let effects: Vec<Effect> = self.realtime.effects().collect();
            if effects.is_empty() {
                return;
            }
            for effect in effects {
                match effect {
                    Effect::Send(text) => self.take(&text),
                    Effect::Speak { response, say, .. } => {
                        let pcm: Vec<Arc<[i16]>> = say
                            .iter()
                            .map(|_| vec![7; self.sentence_ms * 24].into())
                            .collect();
                        self.realtime.spoken(self.now_ms, &response, &pcm);
                    }
                    Effect::Recognise { item, .. } => {
                        let words = self
                            .words
                            .pop_front()
                            .unwrap_or_else(|| "[unrecognised speech]".into());
                        self.realtime.recognised(self.now_ms, &item, &words);
                    }
                    Effect::Close { code, reason } => self.closed = Some((code, reason)),
                    Effect::SendBytes(_) | Effect::Drop => panic!("no such fault was configured"),
                }
            }
        }
    }

    fn take(&mut self, text: &str) {
        let event: Value = serde_json::from_str(text).unwrap();
        if let Err(error) = SCHEMA.validate(&event) {
            panic!("{}: {error}\n{event:#}", event["type"]);
        }
        self.events.push(event);
    }

    /// Lets time pass, stopping at every deadline exactly.
    fn advance(&mut self, ms: u64) {
        let until = self.now_ms + ms;
        while self.realtime.deadline_ms() <= until && self.closed.is_none() {
            self.now_ms = self.realtime.deadline_ms().max(self.now_ms);
            self.realtime.tick(self.now_ms);
            self.settle();
        }
        self.now_ms = until;
    }

    /// Says something, in real time, in pieces of 40 ms.
    fn say(&mut self, pcm: &[i16]) {
        for chunk in pcm.chunks(960) {
            let audio = base64(chunk);
            let event = format!(r#"{{"type":"input_audio_buffer.append","audio":"{audio}"}}"#);
            self.realtime.frame(self.now_ms, &event);
            self.settle();
            self.advance(chunk.len() as u64 / 24);
        }
    }

    /// Says an answer of the corpus, and is quiet long enough to be answered.
    fn answer(&mut self, words: &str) {
        self.words.push_back(words.into());
        self.say(&[speech(), silence(800)].concat());
    }

    fn types(&self) -> Vec<&str> {
        self.events
            .iter()
            .map(|event| event["type"].as_str().unwrap())
            .collect()
    }

    /// Types without repetitions of the same type in a row, and without those that may come anywhere.
    fn outline(&self) -> Vec<&str> {
        let mut outline = self.types();
        outline.retain(|kind| {
            !kind.starts_with("conversation.item.input_audio_transcription")
                && !kind.ends_with(".delta")
        });
        outline.dedup();
        outline
    }

    fn all(&self, kind: &str) -> Vec<&Value> {
        self.events
            .iter()
            .filter(|event| event["type"] == kind)
            .collect()
    }

    fn last(&self, kind: &str) -> &Value {
        self.all(kind)
            .last()
            .copied()
            .unwrap_or_else(|| panic!("no {kind} in {:?}", self.types()))
    }

    /// The last event, which must be an error, and its code.
    fn error_code(&self) -> Value {
        let event = self.events.last().unwrap();
        assert_eq!(event["type"], "error", "{event}");
        event["error"]["code"].clone()
    }
}

const INSTRUCTIONS: &str = "Speak en.\n## Phase: warmup\n### Topic guide\n\
    1. [day] (required, verbatim) Walk me through yesterday.\n2. [setup] (required, free) Where do you usually work?\n\
    ### Moving on\nWhen the guide is done, call advance_phase with one of: end\n";

const LONG_ANSWER: &str = "I usually sit at the kitchen table, next to the window, because that is where the light is best.";

fn tool(name: &str, parameter: &str, values: &[&str]) -> Value {
    json!({
        "type": "function", "name": name, "description": "Call when it fits.",
        "parameters": {
            "type": "object", "properties": { parameter: { "type": "string", "enum": values } }, "required": [parameter],
            "additionalProperties": false,
        },
    })
}

fn speech() -> Vec<i16> {
    Corpus::embedded()
        .get("a-maya-probing-feel-1")
        .unwrap()
        .pcm()
        .to_vec()
}

fn silence(ms: usize) -> Vec<i16> {
    vec![0; ms * 24]
}

fn instant() -> SimConfig {
    SimConfig::instant()
}

/// Takes its time, as a vendor does.
fn unhurried() -> SimConfig {
    let latency = Latency {
        first_audio_ms: 300,
        transcript_ms: 900,
        http_ms: 0,
    };
    SimConfig {
        latency,
        delivery: Delivery::TimesRealTime(4),
        ..SimConfig::default()
    }
}

fn faulty(kind: FaultKind) -> SimConfig {
    SimConfig {
        faults: vec![Fault {
            when: When::Always,
            kind,
        }],
        ..SimConfig::instant()
    }
}
