//! The media of all participants: one UDP socket, one TCP listener, one thread that reads both.
//!
//! The thread does nothing but read, look up the owner (`demux`) and hand over to the owner's shard (`lane`), so a busy
//! database or a slow page never delays audio. Sending needs no thread: shards write into the shared socket, and a full
//! socket buffer drops the datagram, as any router on the way would. Both ways datagrams go through the kernel in batches
//! (`batch`, decision 0018).

mod batch;
mod demux;
mod lane;
mod tcp;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use media::Proto;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::Interest;
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use batch::{AT_ONCE, Outgoing, Receiver};
pub(crate) use demux::Inbound;
use demux::{RouteId, Table};
use lane::Addressed;
pub(crate) use lane::Lane;

use crate::alive::Alive;
use crate::metrics::Metrics;
use crate::pace;

/// Socket buffers: half a second of 400 sessions both ways (50 packets/s of about 120 bytes, which the kernel accounts
/// with some 768 bytes each) is 7.7 MB; the kernel grants what `net.core.rmem_max` allows.
const SOCKET_BUFFER_BYTES: usize = 8 << 20;
/// What datagrams are copied into, to be read by several sessions: a batch of them and more.
const BLOCK_BYTES: usize = 32 << 10;

/// Where media listens and what browsers are told.
#[derive(Clone, Debug)]
pub struct NetParams {
    /// UDP address to bind.
    pub udp: SocketAddr,
    /// TCP address to bind.
    pub tcp: SocketAddr,
    /// Addresses that browsers are told; empty: the bound ones.
    pub advertise: Vec<IpAddr>,
}

/// A port could not be opened.
#[derive(Debug, thiserror::Error)]
#[error(
    "media cannot listen on {proto} {address} ({source}), so no participant could be heard. \
     Stop the program that uses this port, or set media.{key} to a free one"
)]
pub struct BindError {
    proto: &'static str,
    key: &'static str,
    address: SocketAddr,
    source: io::Error,
}

/// The open sockets; a cheap handle that media tasks send through.
#[derive(Clone)]
pub struct Net {
    inner: Arc<Inner>,
}

struct Inner {
    udp: std::net::UdpSocket,
    udp_told: Vec<SocketAddr>,
    tcp_told: Vec<SocketAddr>,
    udp_addr: SocketAddr,
    table: Mutex<Table<Owner>>,
    metrics: Arc<Metrics>,
}

/// Who gets the datagrams of a peer: a session's queue, reached through its shard's lane.
struct Owner {
    lane: Arc<lane::Shared>,
    queue: mpsc::Sender<Inbound>,
}

