//! The study of all sessions of the fleet: three phases, three questions.

use std::time::Duration;

use engine::cost::{Component, Prices};
use engine::link::{Capabilities, Patience};
use engine::plan::{HoldLine, Limits, Need, Next, Phase, Plan, Topic, Wording};

pub(crate) const GREETING: &str = "Hello, I am an AI.";

/// Micro-dollars of a token, in and out.
pub(crate) const TOKEN_MICRO_USD: (u64, u64) = (32, 64);

pub(crate) const VENDOR: Capabilities = Capabilities {
    turn_events: true,
    truncation: true,
    replace_instructions: true,
    token_usage: true,
    link_max: None,
};

pub(crate) fn plan() -> Plan {
    Plan {
        title: "Remote work".to_owned(),
        organisation: "the Lab".to_owned(),
        language: "en".to_owned(),
        voice: None,
        persona: "Calm.".to_owned(),
        greeting: GREETING.to_owned(),
        closing: "Thank you, goodbye.".to_owned(),
        phases: vec![
            phase("warmup", &["role"], Next::Phase("main".into())),
            phase("main", &["tools", "dogs"], Next::Phase("wrapup".into())),
            phase("wrapup", &[], Next::End),
        ],
        hold: HoldLine {
            text: "One moment, please.".to_owned(),
            audio_ms: 2_000,
        },
        patience: Patience {
            silence_ms: 700,
            threshold_permille: 500,
            prefix_ms: 300,
        },
        limits: Limits::default(),
        budget: None,
        prices: Prices::new(vec![
            (Component::AudioIn, 32_000_000),
            (Component::AudioOut, 64_000_000),
        ]),
    }
}

fn phase(id: &str, topics: &[&str], next: Next) -> Phase {
    let topic = |id: &&str| Topic {
        id: (*id).into(),
        question: format!("What about {id}?"),
        wording: Wording::Verbatim,
        need: Need::Required,
    };
    Phase {
        id: id.into(),
        title: id.to_owned(),
        objective: "Learn.".to_owned(),
        instructions: String::new(),
        topics: topics.iter().map(topic).collect(),
        triggers: Vec::new(),
        probes_max: 2,
        min: Duration::ZERO,
        target: Duration::from_secs(180),
        max: Duration::from_secs(300),
        next: vec![next],
    }
}
