//! The connection and the conversation on it: one task that waits for the socket, the clock and its own thoughts, and
//! then does what is due.

mod page;

use std::net::{IpAddr, SocketAddr, UdpSocket as StdSocket};
use std::time::{Duration, Instant};

use media::{Datagram, Peer, PeerConfig, PeerOutput, Proto};
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

use super::api::Api;
use super::ears::Ears;
use super::mind::{Choice, Line, Look, Mind};
use super::mouth::{Mouth, Spoke};
use super::turn::Turn;
use super::{
    Ears as Hearing, Manners, ParticipantConfig, ParticipantError, ParticipantReport, Progress,
};
use crate::recognise::{Extent, Heard, Recogniser};
use page::{Event, Page};

/// Longest wait without looking after everything, whatever the deadlines say.
const TICK: Duration = Duration::from_millis(200);

/// Largest datagram: WebRTC stays below an Ethernet frame.
const DATAGRAM_MAX: usize = 2_000;

/// One connection.
pub(super) struct Call<'a> {
    config: &'a ParticipantConfig,
    peer: Peer,
    socket: UdpSocket,
    local: SocketAddr,
    location: Option<String>,
    out: Vec<PeerOutput>,
    mouth: Mouth,
    ears: Ears,
    mind: Mind,
    turn: Turn,
    page: Page,
    rng: fastrand::Rng,
    thought: Option<Thought>,
    report: ParticipantReport,
    offered: Instant,
    up: Option<Instant>,
    /// The end of the last own answer, until something is heard.
    answered: Option<Instant>,
    /// The own answer that is being given, if the interviewer spoke when it began: since when, and heard until when.
    interruption: Option<(Instant, Instant)>,
    overlap: Overlap,
    state: State,
}

/// What was heard, being recognised on another thread.
struct Thought {
    /// The interviewer's last word in it.
    last: Instant,
    look: Look,
    heard: JoinHandle<Vec<Heard>>,
}

/// Whether the interviewer spoke into the answer that is being given.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Overlap {
    No,
    Yes,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Ended,
    Lost,
}

