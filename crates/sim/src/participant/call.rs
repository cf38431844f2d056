//! The connection and the conversation on it: one task that waits for the socket, the clock and its own thoughts, and
//! then does what is due.

mod back;
mod connection;
mod page;

use std::time::{Duration, Instant};

use media::PeerOutput;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::api::Api;
use super::ears::{Ears, GAPS_KEPT_MAX};
use super::mind::{Choice, Line, Look, Mind};
use super::mouth::{Mouth, Spoke};
use super::tap::{Sound, Tap};
use super::trouble::{Moment, Return, Rung, Tab, Trouble};
use super::turn::Turn;
use super::{
    Ears as Hearing, Manners, ParticipantConfig, ParticipantError, ParticipantReport, Progress,
};
use crate::recognise::{Extent, Heard, Recogniser};
use back::Moves;
use connection::{Connection, Health};
use page::{Event, Page};

/// Longest wait without looking after everything, whatever the deadlines say.
const TICK: Duration = Duration::from_millis(200);

/// One interview, on one connection after another.
pub(super) struct Call<'a> {
    config: &'a ParticipantConfig,
    api: &'a Api,
    connection: Connection,
    /// What the next offer shows.
    grant: Option<String>,
    troubles: mpsc::Receiver<Trouble>,
    tap: Option<Tap>,
    /// A trouble from which nothing was heard yet: when the network works again, and how the way back was found.
    away: Option<(Instant, Rung)>,
    moves: Moves,
    /// When the server can be reached again, if it cannot.
    unreachable_until: Option<Instant>,
    out: Vec<PeerOutput>,
    mouth: Mouth,
    ears: Ears,
    mind: Mind,
    turn: Turn,
    page: Page,
    rng: fastrand::Rng,
    thought: Option<Thought>,
    report: ParticipantReport,
    began: Option<Instant>,
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

/// Where an interview stands for who takes part in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It goes on.
    Open,
    /// The page says that it is over.
    Ended,
    /// The connection is gone.
    Lost,
    /// The participant went away for good.
    Left,
}

