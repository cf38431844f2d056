//! The media task: one session's audio, on its shard.
//!
//! It owns the [`media::Desk`] by value and moves what the desk wants moved. It waits for nobody: towards the link audio
//! drops its oldest, towards the session facts either fit or the session fails, towards the recorder chunks either fit or
//! are counted as lost.

mod io;
mod restart;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::ids::{ItemId, PeerNo};
use engine::session::MediaFact;
use media::{Answer, Chunk, Datagram, Desk, DeskFact, DeskOutput, NetConfig, OfferError};
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep_until;

pub(super) use io::{Order, Report, Spoken};

use super::fresh;
use super::link::{HEARD, Heard};
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::udp::{Inbound, Lane, Route};

/// Datagrams waiting for the task: a second and more of audio with everything around it.
pub(super) const DATAGRAMS: usize = 128;
/// Interviewer audio waiting for the task, in pieces as the vendor cuts them.
pub(super) const SPOKEN: usize = 256;
/// Orders waiting for the task; captions are the most frequent.
pub(super) const ORDERS: usize = 1_024;
/// Reports waiting for the session task, which never waits for the disk.
pub(super) const REPORTS: usize = 1_024;
/// Inputs of one kind taken in one go, so that timers get their turn under load.
const BATCH: usize = 64;
/// From the order to close a peer to its end, so that the last words for the page arrive (a retransmission included).
const LINGER: Duration = Duration::from_millis(750);
/// Texts from the page in one second; people click less often.
const TEXTS_PER_SECOND: u32 = 20;
/// What was said without a link is kept for the next one so long: as long as its queue holds.
const KEPT_FOR: Duration = Duration::from_millis(20 * HEARD as u64);
/// A timer that is due again at once would spin; the desk's own grain is a 20 ms frame.
const TICK_MIN: Duration = Duration::from_millis(1);

/// Everything the task owns or talks to.
pub(super) struct MediaTask {
    /// The audio.
    pub(super) desk: Desk,
    /// The peer that the desk has now.
    pub(super) peer: PeerNo,
    /// Lets that peer's datagrams come here.
    pub(super) route: Option<Route>,
    /// Where routes of later peers lead.
    pub(super) datagrams_in: mpsc::Sender<Inbound>,
    /// Datagrams.
    pub(super) datagrams: mpsc::Receiver<Inbound>,
    /// Orders.
    pub(super) orders: mpsc::Receiver<Order>,
    /// Interviewer audio.
    pub(super) spoken: mpsc::Receiver<Spoken>,
    /// To the session task.
    pub(super) reports: mpsc::Sender<Report>,
    /// To the recorder; given up when the recording is finished.
    pub(super) chunks: Option<mpsc::Sender<Chunk>>,
    /// Ends the session, with the reason.
    pub(super) failures: mpsc::Sender<&'static str>,
    /// The sockets.
    pub(super) lane: Lane,
    /// What browsers are told.
    pub(super) told: Arc<NetConfig>,
    /// Time.
    pub(super) clock: Clock,
    /// Numbers.
    pub(super) metrics: Arc<Metrics>,
}

/// Whether orders can still come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Orders {
    Open,
    Over,
}

struct Running {
    task: MediaTask,
    orders: Orders,
    /// How often the peer was restarted.
    restarts: u32,
    out: Vec<DeskOutput>,
    heard: Option<fresh::Sender<Heard>>,
    /// What the participant said while there was no link, newest last: the next one hears it.
    unheard: VecDeque<Heard>,
    /// When the peer is closed after an order to do so.
    close_at: Option<(PeerNo, Instant)>,
    /// When the task ends, once the recording is finished.
    end_at: Option<Instant>,
    /// The first audio of the newest utterance: how long it had been on its way when it got here.
    first_spoken: Option<(ItemId, Duration)>,
    texts: (Instant, u32),
}

impl MediaTask {
    /// Runs until the session is over.
    pub(super) async fn run(self) {
        let _alive = self.metrics.alive("media");
        self.begin().run().await;
    }

    fn begin(self) -> Running {
        Running {
            task: self,
            orders: Orders::Open,
            restarts: 0,
            out: Vec::new(),
            heard: None,
            unheard: VecDeque::new(),
            close_at: None,
            end_at: None,
            first_spoken: None,
            texts: (Instant::now(), 0),
        }
    }
}

