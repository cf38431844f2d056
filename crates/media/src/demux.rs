//! Finding the session that a datagram belongs to, and cutting a TCP stream into datagrams.
//!
//! One port serves all peers. The first datagrams of a peer are STUN binding requests that name our ICE user fragment
//! (RFC 8445, 7.2.2); once a request was accepted, its source address is enough. The map is the caller's; here are the
//! two parsers, which see bytes of strangers.

/// STUN's fixed header (RFC 8489, 5).
const STUN_HEADER: usize = 20;
/// The magic cookie at byte 4 of every STUN message.
const STUN_COOKIE: [u8; 4] = [0x21, 0x12, 0xA4, 0x42];
/// Binding request.
const BINDING_REQUEST: u16 = 0x0001;
/// The USERNAME attribute (RFC 8489, 14.3).
const USERNAME: u16 = 0x0006;

/// Our ICE user fragment in a STUN binding request; none for anything else.
///
/// USERNAME is `ours:theirs` in a request that is sent to us.
#[must_use]
pub fn ufrag(bytes: &[u8]) -> Option<&str> {
    let header = bytes.get(..STUN_HEADER)?;
    if u16_at(header, 0)? != BINDING_REQUEST || header[4..8] != STUN_COOKIE {
        return None;
    }
    let mut rest = bytes.get(STUN_HEADER..STUN_HEADER + usize::from(u16_at(header, 2)?))?;
    while rest.len() >= 4 {
        let (kind, length) = (u16_at(rest, 0)?, usize::from(u16_at(rest, 2)?));
        let value = rest.get(4..4 + length)?;
        if kind == USERNAME {
            let (ours, _theirs) = std::str::from_utf8(value).ok()?.split_once(':')?;
            return Some(ours);
        }
        rest = rest.get(4 + length.next_multiple_of(4)..)?;
    }
    None
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let pair = bytes.get(at..at + 2)?;
    Some(u16::from_be_bytes([pair[0], pair[1]]))
}

/// Cuts the bytes of an ICE-TCP stream into datagrams (RFC 4571: two bytes of length, then the datagram).
///
/// It holds at most one frame more than what was pushed last, so memory is bounded by the caller's read size if it
/// empties the deframer after each push.
#[derive(Debug, Default)]
pub struct Deframer {
    buffer: Vec<u8>,
    taken: usize,
}

impl Deframer {
    /// An empty one.
    #[must_use]
    pub fn new() -> Deframer {
        Deframer::default()
    }

    /// Takes what was read from the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.taken > 0 {
            self.buffer.drain(..self.taken);
            self.taken = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole datagram, if it is there. Call until there is none.
    pub fn pop(&mut self) -> Option<Vec<u8>> {
        let rest = &self.buffer[self.taken..];
        let length = usize::from(u16_at(rest, 0)?);
        let datagram = rest.get(2..2 + length)?.to_vec();
        self.taken += 2 + length;
        Some(datagram)
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

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn binding_request(attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let mut body = Vec::new();
        for (kind, value) in attributes {
            body.extend_from_slice(&kind.to_be_bytes());
            body.extend_from_slice(&u16::try_from(value.len()).unwrap().to_be_bytes());
            body.extend_from_slice(value);
            body.resize(body.len().next_multiple_of(4), 0);
        }
        let mut message = vec![0, 1];
        message.extend_from_slice(&u16::try_from(body.len()).unwrap().to_be_bytes());
        message.extend_from_slice(&STUN_COOKIE);
        message.extend_from_slice(&[7; 12]);
        message.extend_from_slice(&body);
        message
    }

    #[test]
    fn ufrag_is_the_first_half_of_the_user_name() {
        let request = binding_request(&[
            (0x8022, b"abc"),
            (USERNAME, b"ours:theirs"),
            (0x0024, &[1, 2, 3, 4]),
        ]);
        assert_eq!(ufrag(&request), Some("ours"));
    }

    #[test]
    fn anything_cut_short_or_not_a_request_has_no_ufrag() {
        let request = binding_request(&[(USERNAME, b"ours:theirs")]);
        for end in 0..request.len() {
            assert_eq!(ufrag(&request[..end]), None, "cut at {end}");
        }
        let mut response = request.clone();
        response[0] = 1;
        assert_eq!(ufrag(&response), None);
        let mut other = request;
        other[4] = 0;
        assert_eq!(ufrag(&other), None);
        assert_eq!(ufrag(&binding_request(&[(USERNAME, b"no colon")])), None);
        assert_eq!(ufrag(&[0x80; 60]), None);
    }

    #[test]
    fn datagrams_survive_any_cutting_of_the_stream() {
        let datagrams: Vec<Vec<u8>> = [0usize, 1, 2, 300, 1_200]
            .iter()
            .map(|&n| vec![n as u8; n])
            .collect();
        let stream: Vec<u8> = datagrams.iter().flat_map(|d| frame(d).unwrap()).collect();
        for step in [1, 2, 3, 7, 500, 4_000] {
            let mut deframer = Deframer::new();
            let mut found = Vec::new();
            for piece in stream.chunks(step) {
                deframer.push(piece);
                while let Some(datagram) = deframer.pop() {
                    found.push(datagram);
                }
            }
            assert_eq!(found, datagrams, "in steps of {step}");
        }
        assert_eq!(frame(&vec![0; 70_000]), None);
    }
}