/// The thread that reads. It ends when this is dropped; [`NetThread::stop`] waits for it.
pub struct NetThread {
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl Drop for NetThread {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl NetThread {
    /// Closes the listener and ends the thread.
    pub fn stop(mut self) {
        self.stop.cancel();
        if self
            .thread
            .take()
            .is_some_and(|thread| thread.join().is_err())
        {
            tracing::error!("the media receive thread had panicked");
        }
    }
}

/// A peer's place in the demultiplexer; dropping it takes the peer out.
pub(crate) struct Route {
    net: Net,
    id: RouteId,
    _alive: Alive,
}

impl Route {
    /// Lets the peer be found under another user fragment; what still comes from its addresses arrives as before.
    pub(crate) fn rename(&self, ufrag: &str) {
        self.net.inner.table().rename(self.id, ufrag);
    }
}

impl Drop for Route {
    fn drop(&mut self) {
        self.net.inner.table().remove(self.id);
    }
}

impl Net {
    /// Opens both sockets and starts reading.
    ///
    /// # Errors
    /// A port that is taken or an address that is not this machine's.
    pub fn bind(params: &NetParams, metrics: Arc<Metrics>) -> Result<(Net, NetThread), BindError> {
        let udp = bind_udp(params.udp).map_err(|source| BindError {
            proto: "UDP",
            key: "udp_addr",
            address: params.udp,
            source,
        })?;
        let tcp = bind_tcp(params.tcp).map_err(|source| BindError {
            proto: "TCP",
            key: "tcp_addr",
            address: params.tcp,
            source,
        })?;
        let bound = udp
            .local_addr()
            .and_then(|udp_addr| Ok((udp_addr, tcp.local_addr()?, udp.try_clone()?)));
        let (udp_addr, tcp_addr, sender) = bound.map_err(|source| BindError {
            proto: "UDP",
            key: "udp_addr",
            address: params.udp,
            source,
        })?;
        let told = |bound: SocketAddr| match params.advertise.as_slice() {
            [] => vec![bound],
            ips => ips
                .iter()
                .map(|ip| SocketAddr::new(*ip, bound.port()))
                .collect(),
        };
        let inner = Arc::new(Inner {
            udp: sender,
            udp_told: told(udp_addr),
            tcp_told: told(tcp_addr),
            udp_addr,
            table: Mutex::default(),
            metrics,
        });
        let stop = CancellationToken::new();
        let reading = (Arc::clone(&inner), stop.clone());
        let thread = std::thread::Builder::new()
            .name("media-net".into())
            .spawn(move || run(udp, tcp, reading.0, &reading.1))
            .map_err(|source| BindError {
                proto: "UDP",
                key: "udp_addr",
                address: params.udp,
                source,
            })?;
        Ok((
            Net { inner },
            NetThread {
                stop,
                thread: Some(thread),
            },
        ))
    }

    /// The UDP address that was really bound.
    #[must_use]
    pub fn udp_addr(&self) -> SocketAddr {
        self.inner.udp_addr
    }

    /// UDP addresses that browsers are told.
    #[must_use]
    pub fn udp_told(&self) -> &[SocketAddr] {
        &self.inner.udp_told
    }

    /// TCP addresses that browsers are told.
    #[must_use]
    pub fn tcp_told(&self) -> &[SocketAddr] {
        &self.inner.tcp_told
    }

    fn route(&self, ufrag: &str, queue: mpsc::Sender<Inbound>, lane: Arc<lane::Shared>) -> Route {
        Route {
            net: self.clone(),
            id: self.inner.table().add(ufrag, Owner { lane, queue }),
            _alive: self.inner.metrics.alive("peer"),
        }
    }

    /// Sends at once or not at all.
    fn send_udp(&self, datagrams: &[Outgoing]) {
        let unsent = batch::send(&self.inner.udp, datagrams);
        self.dropped("datagram_out", unsent);
    }

    /// Sends at once or not at all.
    fn send_tcp(&self, destination: SocketAddr, bytes: Vec<u8>) {
        let connection = self.inner.table().connection(destination).cloned();
        if connection.is_none_or(|frames| frames.try_send(Bytes::from(bytes)).is_err()) {
            self.dropped("datagram_out", 1);
        }
    }

    fn dropped(&self, kind: &'static str, count: u64) {
        self.inner.dropped(kind, count);
    }
}

impl Inner {
    fn table(&self) -> MutexGuard<'_, Table<Owner>> {
        // Nothing in the table can be left half changed by a panic: each map is changed by single calls.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Which of our told addresses a datagram from `source` was sent to. The socket does not say; ICE only needs an
    /// address that was a candidate, and all candidates of a kind are the same socket.
    fn told(&self, proto: Proto, source: SocketAddr) -> SocketAddr {
        let told = match proto {
            Proto::Udp => &self.udp_told,
            Proto::Tcp => &self.tcp_told,
        };
        let same_family = told
            .iter()
            .find(|address| address.is_ipv4() == source.is_ipv4());
        same_family
            .or(told.first())
            .copied()
            .unwrap_or(self.udp_addr)
    }

    /// Hands one datagram over; whether it is anybody's.
    fn deliver(&self, inbound: Inbound) -> bool {
        let mut one = Vec::new();
        let lane = {
            let mut table = self.table();
            let owner = table.owner(inbound.proto, inbound.source, &inbound.bytes);
            owner.map(|owner| {
                let queue = owner.queue.clone();
                one.push(Addressed { inbound, queue });
                Arc::clone(&owner.lane)
            })
        };
        match lane {
            Some(ref lane) => self.dropped("datagram", lane.hand_over(&mut one)),
            None => self.dropped("unknown_datagram", 1),
        }
        lane.is_some()
    }

    fn dropped(&self, kind: &'static str, count: u64) {
        if count > 0 {
            let dropped = &self.metrics.dropped;
            dropped.get_or_create(&[("kind", kind)]).inc_by(count);
        }
    }
}

fn bind_udp(address: SocketAddr) -> io::Result<std::net::UdpSocket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::DGRAM,
        Some(Protocol::UDP),
    )?;
    // A smaller buffer than asked for is no error: the kernel caps it, and loss is counted by the peers.
    socket.set_recv_buffer_size(SOCKET_BUFFER_BYTES)?;
    socket.set_send_buffer_size(SOCKET_BUFFER_BYTES)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

fn bind_tcp(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn run(
    udp: std::net::UdpSocket,
    tcp: std::net::TcpListener,
    inner: Arc<Inner>,
    stop: &CancellationToken,
) {
    let runtime = match pace::builder().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "the media receive thread could not start: no participant can be heard");
            return;
        }
    };
    runtime.block_on(async {
        let sockets = UdpSocket::from_std(udp).and_then(|udp| Ok((udp, TcpListener::from_std(tcp)?)));
        let (udp, tcp) = match sockets {
            Ok(sockets) => sockets,
            Err(error) => {
                tracing::error!(%error, "media sockets could not be watched: no participant can be heard");
                return;
            }
        };
        tokio::spawn(tcp::accept(tcp, Arc::clone(&inner)));
        tokio::select! {
            () = stop.cancelled() => {}
            () = receive(&udp, &inner) => {}
        }
    });
}

