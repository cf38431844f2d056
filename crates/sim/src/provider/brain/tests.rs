//! The interviewer's conduct, from single turns to whole interviews.
#![expect(clippy::unwrap_used, reason = "tests")]

mod interview;

use super::*;
use crate::corpus::Corpus;

const TOOLS: [&str; 2] = ["advance_phase", "cover_topic"];

const DAY: &str = "Walk me through yesterday.";
const SETUP: &str = "Where do you usually work, and what is that space like?";
const LONG: &str = "I usually sit at the kitchen table, next to the window, because that is where the light is best in the morning.";

fn guide(topics: &str, extra: &str) -> String {
    format!(
        "# Interview: T\nYou are an interviewer who conducts a research interview for L. Speak en.\n\n## Phase: warmup\nTitle: Warm-up\n\n\
         ### Topic guide\n{topics}\n\n### Follow up when\n- the participant mentions money\nAt most 1 follow-ups per topic.\n\n### Moving on\n\
         When a topic has been answered, call cover_topic with its id.\n\
         When the guide is done, call advance_phase with one of: exploration, end\n\n### Time\n{extra}\n"
    )
}

fn two_topics() -> String {
    guide(
        &format!("1. [day] (required, verbatim) {DAY}\n2. [setup] (optional, free) {SETUP}"),
        "",
    )
}

fn said(text: &str) -> Memory {
    Memory::Interviewer(text.into())
}

fn heard(text: &str) -> Memory {
    Memory::Participant(text.into())
}

fn called(call: &str, name: &str, arguments: &str) -> Memory {
    Memory::Call {
        call: call.into(),
        name: name.into(),
        arguments: arguments.into(),
    }
}

fn answered(call: &str, output: &str) -> Memory {
    Memory::Result {
        call: call.into(),
        output: output.into(),
    }
}

fn ask(instructions: &str, also: &str, memory: &[Memory]) -> Reply {
    let tools: Vec<String> = TOOLS.iter().map(|tool| (*tool).to_owned()).collect();
    reply(&Request {
        instructions,
        also,
        tools: &tools,
        memory,
    })
}

fn calls(reply: &Reply) -> Vec<(&str, &str)> {
    reply
        .calls
        .iter()
        .map(|call| (call.name.as_str(), call.arguments.as_str()))
        .collect()
}

#[test]
fn the_greeting_is_said_exactly_and_the_first_question_follows_word_for_word() {
    let reply = ask(
        &two_topics(),
        "Say exactly: \"Hello, I'm an AI.\" Then ask the first question of the topic guide.",
        &[],
    );
    assert_eq!(reply.say, ["Hello, I'm an AI.", DAY]);
    assert_eq!(reply.calls, []);
}

