use std::fmt::Write as _;

use engine::cost::{Charge, Component, MicroUsd};
use engine::ids::{LinkNo, PeerNo, TurnNo};
use engine::journal::{Entry, Measure, MoveCause, Outcome, Turn, TurnEnding};
use engine::link::{FaultCategory, Speaker};
use expect_test::expect;

use super::{of_consent, of_creation, of_entry};
use crate::rows::{Length, NewSession};

fn one_of_each_kind() -> Vec<Entry> {
    let phase = || "warmup".into();
    let charge = Charge {
        component: Component::AudioIn,
        quantity: 1_200,
        cost: MicroUsd(38_400),
    };
    vec![
        Entry::PeerUp { peer: PeerNo(1) },
        Entry::PeerLost { peer: PeerNo(1) },
        Entry::LinkUp {
            link: LinkNo(2),
            vendor_id: "sess_9".to_owned(),
        },
        Entry::LinkGone {
            link: LinkNo(2),
            category: FaultCategory::Expired,
            detail: "60 minutes".to_owned(),
        },
        Entry::LinkFault {
            link: LinkNo(2),
            category: FaultCategory::RateLimited,
            detail: "slow down".to_owned(),
        },
        Entry::PhaseEntered {
            phase: phase(),
            cause: MoveCause::Model,
            timeline_ms: 90_500,
        },
        Entry::MoveRefused {
            to: "closing".to_owned(),
            reason: "too early".to_owned(),
        },
        Entry::TopicCovered {
            topic: "meetings".into(),
            phase: phase(),
            timeline_ms: 91_000,
        },
        Entry::Nudged { phase: phase() },
        Entry::SilencePrompted { nth: 2 },
        Entry::Turn(Turn {
            turn: TurnNo(3),
            speaker: Speaker::Interviewer,
            item: "item_7".into(),
            phase: phase(),
            start_ms: 10,
            end_ms: 2_030,
            text: "So tell me".to_owned(),
            unheard: " more".to_owned(),
            ending: TurnEnding::Interrupted,
        }),
        Entry::Charged {
            charges: vec![charge],
        },
        Entry::Measured {
            measure: Measure::FirstVoice,
            ms: 412,
        },
        Entry::Muted {
            muted: true,
            timeline_ms: 5,
        },
        Entry::NetworkGap {
            from_ms: 4_000,
            to_ms: 7_200,
        },
        Entry::Paused { timeline_ms: 6 },
        Entry::Resumed { timeline_ms: 7 },
        Entry::Closing {
            outcome: Outcome::Complete,
            timeline_ms: 8,
        },
        Entry::Ended {
            outcome: Outcome::NoShow,
            timeline_ms: 9,
        },
    ]
}

#[test]
fn the_shape_of_every_kind_stays_as_it_was_published() {
    let mut lines = String::new();
    for entry in one_of_each_kind() {
        writeln!(lines, "{} {}", entry.kind(), of_entry(&entry)).expect("a string takes all");
    }
    expect![[r#"
        peer_up {"peer":1,"v":1}
        peer_lost {"peer":1,"v":1}
        link_up {"link":2,"v":1,"vendor_id":"sess_9"}
        link_gone {"category":"expired","detail":"60 minutes","link":2,"v":1}
        link_fault {"category":"rate_limited","detail":"slow down","link":2,"v":1}
        phase_entered {"cause":"model","phase":"warmup","timeline_ms":90500,"v":1}
        move_refused {"reason":"too early","to":"closing","v":1}
        topic_covered {"phase":"warmup","timeline_ms":91000,"topic":"meetings","v":1}
        nudged {"phase":"warmup","v":1}
        silence_prompted {"nth":2,"v":1}
        turn {"end_ms":2030,"ending":"interrupted","item":"item_7","phase":"warmup","speaker":"interviewer","start_ms":10,"text":"So tell me","turn":3,"unheard":" more","v":1}
        charged {"charges":[{"component":"audio_in","cost_micro_usd":38400,"quantity":1200}],"v":1}
        measured {"measure":"first_voice","ms":412,"v":1}
        muted {"muted":true,"timeline_ms":5,"v":1}
        network_gap {"from_ms":4000,"to_ms":7200,"v":1}
        paused {"timeline_ms":6,"v":1}
        resumed {"timeline_ms":7,"v":1}
        closing {"outcome":"complete","timeline_ms":8,"v":1}
        ended {"outcome":"no_show","timeline_ms":9,"v":1}
    "#]].assert_eq(&lines);
}

#[test]
fn store_level_bodies_name_the_text_and_never_the_person() {
    let session = NewSession {
        session_id: "S".into(),
        study_id: "tools".into(),
        study_version: 3,
        link_hash: [7; 32],
        language: "en".to_owned(),
        length: Length::Rehearsal,
        external_id: Some("panel-4711".to_owned()),
        expires_at_us: None,
    };
    expect![[
        r#"{"language":"en","length":"rehearsal","study_id":"tools","study_version":3,"v":1}"#
    ]]
    .assert_eq(&of_creation(&session).to_string());
    expect![[r#"{"text_sha256":"abababababababababababababababababababababababababababababababab","v":1}"#]].assert_eq(&of_consent(&[0xab; 32]).to_string());
}

#[test]
fn every_entry_reads_back_as_it_was_written() {
    for entry in one_of_each_kind() {
        let read = super::read::entry(entry.kind(), &of_entry(&entry));
        assert_eq!(read, Ok(Some(entry)));
    }
}

#[test]
fn a_damaged_entry_is_named_and_not_skipped() {
    let torn = serde_json::json!({"v": 1, "turn": 3});
    let read = super::read::entry("turn", &torn);
    assert!(read.is_err_and(|why| why.contains("turn")));
    assert!(super::read::entry("never_heard_of", &torn).is_err());
    assert_eq!(super::read::entry("session_created", &torn), Ok(None));
}
