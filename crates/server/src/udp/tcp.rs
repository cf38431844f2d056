//! Media over TCP, for participants whose network lets no UDP through: ICE-TCP, passive side (RFC 6544), each datagram
//! framed by its length (RFC 4571).
//!
//! A connection has no rights until its first frame names a session that we told somebody about. Before and after it has
//! deadlines, so that a connection which says nothing costs little and not for long.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use media::Proto;
use media::demux::Deframer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

use super::Inner;
use super::demux::Inbound;

/// Connections at once, named or not.
const CONNECTIONS_MAX: usize = 1_024;
/// From connecting to the first frame that names a session.
const NAMED_WITHIN: Duration = Duration::from_secs(10);
/// Without a frame. A browser checks consent every 5 s or so (RFC 7675, section 5.1).
const SILENT_AT_MOST: Duration = Duration::from_secs(60);
/// For one frame to be taken by the kernel.
const WRITTEN_WITHIN: Duration = Duration::from_secs(5);
/// Frames on their way to one connection: more than a second of audio; what does not fit is dropped, as on UDP.
const QUEUE: usize = 64;

/// Accepts connections until the task is dropped.
pub(super) async fn accept(listener: TcpListener, inner: Arc<Inner>) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, source)) => {
                let inner = Arc::clone(&inner);
                tokio::spawn(async move {
                    let _alive = inner.metrics.alive("tcp");
                    serve(stream, source, &inner).await;
                    drop(slot);
                });
            }
            Err(error) => {
                // Out of file descriptors, most likely: accepting again at once would spin.
                tracing::warn!(%error, "accepting a media connection failed");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn serve(stream: TcpStream, source: SocketAddr, inner: &Inner) {
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let (reader, writer) = stream.into_split();
    let (sender, frames) = mpsc::channel(QUEUE);
    inner.table().connect(source, sender);
    let ended = tokio::select! {
        ended = read(reader, source, inner) => ended,
        ended = write(writer, frames) => ended,
    };
    inner.table().disconnect(source);
    if let Err(error) = ended {
        tracing::debug!(%error, "a media connection over TCP ended");
    }
}

async fn read(mut reader: OwnedReadHalf, source: SocketAddr, inner: &Inner) -> io::Result<()> {
    let destination = inner.told(Proto::Tcp, source);
    let mut deframer = Deframer::new();
    let mut chunk = [0; 4_096];
    let connected = Instant::now();
    let mut named = false;
    loop {
        let patience = if named {
            SILENT_AT_MOST
        } else {
            NAMED_WITHIN.saturating_sub(connected.elapsed())
        };
        let length = timeout(patience, reader.read(&mut chunk)).await??;
        let Some(bytes) = chunk.get(..length).filter(|bytes| !bytes.is_empty()) else {
            return Ok(());
        };
        deframer.push(bytes);
        while let Some(frame) = deframer.pop() {
            let bytes = Bytes::from(frame);
            let inbound = Inbound {
                proto: Proto::Tcp,
                source,
                destination,
                bytes,
                at: Instant::now(),
            };
            if !inner.deliver(inbound) {
                return Ok(());
            }
            named = true;
        }
    }
}

async fn write(mut writer: OwnedWriteHalf, mut frames: mpsc::Receiver<Bytes>) -> io::Result<()> {
    while let Some(frame) = frames.recv().await {
        // Nothing we send comes near the 65,535 bytes that the frame's length can say.
        let Some(framed) = media::demux::frame(&frame) else {
            continue;
        };
        timeout(WRITTEN_WITHIN, writer.write_all(&framed)).await??;
    }
    Ok(())
}
