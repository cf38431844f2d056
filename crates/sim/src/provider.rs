//! The far end of the vendor's wire protocol: a server that speaks OpenAI's Realtime, chat and transcription APIs, so that Colloquy runs
//! without a key and is tested against what a vendor really does.
//!
//! ```text
//! GET  /v1/realtime              realtime::socket ──> realtime::Realtime (rules) ──> brain (what to say) ──> voice (how it sounds)
//! POST /v1/chat/completions      chat ──> chat::coder (codes segments), chat::schema (anything else)
//! POST /v1/audio/transcriptions  transcriptions ──> recognise
//! GET  /v1/models[/id], POST /v1/realtime/client_secrets
//! ```
//!
//! It knows nothing of Colloquy: what it knows of an interview it reads in the instructions that it is given.

pub mod brain;
pub mod chat;
pub mod config;
mod door;
mod ears;
mod models;
mod realtime;
mod strike;
pub mod tokens;
mod transcriptions;
pub mod vad;

use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use self::chat::vendor::{AnswerTime, ChatCounts, ChatTerms, ChatVendor};
pub use self::config::{
    Delivery, Fault, FaultKind, HttpFault, Keys, Latency, SimConfig, ToolOrder, When, WrongKey,
};
pub use self::strike::{Sockets, Strike};
use crate::voice::Voice;

/// Request bodies may be as large as the vendor allows for audio files: 25 MB, and a little for the form around them.
const BODY_MAX: usize = 26 * 1024 * 1024;

/// What all requests share.
#[derive(Debug)]
pub(crate) struct Sim {
    config: Arc<SimConfig>,
    voice: Voice,
    stop: CancellationToken,
    sockets: Sockets,
    /// Realtime connections so far.
    connections: AtomicU32,
    /// Requests so far that bear an id.
    requests: AtomicU32,
    /// Chat completions so far.
    chats: AtomicU32,
    /// Temporary keys that were issued, newest last; bounded.
    issued: Mutex<Vec<String>>,
    /// Prompts of the last chat completions, for the vendor's cache; bounded.
    prompts: Mutex<Vec<String>>,
}

/// Serves until told to stop. The listener's address, with `/v1` behind it, is the base URL that a client is given.
pub fn serve(
    listener: TcpListener,
    config: SimConfig,
    stop: CancellationToken,
) -> JoinHandle<std::io::Result<()>> {
    serve_with(listener, config, Sockets::default(), stop)
}

/// Serves until told to stop; what is open can be struck meanwhile.
pub fn serve_with(
    listener: TcpListener,
    config: SimConfig,
    sockets: Sockets,
    stop: CancellationToken,
) -> JoinHandle<std::io::Result<()>> {
    // The index of known speech takes a second or two to build: not in the first participant's time.
    tokio::task::spawn_blocking(crate::recognise::Recogniser::embedded);
    let router = router(config, sockets, stop.clone());
    let listener = listener.tap_io(|tcp| {
        // Small frames, at once: a delayed acknowledgement would be heard as a pause.
        if let Err(error) = tcp.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY was refused");
        }
    });
    tokio::spawn(async move {
        axum::serve(listener, router)
            .with_graceful_shutdown(stop.cancelled_owned())
            .await
    })
}

fn router(config: SimConfig, sockets: Sockets, stop: CancellationToken) -> Router {
    let sim = Arc::new(Sim {
        voice: Voice::new(config.voice.clone()),
        config: Arc::new(config),
        stop,
        sockets,
        connections: AtomicU32::new(0),
        requests: AtomicU32::new(0),
        chats: AtomicU32::new(0),
        issued: Mutex::new(Vec::new()),
        prompts: Mutex::new(Vec::new()),
    });
    Router::new()
        .route("/v1/realtime", get(door::realtime))
        .route("/v1/realtime/client_secrets", post(models::client_secret))
        .route("/v1/models", get(models::list))
        .route("/v1/models/{id}", get(models::one))
        .route("/v1/chat/completions", post(chat::complete))
        .route("/v1/audio/transcriptions", post(transcriptions::transcribe))
        .fallback(door::not_found)
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .with_state(sim)
}

/// Seconds since 1970; the protocol shows moments that way.
fn unix_s() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