impl Running {
    async fn run(&mut self) {
        let mut earliest = Instant::now();
        // One timer for the task's life: setting it later, as each frame does, costs next to nothing.
        let mut timer = std::pin::pin!(sleep_until(earliest.into()));
        loop {
            let due = self.due().max(earliest).into();
            if timer.deadline() != due {
                timer.as_mut().reset(due);
            }
            // Sockets before due timers: a timer-first loop starves its input when overloaded (reference/media.md, 1).
            tokio::select! {
                biased;
                order = self.task.orders.recv(), if self.orders == Orders::Open => {
                    if order.is_none() {
                        self.orders = Orders::Over;
                    }
                    self.obey(order.unwrap_or(Order::Finish));
                }
                Some(inbound) = self.task.datagrams.recv() => self.receive(inbound),
                Some(spoken) = self.task.spoken.recv() => self.speak(spoken),
                () = &mut timer => {}
            }
            let now = Instant::now();
            if now >= self.due() {
                self.task.desk.timeout(now, &mut self.out);
                earliest = now + TICK_MIN;
                self.carry_out(now);
            }
            if self.close_at.is_some_and(|(_, at)| now >= at)
                && let Some((peer, _)) = self.close_at.take()
            {
                self.close(peer, now);
            }
            if self.end_at.is_some_and(|at| now >= at) {
                self.close(self.task.peer, now);
                return;
            }
        }
    }

    fn due(&self) -> Instant {
        let own = [self.close_at.map(|(_, at)| at), self.end_at];
        own.into_iter()
            .flatten()
            .fold(self.task.desk.deadline(), Instant::min)
    }

    fn obey(&mut self, order: Order) {
        let now = Instant::now();
        match order {
            Order::Accept { peer, sdp, reply } => self.accept(now, peer, &sdp, reply),
            Order::Restart(asked) => self.restart(now, asked),
            Order::Listen(heard) => self.listen(heard),
            Order::Cut => self.task.desk.cut(now, &mut self.out),
            Order::DropUtterance(item) => self.task.desk.drop_utterance(&item),
            Order::Tell(text) => self.task.desk.send_text(now, &text, &mut self.out),
            Order::ClosePeer(peer) => self.close_at = Some((peer, now + LINGER)),
            Order::HangUp(peer) => {
                if peer == self.task.peer && self.task.route.is_some() {
                    self.close(peer, now);
                    self.report(Report::Fact(peer, MediaFact::Lost));
                }
            }
            Order::Finish if self.end_at.is_some() => {}
            Order::Finish => {
                self.task.desk.finish(now, &mut self.out);
                self.carry_out(now);
                self.task.chunks = None;
                self.heard = None;
                self.unheard = VecDeque::new();
                self.end_at = Some(now + LINGER);
            }
        }
        self.carry_out(now);
    }

    fn accept(
        &mut self,
        now: Instant,
        peer: PeerNo,
        sdp: &str,
        reply: oneshot::Sender<Result<Answer, OfferError>>,
    ) {
        let answer = self.task.desk.accept(now, sdp, &self.task.told);
        if let Ok(answer) = &answer {
            self.task.route = Some(
                self.task
                    .lane
                    .route(&answer.ufrag, self.task.datagrams_in.clone()),
            );
            self.task.peer = peer;
            self.restarts = 0;
            self.close_at = None;
            self.report(Report::Accepted(peer));
        }
        if reply.send(answer).is_err() {
            tracing::debug!("whoever offered a peer is gone; the peer will time out");
        }
    }

    fn close(&mut self, peer: PeerNo, now: Instant) {
        if peer != self.task.peer {
            return;
        }
        self.task.desk.close_peer(now, &mut self.out);
        self.carry_out(now);
        self.task.route = None;
    }

    fn receive(&mut self, first: Inbound) {
        let mut next = Some(first);
        let now = Instant::now();
        for _ in 0..BATCH {
            let Some(Inbound {
                proto,
                source,
                destination,
                bytes,
                at,
            }) = next
            else {
                break;
            };
            let datagram = Datagram {
                proto,
                source,
                destination,
                bytes: &bytes,
            };
            self.task.desk.datagram(now, datagram, &mut self.out);
            self.carry_out(at);
            next = self.task.datagrams.try_recv().ok();
        }
    }

    fn speak(&mut self, first: Spoken) {
        let mut next = Some(first);
        let now = Instant::now();
        for _ in 0..BATCH {
            let Some(spoken) = next else { break };
            match spoken {
                Spoken::Audio { item, pcm, at } => {
                    if self
                        .first_spoken
                        .as_ref()
                        .is_none_or(|(newest, _)| *newest != item)
                    {
                        self.first_spoken = Some((item.clone(), now.saturating_duration_since(at)));
                    }
                    self.task.desk.interviewer_audio(now, &item, &pcm);
                }
                Spoken::Done { item } => self.task.desk.interviewer_done(now, &item),
            }
            next = self.task.spoken.try_recv().ok();
        }
        self.carry_out(now);
    }

