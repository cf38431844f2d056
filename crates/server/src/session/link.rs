//! The link task: one WebSocket to a provider, on the session's media shard.
//!
//! It moves frames between the socket and the codec and decides nothing. Whatever happens to the socket (refused, timed
//! out, reset, closed, silent, a panic in the codec) becomes one [`LinkEvent::Gone`], told exactly once: what ends without
//! being told is a session that hangs.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::ids::LinkNo;
use engine::link::{FaultCategory, LinkCommand, LinkConfig, LinkEvent};
use futures_util::{FutureExt, SinkExt, StreamExt};
use providers::{Closed, Codec, CodecOutput, Frame};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{sleep_until, timeout};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderName, HeaderValue};
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream};

use super::fresh;
use super::media::Spoken;
use crate::metrics::{Latency, Metrics};

/// For one batch of frames to be taken by the kernel. Longer means that the way to the provider is gone.
const WRITTEN_WITHIN: Duration = Duration::from_secs(5);
/// Between our pings. Two bytes each way: nothing beside the audio.
const PING_EVERY: Duration = Duration::from_secs(3);
/// Without any frame, not even a pong: two pings went unanswered. A connection that is dead in one direction only is found
/// in no other way.
const SILENT_AT_MOST: Duration = Duration::from_secs(8);
/// For the goodbye.
const CLOSED_WITHIN: Duration = Duration::from_secs(1);
/// Without participant audio, what the codec gathered short of a batch is sent.
const FLUSH_AFTER: Duration = Duration::from_millis(100);
/// For interviewer audio to be taken by the media task, which never waits for anything.
const PLAYED_WITHIN: Duration = Duration::from_secs(1);
/// Commands on their way to the link.
pub(super) const ORDERS: usize = 256;
/// Participant audio waiting for the link, in frames of 20 ms: ten seconds, what is said while a link is opened again.
pub(super) const HEARD: usize = 500;

/// The participant, on the way to the provider.
pub(super) struct Heard {
    /// Samples at the profile's input rate.
    pub(super) pcm: Vec<i16>,
    /// When its packet came in, for the latency that the platform adds.
    pub(super) at: Instant,
}

/// What the session task tells a link. Dropping the sender closes the link.
pub(super) enum Order {
    /// For the vendor.
    Command(LinkCommand),
    /// Close it.
    Close,
}

/// What a link needs.
pub(super) struct LinkTask {
    /// Its number.
    pub(super) no: LinkNo,
    /// The vendor's protocol.
    pub(super) codec: Box<dyn Codec>,
    /// What to open it with.
    pub(super) config: LinkConfig,
    /// From connecting to the vendor's confirmation.
    pub(super) ready_within: Duration,
    /// From the session task.
    pub(super) orders: mpsc::Receiver<Order>,
    /// To the session task. Full: the session fails, see `failures`.
    pub(super) events: mpsc::Sender<(LinkNo, LinkEvent)>,
    /// From the media task; full: the oldest goes.
    pub(super) heard: fresh::Receiver<Heard>,
    /// To the media task.
    pub(super) spoken: mpsc::Sender<Spoken>,
    /// Ends the session, with the reason.
    pub(super) failures: mpsc::Sender<&'static str>,
    /// TLS settings, shared by all links.
    pub(super) tls: Arc<rustls::ClientConfig>,
    /// Numbers.
    pub(super) metrics: Arc<Metrics>,
}

