//! `POST /v1/audio/transcriptions`: words of an uploaded file. Pure like the codecs: what to send, and what the answer means.
//! The form's fields and the shapes of answers: OpenAI's API reference, read 2026-11; speaches and LocalAI answer in the same.

use engine::cost::Usage;
use serde::Deserialize;

use crate::chat::{ChatError, ChatErrorCategory, parse_error};
use crate::codec::Endpoint;
use crate::openai::TranscriptionUsage;
use crate::secret::Secret;

/// Largest file that the vendor takes, in bytes.
pub const FILE_BYTES_MAX: usize = 25 * 1024 * 1024;

/// What was heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// The words, without space around them; empty if there were none.
    pub text: String,
    /// What is billed; nothing if the server does not say.
    pub usage: Usage,
}

/// Where to post. The key is sent only if there is one.
#[must_use]
pub fn endpoint(base_url: &str, key: Option<&Secret>) -> Endpoint {
    let mut endpoint = crate::chat::endpoint(base_url, key);
    endpoint.url = format!("{}/audio/transcriptions", base_url.trim_end_matches('/'));
    // The form says its own type.
    endpoint
        .headers
        .retain(|(name, _)| !name.eq_ignore_ascii_case("content-type"));
    endpoint
}

/// The fields beside `file`. A language helps a model that would otherwise guess: the vendor wants ISO 639-1.
#[must_use]
pub fn fields<'a>(model: &'a str, language: &'a str) -> Vec<(&'static str, &'a str)> {
    let mut fields = vec![("model", model), ("response_format", "json")];
    let primary = language.split('-').next().unwrap_or_default();
    if primary.len() == 2 {
        fields.push(("language", primary));
    }
    fields
}

#[derive(Deserialize)]
struct Answer {
    text: Option<String>,
    usage: Option<TranscriptionUsage>,
}

/// Reads an answer: its status, its headers and its whole body.
///
/// # Errors
/// By category, as for chat completions.
pub fn parse(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Result<Heard, ChatError> {
    if !(200..300).contains(&status) {
        return Err(parse_error(status, headers, body));
    }
    let answer = serde_json::from_slice::<Answer>(body);
    let Ok(Answer {
        text: Some(text),
        usage,
    }) = answer
    else {
        // HTML of a proxy, or an error with status 200.
        return Err(ChatError {
            category: ChatErrorCategory::Malformed,
            ..parse_error(502, headers, body)
        });
    };
    Ok(Heard {
        text: text.trim().to_owned(),
        usage: usage.map_or_else(Usage::none, TranscriptionUsage::usage),
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::time::Duration;

    use engine::cost::Component;

    use super::{endpoint, fields, parse};
    use crate::chat::ChatErrorCategory;
    use crate::secret::Secret;

    #[test]
    fn both_bills_of_the_vendor_are_read_and_a_server_without_one_is_free() {
        let seconds = br#"{"text":" I mostly use it at work. ","languages":[{"code":"en"}],"usage":{"type":"duration","seconds":2.0}}"#;
        let heard = parse(200, &[], seconds).unwrap();
        assert_eq!(heard.text, "I mostly use it at work.");
        assert_eq!(heard.usage.get(Component::TranscriptionMs), 2_000);
        let tokens = br#"{"text":"hi","usage":{"type":"tokens","input_tokens":20,"output_tokens":4,"total_tokens":24,"input_token_details":{"audio_tokens":20,"text_tokens":0}}}"#;
        let heard = parse(200, &[], tokens).unwrap();
        assert_eq!(heard.usage.get(Component::TranscriptionIn), 20);
        assert_eq!(heard.usage.get(Component::TranscriptionOut), 4);
        let local = br#"{"task":"transcribe","language":"english","duration":2.0,"text":"hi","segments":[]}"#;
        let heard = parse(200, &[], local).unwrap();
        assert_eq!(heard.usage, engine::cost::Usage::none());
    }

    #[test]
    fn what_is_no_transcript_is_an_error_by_what_can_be_done() {
        let category = |status, body: &[u8]| parse(status, &[], body).unwrap_err().category;
        assert_eq!(
            category(200, b"<html>Sign in</html>"),
            ChatErrorCategory::Malformed
        );
        assert_eq!(category(200, b"{}"), ChatErrorCategory::Malformed);
        let quota = br#"{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}"#;
        assert_eq!(category(429, quota), ChatErrorCategory::Misconfigured);
        assert_eq!(category(413, b""), ChatErrorCategory::TooLarge);
        assert_eq!(category(503, b"busy"), ChatErrorCategory::Retryable);
        let error = parse(429, &[("retry-after", "7")], b"{}").unwrap_err();
        assert_eq!(error.category, ChatErrorCategory::RateLimited);
        assert_eq!(error.retry_after, Some(Duration::from_secs(7)));
    }

    #[test]
    fn the_key_goes_along_only_if_there_is_one_and_the_language_only_as_the_vendor_names_it() {
        let local = endpoint("http://127.0.0.1:8000/v1/", None);
        assert_eq!(local.url, "http://127.0.0.1:8000/v1/audio/transcriptions");
        assert_eq!(local.headers, Vec::new());
        let key = Secret::new("sk-test".to_owned());
        let names: Vec<String> = endpoint("https://api.openai.com/v1", Some(&key))
            .headers
            .into_iter()
            .map(|(name, _)| name.to_lowercase())
            .collect();
        assert_eq!(names, ["authorization"]);
        assert!(fields("m", "de-AT").contains(&("language", "de")));
        assert!(
            !fields("m", "yue")
                .iter()
                .any(|(name, _)| *name == "language")
        );
    }
}
