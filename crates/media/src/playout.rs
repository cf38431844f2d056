//! What the participant hears: utterances in order, paced by a 20 ms clock, accountable to the millisecond.
//!
//! The provider delivers faster than real time, so the queue is long and the clock is ours. RTP time follows that clock
//! also across silence, when nothing is sent (RFC 3550, 5.1): a browser then hears a pause where there was one. Whoever
//! listens to a stream that stops dead hears a click, so every stop ends in a short fade and two frames of silence; the
//! second of them also carries the codec's own delay.

mod utterance;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::ids::ItemId;

use crate::desk::DeskFact;
use crate::opus::{Encoder, OpusError};
use crate::stats::{DeskStats, LatencySamples};
use utterance::{Utterance, fade_in, fade_out, is_audible};

/// 20 ms.
const FRAME: Duration = Duration::from_millis(20);
/// Frames of silence after the last audio.
const TAIL_FRAMES: u8 = 2;
/// An utterance that runs dry is bridged with silence for this long; then sending stops until more comes.
const BRIDGE: Duration = Duration::from_millis(200);
/// An utterance that runs dry for this long is over: the provider died in the middle of a word.
const STARVED_MAX: Duration = Duration::from_secs(10);
/// Seconds of audio queued at most. Vendors end a response after a few minutes of speech; two are more than an
/// interviewer should say.
const QUEUE_S: usize = 150;
/// A clock that is this late is set anew instead of catching up in a burst.
const LATE_MAX: Duration = Duration::from_millis(100);
/// Utterances remembered after their end, so that late audio of them is recognised.
const CLOSED_MAX: usize = 64;
/// Length of the fades at a stop and at a resumption within an utterance: 5 ms.
const FADES_PER_S: usize = 200;

/// A packet to send and to record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) rtp_time: u32,
    pub(crate) at: Instant,
    pub(crate) payload: Arc<[u8]>,
}

/// An utterance whose last audio was sent but is still being heard.
#[derive(Debug)]
struct Ending {
    item: ItemId,
    at: Instant,
    samples: usize,
}

/// The queue and its clock.
pub(crate) struct Playout {
    rate: usize,
    encoder: Encoder,
    loss_percent: u8,
    queue: VecDeque<Utterance>,
    queued: usize,
    closed: VecDeque<ItemId>,
    dropped: Vec<Utterance>,
    ending: Option<Ending>,
    /// When the next frame is due; none while nothing is playing.
    next: Option<Instant>,
    /// No frame before this: the one before it is still being heard.
    free: Instant,
    tail: u8,
    last_sample: i16,
    fade_in: bool,
    epoch: Instant,
    facts: Vec<DeskFact>,
    scratch: Vec<i16>,
}

impl Playout {
    pub(crate) fn new(epoch: Instant, rate_hz: u32, encoder: Encoder) -> Playout {
        Playout {
            rate: rate_hz as usize,
            encoder,
            loss_percent: 0,
            queue: VecDeque::new(),
            queued: 0,
            closed: VecDeque::new(),
            dropped: Vec::new(),
            ending: None,
            next: None,
            free: epoch,
            tail: 0,
            last_sample: 0,
            fade_in: false,
            epoch,
            facts: Vec::new(),
            scratch: Vec::new(),
        }
    }

    /// How much the listener loses lately.
    pub(crate) fn expect_loss(&mut self, percent: u8) {
        if percent != self.loss_percent {
            self.loss_percent = percent;
            if let Err(error) = self.encoder.expect_loss(percent) {
                tracing::warn!(error = %error, percent, "the encoder cannot prepare for loss");
            }
        }
    }

    /// Queues audio of an utterance.
    pub(crate) fn audio(
        &mut self,
        now: Instant,
        item: &ItemId,
        pcm: &[i16],
        stats: &mut DeskStats,
    ) {
        if pcm.is_empty() {
            return;
        }
        if self.closed.contains(item) {
            stats.late_audio_ms += self.ms(pcm.len());
            return;
        }
        let room = (QUEUE_S * self.rate)
            .saturating_sub(self.queued)
            .min(pcm.len());
        stats.overflow_ms += self.ms(pcm.len() - room);
        let prompt = self.queue.is_empty() && self.ending.is_none();
        let index = self
            .queue
            .iter()
            .position(|utterance| utterance.item == *item);
        let index = index.unwrap_or_else(|| {
            self.queue.push_back(Utterance::new(item, now, prompt));
            self.queue.len() - 1
        });
        if room > 0
            && let Some(utterance) = self.queue.get_mut(index)
        {
            utterance.push(&pcm[..room]);
            self.queued += room;
        }
        self.wake(now);
    }

