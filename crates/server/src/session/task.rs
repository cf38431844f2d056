//! The session task: owns [`engine::session::Session`] by value, tells it facts, carries out what it decides.
//!
//! The `select` only gathers one input; the state changes in one synchronous call of `handle`; then outputs are carried
//! out, in order, without an await. Two ways lead out of `handle`:
//!
//! - `CutPlayout` and `DropUtterance` are carried out at once, in order relative to each other. A barge-in must stop the
//!   interviewer's voice now, and nothing durable depends on it: what was heard is known, and journaled, only when media
//!   answers with `PlayoutEnded`.
//! - Everything else passes through the [`Outbox`], which holds it until the journal entries before it are durable.
//!
//! Nothing here is lost silently: a full control queue ends the session (and only this one) with a reason.

use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::ids::{ItemId, LinkNo, PeerNo, SessionId};
use engine::journal::{Measure, Outcome};
use engine::link::{LinkCommand, LinkEvent};
use engine::session::{Input, MediaFact, Notice, Output, Request, Session};
use providers::{Profile, Secret};
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;

use super::offer::{Accepted, OfferRefusal};
use super::outbox::{Outbox, Stuck};
use super::registry::{MakeCodec, Tasks};
use super::restart::Asked;
use super::shard::Seat;
use super::tally::{Tally, Way};
use super::{fresh, link, media, notice};
use crate::app::Change;
use crate::clock::Clock;
use crate::metrics::{Latency, Metrics};
use crate::study::Study;

/// Requests of HTTP handlers waiting for the task.
pub(super) const COMMANDS: usize = 32;
/// Link events waiting for the task.
pub(super) const EVENTS: usize = 1_024;

/// What an HTTP handler wants of a live session.
pub(super) enum Command {
    /// Connect a new peer.
    Offer {
        /// The offer.
        sdp: String,
        /// By what the participant comes.
        way: Way,
        /// Gets the answer.
        reply: oneshot::Sender<Result<Accepted, OfferRefusal>>,
    },
    /// Restart the ICE of a peer.
    Restart(Asked),
    /// The participant's page closed a peer.
    HangUp(PeerNo),
    /// The page asks.
    Request(Request),
    /// The operator ends the session.
    End,
    /// The process ends; the session does not.
    Park,
}

/// How a session task came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// The session ended itself.
    Finished(Outcome),
    /// It is left to the next process.
    Parked,
    /// Another process took it over: this one must not write any more.
    Fenced,
    /// It cannot go on.
    Failed(&'static str),
    /// The process ends and can wait no longer.
    Stopped,
}

/// How links are made.
pub(super) struct Provider {
    /// Makes the codec.
    pub(super) codec: MakeCodec,
    /// The chosen profile.
    pub(super) profile: Profile,
    /// Root of the vendor's API.
    pub(super) base_url: String,
    /// The key, if the vendor wants one.
    pub(super) key: Option<Secret>,
    /// From connecting to the vendor's confirmation.
    pub(super) ready_within: Duration,
    /// TLS settings.
    pub(super) tls: Arc<rustls::ClientConfig>,
}