/// TLS towards providers: the roots that browsers trust, one configuration for all links.
pub(super) fn tls() -> Arc<rustls::ClientConfig> {
    let roots = rustls::RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("aws-lc-rs offers TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// What a WebSocket runs over: TLS and TCP, or memory in tests.
trait Wire: AsyncRead + AsyncWrite + Unpin {}

impl<W: AsyncRead + AsyncWrite + Unpin> Wire for W {}

/// How a socket ended, with the text that the codec borrows.
enum End {
    Refused { http_status: u16, body: String },
    Frame { code: u16, reason: String },
    Io(String),
    ByUs,
}

impl End {
    fn io(error: impl std::fmt::Display) -> End {
        End::Io(error.to_string())
    }
}

impl LinkTask {
    /// Runs the link to its end.
    pub(super) async fn run(self) {
        let _alive = self.metrics.alive("link");
        let (no, events, failures) = (self.no, self.events.clone(), self.failures.clone());
        let running = AssertUnwindSafe(Running::new(self).run());
        let detail = match running.catch_unwind().await {
            Ok(Told::Gone) => return,
            Ok(Told::Nothing) => "the link ended without saying why",
            Err(_panic) => "the link failed on our side",
        };
        let gone = LinkEvent::Gone {
            category: FaultCategory::Malformed,
            detail: detail.to_owned(),
        };
        if events.try_send((no, gone)).is_err() {
            // Full: the session is failing anyway. Closed: it is over.
            let _ = failures.try_send("too many link events were waiting");
        }
    }
}

/// Whether the session knows that the link is gone.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    Nothing,
    Gone,
}

struct Running {
    task: LinkTask,
    out: Vec<CodecOutput>,
    /// Commands that came before the socket was there.
    early: Vec<LinkCommand>,
    told: Told,
    ready: bool,
    /// When the provider said that the participant stopped, until its first audio comes.
    stopped_at: Option<Instant>,
}

impl Running {
    fn new(task: LinkTask) -> Running {
        Running {
            task,
            out: Vec::new(),
            early: Vec::new(),
            told: Told::Nothing,
            ready: false,
            stopped_at: None,
        }
    }

    async fn run(mut self) -> Told {
        let ready_by = tokio::time::Instant::now() + self.task.ready_within;
        let end = match self.connect(ready_by).await {
            Ok(mut socket) => {
                let end = self.talk(&mut socket, ready_by).await;
                if matches!(end, End::ByUs) {
                    // Politeness only: whether the vendor hears the goodbye changes nothing.
                    drop(timeout(CLOSED_WITHIN, socket.close(None)).await);
                }
                end
            }
            Err(end) => end,
        };
        let closed = match &end {
            End::Refused { http_status, body } => Closed::Refused {
                http_status: *http_status,
                body,
            },
            End::Frame { code, reason } => Closed::Frame {
                code: *code,
                reason,
            },
            End::Io(detail) => Closed::Io { detail },
            End::ByUs => Closed::ByUs,
        };
        self.task.codec.closed(closed, &mut self.out);
        for output in std::mem::take(&mut self.out) {
            if let CodecOutput::Event(event) = output {
                drop(self.tell(event));
            }
        }
        self.told
    }

    async fn connect(&mut self, ready_by: tokio::time::Instant) -> Result<Socket, End> {
        let endpoint = self.task.codec.endpoint();
        let mut request = endpoint
            .url
            .as_str()
            .into_client_request()
            .map_err(End::io)?;
        for (name, value) in &endpoint.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(End::io)?;
            let mut value = HeaderValue::from_str(value).map_err(End::io)?;
            value.set_sensitive(true);
            request.headers_mut().insert(name, value);
        }
        // Small buffers: the library's default of 128 KiB each way is most of a session's memory.
        let config = WebSocketConfig::default()
            .read_buffer_size(8 << 10)
            .write_buffer_size(4 << 10)
            .max_write_buffer_size(1 << 20)
            .max_message_size(Some(8 << 20))
            .max_frame_size(Some(8 << 20));
        let connector = Connector::Rustls(Arc::clone(&self.task.tls));
        let connecting = tokio_tungstenite::connect_async_tls_with_config(
            request,
            Some(config),
            true,
            Some(connector),
        );
        tokio::select! {
            biased;
            () = closed(&mut self.task.orders, &mut self.early) => Err(End::ByUs),
            connected = tokio::time::timeout_at(ready_by, connecting) => match connected {
                Ok(Ok((socket, _response))) => Ok(socket),
                Ok(Err(tungstenite::Error::Http(response))) => {
                    let http_status = response.status().as_u16();
                    let body = response.into_body().unwrap_or_default();
                    Err(End::Refused { http_status, body: String::from_utf8_lossy(&body).into_owned() })
                }
                Ok(Err(error)) => Err(End::io(error)),
                Err(_elapsed) => Err(End::Io(format!("no connection within {} ms", self.task.ready_within.as_millis()))),
            },
        }
    }

    async fn talk<W: Wire>(
        &mut self,
        socket: &mut WebSocketStream<W>,
        ready_by: tokio::time::Instant,
    ) -> End {
        self.task.codec.open(&self.task.config, &mut self.out);
        for command in std::mem::take(&mut self.early) {
            self.task.codec.command(&command, &mut self.out);
        }
        // Asked anew for each use: the time before a wait is not the time after it.
        let now = tokio::time::Instant::now;
        let mut ping_at = now() + PING_EVERY;
        let mut silent_at = now() + SILENT_AT_MOST;
        let mut flush_at: Option<tokio::time::Instant> = None;
        let mut heard_at: Option<Instant> = None;
        // One timer for all of them: setting it later, as each frame does, costs next to nothing.
        let mut timer = std::pin::pin!(sleep_until(ready_by));
        loop {
            let ready_by = (!self.ready).then_some(ready_by);
            let due = [Some(silent_at), Some(ping_at), flush_at, ready_by];
            let due = due.into_iter().flatten().min().unwrap_or(ping_at);
            if timer.deadline() != due {
                timer.as_mut().reset(due);
            }
            if let Err(end) = self.carry_out(socket, heard_at.take()).await {
                return end;
            }
            let mut is_time = false;
            // Participant audio before the socket: 50 frames a second cannot starve it, a flooding vendor could.
            tokio::select! {
                biased;
                order = self.task.orders.recv() => match order {
                    Some(Order::Command(command)) => self.task.codec.command(&command, &mut self.out),
                    Some(Order::Close) | None => return End::ByUs,
                },
                Some(heard) = self.task.heard.recv() => {
                    heard_at = Some(heard.at);
                    self.hear(&heard);
                    flush_at = Some(now() + FLUSH_AFTER);
                }
                message = socket.next() => {
                    silent_at = now() + SILENT_AT_MOST;
                    if let Err(end) = self.receive(message) {
                        return end;
                    }
                }
                () = &mut timer => is_time = true,
            }
            // Only if nothing else was there: after a stall of this process, what the provider sent meanwhile is read
            // before it is taken for silent.
            if !is_time {
                continue;
            }
            let is_due = |at: tokio::time::Instant| at <= now();
            if flush_at.is_some_and(is_due) {
                self.task.codec.flush(&mut self.out);
                flush_at = None;
            }
            if !self.ready && ready_by.is_some_and(is_due) {
                return End::Io(format!(
                    "not ready within {} ms",
                    self.task.ready_within.as_millis()
                ));
            }
            if is_due(silent_at) {
                return End::Io("the provider has fallen silent".to_owned());
            }
            if is_due(ping_at) {
                ping_at = now() + PING_EVERY;
                if let Err(end) = send(socket, [Message::Ping(bytes::Bytes::new())]).await {
                    return end;
                }
            }
        }
    }

    fn hear(&mut self, heard: &Heard) {
        self.task.codec.audio(&heard.pcm, &mut self.out);
        while let Some(heard) = self.task.heard.try_recv() {
            self.task.codec.audio(&heard.pcm, &mut self.out);
        }
    }

    fn receive(&mut self, message: Option<Result<Message, tungstenite::Error>>) -> Result<(), End> {
        match message {
            Some(Ok(Message::Text(text))) => self
                .task
                .codec
                .frame(Frame::Text(text.as_str()), &mut self.out),
            Some(Ok(Message::Binary(bytes))) => {
                self.task.codec.frame(Frame::Binary(&bytes), &mut self.out)
            }
            Some(Ok(Message::Close(frame))) => return Err(close_frame(frame)),
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
            Some(Err(error)) => return Err(End::io(error)),
            None => return Err(End::Io("the connection ended".to_owned())),
        }
        Ok(())
    }

    /// Carries out what the codec asked for: frames are fed and flushed once, events and audio handed over in order.
    async fn carry_out<W: Wire>(
        &mut self,
        socket: &mut WebSocketStream<W>,
        heard_at: Option<Instant>,
    ) -> Result<(), End> {
        if self.out.is_empty() {
            return Ok(());
        }
        let mut frames = Vec::new();
        let mut out = std::mem::take(&mut self.out);
        for output in out.drain(..) {
            match output {
                CodecOutput::Send(text) => frames.push(Message::text(text)),
                CodecOutput::Event(event) => self.tell(event)?,
                CodecOutput::Audio { item, pcm } => {
                    if let Some(at) = self.stopped_at.take() {
                        let metrics = &self.task.metrics;
                        metrics.latency(Latency::Provider(at.elapsed()));
                    }
                    play(
                        &self.task.spoken,
                        Spoken::Audio {
                            item,
                            pcm,
                            at: Instant::now(),
                        },
                    )
                    .await?
                }
                CodecOutput::AudioDone { item } => {
                    play(&self.task.spoken, Spoken::Done { item }).await?
                }
            }
        }
        self.out = out;
        if !frames.is_empty() {
            send(socket, frames).await?;
            if let Some(at) = heard_at {
                self.task
                    .metrics
                    .audio_in_seconds
                    .observe(at.elapsed().as_secs_f64());
            }
        }
        if self.told == Told::Gone {
            Err(End::ByUs)
        } else {
            Ok(())
        }
    }

    fn tell(&mut self, event: LinkEvent) -> Result<(), End> {
        self.ready |= matches!(event, LinkEvent::Ready { .. });
        if matches!(event, LinkEvent::SpeechStopped { .. }) {
            self.stopped_at = Some(Instant::now());
        } else if matches!(event, LinkEvent::SpeechStarted { .. }) {
            self.stopped_at = None;
        }
        if matches!(event, LinkEvent::Gone { .. }) {
            self.told = Told::Gone;
        }
        if let Err(error) = self.task.events.try_send((self.task.no, event)) {
            // Control never drops. Closed means that the session is over, which is no fault.
            if matches!(error, mpsc::error::TrySendError::Full(_)) {
                let _ = self
                    .task
                    .failures
                    .try_send("too many link events were waiting");
            }
            self.told = Told::Gone;
            return Err(End::ByUs);
        }
        Ok(())
    }
}

