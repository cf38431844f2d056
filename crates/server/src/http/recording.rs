//! A recording, whole or in part (RFC 9110, section 14), so that a player can seek.

use std::ops::Range;

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use store::{RecordingRow, Store};

use super::error::Problem;

/// What a `Range` header asks for.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    Whole,
    Part(Range<u64>),
    Unsatisfiable,
}

/// Answers with the file or the part of it that was asked for.
pub(super) async fn serve(
    store: &Store,
    recording: &RecordingRow,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let asked = headers
        .get(header::RANGE)
        .and_then(|value| value.to_str().ok());
    let kind = (header::CONTENT_TYPE, "audio/ogg".to_owned());
    let ranges = (header::ACCEPT_RANGES, "bytes".to_owned());
    let private = (header::CACHE_CONTROL, "private, no-store".to_owned());
    match wanted(asked, recording.bytes) {
        Wanted::Whole => {
            let (bytes, _) = store.get_object(&recording.object, None).await?;
            Ok(([kind, ranges, private], bytes).into_response())
        }
        Wanted::Part(range) => {
            let (bytes, total) = store
                .get_object(&recording.object, Some(range.clone()))
                .await?;
            let shown = format!("bytes {}-{}/{total}", range.start, range.end - 1);
            Ok((
                StatusCode::PARTIAL_CONTENT,
                [kind, ranges, private, (header::CONTENT_RANGE, shown)],
                bytes,
            )
                .into_response())
        }
        Wanted::Unsatisfiable => {
            let shown = format!("bytes */{}", recording.bytes);
            let problem = Problem::new(
                StatusCode::RANGE_NOT_SATISFIABLE,
                "range",
                "The recording is shorter than that",
                format!("It has {} bytes.", recording.bytes),
                "Ask for a part that begins before its end.",
            );
            Ok(([(header::CONTENT_RANGE, shown)], problem).into_response())
        }
    }
}

/// One range only; several, or another unit, are answered with the whole file as the standard allows.
fn wanted(asked: Option<&str>, length: u64) -> Wanted {
    let Some((first, last)) = asked
        .and_then(|asked| asked.strip_prefix("bytes="))
        .filter(|spec| !spec.contains(','))
        .and_then(|spec| spec.split_once('-'))
    else {
        return Wanted::Whole;
    };
    let range = match (first.trim(), last.trim()) {
        ("", suffix) => match suffix.parse::<u64>() {
            Ok(suffix) => length.saturating_sub(suffix)..length,
            Err(_) => return Wanted::Whole,
        },
        (first, "") => match first.parse::<u64>() {
            Ok(first) => first..length,
            Err(_) => return Wanted::Whole,
        },
        (first, last) => match (first.parse::<u64>(), last.parse::<u64>()) {
            (Ok(first), Ok(last)) if first <= last => first..last.saturating_add(1).min(length),
            _ => return Wanted::Whole,
        },
    };
    if range.start >= length || range.is_empty() {
        Wanted::Unsatisfiable
    } else {
        Wanted::Part(range)
    }
}

#[cfg(test)]
mod tests {
    use super::{Wanted, wanted};

    #[test]
    fn ranges_are_read_as_the_standard_says() {
        let cases = [
            (None, Wanted::Whole),
            (Some("bytes=0-99"), Wanted::Part(0..100)),
            (Some("bytes=900-"), Wanted::Part(900..1_000)),
            (Some("bytes=-100"), Wanted::Part(900..1_000)),
            (Some("bytes=990-2000"), Wanted::Part(990..1_000)),
            (Some("bytes=1000-"), Wanted::Unsatisfiable),
            (Some("bytes=-0"), Wanted::Unsatisfiable),
            (Some("bytes=0-1,5-6"), Wanted::Whole),
            (Some("items=0-1"), Wanted::Whole),
            (Some("bytes=9-2"), Wanted::Whole),
        ];
        for (asked, expected) in cases {
            assert_eq!(wanted(asked, 1_000), expected, "{asked:?}");
        }
    }
}
