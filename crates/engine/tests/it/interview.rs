//! An interview as it should go, and what is said when.

use std::time::Duration;

use engine::cost::{Component, MicroUsd};
use engine::journal::{Entry, Measure, Outcome, TurnEnding};
use engine::link::{LinkCommand, LinkEvent, Speaker};
use engine::plan::Plan;
use engine::session::{MediaFact, Notice, Output, Request, State, Timer, prompt};

use crate::drive::*;

#[test]
fn the_link_warms_up_while_the_peer_connects() {
    let mut drive = Drive::new(plan(), FULL);
    drive.offer(1);
    let (link, config) = opened(&drive.last).pop().unwrap();
    assert_eq!((link.0, config.history.len()), (1, 0));
    assert_eq!(drive.session.state(), State::Waiting);
}

#[test]
fn it_begins_when_both_sides_are_there_in_either_order() {
    let mut early_link = Drive::new(plan(), FULL);
    early_link.offer(1).ready();
    assert_eq!(early_link.session.state(), State::Waiting);
    early_link.up();
    let mut late_link = Drive::new(plan(), FULL);
    late_link.offer(1).up();
    assert_eq!(late_link.session.state(), State::Waiting);
    late_link.ready();
    for drive in [early_link, late_link] {
        assert_eq!(drive.session.state(), State::Active);
        assert_eq!(
            said(&drive.last),
            ["Say exactly: \"Hello, I am an AI.\" Then ask the first question of the topic guide."]
        );
        assert!(kinds(&drive.all).contains(&"phase_entered"));
    }
}

#[test]
fn a_greeting_that_asks_is_answered_before_the_guide_begins() {
    let asking = Plan {
        greeting: "Hello, I am an AI. Shall we begin?".to_owned(),
        ..plan()
    };
    let mut drive = Drive::new(asking, FULL);
    drive.offer(1).ready().up();
    assert_eq!(
        said(&drive.last),
        [
            "Say exactly: \"Hello, I am an AI. Shall we begin?\" Then wait for the participant's answer."
        ]
    );
}

#[test]
fn time_to_first_voice_is_from_the_first_audio_to_the_first_playout() {
    let mut drive = Drive::begun(plan(), FULL);
    drive
        .wait_ms(700)
        .respond("greeting", "Hello.", 1_000)
        .wait_ms(40)
        .play_start("greeting");
    let measured = Output::Measure {
        measure: Measure::FirstVoice,
        ms: 740,
    };
    assert!(drive.last.contains(&measured));
    assert!(drive.last.contains(&Output::Journal(Entry::Measured {
        measure: Measure::FirstVoice,
        ms: 740
    })));
}

#[test]
fn an_ordinary_turn_is_answered_by_the_vendor_alone_and_its_latency_measured() {
    let mut drive = Drive::greeted(plan(), FULL);
    let before = drive.all.len();
    drive
        .say("u1", "I am a nurse.", 2_000)
        .respond("a1", "Thank you.", 1_000)
        .wait_ms(10)
        .play_start("a1");
    assert_eq!(says(&drive.all[before..]), []);
    // The participant fell silent 500 ms before the vendor noticed, and 10 ms later the answer was heard.
    assert!(drive.last.contains(&Output::Measure {
        measure: Measure::ResponseLatency,
        ms: 510
    }));
}

/// From the greeting to the end: two questions, one move, the goodbye.
fn whole_interview() -> Drive {
    let cover = |topic: &str| format!("{{\"topic\":\"{topic}\"}}");
    let advance = |to: &str| format!("{{\"to\":\"{to}\"}}");
    let mut drive = Drive::greeted(plan(), FULL);
    drive.say("u1", "I am a nurse.", 2_000);
    let calls = [
        ("cover_topic", &*cover("role")),
        ("advance_phase", &*advance("main")),
    ];
    drive.respond_with("a1", "Thank you.", 900, &calls);
    let ok = [
        r#"{"ok":true,"topic":"role"}"#,
        r#"{"ok":true,"phase":"main"}"#,
    ];
    assert_eq!(results(&drive.last), ok);
    assert_eq!(
        kinds(&drive.last),
        [""; 0],
        "the move waits until the thanks were heard"
    );
    drive.play("a1", 900);
    let also = "Go on with the new phase: say one short transition, then ask its first question.";
    assert_eq!(said(&drive.last), [also]);
    drive
        .respond("a2", "Now, what about tools?", 1_500)
        .play("a2", 1_500);
    drive
        .say("u2", "I use a pager.", 1_200)
        .use_tokens(Component::AudioOut, 1_000);
    let calls = [
        ("cover_topic", &*cover("tools")),
        ("advance_phase", &*advance("end")),
    ];
    drive.respond_with("", "", 0, &calls);
    let also = "Say exactly: \"Thank you, goodbye.\" Do not ask anything more.";
    assert_eq!(said(&drive.last), [also]);
    assert_eq!(drive.session.state(), State::Closing);
    drive
        .respond("bye", "Thank you, goodbye.", 1_300)
        .play("bye", 1_300);
    drive
}