    /// Carries out what the desk wants. `at`: when the packet came in that made it want this.
    fn carry_out(&mut self, at: Instant) {
        if self.out.is_empty() {
            return;
        }
        let latency = self.task.desk.latency();
        let heard_at = latency
            .inbound_us
            .last()
            .map_or(at, |us| at.checked_sub(micros(*us)).unwrap_or(at));
        if let (Some(us), Some((_, before))) = (latency.outbound_us.last(), &self.first_spoken) {
            self.task
                .metrics
                .audio_out_seconds
                .observe((*before + micros(*us)).as_secs_f64());
        }
        self.task.desk.forget_latency();
        let mut out = std::mem::take(&mut self.out);
        for output in out.drain(..) {
            match output {
                DeskOutput::Transmit {
                    proto,
                    source: _,
                    destination,
                    bytes,
                } => self.task.lane.send(proto, destination, bytes),
                DeskOutput::ParticipantAudio(pcm) => self.hear(pcm, heard_at),
                DeskOutput::Fact(fact) => {
                    if fact == DeskFact::Lost {
                        self.task.route = None;
                    }
                    let fact = self.fact(fact);
                    self.report(Report::Fact(self.task.peer, fact));
                }
                DeskOutput::Text(text) => self.text(text),
                DeskOutput::Chunk(chunk) => self.keep(chunk),
            }
        }
        self.out = out;
    }

    fn hear(&mut self, pcm: Vec<i16>, at: Instant) {
        let frame = Heard { pcm, at };
        let Some(heard) = &self.heard else {
            return self.keep_unheard([frame]);
        };
        match heard.send(frame) {
            fresh::Sent::Queued => {}
            fresh::Sent::OldestDropped => self.dropped("audio_in"),
            fresh::Sent::Closed(unread) => {
                self.heard = None;
                self.keep_unheard(unread);
            }
        }
    }

    fn keep_unheard(&mut self, frames: impl IntoIterator<Item = Heard>) {
        if self.end_at.is_some() {
            return;
        }
        self.unheard.extend(frames);
        while self.unheard.len() > HEARD {
            self.unheard.pop_front();
            self.dropped("audio_in");
        }
    }

    fn listen(&mut self, heard: fresh::Sender<Heard>) {
        let unheard = std::mem::take(&mut self.unheard);
        // What was said before a participant went away is no answer to what is asked when they are back.
        for frame in unheard
            .into_iter()
            .filter(|frame| frame.at.elapsed() <= KEPT_FOR)
        {
            // It holds as much as is kept, and it is empty.
            drop(heard.send(frame));
        }
        self.heard = Some(heard);
    }

    fn text(&mut self, text: String) {
        let now = Instant::now();
        let (since, count) = &mut self.texts;
        if now.saturating_duration_since(*since) >= Duration::from_secs(1) {
            (*since, *count) = (now, 0);
        }
        *count += 1;
        if *count > TEXTS_PER_SECOND {
            self.dropped("page_text");
        } else {
            self.report(Report::Text(text));
        }
    }

    fn keep(&self, chunk: Chunk) {
        let Some(chunks) = &self.task.chunks else {
            return;
        };
        if chunks.try_send(chunk).is_err() {
            self.dropped("chunk");
        }
    }

    fn report(&self, report: Report) {
        // Closed: the session is over and nobody needs to know. Full: control never drops, the session fails.
        if let Err(mpsc::error::TrySendError::Full(_)) = self.task.reports.try_send(report) {
            let _ = self
                .task
                .failures
                .try_send("too many media facts were waiting");
        }
    }

    fn dropped(&self, kind: &'static str) {
        self.task
            .metrics
            .dropped
            .get_or_create(&[("kind", kind)])
            .inc();
    }

    fn fact(&self, fact: DeskFact) -> MediaFact {
        let clock = &self.task.clock;
        match fact {
            DeskFact::Up => MediaFact::Up,
            DeskFact::Lost => MediaFact::Lost,
            DeskFact::AudioFlowing { at } => MediaFact::AudioFlowing { at: clock.mono(at) },
            DeskFact::NetworkGap { from, to } => MediaFact::NetworkGap {
                from: clock.mono(from),
                to: clock.mono(to),
            },
            DeskFact::SpeechStarted { at } => MediaFact::SpeechStarted { at: clock.mono(at) },
            DeskFact::SpeechEnded { at } => MediaFact::SpeechEnded { at: clock.mono(at) },
            DeskFact::PlayoutStarted { item, at } => MediaFact::PlayoutStarted {
                item,
                at: clock.mono(at),
            },
            DeskFact::PlayoutAudible { item, at } => MediaFact::PlayoutAudible {
                item,
                at: clock.mono(at),
            },
            DeskFact::PlayoutEnded {
                item,
                at,
                played_ms,
                cut,
            } => MediaFact::PlayoutEnded {
                item,
                at: clock.mono(at),
                played_ms,
                cut,
            },
        }
    }
}

fn micros(us: u32) -> Duration {
    Duration::from_micros(u64::from(us))
}

#[cfg(test)]
mod tests;
