//! What crosses the socket: datagrams in and out, the addresses that browsers are told, the certificate they see.

use std::fmt;
use std::net::SocketAddr;

use str0m::config::DtlsCert;
use str0m::net::Protocol;

/// How a datagram travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Proto {
    /// One UDP datagram.
    Udp,
    /// One frame of an ICE-TCP stream (RFC 4571 framing is the caller's, with [`crate::demux`]).
    Tcp,
}

impl Proto {
    pub(crate) fn to_str0m(self) -> Protocol {
        match self {
            Proto::Udp => Protocol::Udp,
            Proto::Tcp => Protocol::Tcp,
        }
    }

    /// We only ever add UDP and TCP candidates, so anything that is not UDP goes out on a stream.
    pub(crate) fn from_str0m(proto: Protocol) -> Proto {
        if proto == Protocol::Udp {
            Proto::Udp
        } else {
            Proto::Tcp
        }
    }
}

/// A datagram that arrived.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    /// How it travelled.
    pub proto: Proto,
    /// Who sent it.
    pub source: SocketAddr,
    /// Our address that it was sent to. An address that no browser was told (a wildcard, the inside of a NAT) is taken
    /// for the first candidate of the same protocol and family.
    pub destination: SocketAddr,
    /// The bytes, without framing.
    pub bytes: &'a [u8],
}

/// Our side of the network, the same for all sessions.
#[derive(Clone, Debug)]
pub struct NetConfig {
    /// UDP addresses that browsers are told.
    pub udp: Vec<SocketAddr>,
    /// TCP addresses that browsers are told, for networks that block UDP.
    pub tcp: Vec<SocketAddr>,
    /// The certificate of every DTLS handshake.
    pub cert: Certificate,
}

/// A self-signed DTLS certificate. Making one costs about a millisecond, so that all peers share one.
#[derive(Clone)]
pub struct Certificate(pub(crate) DtlsCert);

impl Certificate {
    /// Makes a new one.
    #[must_use]
    pub fn generate() -> Certificate {
        let provider = str0m::crypto::from_feature_flags();
        Certificate(
            provider
                .dtls_provider
                .generate_certificate()
                .expect("the aws-lc-rs provider generates certificates"),
        )
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Certificate")
    }
}
