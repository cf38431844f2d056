//! Many datagrams in one call of the kernel: `recvmmsg` and `sendmmsg` (Linux). Elsewhere one by one.

use std::io;
use std::net::{SocketAddr, UdpSocket};

/// Datagrams received or sent by one call. At 200 sessions some 20 arrive between two looks.
pub(super) const AT_ONCE: usize = 64;
/// No path carries larger ones to us: browsers keep DTLS, SCTP and RTP below 1,500 bytes.
const DATAGRAM_MAX: usize = 2_048;

/// A datagram to be sent.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) destination: SocketAddr,
    pub(super) bytes: Vec<u8>,
}

pub(super) use system::Receiver;

/// Sends all of them, or as many as the socket takes now; how many were not sent. What does not fit is lost, as at any
/// router on the way, and so is what the system refuses (a destination without a route).
pub(super) fn send(socket: &UdpSocket, datagrams: &[Outgoing]) -> u64 {
    let mut unsent = 0;
    let mut rest = datagrams;
    while let Some(batch) = rest
        .get(..rest.len().min(AT_ONCE))
        .filter(|some| !some.is_empty())
    {
        match system::send(socket, batch) {
            Ok(sent) if sent > 0 => rest = rest.get(sent..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return unsent + rest.len() as u64;
            }
            // The first of them is refused.
            Ok(_) | Err(_) => {
                unsent += 1;
                rest = rest.get(1..).unwrap_or_default();
            }
        }
    }
    unsent
}

/// Sends the first of them; how many were sent.
fn send_first(socket: &UdpSocket, datagrams: &[Outgoing]) -> io::Result<usize> {
    let Some(first) = datagrams.first() else {
        return Ok(0);
    };
    let sent = socket.send_to(&first.bytes, first.destination);
    sent.map(|_length| 1)
}

