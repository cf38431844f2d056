//! Changes of sessions as they happen. Read with fetch, so that the token travels in a header.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::Stream;
use futures_util::stream::unfold;
use tokio::sync::broadcast::error::RecvError;

use super::auth::Researcher;
use crate::app::App;

/// Proxies close streams that say nothing.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// `event: session` with the session's summary at each change; `event: missed` when the reader was too slow and must
/// read the list again.
#[utoipa::path(get, path = "/api/v1/events", operation_id = "events", tag = "sessions", security(("console_token" = [])), responses((status = 200, content_type = "text/event-stream")))]
pub(super) async fn stream(
    State(app): State<Arc<App>>,
    _: Researcher,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let changes = app.changes.subscribe();
    let events = unfold((app, changes), async |(app, mut changes)| {
        loop {
            // A stream that nobody ends would keep the server's parts alive when it stops.
            let change = tokio::select! {
                () = app.closing.cancelled() => return None,
                change = changes.recv() => change,
            };
            let event = match change {
                Ok(change) => match super::sessions::summary(&app, &change.session_id).await {
                    Some(summary) => Event::default().event("session").json_data(summary).ok(),
                    None => None,
                },
                Err(RecvError::Lagged(_)) => Some(Event::default().event("missed").data("{}")),
                Err(RecvError::Closed) => return None,
            };
            if let Some(event) = event {
                return Some((Ok(event), (app, changes)));
            }
        }
    });
    Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
}