impl<'a> Call<'a> {
    /// Offers a connection and takes the answer.
    pub(super) async fn join(
        config: &'a ParticipantConfig,
        api: &Api,
        language: &str,
    ) -> Result<Call<'a>, ParticipantError> {
        let local_ip = match config.local_ip {
            Some(ip) => ip,
            None => way_to(api).await?,
        };
        let socket = UdpSocket::bind((local_ip, 0)).await.map_err(media)?;
        let local = socket.local_addr().map_err(media)?;
        let offered = Instant::now();
        let (mut peer, offer) = Peer::offer(offered, &PeerConfig { local, cert: None });
        let (answer, location) = api.offer(offer).await?;
        peer.answer(Instant::now(), &answer)
            .map_err(|error| ParticipantError::Media(error.to_string()))?;
        let mut rng = fastrand::Rng::with_seed(config.seed);
        Ok(Call {
            config,
            peer,
            socket,
            local,
            location,
            out: Vec::new(),
            mouth: Mouth::new(&mut rng),
            ears: Ears::new(config.ears)?,
            mind: Mind::new(&config.persona, language),
            turn: Turn::default(),
            page: Page::default(),
            rng,
            thought: None,
            report: ParticipantReport::default(),
            offered,
            up: None,
            answered: None,
            interruption: None,
            overlap: Overlap::No,
            state: State::Open,
        })
    }

    /// Talks until the interview ends or the connection is lost.
    pub(super) async fn take_part(
        &mut self,
        progress: &(impl Fn(Progress) + Send + Sync),
    ) -> Result<ParticipantReport, ParticipantError> {
        let mut datagram = vec![0; DATAGRAM_MAX];
        while self.state == State::Open {
            let wake = tokio::time::Instant::from_std(self.wake());
            tokio::select! {
                received = self.socket.recv_from(&mut datagram) => {
                    // A closed port on the other side comes back as an error; ICE finds out by itself.
                    if let Ok((length, source)) = received {
                        let datagram = Datagram { proto: Proto::Udp, source, destination: self.local, bytes: &datagram[..length] };
                        self.peer.datagram(Instant::now(), datagram, &mut self.out);
                    }
                }
                (last, look, heard) = thought(&mut self.thought) => self.understand(last, look, &heard, progress),
                () = tokio::time::sleep_until(wake) => {}
            }
            self.due(Instant::now(), progress);
            self.handle(progress).await;
        }
        Ok(self.finish())
    }

    /// Tells the server that this connection is over. It may know.
    pub(super) async fn hang_up(&mut self, api: &Api) {
        if let Some(location) = self.location.take()
            && let Err(error) = api.hang_up(&location).await
        {
            tracing::debug!(%error, "hanging up failed");
        }
    }

    /// When something is due.
    fn wake(&self) -> Instant {
        let now = Instant::now();
        let look = if self.may_think() {
            self.ears
                .since()
                .and_then(|(_, last)| self.turn.look_at(last))
        } else {
            None
        };
        let others = [
            self.mouth.deadline(),
            look.map(|(at, _)| at),
            self.turn.speaks_at(),
            Some(now + TICK),
        ];
        others
            .into_iter()
            .flatten()
            .fold(self.peer.deadline(), Instant::min)
    }

    fn may_think(&self) -> bool {
        self.thought.is_none() && self.turn.speaks_at().is_none() && !self.mouth.is_speaking()
    }

    /// Does what is due.
    fn due(&mut self, now: Instant, progress: &impl Fn(Progress)) {
        if self.peer.deadline() <= now {
            self.peer.timeout(now, &mut self.out);
        }
        let (peer, out) = (&mut self.peer, &mut self.out);
        let spoke = self.mouth.due(now, |rtp_time, packet| {
            peer.send_audio(now, rtp_time, packet, out)
        });
        if let Spoke::Ended(at) = spoke {
            self.said(at);
        }
        if let Some(choice) = self.turn.begin(now) {
            self.answer(choice, now, progress);
        }
        let Some((since, last)) = self.ears.since().filter(|_| self.may_think()) else {
            return;
        };
        let is_turn_to_interrupt =
            |every: u32| (self.report.answers.len() as u32 + 1).is_multiple_of(every.max(1));
        if let Manners::Interrupting { after, every } = self.config.manners
            && is_turn_to_interrupt(every)
            && now - last < Duration::from_millis(100)
            && self.turn.interrupts(since, after, now)
        {
            self.think(last, Look::Interrupting, progress);
        } else if let Some((_, look)) = self.turn.look_at(last).filter(|(at, _)| *at <= now) {
            self.turn.look(last);
            self.think(last, look, progress);
        }
    }

    /// Considers what was heard; recognising it is work for another thread.
    fn think(&mut self, last: Instant, look: Look, progress: &impl Fn(Progress)) {
        match self.config.ears {
            Hearing::Sound => {
                let pcm = self.ears.kept().to_vec();
                let heard =
                    tokio::task::spawn_blocking(move || Recogniser::interviewer().recognise(&pcm));
                self.thought = Some(Thought { last, look, heard });
            }
            Hearing::Captions => self.understand(last, look, &[], progress),
        }
    }

    /// Decides what to answer, if anything.
    fn understand(
        &mut self,
        last: Instant,
        look: Look,
        heard: &[Heard],
        progress: &impl Fn(Progress),
    ) {
        let now_last = self.ears.since().map(|(_, last)| last);
        if look != Look::Interrupting && now_last != Some(last) {
            return; // The interviewer spoke on: there will be another look.
        }
        let (captions, is_final) = self.page.unanswered();
        // Captions may still be coming while the voice pauses.
        let captions = if is_final || look >= Look::Late {
            captions
        } else {
            String::new()
        };
        let lines = self.mind.lines(heard, &captions);
        if let Some(choice) = self.mind.choose(&lines, look) {
            let is_whole = lines.iter().all(|line| line.extent != Extent::Part);
            tracing::debug!(?look, is_whole, "understood a question");
            self.page.said_by_interviewer(lines);
            self.turn.plan(
                choice,
                if look == Look::Interrupting {
                    Instant::now()
                } else {
                    last
                },
                look,
                &mut self.rng,
            );
        } else if look == Look::Last || look == Look::Late && !lines.is_empty() {
            tell(&lines, progress);
            self.ears.forget();
            self.page.answered();
        }
    }

    fn answer(&mut self, choice: Choice, now: Instant, progress: &impl Fn(Progress)) {
        tell(&self.page.take_lines(), progress);
        progress(Progress::Answering {
            clip: choice.answer.id.clone(),
            text: choice.answer.text.clone(),
        });
        let is_interviewer_speaking = self
            .ears
            .since()
            .is_some_and(|(_, last)| now - last < Duration::from_millis(100));
        self.interruption = is_interviewer_speaking.then_some((now, now));
        self.overlap = Overlap::No;
        self.answered = None;
        self.ears.forget();
        self.page.answered();
        self.mind.said(choice.answer);
        self.mouth.say(choice.answer);
        self.report.questions.push(choice.asked);
        self.report.answers.push(choice.answer.id.clone());
    }

    /// An own answer is over.
    fn said(&mut self, at: Instant) {
        if let Some((since, until)) = self.interruption.take() {
            self.report.interruptions_ms.push(ms(until - since));
        }
        if self.overlap == Overlap::Yes {
            self.report.overlaps += 1;
        }
        let is_heard_since = self.ears.since().is_some_and(|(_, last)| last >= at);
        self.answered = (!is_heard_since).then_some(at);
    }

    /// Something audible arrived.
    fn hear(&mut self, at: Instant) {
        if self.mouth.is_speaking() {
            match &mut self.interruption {
                // What was under way when we cut in; a pause of half a second makes it something new.
                Some((_, until))
                    if at.saturating_duration_since(*until) < Duration::from_millis(500) =>
                {
                    *until = at
                }
                _ => self.overlap = Overlap::Yes,
            }
            return;
        }
        if let Some(answered) = self.answered.take()
            && let Some(latency) = at.checked_duration_since(answered)
        {
            self.report.response_latencies_ms.push(ms(latency));
        }
        self.turn.yield_floor();
    }

    /// Handles what the connection said.
    async fn handle(&mut self, progress: &impl Fn(Progress)) {
        for output in std::mem::take(&mut self.out) {
            match output {
                PeerOutput::Transmit {
                    destination, bytes, ..
                } => {
                    // As on a real network, what cannot be sent is lost.
                    if let Err(error) = self.socket.send_to(&bytes, destination).await {
                        tracing::debug!(%error, "a datagram was not sent");
                    }
                }
                PeerOutput::Up => {
                    let now = Instant::now();
                    self.up = Some(now);
                    self.mouth.open(now);
                    progress(Progress::Connected);
                }
                PeerOutput::Lost => self.state = State::Lost,
                PeerOutput::Audio {
                    seq,
                    rtp_time,
                    payload,
                    at,
                } => {
                    if self.ears.packet(seq, rtp_time, &payload, at) {
                        self.hear(at);
                    }
                }
                PeerOutput::Text(text) => self.read(&text, progress),
            }
        }
    }

    fn read(&mut self, text: &str, progress: &impl Fn(Progress)) {
        match self.page.read(text) {
            Some(Event::Phase(title)) => {
                self.report.phases.push(title.clone());
                progress(Progress::Phase { title });
            }
            Some(Event::Cost(micro_usd)) => self.report.cost_micro_usd = Some(micro_usd),
            Some(Event::Ended {
                outcome,
                completion,
            }) => {
                tell(&self.page.take_lines(), progress);
                self.report.outcome.clone_from(&outcome);
                self.report.completion = completion;
                self.state = State::Ended;
                progress(Progress::Ended { outcome });
            }
            None => {}
        }
    }

    fn finish(&mut self) -> ParticipantReport {
        let mut report = std::mem::take(&mut self.report);
        report.first_voice_ms = self
            .up
            .zip(self.ears.first())
            .map(|(up, first)| ms(first.saturating_duration_since(up)));
        report.connect_ms = self.up.map(|up| ms(up - self.offered));
        report.duration_ms = self.up.map_or(0, |up| u64::from(ms(up.elapsed())));
        report.heard_ms = self.ears.heard_ms();
        report.heard_rms = self.ears.rms();
        report.packets = self.ears.packets();
        report.captions = self.page.captions();
        report
    }
}

