//! The media of all participants: one UDP socket, one TCP listener, one thread that reads both.
//!
//! The thread does nothing but read, look up the owner and hand over (`demux`), so a busy database or a slow page never
//! delays audio. Sending needs no thread: media tasks write straight into the shared socket, and a full socket buffer
//! drops the datagram, as any router on the way would.

mod demux;
mod tcp;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use bytes::Bytes;
use media::Proto;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

pub(crate) use demux::Inbound;
use demux::{Delivery, RouteId, Table};

use crate::alive::Alive;
use crate::metrics::Metrics;

/// Socket buffers: half a second of 400 sessions both ways (50 packets/s of about 120 bytes, which the kernel accounts
/// with some 768 bytes each) is 7.7 MB; the kernel grants what `net.core.rmem_max` allows.
const SOCKET_BUFFER_BYTES: usize = 8 << 20;
/// Datagrams read in one go before others on the thread get a turn.
const READ_BATCH: usize = 64;
/// No path carries larger ones to us: browsers keep DTLS, SCTP and RTP below 1,500 bytes.
const DATAGRAM_MAX: usize = 2_048;

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
    table: Mutex<Table>,
    metrics: Arc<Metrics>,
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

    /// Lets datagrams for this user fragment reach `sender`, until the route is dropped.
    pub(crate) fn route(&self, ufrag: &str, sender: mpsc::Sender<Inbound>) -> Route {
        Route {
            net: self.clone(),
            id: self.inner.table().add(ufrag, sender),
            _alive: self.inner.metrics.alive("peer"),
        }
    }

    /// Sends at once or not at all.
    pub(crate) fn send(&self, proto: Proto, destination: SocketAddr, bytes: Vec<u8>) {
        let sent = match proto {
            Proto::Udp => self.inner.udp.send_to(&bytes, destination).is_ok(),
            Proto::Tcp => {
                let connection = self.inner.table().connection(destination).cloned();
                connection.is_some_and(|frames| frames.try_send(Bytes::from(bytes)).is_ok())
            }
        };
        if !sent {
            self.inner
                .metrics
                .dropped
                .get_or_create(&[("kind", "datagram_out")])
                .inc();
        }
    }
}

impl Inner {
    fn table(&self) -> MutexGuard<'_, Table> {
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

    fn deliver(&self, inbound: Inbound) -> Delivery {
        let delivery = self.table().deliver(inbound);
        match delivery {
            Delivery::Delivered => {}
            Delivery::Full => drop(
                self.metrics
                    .dropped
                    .get_or_create(&[("kind", "datagram")])
                    .inc(),
            ),
            Delivery::Unknown => drop(
                self.metrics
                    .dropped
                    .get_or_create(&[("kind", "unknown_datagram")])
                    .inc(),
            ),
        }
        delivery
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
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
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
    let mut buffer = vec![0; DATAGRAM_MAX];
    loop {
        if let Err(error) = udp.readable().await {
            tracing::error!(%error, "the media socket cannot be watched");
            return;
        }
        for _ in 0..READ_BATCH {
            match udp.try_recv_from(&mut buffer) {
                Ok((length, source)) => {
                    let bytes = Bytes::copy_from_slice(buffer.get(..length).unwrap_or_default());
                    let destination = inner.told(Proto::Udp, source);
                    inner.deliver(Inbound {
                        proto: Proto::Udp,
                        source,
                        destination,
                        bytes,
                        at: Instant::now(),
                    });
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // An ICMP "port unreachable" for something we sent; the peer's own timers notice.
                Err(_) => {}
            }
        }
        tokio::task::yield_now().await;
    }
}
