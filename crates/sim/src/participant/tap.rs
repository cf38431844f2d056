//! What a participant hears and says, told to whoever measures it, while it happens.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use tokio::sync::mpsc;

/// Something on a participant's line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sound {
    /// A connection is up; the packets that follow came over it, in a numbering of their own.
    Up {
        /// When.
        at: Instant,
    },
    /// A packet of the interviewer's audio arrived.
    Packet {
        /// When.
        at: Instant,
        /// Its place among the packets of this connection.
        seq: u64,
        /// One packet of Opus, 20 ms.
        opus: Vec<u8>,
    },
    /// The participant begins to speak.
    Speaks {
        /// When.
        at: Instant,
    },
    /// The participant's voice ended.
    Spoke {
        /// When.
        at: Instant,
    },
}

/// The participant's end. A participant never waits for who listens: what finds the channel full is missed, and counted.
#[derive(Clone, Debug)]
pub struct Tap {
    sounds: mpsc::Sender<Sound>,
    missed: Arc<AtomicU64>,
}

/// The listener's end.
#[derive(Debug)]
pub struct Tapped {
    sounds: mpsc::Receiver<Sound>,
    missed: Arc<AtomicU64>,
}

impl Tap {
    /// A tap that keeps so many sounds until they are taken; 50 packets come in a second of speech.
    #[must_use]
    pub fn new(kept_max: usize) -> (Tap, Tapped) {
        let (sender, receiver) = mpsc::channel(kept_max.max(1));
        let missed = Arc::new(AtomicU64::new(0));
        let tap = Tap {
            sounds: sender,
            missed: Arc::clone(&missed),
        };
        let tapped = Tapped {
            sounds: receiver,
            missed,
        };
        (tap, tapped)
    }

    /// Tells it, if there is room.
    pub fn tell(&self, sound: Sound) {
        if self.sounds.try_send(sound).is_err() {
            self.missed.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Tapped {
    /// The next sound; none when the participant is gone.
    pub async fn next(&mut self) -> Option<Sound> {
        self.sounds.recv().await
    }

    /// Sounds that were missed because the channel was full.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.missed.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_does_not_listen_misses_sounds_and_holds_nobody_up() {
        let (tap, mut tapped) = Tap::new(2);
        let at = Instant::now();
        for _ in 0..5 {
            tap.tell(Sound::Up { at });
        }
        drop(tap);
        assert_eq!(tapped.next().await, Some(Sound::Up { at }));
        assert_eq!(tapped.next().await, Some(Sound::Up { at }));
        assert_eq!(tapped.next().await, None);
        assert_eq!(tapped.missed(), 3);
    }
}