async fn receive(udp: &UdpSocket, inner: &Inner) {
    let mut reading = Reading::new(inner);
    loop {
        if let Err(error) = udp.readable().await {
            tracing::error!(%error, "the media socket cannot be watched");
            return;
        }
        // An error is an ICMP "port unreachable" for something we sent; the peer's own timers notice. Anything else,
        // and nothing there, is what the next wait is for.
        drop(
            udp.try_io(Interest::READABLE, || match reading.batch(udp)? {
                AT_ONCE => Ok(()),
                // That was all: what has come since is told by the next wait.
                _fewer => Err(io::Error::from(io::ErrorKind::WouldBlock)),
            }),
        );
        // A whole batch may not have been all; others on the thread get their turn first.
        tokio::task::yield_now().await;
    }
}

/// Reads datagrams and hands them to the lanes of their owners.
struct Reading<'i> {
    inner: &'i Inner,
    receiver: Receiver,
    block: BytesMut,
    batches: Vec<(Arc<lane::Shared>, Vec<Addressed>)>,
}

impl Reading<'_> {
    fn new(inner: &Inner) -> Reading<'_> {
        Reading {
            inner,
            receiver: Receiver::new(),
            block: BytesMut::with_capacity(BLOCK_BYTES),
            batches: Vec::new(),
        }
    }

    /// One call of the kernel, one look-up of each datagram, one wake-up of each shard.
    fn batch(&mut self, udp: &UdpSocket) -> io::Result<usize> {
        let (inner, block, batches) = (self.inner, &mut self.block, &mut self.batches);
        let mut table = inner.table();
        let at = Instant::now();
        let mut unknown = 0;
        let received = self.receiver.receive(udp, |source, bytes| {
            let Some(owner) = table.owner(Proto::Udp, source, bytes) else {
                unknown += 1;
                return;
            };
            if block.capacity() < bytes.len() {
                block.reserve(BLOCK_BYTES);
            }
            block.extend_from_slice(bytes);
            let inbound = Inbound {
                proto: Proto::Udp,
                source,
                destination: inner.told(Proto::Udp, source),
                bytes: block.split().freeze(),
                at,
            };
            let index = batches
                .iter()
                .position(|(lane, _)| Arc::ptr_eq(lane, &owner.lane));
            let index = index.unwrap_or_else(|| {
                batches.push((Arc::clone(&owner.lane), Vec::with_capacity(AT_ONCE)));
                batches.len() - 1
            });
            if let Some((_, batch)) = batches.get_mut(index) {
                let queue = owner.queue.clone();
                batch.push(Addressed { inbound, queue });
            }
        });
        drop(table);
        inner.dropped("unknown_datagram", unknown);
        for (lane, batch) in batches.iter_mut().filter(|(_, batch)| !batch.is_empty()) {
            inner.dropped("datagram", lane.hand_over(batch));
        }
        received
    }
}

/// Sockets on loopback, for tests of who uses them.
#[cfg(test)]
pub(crate) fn loopback(metrics: &Arc<Metrics>) -> (Net, NetThread) {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let params = NetParams {
        udp: any,
        tcp: any,
        advertise: vec![],
    };
    Net::bind(&params, Arc::clone(metrics)).expect("loopback has a free port")
}