/// Everything the task owns or talks to.
pub(super) struct SessionTask {
    /// Whose.
    pub(super) session_id: SessionId,
    /// Decides.
    pub(super) session: Session,
    /// What the interview is held in (BCP 47).
    pub(super) language: String,
    /// Its study, for the words at the end.
    pub(super) study: Arc<Study>,
    /// What was decided and is not carried out yet.
    pub(super) outbox: Outbox,
    /// The newest peer's number.
    pub(super) peer: PeerNo,
    /// By what the newest peer came.
    pub(super) way: Way,
    /// From HTTP handlers.
    pub(super) commands: mpsc::Receiver<Command>,
    /// From the media task.
    pub(super) reports: mpsc::Receiver<media::Report>,
    /// From links; the sender is cloned into each.
    pub(super) events: mpsc::Receiver<(LinkNo, LinkEvent)>,
    /// For new links.
    pub(super) events_in: mpsc::Sender<(LinkNo, LinkEvent)>,
    /// From the recorder.
    pub(super) gaps: mpsc::Receiver<String>,
    /// A queue overflowed somewhere: the session must end.
    pub(super) failures: mpsc::Receiver<&'static str>,
    /// For new links.
    pub(super) failures_in: mpsc::Sender<&'static str>,
    /// To the media task.
    pub(super) media: mpsc::Sender<media::Order>,
    /// Interviewer audio, for new links.
    pub(super) spoken: mpsc::Sender<media::Spoken>,
    /// The open link.
    pub(super) link: Option<(LinkNo, mpsc::Sender<link::Order>)>,
    /// How to make a link.
    pub(super) provider: Provider,
    /// Where links run.
    pub(super) seat: Seat,
    /// Counts and spawns tasks.
    pub(super) tasks: Tasks,
    /// The process can wait no longer.
    pub(super) stop: CancellationToken,
    /// Console events.
    pub(super) changes: tokio::sync::broadcast::Sender<Change>,
    /// Time.
    pub(super) clock: Clock,
    /// Numbers.
    pub(super) metrics: Arc<Metrics>,
}

enum Gathered {
    Input(Input),
    Command(Command),
    Report(media::Report),
    Written(Result<(), Stuck>),
    End(Ending),
}

impl SessionTask {
    /// Runs until the session is over. The task can be looked at afterwards, also after a panic.
    pub(super) async fn run(&mut self) -> Ending {
        let mut decided = Vec::new();
        let mut flow = self.apply(Input::PeerOffered(self.peer), &mut decided);
        loop {
            if let Err(ending) = flow {
                return ending;
            }
            flow = match self.gather().await {
                Gathered::Input(input) => self.apply(input, &mut decided),
                Gathered::Command(command) => self.command(command, &mut decided),
                Gathered::Report(report) => self.report(report, &mut decided),
                Gathered::Written(written) => {
                    written.map_err(ending_of).and_then(|()| self.carry_out())
                }
                Gathered::End(ending) => Err(ending),
            };
        }
    }

    /// Sends the page a last word that the session itself could not say.
    pub(super) fn tell_failure(&self, outcome: Outcome) {
        for notice in [
            Notice::Trouble { code: "internal" },
            Notice::Ended { outcome },
        ] {
            drop(self.media.try_send(media::Order::Tell(self.json(&notice))));
        }
    }

    /// Counts facts of older peers and links. Not to be called after a panic.
    pub(super) fn count_stale(&self) {
        let stale = self.session.snapshot().stale_facts;
        self.metrics
            .dropped
            .get_or_create(&[("kind", "stale_fact")])
            .inc_by(stale);
    }

    async fn gather(&mut self) -> Gathered {
        let deadline = self
            .session
            .deadline()
            .map(|(at, _timer)| self.clock.instant(at));
        tokio::select! {
            biased;
            () = self.stop.cancelled() => Gathered::End(Ending::Stopped),
            failure = self.failures.recv() => Gathered::End(Ending::Failed(failure.unwrap_or("all its parts are gone"))),
            written = self.outbox.progress() => Gathered::Written(written),
            report = self.reports.recv() => match report {
                Some(report) => Gathered::Report(report),
                // The media task ends only when it is told to: it panicked.
                None => Gathered::End(Ending::Failed("the media task failed")),
            },
            Some((no, event)) = self.events.recv() => {
                self.count(&event);
                Gathered::Input(Input::Link(no, event))
            }
            command = self.commands.recv() => match command {
                Some(command) => Gathered::Command(command),
                None => Gathered::End(Ending::Failed("the registry is gone")),
            },
            Some(reason) = self.gaps.recv() => {
                Gathered::Input(Input::Media(self.peer, MediaFact::RecordingGap { reason }))
            }
            () = sleep_until(deadline.unwrap_or_else(Instant::now).into()), if deadline.is_some() => {
                Gathered::Input(Input::Timeout)
            }
        }
    }

