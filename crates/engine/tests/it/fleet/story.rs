//! What will befall one session: drawn before it begins, so that the reference knows it and the engine does not.

use std::time::Duration;

use engine::cost::{Component, MicroUsd, Prices};
use engine::link::{Capabilities, Patience};
use engine::plan::{HoldLine, Limits, Need, Next, Phase, Plan, Topic, Wording};

use super::luck::Luck;

/// Of a thousand participants whose interview begins so many drop out.
pub(crate) const DROPS_PERMILLE: u64 = 80;

/// Of a thousand who drop out so many come back.
pub(crate) const RETURNS_PERMILLE: u64 = 700;

/// How long a dropped participant can come back to the same process.
pub(crate) const WINDOW: Duration = Duration::from_secs(120);

pub(crate) const GREETING: &str = "Hello, I am an AI.";
pub(crate) const CLOSING: &str = "Thank you, goodbye.";
pub(crate) const HOLD: &str = "One moment, please.";

/// What the participant is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Character {
    /// Opens the page and never lets a sound through.
    NoShow,
    /// Talks to the end, whatever breaks.
    Talks,
    /// Falls silent for good after so many answers.
    FallsSilent(u32),
    /// Presses the button after so many answers.
    Leaves(u32),
}

/// One time that the participant drops out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Drop {
    /// After so much interview since it began or was resumed.
    pub(crate) after: Duration,
    /// When the participant is back.
    pub(crate) back: Back,
}

/// When somebody who dropped out is back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Back {
    Never,
    /// A new page replaces the old one before that is lost.
    Reload,
    /// After so long, in the window or with the link after it.
    After(Duration),
    /// So many microseconds after the last moment of the window: 0 is in time, 1 is not.
    Boundary(u64),
}

/// What happens to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blow {
    Kill,
    Deploy,
}

/// What happens to the provider's link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The socket is closed.
    Cut,
    /// Nothing comes any more, and no error.
    Stall,
    /// The vendor hears nothing any more.
    Deaf,
    /// Events that make no sense.
    Garbage,
    /// The vendor ends the connection without a warning.
    Expired,
    /// Cut, and the next so many are refused.
    Refused(u32),
    /// Cut, and the next never gets ready.
    Unready,
    /// Cut, and nothing can be had for so long.
    Away(Duration),
    /// Cut, and the next has forgotten the conversation.
    Forgetful,
    /// The next response fails.
    Failing,
    /// The key is refused.
    Misconfigured,
}

/// Everything that will happen.
#[derive(Clone, Debug)]
pub(crate) struct Story {
    pub(crate) character: Character,
    pub(crate) drops: Vec<Drop>,
    /// Moments since the interview began.
    pub(crate) blows: Vec<(Duration, Blow)>,
    pub(crate) faults: Vec<(Duration, Fault)>,
    pub(crate) capabilities: Capabilities,
    /// An answer lasts so long at most, in milliseconds.
    pub(crate) talk_ms: u64,
    pub(crate) plan: Plan,
}

impl Story {
    pub(crate) fn draw(luck: &mut Luck) -> Story {
        let character = match luck.between(0, 1_000) {
            0..10 => Character::NoShow,
            10..16 => Character::FallsSilent(luck.pick(&[1, 2, 3])),
            16..26 => Character::Leaves(luck.pick(&[1, 2, 4])),
            _ => Character::Talks,
        };
        // Who drops out and who leaves otherwise are different people, so that each outcome has one cause.
        let stays = matches!(character, Character::Talks);
        let drops = if stays && luck.permille(DROPS_PERMILLE * 1_000 / 984) {
            draw_drops(luck)
        } else {
            Vec::new()
        };
        let blows = draw_some(luck, 60, |luck| {
            luck.pick(&[Blow::Kill, Blow::Kill, Blow::Deploy])
        });
        let faults = draw_some(luck, 250, draw_fault);
        let frugal = drops.is_empty() && luck.permille(10);
        let talk_ms = luck.pick(&[8_000, 8_000, 15_000, 15_000, 90_000]);
        Story {
            character,
            drops,
            blows,
            faults,
            capabilities: draw_capabilities(luck),
            talk_ms,
            plan: plan(frugal.then_some(MicroUsd(600_000))),
        }
    }
}

