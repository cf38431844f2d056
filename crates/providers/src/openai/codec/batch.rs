//! Participant audio in pieces of 40 ms.
//!
//! A piece of 20 ms, as audio comes from the network, would double the frames; 100 ms, as other clients send, would add
//! 80 ms to every answer. 40 ms costs 20 ms on average.

/// Length of a piece in milliseconds.
const PIECE_MS: usize = 40;

/// Collects samples until there is a piece.
#[derive(Debug)]
pub(super) struct Batch {
    /// Little-endian samples that wait.
    bytes: Vec<u8>,
    piece_bytes: usize,
}

impl Batch {
    pub(super) fn new(rate_hz: u32) -> Batch {
        let piece_bytes = usize::try_from(rate_hz).unwrap_or(usize::MAX) / 1_000 * PIECE_MS * 2;
        Batch {
            bytes: Vec::with_capacity(piece_bytes * 2),
            piece_bytes: piece_bytes.max(2),
        }
    }

    /// Adds samples; calls `send` for each whole piece.
    pub(super) fn push(&mut self, pcm: &[i16], mut send: impl FnMut(&[u8])) {
        self.bytes
            .extend(pcm.iter().flat_map(|sample| sample.to_le_bytes()));
        let whole = self.bytes.len() / self.piece_bytes * self.piece_bytes;
        self.bytes[..whole]
            .chunks_exact(self.piece_bytes)
            .for_each(&mut send);
        self.bytes.drain(..whole);
    }

    /// Calls `send` for what does not fill a piece.
    pub(super) fn flush(&mut self, send: impl FnOnce(&[u8])) {
        if !self.bytes.is_empty() {
            send(&self.bytes);
            self.bytes.clear();
        }
    }
}