#[cfg(target_os = "linux")]
mod system {
    use std::io::{self, IoSlice, IoSliceMut};
    use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6, UdpSocket};
    use std::os::fd::AsRawFd;

    use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, sendmmsg};

    use super::{AT_ONCE, DATAGRAM_MAX, Outgoing};

    /// Fewer go one by one: what a batch has to be put into costs more than their calls.
    const WORTH_IT: usize = 4;

    /// Room for what one call receives.
    pub(crate) struct Receiver {
        headers: MultiHeaders<SockaddrStorage>,
        buffers: Vec<u8>,
    }

    impl Receiver {
        pub(crate) fn new() -> Receiver {
            Receiver {
                headers: MultiHeaders::preallocate(AT_ONCE, None),
                buffers: vec![0; AT_ONCE * DATAGRAM_MAX],
            }
        }

        /// Receives what is there, at most [`AT_ONCE`] datagrams, and gives each to `take`; how many there were.
        pub(crate) fn receive(
            &mut self,
            socket: &impl AsRawFd,
            mut take: impl FnMut(SocketAddr, &[u8]),
        ) -> io::Result<usize> {
            let mut buffers = self.buffers.chunks_exact_mut(DATAGRAM_MAX);
            let mut slices: [[IoSliceMut<'_>; 1]; AT_ONCE] =
                std::array::from_fn(|_| [IoSliceMut::new(buffers.next().unwrap_or_default())]);
            let flags = MsgFlags::MSG_DONTWAIT;
            let fd = socket.as_raw_fd();
            let received = recvmmsg(fd, &mut self.headers, slices.iter_mut(), flags, None)?;
            let mut count = 0;
            for message in received {
                count += 1;
                let source = message.address.as_ref().and_then(address);
                if let (Some(source), Some(bytes)) = (source, message.iovs().next()) {
                    take(source, bytes);
                }
            }
            Ok(count)
        }
    }

    fn address(of: &SockaddrStorage) -> Option<SocketAddr> {
        let v4 = of.as_sockaddr_in().map(|v4| SocketAddrV4::from(*v4).into());
        v4.or_else(|| {
            of.as_sockaddr_in6()
                .map(|v6| SocketAddrV6::from(*v6).into())
        })
    }

    /// Sends them by one call; how many the system took.
    pub(super) fn send(socket: &UdpSocket, datagrams: &[Outgoing]) -> io::Result<usize> {
        if datagrams.len() < WORTH_IT {
            return super::send_first(socket, datagrams);
        }
        let slices: Vec<[IoSlice<'_>; 1]> = datagrams
            .iter()
            .map(|datagram| [IoSlice::new(&datagram.bytes)])
            .collect();
        let addresses: Vec<Option<SockaddrStorage>> = datagrams
            .iter()
            .map(|datagram| Some(SockaddrStorage::from(datagram.destination)))
            .collect();
        let mut headers = MultiHeaders::preallocate(datagrams.len(), None);
        let flags = MsgFlags::MSG_DONTWAIT;
        let sent = sendmmsg(
            socket.as_raw_fd(),
            &mut headers,
            &slices,
            &addresses,
            [],
            flags,
        )?;
        Ok(sent.count())
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::io;
    use std::net::{SocketAddr, UdpSocket};
    use std::os::fd::AsFd;

    use super::{AT_ONCE, DATAGRAM_MAX, Outgoing};

    /// Room for a datagram.
    pub(crate) struct Receiver {
        buffer: Vec<u8>,
    }

    impl Receiver {
        pub(crate) fn new() -> Receiver {
            Receiver {
                buffer: vec![0; DATAGRAM_MAX],
            }
        }

        /// Receives what is there, at most [`AT_ONCE`] datagrams, and gives each to `take`; how many there were.
        pub(crate) fn receive(
            &mut self,
            socket: &impl AsFd,
            mut take: impl FnMut(SocketAddr, &[u8]),
        ) -> io::Result<usize> {
            let socket = UdpSocket::from(socket.as_fd().try_clone_to_owned()?);
            for count in 0..AT_ONCE {
                match socket.recv_from(&mut self.buffer) {
                    Ok((length, source)) => {
                        take(source, self.buffer.get(..length).unwrap_or_default());
                    }
                    Err(error) if count == 0 => return Err(error),
                    Err(_) => return Ok(count),
                }
            }
            Ok(AT_ONCE)
        }
    }

    /// Sends the first of them.
    pub(super) fn send(socket: &UdpSocket, datagrams: &[Outgoing]) -> io::Result<usize> {
        super::send_first(socket, datagrams)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::time::{Duration, Instant};

    use super::*;

    fn socket(address: &str) -> UdpSocket {
        let socket = UdpSocket::bind(address).unwrap();
        socket.set_nonblocking(true).unwrap();
        socket
    }

    /// Receives until so many are there.
    fn received(socket: &UdpSocket, count: usize) -> Vec<(SocketAddr, Vec<u8>)> {
        let until = Instant::now() + Duration::from_secs(10);
        let mut all = Vec::new();
        let mut receiver = Receiver::new();
        while all.len() < count && Instant::now() < until {
            match receiver.receive(socket, |source, bytes| all.push((source, bytes.to_vec()))) {
                Ok(_count) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::thread::yield_now(),
                Err(error) => panic!("{error}"),
            }
        }
        all
    }

    #[test]
    fn more_than_one_call_takes_arrive_whole_in_order_and_with_their_senders() {
        for any in ["127.0.0.1:0", "[::1]:0"] {
            let (here, there, other) = (socket(any), socket(any), socket(any));
            let (to_there, to_other) = (there.local_addr().unwrap(), other.local_addr().unwrap());
            let datagrams: Vec<Outgoing> = (0..150_usize)
                .map(|no| Outgoing {
                    destination: if no % 3 == 0 { to_other } else { to_there },
                    bytes: vec![no as u8; no + 1],
                })
                .collect();
            assert_eq!(send(&here, &datagrams), 0);
            for (socket, destination) in [(&there, to_there), (&other, to_other)] {
                let wanted: Vec<(SocketAddr, Vec<u8>)> = datagrams
                    .iter()
                    .filter(|one| one.destination == destination)
                    .map(|one| (here.local_addr().unwrap(), one.bytes.clone()))
                    .collect();
                assert_eq!(received(socket, wanted.len()), wanted);
            }
        }
    }

    #[test]
    fn a_datagram_that_cannot_be_sent_takes_no_other_with_it() {
        let (here, there) = (socket("127.0.0.1:0"), socket("127.0.0.1:0"));
        let to_there = there.local_addr().unwrap();
        let datagrams: Vec<Outgoing> = (0..5_u8)
            .map(|no| Outgoing {
                destination: to_there,
                // Longer than any datagram can be.
                bytes: vec![no; if no == 2 { 70_000 } else { 10 }],
            })
            .collect();
        assert_eq!(send(&here, &datagrams), 1);
        let first: Vec<u8> = received(&there, 4)
            .iter()
            .map(|(_, bytes)| bytes[0])
            .collect();
        assert_eq!(first, [0, 1, 3, 4]);
    }

    #[test]
    fn nothing_there_is_no_datagram() {
        let here = socket("127.0.0.1:0");
        let error = Receiver::new().receive(&here, |_, _| panic!()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    }
}
