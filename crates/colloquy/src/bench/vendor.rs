//! A vendor that notes the moment of everything: the Realtime protocol as far as an interview without tools needs it.
//!
//! It answers each burst that it hears, and each request for a response, with a second of audio at once. What takes time
//! with a real vendor takes none here, so what is measured between its socket and the participant's is the platform.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::mark::{Ear, FRAME, Heard, tone};

/// Length of an answer.
const ANSWER_FRAMES: usize = 50;
/// Frames in one piece of it, as the vendor cuts them.
const DELTA_FRAMES: usize = 10;
/// For the first event of a connection, and for a frame to be taken.
const PATIENCE: Duration = Duration::from_secs(20);

/// What happened on one connection.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// When audio was read from the socket, and how many frames of 20 ms there were with it.
    pub(super) appends: Vec<(Instant, usize)>,
    /// Frames with which bursts began.
    pub(super) onsets: Vec<usize>,
    /// When the first audio of an answer was written to the socket.
    pub(super) answers: Vec<Instant>,
}

/// All connections, in the order in which they came.
#[derive(Clone, Debug, Default)]
pub(super) struct Lines(Arc<Mutex<Vec<Arc<Mutex<Line>>>>>);

impl Lines {
    pub(super) fn count(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn add(&self) -> Arc<Mutex<Line>> {
        let line = Arc::<Mutex<Line>>::default();
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Arc::clone(&line));
        line
    }

    /// What happened so far, connection by connection.
    pub(super) fn take(&self) -> Vec<Line> {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines
            .iter()
            .map(|line| std::mem::take(&mut *line.lock().unwrap_or_else(PoisonError::into_inner)))
            .collect()
    }
}

/// A running vendor.
pub(super) struct Vendor {
    pub(super) addr: SocketAddr,
    pub(super) lines: Lines,
    _stop: DropGuard,
}

impl Vendor {
    /// Starts one on a free port.
    pub(super) async fn open() -> anyhow::Result<Vendor> {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .context("the vendor cannot listen on loopback")?;
        let addr = listener.local_addr()?;
        let (lines, stop) = (Lines::default(), CancellationToken::new());
        let (added, stopped) = (lines.clone(), stop.clone());
        let accepting = async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let line = added.add();
                tokio::spawn(stopped.clone().run_until_cancelled_owned(async move {
                    // The end of a connection is the server's to decide, and no news here.
                    if let Err(error) = serve(tcp, line).await {
                        tracing::debug!(error = %format!("{error:#}"), "a link ended");
                    }
                }));
            }
        };
        tokio::spawn(stop.clone().run_until_cancelled_owned(accepting));
        Ok(Vendor {
            addr,
            lines,
            _stop: stop.drop_guard(),
        })
    }
}

struct Session {
    socket: WebSocketStream<TcpStream>,
    line: Arc<Mutex<Line>>,
    ear: Ear,
    audio: Vec<String>,
    turns: u32,
    answers: u32,
}

async fn serve(tcp: TcpStream, line: Arc<Mutex<Line>>) -> anyhow::Result<()> {
    tcp.set_nodelay(true)?;
    let socket = tokio::time::timeout(PATIENCE, tokio_tungstenite::accept_async(tcp)).await??;
    let bytes: Vec<u8> = tone(ANSWER_FRAMES * FRAME)
        .into_iter()
        .flat_map(i16::to_le_bytes)
        .collect();
    let audio = bytes
        .chunks(DELTA_FRAMES * FRAME * 2)
        .map(|piece| base64_simd::STANDARD.encode_to_string(piece))
        .collect();
    let mut session = Session {
        socket,
        line,
        ear: Ear::default(),
        audio,
        turns: 0,
        answers: 0,
    };
    session
        .send(
            "session.created",
            json!({ "session": { "id": "sess_bench", "type": "realtime" } }),
        )
        .await?;
    while let Some(message) = session.socket.next().await {
        let at = Instant::now();
        if let Message::Text(text) = message? {
            session.event(at, text.as_str()).await?;
        }
    }
    Ok(())
}

