//! The vendor's errors by what can be done about them (its error events, close codes and HTTP statuses).

use engine::link::FaultCategory;

use super::wire::server::ErrorBody;
use crate::codec::Closed;

/// Longest detail that is kept: enough for a vendor's sentence.
const DETAIL_MAX_CHARS: usize = 300;

/// What an `error` event means for the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ErrorClass {
    /// Key, quota or account is refused: the link is over, and so would be the next.
    Fatal,
    /// The vendor's limit of a connection is reached: the link is over.
    Expired,
    /// Too many requests.
    Throttled,
    /// A response is already running: ask again when it is done.
    ResponseActive,
    /// A harmless race.
    Benign,
    /// The vendor failed.
    Vendor,
    /// This one request was refused; the link goes on.
    Refused,
}

impl ErrorClass {
    /// Sorts an error by code, then type, then the few messages that come without a code.
    pub(crate) fn of(error: &ErrorBody) -> ErrorClass {
        let code = error.code();
        let kind = error.kind.as_deref().unwrap_or_default();
        let named = by_name(&code).or_else(|| by_name(kind));
        named.unwrap_or_else(|| by_message(error.message.as_deref().unwrap_or_default()))
    }

    /// The category, where it becomes a fault of the link or of a response.
    pub(crate) fn category(self) -> FaultCategory {
        match self {
            ErrorClass::Fatal => FaultCategory::Misconfigured,
            ErrorClass::Expired => FaultCategory::Expired,
            ErrorClass::Throttled => FaultCategory::RateLimited,
            ErrorClass::Benign => FaultCategory::Benign,
            // A refused request is not a refused account: the next one may well be accepted.
            ErrorClass::ResponseActive | ErrorClass::Vendor | ErrorClass::Refused => {
                FaultCategory::Retryable
            }
        }
    }

    /// The category, where something that was asked for will not come, whatever the error's name.
    pub(crate) fn failure(self) -> FaultCategory {
        if self == ErrorClass::Benign {
            FaultCategory::Retryable
        } else {
            self.category()
        }
    }
}

fn by_name(name: &str) -> Option<ErrorClass> {
    Some(match name {
        "insufficient_quota"
        | "credit_balance_exhausted"
        | "billing_hard_limit_reached"
        | "account_deactivated"
        | "invalid_api_key"
        | "authentication_error"
        | "model_not_found" => ErrorClass::Fatal,
        "session_expired" => ErrorClass::Expired,
        "rate_limit_exceeded" | "inference_rate_limit_exceeded" => ErrorClass::Throttled,
        "conversation_already_has_active_response" => ErrorClass::ResponseActive,
        "response_cancel_not_active"
        | "input_audio_buffer_commit_empty"
        | "item_create_duplicate_item_id"
        | "item_retrieve_invalid_item_id"
        | "item_delete_invalid_item_id" => ErrorClass::Benign,
        "server_error" => ErrorClass::Vendor,
        _ if name.starts_with("item_truncate") => ErrorClass::Benign,
        _ => return None,
    })
}

fn by_message(message: &str) -> ErrorClass {
    if message.starts_with("Cancellation failed") || message.contains("already shorter than") {
        ErrorClass::Benign
    } else {
        ErrorClass::Refused
    }
}

/// How a connection's end is reported.
pub(crate) fn gone(closed: Closed<'_>) -> (FaultCategory, String) {
    match closed {
        Closed::ByUs => (FaultCategory::Benign, "closed by us".to_owned()),
        Closed::Io { detail } => (FaultCategory::Retryable, shorten(detail)),
        Closed::Refused { http_status, body } => refused(http_status, body),
        Closed::Frame { code, reason } => (
            close_code(code, reason),
            shorten(&format!("closed with {code} {reason}")),
        ),
    }
}

/// Reasons look like `invalid_request_error.invalid_api_key`: type, full stop, code. They say more than the code.
fn close_code(code: u16, reason: &str) -> FaultCategory {
    if reason.contains("maximum duration") {
        return FaultCategory::Expired;
    }
    if let Some(class) = reason.split(['.', ' ', ':']).find_map(by_name) {
        return class.category();
    }
    match code {
        // "Going away": how the vendor ends a connection that has reached its 60 minutes.
        1001 => FaultCategory::Expired,
        // IANA's registry: 3000 Unauthorized, 3003 Forbidden.
        3000 | 3003 => FaultCategory::Misconfigured,
        // "Try again later".
        1013 => FaultCategory::RateLimited,
        _ => FaultCategory::Retryable,
    }
}

fn refused(http_status: u16, body: &str) -> (FaultCategory, String) {
    #[derive(serde::Deserialize)]
    struct Body {
        error: ErrorBody,
    }
    let error = serde_json::from_str::<Body>(body)
        .map(|body| body.error)
        .unwrap_or_default();
    let category = match ErrorClass::of(&error) {
        ErrorClass::Refused | ErrorClass::Benign | ErrorClass::ResponseActive => {
            match http_status {
                // A wrong key, no right to the model, or no such model or address.
                400 | 401 | 403 | 404 => FaultCategory::Misconfigured,
                429 => FaultCategory::RateLimited,
                _ => FaultCategory::Retryable,
            }
        }
        known @ (ErrorClass::Fatal
        | ErrorClass::Expired
        | ErrorClass::Throttled
        | ErrorClass::Vendor) => known.category(),
    };
    let words = error.message.as_deref().unwrap_or(body);
    (
        category,
        shorten(&format!("upgrade refused with HTTP {http_status}: {words}")),
    )
}

/// An error in the vendor's words: code (or type) and message.
pub(crate) fn detail(error: &ErrorBody) -> String {
    let code = Some(error.code())
        .filter(|code| !code.is_empty())
        .or_else(|| error.kind.clone())
        .unwrap_or_default();
    shorten(&format!(
        "{code}: {}",
        error.message.as_deref().unwrap_or("no message")
    ))
}

/// Shortens, and leaves out what looks like a key: vendors quote (the ends of) a refused key in their message.
pub(crate) fn shorten(detail: &str) -> String {
    let words = detail
        .split_whitespace()
        .map(|word| if word.contains("sk-") { "[key]" } else { word });
    words
        .collect::<Vec<_>>()
        .join(" ")
        .chars()
        .take(DETAIL_MAX_CHARS)
        .collect()
}