/// Tells what the interviewer said.
fn tell(lines: &[Line], progress: &impl Fn(Progress)) {
    let texts: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
    if !texts.is_empty() {
        progress(Progress::Heard {
            text: texts.join(" "),
        });
    }
}

/// Waits for the thought, if there is one. Safe to cancel: it stays where it is until it is ready.
async fn thought(slot: &mut Option<Thought>) -> (Instant, Look, Vec<Heard>) {
    let Some(thought) = slot else {
        return std::future::pending().await;
    };
    let (last, look) = (thought.last, thought.look);
    // A panic there is a bug of ours that the test of the recogniser should have found; the captions remain.
    let heard = (&mut thought.heard).await.unwrap_or_default();
    *slot = None;
    (last, look, heard)
}

/// The local address that leads to the server.
async fn way_to(api: &Api) -> Result<IpAddr, ParticipantError> {
    let host = api.host()?;
    let server = tokio::net::lookup_host(host).await.map_err(media)?.next();
    let server = server
        .ok_or_else(|| ParticipantError::Unreachable("the server has no address".to_owned()))?;
    let any: IpAddr = if server.is_ipv4() {
        [0; 4].into()
    } else {
        [0; 16].into()
    };
    // Nothing is sent: connecting a UDP socket only asks the routing table.
    let probe =
        StdSocket::bind((any, 0)).and_then(|socket| socket.connect(server).map(|()| socket));
    Ok(probe
        .and_then(|socket| socket.local_addr())
        .map_err(media)?
        .ip())
}

fn media(error: std::io::Error) -> ParticipantError {
    ParticipantError::Media(error.to_string())
}

fn ms(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}