impl Session {
    async fn event(&mut self, at: Instant, text: &str) -> anyhow::Result<()> {
        let event: Value = serde_json::from_str(text)?;
        match event["type"].as_str().unwrap_or_default() {
            "input_audio_buffer.append" => {
                self.hear(at, event["audio"].as_str().unwrap_or_default())
                    .await
            }
            "session.update" => {
                self.send(
                    "session.updated",
                    json!({ "session": { "id": "sess_bench", "type": "realtime" } }),
                )
                .await
            }
            "response.create" => self.answer(&event["response"]["metadata"]).await,
            _ => Ok(()),
        }
    }

    async fn hear(&mut self, at: Instant, audio: &str) -> anyhow::Result<()> {
        let bytes = base64_simd::STANDARD.decode_to_vec(audio)?;
        let pcm = bytes.chunks_exact(2).map(|pair| match pair {
            [low, high] => i16::from_le_bytes([*low, *high]),
            _ => 0,
        });
        let mut heard = Vec::new();
        self.ear.push(pcm, &mut heard);
        {
            let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
            line.appends.push((at, self.ear.frames()));
            line.onsets
                .extend(heard.iter().filter_map(|heard| match heard {
                    Heard::Onset(frame) => Some(*frame),
                    Heard::Quiet => None,
                }));
        }
        for heard in heard {
            match heard {
                Heard::Onset(_) => {
                    self.turns += 1;
                    let fields = json!({ "item_id": self.turn(), "audio_start_ms": 0 });
                    self.send("input_audio_buffer.speech_started", fields)
                        .await?;
                }
                Heard::Quiet => {
                    let item = self.turn();
                    self.send(
                        "input_audio_buffer.speech_stopped",
                        json!({ "item_id": item, "audio_end_ms": 0 }),
                    )
                    .await?;
                    self.send(
                        "input_audio_buffer.committed",
                        json!({ "item_id": item, "previous_item_id": null }),
                    )
                    .await?;
                    let words =
                        json!({ "item_id": item, "content_index": 0, "transcript": "A vowel." });
                    self.send(
                        "conversation.item.input_audio_transcription.completed",
                        words,
                    )
                    .await?;
                    self.answer(&Value::Null).await?;
                }
            }
        }
        Ok(())
    }

    fn turn(&self) -> String {
        format!("turn_{}", self.turns)
    }

    async fn answer(&mut self, metadata: &Value) -> anyhow::Result<()> {
        self.answers += 1;
        let (response, item) = (
            format!("resp_{}", self.answers),
            format!("item_{}", self.answers),
        );
        let shown = |status, content: Value| json!({ "id": item, "type": "message", "role": "assistant", "status": status, "content": content });
        let place = |delta: &str| json!({ "response_id": response, "item_id": item, "output_index": 0, "content_index": 0, "delta": delta });
        self.send("response.created", json!({ "response": { "id": response, "status": "in_progress", "metadata": metadata } })).await?;
        let added = json!({ "response_id": response, "output_index": 0, "item": shown("in_progress", json!([])) });
        self.send("response.output_item.added", added).await?;
        self.send("response.output_audio_transcript.delta", place("I see."))
            .await?;
        for (index, piece) in self.audio.clone().into_iter().enumerate() {
            if index == 0 {
                self.line
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .answers
                    .push(Instant::now());
            }
            self.send("response.output_audio.delta", place(&piece))
                .await?;
        }
        let content = json!([{ "type": "output_audio", "transcript": "I see." }]);
        let done = json!({ "response_id": response, "output_index": 0, "item": shown("completed", content) });
        self.send("response.output_item.done", done).await?;
        self.send(
            "response.done",
            json!({ "response": { "id": response, "status": "completed", "metadata": metadata } }),
        )
        .await
    }

    async fn send(&mut self, kind: &str, mut event: Value) -> anyhow::Result<()> {
        event["type"] = json!(kind);
        event["event_id"] = json!("event_bench");
        tokio::time::timeout(PATIENCE, self.socket.send(Message::text(event.to_string())))
            .await??;
        Ok(())
    }
}
