//! Texts on their way to the data channel.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use str0m::Rtc;
use str0m::channel::ChannelId;

/// Texts kept until the data channel opens. An interview's state and captions until then are a few dozen.
const TEXTS_MAX: usize = 256;
/// How often unsent text is tried again while the channel's buffer is full.
const TEXT_RETRY: Duration = Duration::from_millis(100);

/// A bounded queue; the oldest is dropped, because each text tells a newer state than the one before.
#[derive(Default)]
pub(super) struct Texts {
    queue: VecDeque<String>,
    /// When to try again, if the channel took no more.
    pub(super) retry: Option<Instant>,
    pub(super) dropped: u64,
}

impl Texts {
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(super) fn push(&mut self, text: &str) {
        if self.queue.len() >= TEXTS_MAX {
            self.queue.pop_front();
            self.dropped += 1;
        }
        self.queue.push_back(text.to_owned());
    }

    /// Writes as much as the channel takes; whether anything was.
    pub(super) fn write(&mut self, now: Instant, rtc: &mut Rtc, id: ChannelId) -> bool {
        self.retry = None;
        let mut written = false;
        while let Some(text) = self.queue.front() {
            let Some(mut channel) = rtc.channel(id) else {
                break;
            };
            match channel.write(false, text.as_bytes()) {
                Ok(true) => written = true,
                Ok(false) => {
                    self.retry = Some(now + TEXT_RETRY);
                    break;
                }
                Err(error) => {
                    tracing::debug!(error = %error, "a text was refused by the data channel");
                    self.dropped += 1;
                }
            }
            self.queue.pop_front();
        }
        written
    }
}