impl<'a> Call<'a> {
    /// Offers a connection and takes the answer.
    pub(super) async fn join(
        config: &'a ParticipantConfig,
        api: &'a Api,
        language: &str,
        troubles: mpsc::Receiver<Trouble>,
        tap: Option<Tap>,
        progress: &(impl Fn(Progress) + Send + Sync),
    ) -> Result<Call<'a>, ParticipantError> {
        let in_line = |position| progress(Progress::InLine { position });
        let (connection, grant) = Connection::open(config, api, None, &in_line).await?;
        let mut rng = fastrand::Rng::with_seed(config.seed);
        Ok(Call {
            config,
            api,
            connection,
            grant,
            troubles,
            tap,
            away: None,
            moves: Moves::No,
            unreachable_until: None,
            out: Vec::new(),
            mouth: Mouth::new(&mut rng),
            ears: Ears::new(config.ears)?,
            mind: Mind::new(&config.persona, language),
            turn: Turn::default(),
            page: Page::default(),
            rng,
            thought: None,
            report: ParticipantReport::default(),
            began: None,
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
    ) -> Result<State, ParticipantError> {
        while self.state == State::Open {
            let wake = tokio::time::Instant::from_std(self.wake());
            let mut health = Health::Good;
            tokio::select! {
                // Datagrams come most often, and need not wait for the others to be asked.
                biased;
                found = self.connection.something(&mut self.out) => health = found,
                (last, look, heard) = thought(&mut self.thought) => self.understand(last, look, &heard, progress),
                Some(trouble) = self.troubles.recv() => health = self.suffer(trouble).await?,
                () = tokio::time::sleep_until(wake) => {}
            }
            let now = Instant::now();
            let found = [
                health,
                self.due(now, progress),
                self.move_if_due(now).await?,
            ];
            self.handle(progress).await;
            if self.state == State::Open && found.contains(&Health::Lost) {
                self.state = State::Lost;
            }
        }
        self.settle();
        Ok(self.state)
    }

    /// Tells the server that this connection is over.
    pub(super) async fn hang_up(&mut self) {
        self.connection.hang_up().await;
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
            .fold(self.connection.deadline(), Instant::min)
    }

    fn may_think(&self) -> bool {
        self.thought.is_none() && self.turn.speaks_at().is_none() && !self.mouth.is_speaking()
    }

    /// Does what is due.
    fn due(&mut self, now: Instant, progress: &impl Fn(Progress)) -> Health {
        let health = self.connection.due(now, &mut self.out);
        let (connection, out) = (&mut self.connection, &mut self.out);
        let spoke = self.mouth.due(now, |rtp_time, packet| {
            connection.send_audio(now, rtp_time, packet, out)
        });
        if let Spoke::Ended(at) = spoke {
            self.said(at);
        }
        if let Some(choice) = self.turn.begin(now) {
            self.answer(choice, now, progress);
        }
        self.listen(now, progress);
        health
    }

    /// Considers what was heard, if it is time to.
    fn listen(&mut self, now: Instant, progress: &impl Fn(Progress)) {
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
        let captions = if is_readable(self.config.ears, is_final, look) {
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
        self.ears.answer();
        self.page.answered();
        self.mind.said(choice.answer);
        self.tell(|| Sound::Speaks { at: now });
        self.mouth.say(choice.answer);
        self.report.questions.push(choice.asked);
        self.report.answers.push(choice.answer.id.clone());
    }

    /// Tells who listens, if anybody does.
    fn tell(&self, sound: impl FnOnce() -> Sound) {
        if let Some(tap) = &self.tap {
            tap.tell(sound());
        }
    }

    /// An own answer is over.
    fn said(&mut self, at: Instant) {
        self.tell(|| Sound::Spoke { at });
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
    fn hear(&mut self, at: Instant, progress: &impl Fn(Progress)) {
        if let Some((_, rung)) = self.away
            && let Some((works, _)) = self.away.take_if(|(works, _)| *works <= at)
        {
            let voice_ms = Some(ms(at - works));
            let back = Return { rung, voice_ms };
            self.report.returns.push(back);
            progress(Progress::Returned(back));
        }
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
            self.report.responses_at.push(at);
        }
        self.turn.yield_floor();
    }

    /// Handles what the connection said.
    async fn handle(&mut self, progress: &impl Fn(Progress)) {
        for output in std::mem::take(&mut self.out) {
            match output {
                PeerOutput::Transmit {
                    destination, bytes, ..
                } => self.connection.transmit(destination, &bytes).await,
                PeerOutput::Up => {
                    let now = Instant::now();
                    self.connection.came_up(now);
                    self.began.get_or_insert(now);
                    self.mouth.open(now);
                    self.tell(|| Sound::Up { at: now });
                    progress(Progress::Connected);
                }
                PeerOutput::Lost if self.state == State::Open => self.state = State::Lost,
                PeerOutput::Lost => {}
                PeerOutput::Audio {
                    seq,
                    rtp_time,
                    payload,
                    at,
                } => {
                    if self.ears.packet(seq, rtp_time, &payload, at) {
                        self.hear(at, progress);
                    }
                    self.tell(|| Sound::Packet {
                        at,
                        seq,
                        opus: payload.to_vec(),
                    });
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

    /// Adds what this connection brought to the report.
    fn settle(&mut self) {
        let report = &mut self.report;
        if report.connect_ms.is_none() {
            report.connect_ms = self.connection.connect_ms();
        }
        if report.first_voice_ms.is_none() {
            let up = self.connection.up();
            report.first_voice_ms = up
                .zip(self.ears.first())
                .map(|(up, first)| ms(first.saturating_duration_since(up)));
        }
        report.heard_ms += self.ears.heard_ms();
        report.heard_rms = self.ears.rms().or(report.heard_rms);
        let packets = self.ears.packets();
        report.packets.received += packets.received;
        report.packets.lost += packets.lost;
        let gaps = self.ears.gaps();
        report.gaps.count += gaps.count;
        report.gaps.longest_ms = report.gaps.longest_ms.max(gaps.longest_ms);
        let room = GAPS_KEPT_MAX.saturating_sub(report.gaps_at.len());
        let gaps_at = self.ears.gaps_at();
        report
            .gaps_at
            .extend_from_slice(&gaps_at[..gaps_at.len().min(room)]);
    }

    /// What it was like.
    pub(super) fn finish(mut self) -> ParticipantReport {
        self.report.duration_ms = self.began.map_or(0, |up| u64::from(ms(up.elapsed())));
        self.report.captions = self.page.captions();
        if let Some((_, rung)) = self.away {
            let voice_ms = None;
            self.report.returns.push(Return { rung, voice_ms });
        }
        self.report
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

/// Captions may still be coming while the voice pauses. Who only reads, and interrupts, takes what there is.
fn is_readable(ears: Hearing, is_final: bool, look: Look) -> bool {
    let has_only_these = ears == Hearing::Captions && look == Look::Interrupting;
    is_final || look >= Look::Late || has_only_these
}

fn ms(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn captions_that_grow_are_read_late_or_by_who_interrupts_and_hears_nothing_else() {
        let grown = |ears, look| is_readable(ears, false, look);
        assert!(!grown(Hearing::Captions, Look::Early));
        assert!(grown(Hearing::Captions, Look::Late));
        assert!(grown(Hearing::Captions, Look::Interrupting));
        assert!(!grown(Hearing::Sound, Look::Interrupting));
        assert!(is_readable(Hearing::Sound, true, Look::Early));
    }
}
