//! Finding the session that a datagram belongs to, and cutting a TCP stream into datagrams.

/// Our ICE user fragment in a STUN binding request; none for anything else.
#[must_use]
pub fn ufrag(bytes: &[u8]) -> Option<&str> {
    let _ = bytes;
    None
}

/// Cuts the bytes of an ICE-TCP stream into datagrams (RFC 4571: two bytes of length, then the datagram).
#[derive(Debug, Default)]
pub struct Deframer {
    buffer: Vec<u8>,
}

impl Deframer {
    /// An empty one.
    #[must_use]
    pub fn new() -> Deframer {
        Deframer::default()
    }

    /// Takes what was read from the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole datagram.
    pub fn pop(&mut self) -> Option<Vec<u8>> {
        None
    }
}

/// Puts the length before a datagram; none if it is too long for the two bytes.
#[must_use]
pub fn frame(datagram: &[u8]) -> Option<Vec<u8>> {
    let length = u16::try_from(datagram.len()).ok()?;
    let mut framed = Vec::with_capacity(datagram.len() + 2);
    framed.extend_from_slice(&length.to_be_bytes());
    framed.extend_from_slice(datagram);
    Some(framed)
}