#[test]
fn an_answer_is_acknowledged_reported_and_followed_by_the_next_question() {
    let reply = ask(&two_topics(), "", &[said(DAY), heard(LONG)]);
    assert_eq!(reply.say.len(), 2);
    assert!(
        phrases::phrases("en").acks.contains(&reply.say[0].as_str()),
        "{reply:?}"
    );
    assert_eq!(reply.say[1], SETUP);
    assert_eq!(calls(&reply), [("cover_topic", r#"{"topic":"day"}"#)]);
}

#[test]
fn a_short_answer_is_followed_up_once_and_not_reported_before() {
    let prompt = two_topics();
    let mut memory = vec![said(DAY), heard("It was fine.")];
    let first = ask(&prompt, "", &memory);
    assert!(
        phrases::phrases("en")
            .probes
            .contains(&first.say[1].as_str()),
        "{first:?}"
    );
    assert_eq!(first.calls, []);
    memory.extend([said(&first.text()), heard("Fine, as I said.")]);
    let second = ask(&prompt, "", &memory);
    assert_eq!(
        (second.say[1].as_str(), calls(&second)),
        (SETUP, vec![("cover_topic", r#"{"topic":"day"}"#)])
    );
}

#[test]
fn a_word_of_a_trigger_calls_for_a_follow_up() {
    let about_money = "Well, it is always about the money, and whoever tells you something else has never had to sign the invoice.";
    let reply = ask(&two_topics(), "", &[said(DAY), heard(about_money)]);
    assert_eq!(reply.calls, [], "{reply:?}");
}

#[test]
fn the_last_answer_of_a_guide_moves_the_interview_on() {
    let prompt = guide(
        &format!(
            "1. [day] (required, verbatim, covered) {DAY}\n2. [setup] (required, free) {SETUP}"
        ),
        "",
    );
    let reply = ask(&prompt, "", &[said(SETUP), heard(LONG)]);
    assert_eq!(reply.say.len(), 1, "only an acknowledgement: {reply:?}");
    assert_eq!(
        calls(&reply),
        [
            ("cover_topic", r#"{"topic":"setup"}"#),
            ("advance_phase", r#"{"to":"exploration"}"#)
        ]
    );
}

#[test]
fn a_refused_move_is_obeyed_by_asking_on_and_tried_again_after_the_answer() {
    let prompt = guide(&format!("1. [day] (required, verbatim) {DAY}"), "");
    let mut memory = vec![
        said(DAY),
        heard(LONG),
        said("I see."),
        called("c1", "cover_topic", r#"{"topic":"day"}"#),
        called("c2", "advance_phase", r#"{"to":"exploration"}"#),
        answered("c1", r#"{"ok":true}"#),
        answered(
            "c2",
            r#"{"ok":false,"reason":"the phase takes at least 2 minutes"}"#,
        ),
    ];
    let on = ask(&prompt, "", &memory);
    assert!(
        phrases::phrases("en").probes.contains(&on.say[0].as_str()),
        "{on:?}"
    );
    assert_eq!(on.calls, []);
    memory.extend([said(&on.text()), heard(LONG)]);
    assert_eq!(
        calls(&ask(&prompt, "", &memory)),
        [("advance_phase", r#"{"to":"exploration"}"#)]
    );
}

#[test]
fn a_topic_that_a_refusal_names_is_reported_again() {
    let prompt = guide(&format!("1. [day] (required, verbatim) {DAY}"), "");
    let memory = [
        said(DAY),
        heard(LONG),
        said("I see."),
        called("c1", "advance_phase", r#"{"to":"exploration"}"#),
        answered("c1", r#"{"ok":false,"reason":"still to be covered: day"}"#),
    ];
    let reply = ask(&prompt, "", &memory);
    assert_eq!(calls(&reply), [("cover_topic", r#"{"topic":"day"}"#)]);
    assert_eq!(reply.say.len(), 1);
}

#[test]
fn a_granted_move_is_not_asked_for_twice() {
    let prompt = guide(&format!("1. [day] (required, verbatim, covered) {DAY}"), "");
    let memory = [
        said(DAY),
        heard(LONG),
        said("I see."),
        called("c1", "advance_phase", r#"{"to":"exploration"}"#),
        answered("c1", r#"{"ok":true,"phase":"exploration"}"#),
        heard("Oh, and one more thing."),
    ];
    assert_eq!(ask(&prompt, "", &memory).calls, []);
}

#[test]
fn a_new_phase_begins_with_its_transition_and_first_question() {
    let prompt = two_topics().replace("## Phase: warmup", "## Phase: wrapup");
    let reply = ask(
        &prompt,
        "Go on with the new phase: say one short transition, then ask its first question.",
        &[heard(LONG)],
    );
    assert_eq!(
        reply.say,
        [
            "Thank you. We're coming to the end, with just a couple of questions left.",
            DAY
        ]
    );
}

#[test]
fn the_last_question_is_repeated_in_the_same_words() {
    let repeat = "Repeat your last question in the same words.";
    assert_eq!(
        ask(&two_topics(), repeat, &[said(&format!("I see. {SETUP}"))]).say,
        [SETUP]
    );
    assert_eq!(
        ask(
            &two_topics(),
            repeat,
            &[said("I see. What makes you say that?")]
        )
        .say,
        ["What makes you say that?"]
    );
    let greeting =
        "Hello, and thank you for joining. You can stop at any time. Are you ready to begin?";
    assert_eq!(
        ask(&two_topics(), repeat, &[said(greeting)]).say,
        ["Are you ready to begin?"],
        "a greeting is not said again for the question in it"
    );
    assert_eq!(
        ask(&two_topics(), repeat, &[]).say,
        [DAY],
        "with nothing asked yet, the first question"
    );
}

#[test]
fn closing_words_are_said_alone() {
    let reply = ask(
        &two_topics(),
        "Say exactly: \"Thank you. Goodbye.\" Do not ask anything more.",
        &[said(DAY), heard(LONG)],
    );
    assert_eq!(
        (reply.say, reply.calls),
        (vec!["Thank you. Goodbye.".to_owned()], vec![])
    );
}

#[test]
fn when_time_is_short_only_required_questions_are_asked_and_nothing_is_followed_up() {
    let short = "Time is short: finish this phase and call advance_phase.";
    let prompt = guide(
        &format!(
            "1. [day] (required, verbatim) {DAY}\n2. [setup] (optional, free) {SETUP}\n3. [cost] (required, free) And cost?"
        ),
        short,
    );
    let reply = ask(&prompt, "", &[said(DAY), heard("Fine.")]);
    assert_eq!(reply.say[1], "And cost?");
    let reply = ask(
        &prompt,
        "",
        &[said(DAY), heard("Fine."), said("And cost?"), heard("No.")],
    );
    assert_eq!(reply.calls.last().unwrap().name, "advance_phase");
}

#[test]
fn noise_is_asked_about_once_and_then_counts_as_an_answer() {
    let prompt = two_topics();
    let repeat = phrases::phrases("en").repeat;
    assert_eq!(ask(&prompt, "", &[said(DAY), heard("")]).say, [repeat]);
    let reply = ask(
        &prompt,
        "",
        &[said(DAY), heard(""), said(repeat), heard("")],
    );
    assert_ne!(reply.say, [repeat]);
    assert!(!reply.say.is_empty());
}

#[test]
fn speech_that_nobody_understands_counts_as_an_answer() {
    let prompt = guide(
        &format!(
            "1. [day] (required, verbatim, covered) {DAY}\n2. [setup] (required, free) {SETUP}"
        ),
        "",
    );
    let reply = ask(&prompt, "", &[said(SETUP), heard("[unrecognised speech]")]);
    assert_eq!(
        reply.calls.first().unwrap().arguments,
        r#"{"topic":"setup"}"#
    );
}

#[test]
fn a_question_that_was_cut_off_before_its_sense_was_clear_is_asked_again() {
    let memory = |heard_of_it: &str| vec![said(DAY), heard(LONG), said(heard_of_it), heard(LONG)];
    assert_eq!(
        ask(&two_topics(), "", &memory("I see. Where do you")).say[1],
        SETUP
    );
    let reply = ask(
        &two_topics(),
        "",
        &memory("I see. Where do you usually work, and what is that"),
    );
    assert!(!reply.say.contains(&SETUP.to_owned()), "{reply:?}");
}

#[test]
fn an_answer_in_two_breaths_is_one_answer() {
    let memory = [
        said(DAY),
        heard("I got up at six"),
        heard("and then I sat down at the kitchen table until the children came home"),
    ];
    assert_eq!(
        calls(&ask(&two_topics(), "", &memory)),
        [("cover_topic", r#"{"topic":"day"}"#)]
    );
}

#[test]
fn tools_that_do_not_exist_are_not_called() {
    let reply = reply(&Request {
        instructions: &two_topics(),
        also: "",
        tools: &[],
        memory: &[said(DAY), heard(LONG)],
    });
    assert_eq!(reply.calls, []);
}

#[test]
fn a_rebuilt_conversation_goes_on_where_it_was() {
    let (live, rebuilt) = (
        [
            said(DAY),
            heard(LONG),
            said(&format!("I see. {SETUP}")),
            called("c1", "cover_topic", r#"{"topic":"day"}"#),
            answered("c1", r#"{"ok":true}"#),
            heard(LONG),
        ],
        [
            said(DAY),
            heard(LONG),
            said(&format!("I see. {SETUP}")),
            heard(LONG),
        ],
    );
    let covered = two_topics().replace("(required, verbatim)", "(required, verbatim, covered)");
    assert_eq!(ask(&two_topics(), "", &live), ask(&covered, "", &rebuilt));
}

#[test]
fn without_any_instructions_it_still_listens_and_asks() {
    let reply = ask(
        "",
        "",
        &[heard("Hello there, how are you today, my friend of old?")],
    );
    assert_eq!(reply.say.len(), 2);
    assert_eq!(reply.calls, []);
}

#[test]
fn a_greeting_that_waits_is_followed_by_the_first_question_whatever_is_answered() {
    let greeting = ask(
        &two_topics(),
        "Say exactly: \"Are you ready?\" Then wait for the participant's answer.",
        &[],
    );
    assert_eq!(greeting.say, ["Are you ready?"]);
    for answer in ["Yes!", "", "[unrecognised speech]"] {
        let reply = ask(&two_topics(), "", &[said("Are you ready?"), heard(answer)]);
        assert_eq!(
            (reply.say[1].as_str(), calls(&reply)),
            (DAY, vec![]),
            "{answer:?}"
        );
    }
}

#[test]
fn a_follow_up_of_an_earlier_phase_does_not_answer_a_question_of_the_guide() {
    let change = "If you could change one thing about it, what would it be?";
    let prompt = guide(&format!("1. [change] (required, verbatim) {change}"), "");
    let memory = [
        said(change),
        heard(LONG),
        called("c1", "advance_phase", r#"{"to":"probing"}"#),
        answered("c1", r#"{"ok":true}"#),
    ];
    let reply = ask(
        &prompt,
        "Go on with the new phase: say one short transition, then ask its first question.",
        &memory,
    );
    assert_eq!(reply.say[1], change);
}

#[test]
fn after_an_interrupted_connection_the_last_question_is_repeated() {
    let also = "The connection was interrupted. Repeat your last question in the same words.";
    assert_eq!(
        ask(&two_topics(), also, &[said(DAY), heard(LONG), said(SETUP)]).say,
        [SETUP]
    );
}