    /// No more audio of this utterance comes.
    pub(crate) fn done(&mut self, now: Instant, item: &ItemId) {
        if let Some(utterance) = self
            .queue
            .iter_mut()
            .find(|utterance| utterance.item == *item)
        {
            utterance.done = true;
            self.wake(now);
        }
    }

    /// Stops within one frame.
    pub(crate) fn cut(&mut self, now: Instant) {
        self.end_heard(now);
        while let Some(utterance) = self.queue.pop_front() {
            self.discard(now, utterance);
        }
    }

    /// Plays nothing more of one utterance. The fact follows with the next [`Playout::timeout`], which knows the time.
    pub(crate) fn drop_utterance(&mut self, item: &ItemId) {
        let index = self
            .queue
            .iter()
            .position(|utterance| utterance.item == *item);
        self.dropped
            .extend(index.and_then(|index| self.queue.remove(index)));
        self.close(item);
    }

    /// Facts since the last call.
    pub(crate) fn facts(&mut self) -> std::vec::Drain<'_, DeskFact> {
        self.facts.drain(..)
    }

    /// When [`Playout::timeout`] is due. Facts that wait to be taken are due at once.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        if !self.facts.is_empty() || !self.dropped.is_empty() {
            return Some(self.epoch);
        }
        let ending = self.ending.as_ref().map(|ending| ending.at);
        let starved = self
            .queue
            .front()
            .and_then(|front| front.starved)
            .map(|since| since + STARVED_MAX);
        [self.next, ending, starved].into_iter().flatten().min()
    }

    /// Sends what is due. `Encode::No` skips the codec: nobody listens and nothing is recorded.
    pub(crate) fn timeout(
        &mut self,
        now: Instant,
        encode: Encode,
        stats: &mut DeskStats,
        latency: &mut LatencySamples,
        out: &mut Vec<Sent>,
    ) -> Result<(), OpusError> {
        self.end_heard(now);
        self.end_starved(now);
        for utterance in std::mem::take(&mut self.dropped) {
            self.discard(now, utterance);
        }
        while let Some(due) = self.next.filter(|due| *due <= now) {
            let due = if now.saturating_duration_since(due) > LATE_MAX {
                now
            } else {
                due
            };
            self.frame(now, due, stats, latency);
            if self.next.is_some() && encode == Encode::Yes {
                let payload = self.encoder.encode(&self.scratch)?.into();
                out.push(Sent {
                    rtp_time: self.rtp_time(due),
                    at: due,
                    payload,
                });
            }
        }
        self.end_heard(now);
        Ok(())
    }

    /// Fills `scratch` with the frame that is due, or stops the clock.
    fn frame(
        &mut self,
        now: Instant,
        due: Instant,
        stats: &mut DeskStats,
        latency: &mut LatencySamples,
    ) {
        // The utterance before was heard to its end when this frame begins.
        self.end_heard(due);
        self.scratch.clear();
        let samples = self.rate / 50;
        self.retire_front(due);
        match self.queue.front_mut() {
            Some(front) if front.is_playable(samples) => {
                front.take(&mut self.scratch, samples);
                let taken = self.scratch.len();
                self.queued -= taken;
                front.starved = None;
                if !front.started {
                    front.started = true;
                    self.facts.push(DeskFact::PlayoutStarted {
                        item: front.item.clone(),
                        at: due,
                    });
                    if front.prompt {
                        latency.outbound(now.saturating_duration_since(front.queued));
                    }
                }
                if !front.audible && is_audible(&self.scratch) {
                    front.audible = true;
                    self.facts.push(DeskFact::PlayoutAudible {
                        item: front.item.clone(),
                        at: due,
                    });
                }
                if self.fade_in {
                    self.fade_in = false;
                    fade_in(&mut self.scratch, self.rate / FADES_PER_S);
                }
                self.last_sample = self.scratch.last().copied().unwrap_or(0);
                self.tail = TAIL_FRAMES;
                if taken < samples {
                    fade_out(
                        &mut self.scratch,
                        samples,
                        self.last_sample,
                        self.rate / FADES_PER_S,
                    );
                    self.last_sample = 0;
                }
                let heard =
                    due + Duration::from_micros(taken as u64 * 1_000_000 / self.rate as u64);
                self.finish_front(heard);
            }
            Some(front) => {
                let since = *front.starved.get_or_insert(due);
                if since == due && front.started {
                    stats.underruns += 1;
                }
                self.fade_in = front.started;
                let bridged = front.started && due.saturating_duration_since(since) < BRIDGE;
                self.pause(bridged, samples);
            }
            None => self.pause(false, samples),
        }
        if let Some(next) = &mut self.next {
            *next = due + FRAME;
            self.free = *next;
        }
    }

    /// A frame without audio: the end of a fade, a bit of silence, or the end of sending.
    fn pause(&mut self, bridged: bool, samples: usize) {
        if !bridged && self.tail == 0 {
            self.next = None;
            return;
        }
        self.tail = self.tail.saturating_sub(u8::from(!bridged));
        fade_out(
            &mut self.scratch,
            samples,
            self.last_sample,
            self.rate / FADES_PER_S,
        );
        self.last_sample = 0;
    }

    /// A front that has nothing left and of which nothing more comes is over once its last frame was heard.
    fn finish_front(&mut self, heard: Instant) {
        if self
            .queue
            .front()
            .is_some_and(|front| front.done && front.left == 0)
            && let Some(front) = self.queue.pop_front()
        {
            self.ending = Some(Ending {
                item: front.item,
                at: heard,
                samples: front.played,
            });
        }
    }

    /// Takes utterances off the front that have nothing left to say. Providers speak one at a time: when the next one
    /// has audio, the one before is complete, whether or not its end was announced.
    fn retire_front(&mut self, due: Instant) {
        let samples = self.rate / 50;
        loop {
            let several = self.queue.len() > 1;
            let Some(front) = self.queue.front_mut() else {
                return;
            };
            if front.done && front.left == 0 {
                let heard = front.starved.unwrap_or(due);
                self.finish_front(heard);
                self.end_heard(due);
            } else if several && !front.done && front.left < samples {
                front.done = true;
            } else {
                return;
            }
        }
    }

    fn end_heard(&mut self, now: Instant) {
        if let Some(ending) = self.ending.take_if(|ending| ending.at <= now) {
            let played_ms = self.played_ms(ending.samples);
            self.close(&ending.item);
            self.facts.push(DeskFact::PlayoutEnded {
                item: ending.item,
                at: ending.at,
                played_ms,
                cut: false,
            });
        }
    }

    fn end_starved(&mut self, now: Instant) {
        let over = |since: Instant| now >= since + STARVED_MAX;
        if self
            .queue
            .front()
            .and_then(|front| front.starved)
            .is_some_and(over)
            && let Some(front) = self.queue.pop_front()
        {
            self.discard(now, front);
        }
    }

    fn discard(&mut self, now: Instant, utterance: Utterance) {
        self.queued -= utterance.left;
        let played_ms = self.played_ms(utterance.played);
        self.close(&utterance.item);
        self.fade_in = false;
        self.facts.push(DeskFact::PlayoutEnded {
            item: utterance.item,
            at: now,
            played_ms,
            cut: true,
        });
    }

    fn close(&mut self, item: &ItemId) {
        if self.closed.contains(item) {
            return;
        }
        if self.closed.len() >= CLOSED_MAX {
            self.closed.pop_front();
        }
        self.closed.push_back(item.clone());
    }

    /// Starts the clock if there is something to play.
    fn wake(&mut self, now: Instant) {
        let samples = self.rate / 50;
        if self.next.is_some() {
            return;
        }
        let several = self.queue.len() > 1;
        let Some(front) = self.queue.front_mut() else {
            return;
        };
        if several || front.is_playable(samples) {
            self.next = Some(now.max(self.free));
        } else if front.done {
            // It ended while it had run dry.
            let since = front.starved.unwrap_or(now);
            self.finish_front(since.min(now));
        } else if front.starved.is_none() {
            // Less than a frame so far. If the rest never comes, this ends it.
            front.starved = Some(now);
        }
    }

    fn rtp_time(&self, at: Instant) -> u32 {
        let samples = at.saturating_duration_since(self.epoch).as_nanos() * 48 / 1_000_000;
        (samples & u128::from(u32::MAX)) as u32
    }

    fn ms(&self, samples: usize) -> u64 {
        samples as u64 * 1_000 / self.rate as u64
    }

    fn played_ms(&self, samples: usize) -> u32 {
        u32::try_from(self.ms(samples)).unwrap_or(u32::MAX)
    }
}

/// Whether packets are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encode {
    /// Somebody listens, or it is recorded.
    Yes,
    /// Only the clock runs.
    No,
}