#[test]
fn a_whole_interview_ends_complete_and_every_cent_is_on_record() {
    let drive = whole_interview();
    assert_eq!(drive.session.state(), State::Ended);
    assert_eq!(
        drive.last.last(),
        Some(&Output::Finish {
            outcome: Outcome::Complete
        })
    );
    assert_eq!(drive.session.deadline(), None);
    assert_eq!(drive.cost(), MicroUsd(64_000));
}

#[test]
fn a_whole_interview_has_every_turn_on_record() {
    let turns = whole_interview().turns();
    assert!(turns.iter().all(|turn| turn.ending == TurnEnding::Complete));
    let turns: Vec<_> = turns
        .iter()
        .map(|turn| {
            (
                turn.turn.0,
                turn.speaker.name(),
                turn.phase.as_str(),
                turn.text.as_str(),
            )
        })
        .collect();
    let expected = [
        (
            1,
            "interviewer",
            "warmup",
            "Hello, I am an AI. What about role?",
        ),
        (2, "participant", "warmup", "I am a nurse."),
        (3, "interviewer", "warmup", "Thank you."),
        (4, "interviewer", "main", "Now, what about tools?"),
        (5, "participant", "main", "I use a pager."),
        (6, "interviewer", "main", "Thank you, goodbye."),
    ];
    assert_eq!(turns, expected);
}

#[test]
fn the_page_is_told_state_section_time_captions_and_cost() {
    let mut drive = Drive::begun(plan(), FULL);
    let told: Vec<_> = drive
        .last
        .iter()
        .filter(|output| matches!(output, Output::Tell(_)))
        .collect();
    assert_eq!(
        told,
        [
            &Output::Tell(Notice::State(State::Active)),
            &Output::Tell(Notice::Phase {
                phase: "warmup".into(),
                title: "The warmup".to_owned(),
                index: 0,
                count: 3
            }),
            &Output::Tell(Notice::Time {
                elapsed_s: 0,
                left_s: 540
            }),
        ]
    );
    // Somebody speaks, so that nothing else is said meanwhile.
    let at = drive.now;
    drive.media(MediaFact::SpeechStarted { at });
    drive.link(LinkEvent::SpeechStarted { item: "u1".into() });
    assert_eq!(drive.wait(Duration::from_secs(5)), [Timer::Clock]);
    assert_eq!(
        drive.last,
        [Output::Tell(Notice::Time {
            elapsed_s: 5,
            left_s: 535
        })]
    );
    drive.use_tokens(Component::AudioIn, 500);
    assert_eq!(
        drive.last[1],
        Output::Tell(Notice::Cost { micro_usd: 16_000 })
    );
    drive.link(LinkEvent::SpeechStopped { item: "u1".into() });
    drive
        .respond("greeting", "Hello there.", 1_000)
        .play_start("greeting");
    let caption = |text: &str, last| {
        Output::Tell(Notice::Caption {
            turn: engine::ids::TurnNo(2),
            speaker: Speaker::Interviewer,
            text: text.into(),
            last,
        })
    };
    assert!(drive.last.contains(&caption("Hello there.", false)));
    drive.wait_ms(1_000).play_end("greeting", 1_000, false);
    assert!(drive.last.contains(&caption("Hello there.", true)));
}

#[test]
fn words_of_the_participant_reach_the_page_as_they_come() {
    let mut drive = Drive::greeted(plan(), FULL);
    drive.speak("u1", 1_000);
    let mut seen = Vec::new();
    for text in ["I ", "am ", "a nurse."] {
        drive.link(LinkEvent::TranscriptDelta {
            item: "u1".into(),
            text: text.to_owned(),
        });
        seen.extend(drive.last.iter().filter_map(|output| match output {
            Output::Tell(Notice::Caption {
                text, last: false, ..
            }) => Some(text.clone()),
            _ => None,
        }));
    }
    assert_eq!(seen, ["I ", "I am ", "I am a nurse."]);
}

