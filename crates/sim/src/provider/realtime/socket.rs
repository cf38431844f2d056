//! The WebSocket of a realtime session: reads frames, does what the session says, and keeps its time.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::{Connection, Effect, Realtime};
use crate::provider::{Sim, Strike, ears};

/// How long one frame may take to be taken by the client, before the connection is given up.
const SEND_DEADLINE: Duration = Duration::from_secs(30);

/// How long a half-open connection stays: longer than any client should believe in it.
const HALF_OPEN_FOR: Duration = Duration::from_secs(120);

/// Speech and words that are being made at once, at most; a conversation needs one or two.
const WORK_MAX: usize = 8;

/// Something that took time and is now ready.
enum Ready {
    Spoken {
        response: String,
        pcm: Vec<Arc<[i16]>>,
    },
    Recognised {
        item: String,
        text: String,
    },
}

/// Serves one session until it ends.
pub(crate) async fn run(mut socket: WebSocket, sim: Arc<Sim>, connection: Connection) {
    let origin = Instant::now();
    let now_ms = || u64::try_from(origin.elapsed().as_millis()).unwrap_or(u64::MAX);
    let mut realtime = Realtime::new(sim.config.clone(), &connection, now_ms());
    let mut work: JoinSet<Ready> = JoinSet::new();
    let mut waiting: VecDeque<Effect> = VecDeque::new();
    let mut strikes = sim.sockets.enter(connection.number);
    tracing::debug!(
        connection.number,
        model = connection.model,
        "realtime session opened"
    );
    loop {
        let effects: Vec<Effect> = realtime.effects().collect();
        for effect in effects {
            match effect {
                Effect::Speak { .. } | Effect::Recognise { .. } => waiting.push_back(effect),
                Effect::Send(_) | Effect::SendBytes(_) | Effect::Close { .. } | Effect::Drop => {
                    if carry_out(&mut socket, effect).await == Fate::Over {
                        return;
                    }
                }
            }
        }
        while work.len() < WORK_MAX
            && let Some(effect) = waiting.pop_front()
        {
            start(&mut work, &sim, effect);
        }
        let deadline = origin + Duration::from_millis(realtime.deadline_ms());
        tokio::select! {
            biased;
            () = sim.stop.cancelled() => {
                let _ = carry_out(&mut socket, Effect::Close { code: 1001, reason: "The server is shutting down." }).await;
                return;
            }
            strike = strikes.next() => match strike {
                Strike::Cut => return,
                Strike::HalfOpen => {
                    // Open on this side, and nobody reads or writes: the other side's network went away.
                    let _ = tokio::time::timeout(HALF_OPEN_FOR, sim.stop.cancelled()).await;
                    return;
                }
                Strike::Fault(fault) => realtime.fails(fault),
            },
            message = socket.recv() => match message {
                Some(Ok(Message::Text(text))) => realtime.frame(now_ms(), &text),
                // The protocol has no binary events; the vendor answers them like any event that is not JSON.
                Some(Ok(Message::Binary(_))) => realtime.frame(now_ms(), ""),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
            },
            Some(ready) = work.join_next() => match ready {
                Ok(Ready::Spoken { response, pcm }) => realtime.spoken(now_ms(), &response, &pcm),
                Ok(Ready::Recognised { item, text }) => realtime.recognised(now_ms(), &item, &text),
                Err(failure) => tracing::error!(%failure, "speech could not be made or recognised"),
            },
            () = tokio::time::sleep_until(deadline) => realtime.tick(now_ms()),
        }
    }
}

fn start(work: &mut JoinSet<Ready>, sim: &Arc<Sim>, effect: Effect) {
    match effect {
        Effect::Speak {
            response,
            language,
            say,
        } => {
            let voice = sim.voice.clone();
            work.spawn(async move {
                let mut pcm = Vec::with_capacity(say.len());
                for text in &say {
                    pcm.push(voice.speak(&language, text).await.pcm);
                }
                Ready::Spoken { response, pcm }
            });
        }
        Effect::Recognise { item, pcm } => {
            work.spawn(async move {
                Ready::Recognised {
                    text: ears::words(pcm).await,
                    item,
                }
            });
        }
        Effect::Send(_) | Effect::SendBytes(_) | Effect::Close { .. } | Effect::Drop => {}
    }
}

/// Whether a connection goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    GoesOn,
    Over,
}

async fn carry_out(socket: &mut WebSocket, effect: Effect) -> Fate {
    let (message, fate) = match effect {
        Effect::Send(text) => (Message::Text(text.into()), Fate::GoesOn),
        Effect::SendBytes(bytes) => (Message::Binary(bytes.into()), Fate::GoesOn),
        Effect::Close { code, reason } => (close(code, reason), Fate::Over),
        Effect::Drop => return Fate::Over,
        Effect::Speak { .. } | Effect::Recognise { .. } => return Fate::GoesOn,
    };
    match tokio::time::timeout(SEND_DEADLINE, socket.send(message)).await {
        Ok(Ok(())) => fate,
        Ok(Err(_)) | Err(_) => Fate::Over,
    }
}

/// A close frame.
pub(crate) fn close(code: u16, reason: &'static str) -> Message {
    Message::Close(Some(CloseFrame {
        code,
        reason: Utf8Bytes::from_static(reason),
    }))
}