fn draw_drops(luck: &mut Luck) -> Vec<Drop> {
    let drop = |luck: &mut Luck, back| Drop {
        after: luck.ms(1, 45_000),
        back,
    };
    if !luck.permille(RETURNS_PERMILLE) {
        return vec![drop(luck, Back::Never)];
    }
    let times = luck.pick(&[1, 1, 1, 2, 3]);
    (0..times)
        .map(|_| {
            let back = match luck.between(0, 100) {
                0..15 => Back::Reload,
                15..70 => Back::After(luck.ms(500, 118_000)),
                70..80 => Back::Boundary(0),
                80..85 => Back::Boundary(1),
                // The closing statement has been said by then.
                85..95 => Back::After(luck.ms(200_000, 7_200_000)),
                // Within the study's window of a day.
                _ => Back::After(luck.ms(7_200_000, 86_000_000)),
            };
            drop(luck, back)
        })
        .collect()
}

fn draw_some<T>(
    luck: &mut Luck,
    permille: u64,
    mut one: impl FnMut(&mut Luck) -> T,
) -> Vec<(Duration, T)> {
    let mut some = Vec::new();
    while luck.permille(if some.is_empty() { permille } else { 300 }) && some.len() < 4 {
        some.push((luck.ms(0, 150_000), one(luck)));
    }
    some
}

fn draw_fault(luck: &mut Luck) -> Fault {
    match luck.between(0, 1_000) {
        0..200 => Fault::Cut,
        200..400 => Fault::Stall,
        400..500 => Fault::Deaf,
        500..600 => Fault::Garbage,
        600..700 => Fault::Expired,
        700..800 => Fault::Refused(luck.pick(&[1, 2, 3, 5])),
        800..850 => Fault::Unready,
        850..900 => Fault::Away(luck.ms(5_000, 600_000)),
        900..950 => Fault::Forgetful,
        950..995 => Fault::Failing,
        _ => Fault::Misconfigured,
    }
}

fn draw_capabilities(luck: &mut Luck) -> Capabilities {
    let turns = !luck.permille(200);
    Capabilities {
        turn_events: turns,
        truncation: turns,
        replace_instructions: turns,
        token_usage: true,
        link_max: luck.permille(200).then(|| luck.ms(60_000, 300_000)),
    }
}

/// Three sections, six questions.
fn plan(budget: Option<MicroUsd>) -> Plan {
    Plan {
        title: "A fleet".to_owned(),
        organisation: "the Lab".to_owned(),
        language: "en".to_owned(),
        voice: None,
        persona: "Calm.".to_owned(),
        greeting: GREETING.to_owned(),
        closing: CLOSING.to_owned(),
        phases: vec![
            phase("warmup", &["role", "team"], Next::Phase("main".into())),
            phase(
                "main",
                &["tools", "meetings", "focus"],
                Next::Phase("wrapup".into()),
            ),
            phase("wrapup", &["wishes"], Next::End),
        ],
        hold: HoldLine {
            text: HOLD.to_owned(),
            audio_ms: 2_000,
        },
        patience: Patience {
            silence_ms: 700,
            threshold_permille: 500,
            prefix_ms: 300,
        },
        limits: Limits {
            recovery: WINDOW,
            ..Limits::default()
        },
        budget,
        prices: Prices::new(PRICES.to_vec()),
    }
}

/// Micro-dollars per million tokens.
pub(crate) const PRICES: [(Component, i64); 3] = [
    (Component::TextIn, 4_000_000),
    (Component::AudioIn, 32_000_000),
    (Component::AudioOut, 64_000_000),
];

fn phase(id: &str, topics: &[&str], next: Next) -> Phase {
    Phase {
        id: id.into(),
        title: id.to_owned(),
        objective: "To learn.".to_owned(),
        instructions: "Be warm.".to_owned(),
        topics: topics
            .iter()
            .map(|topic| Topic {
                id: (*topic).into(),
                question: format!("What about {topic}?"),
                wording: Wording::Verbatim,
                need: Need::Required,
            })
            .collect(),
        triggers: Vec::new(),
        probes_max: 1,
        min: Duration::from_secs(5),
        target: Duration::from_secs(60),
        max: Duration::from_secs(180),
        next: vec![next],
    }
}