#[test]
fn silence_is_met_at_30_60_and_180_seconds_and_prompts_do_not_break_it() {
    let mut drive = Drive::greeted(plan(), FULL);
    let quiet = drive.now;
    drive.wait_ms(29_999);
    assert_eq!(said(&drive.last), [""; 0]);
    drive.wait_ms(1);
    assert_eq!(
        said(&drive.last),
        [format!(
            "The participant has been silent. Say exactly: \"{}\"",
            prompt::SILENCE_FIRST
        )]
    );
    assert_eq!(
        troubles(&drive.last),
        ["silent_microphone"],
        "nobody was ever heard"
    );
    drive
        .respond("p1", "Take your time.", 2_000)
        .play("p1", 2_000);
    drive.wait(Duration::from_secs(60) - drive.now.since(quiet));
    assert!(said(&drive.last)[0].contains(prompt::SILENCE_SECOND));
    drive
        .respond("p2", "Are you still there?", 2_000)
        .play("p2", 2_000);
    drive.wait(Duration::from_secs(180) - drive.now.since(quiet));
    assert_eq!(drive.session.state(), State::Closing);
    assert_eq!(drive.outcome(), Some(Outcome::Partial));
}

#[test]
fn a_word_of_the_participant_starts_the_ladder_anew() {
    let mut drive = Drive::greeted(plan(), FULL);
    drive
        .wait_s(29)
        .say("u1", "Hm.", 1_000)
        .respond("a1", "Go on.", 500)
        .play("a1", 500);
    drive.wait_ms(29_999);
    assert_eq!(kinds(&drive.last), [""; 0]);
    drive.wait_ms(1);
    assert_eq!(kinds(&drive.last), ["silence_prompted"]);
    assert_eq!(troubles(&drive.last), [""; 0], "the microphone was heard");
}

#[test]
fn a_muted_participant_is_not_prompted_but_the_session_is_closed() {
    let mut drive = Drive::greeted(plan(), FULL);
    drive.request(Request::Mute).request(Request::Mute);
    assert_eq!(
        kinds(&drive.all)
            .iter()
            .filter(|kind| **kind == "muted")
            .count(),
        1
    );
    drive.wait_ms(179_999);
    assert!(!kinds(&drive.last).contains(&"silence_prompted"));
    drive.wait_ms(1);
    assert_eq!(drive.session.state(), State::Closing);
}

#[test]
fn a_repeat_waits_for_the_response_in_progress() {
    let mut drive = Drive::begun(plan(), FULL);
    drive
        .start_response()
        .utter("greeting", "Hello.", 1_000)
        .request(Request::Repeat);
    assert_eq!(says(&drive.last), []);
    drive.finish_response(engine::link::ResponseStatus::Completed);
    assert_eq!(
        said(&drive.last),
        ["Repeat your last question in the same words."]
    );
}

#[test]
fn a_vendor_that_answers_first_does_not_cost_the_participant_the_greeting() {
    let mut drive = Drive::begun(plan(), FULL);
    drive.link(LinkEvent::ResponseStarted {
        response: "own".into(),
        tag: None,
    });
    drive.link(LinkEvent::Fault {
        category: engine::link::FaultCategory::Benign,
        detail: "conversation_already_has_active_response".to_owned(),
    });
    assert_eq!(says(&drive.last), []);
    drive.link(LinkEvent::ResponseDone {
        response: "own".into(),
        status: engine::link::ResponseStatus::Completed,
    });
    assert!(said(&drive.last)[0].contains("Hello, I am an AI."));
}

#[test]
fn the_prompt_reads_as_agreed() {
    let mut drive = Drive::new(plan(), FULL);
    drive.offer(1);
    let (_, config) = opened(&drive.last).pop().unwrap();
    expect_test::expect_file!["prompt.txt"].assert_eq(&config.instructions);
    let names: Vec<_> = config
        .tools
        .iter()
        .map(|tool| (tool.name, tool.parameters[0].one_of.join(" ")))
        .collect();
    assert_eq!(
        names[0],
        ("advance_phase", "warmup main wrapup end".to_owned())
    );
    assert_eq!(names[1], ("cover_topic", "role tools dogs".to_owned()));
}

#[test]
fn new_instructions_show_what_was_covered_and_come_before_the_next_words() {
    let mut drive = Drive::greeted(plan(), FULL);
    drive.say("u1", "I am a nurse.", 2_000);
    drive.respond_with(
        "",
        "",
        0,
        &[
            ("cover_topic", r#"{"topic":"role"}"#),
            ("advance_phase", r#"{"to":"main"}"#),
        ],
    );
    let commands = commands(&drive.last);
    assert!(
        matches!(&commands[2], LinkCommand::Instruct { instructions } if instructions.contains("## Phase: main"))
    );
    assert!(matches!(commands[3], LinkCommand::Say { .. }));
}