async fn play(playout: &mpsc::Sender<Spoken>, spoken: Spoken) -> Result<(), End> {
    match playout.try_send(spoken) {
        Ok(()) => Ok(()),
        // The media task is a moment behind; while it catches up the vendor waits, not the participant.
        Err(mpsc::error::TrySendError::Full(spoken)) => {
            match timeout(PLAYED_WITHIN, playout.send(spoken)).await {
                Ok(Ok(())) => Ok(()),
                Ok(Err(_closed)) => Err(End::ByUs),
                Err(_elapsed) => Err(End::Io("audio could not be handed to playout".to_owned())),
            }
        }
        Err(mpsc::error::TrySendError::Closed(_)) => Err(End::ByUs),
    }
}

/// Resolves when the link is to be closed; keeps the commands that come meanwhile.
async fn closed(orders: &mut mpsc::Receiver<Order>, early: &mut Vec<LinkCommand>) {
    while let Some(Order::Command(command)) = orders.recv().await {
        early.push(command);
        if early.len() > ORDERS {
            // Hundreds of commands to a link that does not even exist: something is badly wrong with it.
            return;
        }
    }
}

fn close_frame(frame: Option<CloseFrame>) -> End {
    // 1005: "no status code was present" (RFC 6455, section 7.4.1).
    frame.map_or(
        End::Frame {
            code: 1005,
            reason: String::new(),
        },
        |frame| End::Frame {
            code: frame.code.into(),
            reason: frame.reason.to_string(),
        },
    )
}

async fn send<W: Wire>(
    socket: &mut WebSocketStream<W>,
    messages: impl IntoIterator<Item = Message>,
) -> Result<(), End> {
    let sending = async {
        for message in messages {
            socket.feed(message).await?;
        }
        socket.flush().await
    };
    match timeout(WRITTEN_WITHIN, sending).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(tungstenite::Error::ConnectionClosed | tungstenite::Error::AlreadyClosed)) => {
            Err(End::Io("the connection was closed".to_owned()))
        }
        Ok(Err(error)) => Err(End::io(error)),
        Err(_elapsed) => Err(End::Io(format!(
            "a write took more than {} s",
            WRITTEN_WITHIN.as_secs()
        ))),
    }
}

#[cfg(test)]
mod tests;
