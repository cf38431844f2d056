//! What the participant's page is told and may ask, as the JSON of the data channel (`docs/api.md`).

use engine::journal::Outcome;
use engine::session::{Notice, Request};
use serde::Deserialize;
use serde_json::json;

use crate::study::Completion;

/// What a page is told whose place another page took.
pub(super) const REPLACED: &str = r#"{"type":"replaced"}"#;

/// A request of the page.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Message {
    Mute,
    Unmute,
    Repeat,
    End,
}

/// Reads what the page sent; none if it makes no sense.
pub(super) fn request(text: &str) -> Option<Request> {
    let message: Message = serde_json::from_str(text).ok()?;
    Some(match message {
        Message::Mute => Request::Mute,
        Message::Unmute => Request::Unmute,
        Message::Repeat => Request::Repeat,
        Message::End => Request::End,
    })
}

/// Writes what the page is told.
pub(super) fn json(notice: &Notice, completion: impl Fn(Outcome) -> Completion) -> String {
    let value = match notice {
        Notice::State(state) => json!({"type": "state", "state": state.name()}),
        Notice::Caption {
            turn,
            speaker,
            text,
            last,
        } => {
            json!({"type": "caption", "turn": turn.0, "speaker": speaker.name(), "text": text, "final": last})
        }
        Notice::Phase {
            phase,
            title,
            index,
            count,
        } => {
            json!({"type": "phase", "id": phase.as_str(), "title": title, "index": index, "count": count})
        }
        Notice::Time { elapsed_s, left_s } => {
            json!({"type": "time", "elapsed_s": elapsed_s, "left_s": left_s})
        }
        Notice::Speaking { speaker, speaking } => {
            json!({"type": "speaking", "speaker": speaker.name(), "speaking": speaking})
        }
        Notice::Cost { micro_usd } => json!({"type": "cost", "micro_usd": micro_usd}),
        Notice::Trouble { code } => json!({"type": "trouble", "code": code, "text": words(code)}),
        Notice::Ended { outcome } => {
            let Completion {
                message,
                code,
                redirect_url,
            } = completion(*outcome);
            let completion =
                json!({"message": message, "code": code, "redirect_url": redirect_url});
            json!({"type": "ended", "outcome": outcome.name(), "completion": completion})
        }
    };
    value.to_string()
}

/// What happened, what it means, what to do: in the participant's words.
fn words(code: &str) -> &'static str {
    match code {
        "silent_microphone" => {
            "We cannot hear you. Your microphone may be muted or another one may be chosen: check it, then say a few words."
        }
        "recording_trouble" => {
            "A part of the recording may be missing. You need do nothing; please go on."
        }
        "provider_trouble" => {
            "The interviewer cannot be reached right now. This is not your fault. Please wait a moment; if nothing \
             happens, come back later with the same link."
        }
        "provider_slow" => {
            "The interviewer is taking longer than it should. This is not your fault: please wait a moment."
        }
        "provider_away" => {
            "The interviewer cannot be reached for now. This is not your fault and your answers are saved: come back later \
             with the same link, and you go on where you stopped."
        }
        "not_connected" => {
            "The connection did not come about. Your answers are saved: try again with the same link, if need be from another \
             network."
        }
        "server_restarts" => {
            "The server restarts. Your answers are saved; this page reconnects by itself in a moment. You need do nothing."
        }
        "internal" => {
            "Something went wrong on our side, so the interview had to end. What you said so far is kept. \
             You need do nothing."
        }
        _ => {
            "Something is not as it should be. Please wait a moment; if nothing happens, reload this page."
        }
    }
}

#[cfg(test)]
mod tests {
    use engine::ids::TurnNo;
    use engine::link::Speaker;

    use super::*;

    fn thanks(outcome: Outcome) -> Completion {
        let code = (outcome == Outcome::Complete).then(|| "C0DE".to_owned());
        Completion {
            message: "Thank you.".to_owned(),
            code,
            redirect_url: None,
        }
    }

    #[test]
    fn captions_look_as_the_page_expects() {
        let notice = Notice::Caption {
            turn: TurnNo(3),
            speaker: Speaker::Interviewer,
            text: "Hello".to_owned(),
            last: false,
        };
        let expected =
            r#"{"final":false,"speaker":"interviewer","text":"Hello","turn":3,"type":"caption"}"#;
        assert_eq!(json(&notice, thanks), expected);
    }

    #[test]
    fn the_end_carries_the_completion_of_its_outcome() {
        let told = json(
            &Notice::Ended {
                outcome: Outcome::Complete,
            },
            thanks,
        );
        assert!(told.contains("C0DE"), "{told}");
        let told = json(
            &Notice::Ended {
                outcome: Outcome::Partial,
            },
            thanks,
        );
        assert!(told.contains(r#""code":null"#), "{told}");
    }

    #[test]
    fn only_what_the_page_may_ask_is_understood() {
        assert_eq!(request(r#"{"type":"mute"}"#), Some(Request::Mute));
        assert_eq!(
            request(r#"{"type":"end","why":"tired"}"#),
            Some(Request::End)
        );
        for strange in [
            "",
            "{}",
            "mute",
            r#"{"type":"rm"}"#,
            "[[[[[",
            "{\"type\":1}",
        ] {
            assert_eq!(request(strange), None, "{strange}");
        }
    }
}