    fn command(&mut self, command: Command, decided: &mut Vec<Output>) -> Result<(), Ending> {
        match command {
            Command::Offer { sdp, way, reply } => {
                self.way = way;
                let peer = self.peer.next();
                self.peer = peer;
                let (answer_in, answer) = oneshot::channel();
                self.order(media::Order::Accept {
                    peer,
                    sdp,
                    reply: answer_in,
                })?;
                self.tasks.spawn(async move {
                    let answered = match answer.await {
                        Ok(Ok(answer)) => Ok(Accepted {
                            sdp: answer.sdp,
                            peer,
                        }),
                        Ok(Err(error)) => Err(OfferRefusal::Bad(error)),
                        Err(_gone) => Err(OfferRefusal::Ended),
                    };
                    drop(reply.send(answered));
                });
                Ok(())
            }
            // Nothing that the session decides about: its peer stays the same.
            Command::Restart(asked) => self.order(media::Order::Restart(asked)),
            Command::HangUp(peer) => self.order(media::Order::HangUp(peer)),
            Command::Request(request) => self.apply(Input::Participant(request), decided),
            Command::End => self.apply(Input::OperatorEnd, decided),
            Command::Park => self.apply(Input::Park, decided),
        }
    }

    fn report(&mut self, report: media::Report, decided: &mut Vec<Output>) -> Result<(), Ending> {
        let input = match report {
            media::Report::Accepted(peer) => Input::PeerOffered(peer),
            media::Report::Fact(peer, fact) => Input::Media(peer, fact),
            media::Report::Text(text) => match notice::request(&text) {
                Some(request) => Input::Participant(request),
                None => {
                    self.metrics
                        .dropped
                        .get_or_create(&[("kind", "page_text")])
                        .inc();
                    return Ok(());
                }
            },
        };
        self.apply(input, decided)
    }

    /// One fact in; what it means, out.
    fn apply(&mut self, input: Input, decided: &mut Vec<Output>) -> Result<(), Ending> {
        let mut tally = Tally::new(&input, self.session.state(), self.way);
        self.session.handle(self.clock.now(), input, decided);
        for output in decided.drain(..) {
            tally.count(&output, &self.metrics);
            if matches!(output, Output::CutPlayout) {
                self.order(media::Order::Cut)?;
            } else if let Output::DropUtterance { item } = output {
                self.order(media::Order::DropUtterance(item))?;
            } else {
                self.outbox.push(output).map_err(ending_of)?;
            }
        }
        self.carry_out()
    }

    fn carry_out(&mut self) -> Result<(), Ending> {
        while let Some(output) = self.outbox.next() {
            match output {
                Output::Journal(_) | Output::CutPlayout | Output::DropUtterance { .. } => {}
                Output::OpenLink { link, config } => self.open_link(link, config)?,
                Output::Link { link, command } => self.tell_link(link, command)?,
                Output::CloseLink { link } => {
                    // Dropping the sender closes the link as well, should the order find no room.
                    if let Some((_, orders)) = self.link.take_if(|(no, _)| *no == link) {
                        drop(orders.try_send(link::Order::Close));
                    }
                }
                Output::PlayHold { item } => self.play_hold(item)?,
                Output::Tell(notice) => self.tell(&notice)?,
                Output::Measure { measure, ms } => self.measure(measure, ms),
                Output::ClosePeer { peer } => self.order(media::Order::ClosePeer(peer))?,
                Output::Park => return Err(Ending::Parked),
                Output::Finish { outcome } => return Err(Ending::Finished(outcome)),
            }
        }
        Ok(())
    }

    /// Hands a line of our own to media, as a link hands over the model's.
    fn play_hold(&self, item: ItemId) -> Result<(), Ending> {
        let pcm = crate::hold::pcm(&self.language, self.provider.profile.input_rate_hz);
        let audio = media::Spoken::Audio {
            item: item.clone(),
            pcm,
            at: Instant::now(),
        };
        for spoken in [audio, media::Spoken::Done { item }] {
            // Full: there is a second's worth of interviewer audio in it, so nobody is waiting for this.
            if let Err(mpsc::error::TrySendError::Closed(_)) = self.spoken.try_send(spoken) {
                return Err(Ending::Failed("the media task failed"));
            }
        }
        Ok(())
    }

    fn open_link(&mut self, no: LinkNo, config: engine::link::LinkConfig) -> Result<(), Ending> {
        let (heard_in, heard) = fresh::channel(link::HEARD);
        let (orders_in, orders) = mpsc::channel(link::ORDERS);
        self.order(media::Order::Listen(heard_in))?;
        let provider = &self.provider;
        let task = link::LinkTask {
            no,
            codec: (provider.codec)(&provider.profile, provider.key.as_ref(), &provider.base_url),
            config,
            ready_within: provider.ready_within,
            orders,
            events: self.events_in.clone(),
            heard,
            spoken: self.spoken.clone(),
            failures: self.failures_in.clone(),
            tls: Arc::clone(&provider.tls),
            metrics: Arc::clone(&self.metrics),
        };
        self.tasks.spawn_on(task.run(), self.seat.handle());
        self.link = Some((no, orders_in));
        Ok(())
    }

    fn tell_link(&self, no: LinkNo, command: LinkCommand) -> Result<(), Ending> {
        let Some((_, orders)) = self.link.as_ref().filter(|(open, _)| *open == no) else {
            return Ok(());
        };
        match orders.try_send(link::Order::Command(command)) {
            Err(mpsc::error::TrySendError::Full(_)) => Err(Ending::Failed(
                "too many commands were waiting for the link",
            )),
            // Closed: the link is gone, and its `Gone` is on its way here.
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => Ok(()),
        }
    }

    fn tell(&self, notice: &Notice) -> Result<(), Ending> {
        self.order(media::Order::Tell(self.json(notice)))?;
        // What the list of sessions shows. Captions, voices and seconds are not for it.
        if matches!(
            notice,
            Notice::State(_) | Notice::Phase { .. } | Notice::Cost { .. } | Notice::Ended { .. }
        ) {
            drop(self.changes.send(Change {
                session_id: self.session_id.clone(),
            }));
        }
        Ok(())
    }

    fn json(&self, notice: &Notice) -> String {
        notice::json(notice, |outcome| self.study.completion(outcome))
    }

    fn measure(&self, measure: Measure, ms: u64) {
        let span = Duration::from_millis(ms);
        let patience_ms = self.study.patience.silence_ms;
        self.metrics.latency(match measure {
            Measure::FirstVoice => Latency::FirstVoice(span),
            Measure::ResponseLatency => Latency::Heard {
                span,
                patience: Duration::from_millis(patience_ms.into()),
            },
        });
    }

    fn count(&self, event: &LinkEvent) {
        if matches!(event, LinkEvent::ResponseStarted { .. }) {
            self.metrics
                .provider_responded(self.provider.profile.dialect.provider());
        }
        let (LinkEvent::Fault { category, .. } | LinkEvent::Gone { category, .. }) = event else {
            return;
        };
        self.metrics
            .provider_failed(self.provider.profile.dialect.provider(), *category);
    }

    fn order(&self, what: media::Order) -> Result<(), Ending> {
        order(&self.media, what)
    }
}

fn order(media: &mpsc::Sender<media::Order>, what: media::Order) -> Result<(), Ending> {
    media.try_send(what).map_err(|error| match error {
        mpsc::error::TrySendError::Full(_) => {
            Ending::Failed("too many orders were waiting for media")
        }
        mpsc::error::TrySendError::Closed(_) => Ending::Failed("the media task failed"),
    })
}

fn ending_of(stuck: Stuck) -> Ending {
    match stuck {
        Stuck::Fenced => Ending::Fenced,
        Stuck::Overflow => Ending::Failed("too much was waiting for the store"),
    }
}
