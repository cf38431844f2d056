//! The way back after a drop, as the page goes it: at once, then again and again until it is let in or has no patience
//! left.

use std::time::{Duration, Instant};

use super::connection::{Connection, Health};
use super::{Call, Ears, Moment, Mouth, Rung, State, Tab, Trouble, Turn};
use crate::participant::{LEFT, ParticipantError, Progress};

/// From the first failed attempt to the second; doubled up to the longest.
const WAIT_FIRST: Duration = Duration::from_millis(500);
const WAIT_MAX: Duration = Duration::from_secs(2);

/// Speech that was heard so recently goes on, and so long is not the end of it.
const HEARD_JUST_NOW: Duration = Duration::from_millis(60);
const HEARD_FOR: Duration = Duration::from_millis(300);

/// A move to another network that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moves {
    No,
    WhenListening,
}

impl Call<'_> {
    /// Lets something go wrong.
    pub(super) async fn suffer(&mut self, trouble: Trouble) -> Result<Health, ParticipantError> {
        let now = Instant::now();
        match trouble {
            Trouble::Blocked { way, span } => {
                self.connection.block(way, span);
                self.away = Some((now + span, Rung::Network));
                Ok(Health::Good)
            }
            Trouble::Moved {
                at: Moment::Listening,
            } if !self.is_listening(now) => {
                self.moves = Moves::WhenListening;
                Ok(Health::Good)
            }
            Trouble::Moved { .. } => self.move_away(now).await,
            Trouble::Left => {
                self.report.outcome = LEFT.to_owned();
                self.state = State::Left;
                Ok(Health::Good)
            }
            Trouble::Gone { span, page } => {
                if page == Tab::Fresh {
                    self.grant = None;
                }
                self.unreachable_until = Some(now + span);
                Ok(Health::Lost)
            }
        }
    }

    /// Moves to another network, if it is to and the interviewer is heard.
    pub(super) async fn move_if_due(&mut self, now: Instant) -> Result<Health, ParticipantError> {
        if self.moves == Moves::WhenListening && self.is_listening(now) {
            return self.move_away(now).await;
        }
        Ok(Health::Good)
    }

    async fn move_away(&mut self, now: Instant) -> Result<Health, ParticipantError> {
        self.moves = Moves::No;
        self.away = Some((now, Rung::Network));
        self.connection.moved().await
    }

    /// Whether the interviewer is heard, and has been for a while.
    fn is_listening(&self, now: Instant) -> bool {
        self.ears.since().is_some_and(|(since, last)| {
            now.saturating_duration_since(last) < HEARD_JUST_NOW
                && last.saturating_duration_since(since) >= HEARD_FOR
        })
    }

    /// Comes back after a drop. `Ended` if the interview was over meanwhile.
    ///
    /// # Errors
    /// When the server refuses for good, or nobody answered for as long as this participant has patience.
    pub(in crate::participant) async fn come_back(
        &mut self,
        progress: &(impl Fn(Progress) + Send + Sync),
    ) -> Result<State, ParticipantError> {
        let mut wait = Duration::ZERO;
        progress(Progress::Dropped);
        if let Some(works) = self.unreachable_until.take() {
            self.away = Some((works, Rung::Link));
            tokio::time::sleep_until(works.into()).await;
        }
        let until = Instant::now() + self.config.patience;
        loop {
            tokio::time::sleep(wait).await;
            let error = match self.offer_again(progress).await {
                Ok(state) => return Ok(state),
                Err(error) => error,
            };
            let is_worth_another = match &error {
                ParticipantError::Unreachable(_) | ParticipantError::Media(_) => true,
                // 401: the grant is not good any more; the link is, at once.
                ParticipantError::Refused { status, .. } => {
                    matches!(*status, 401 | 429) || *status >= 500
                }
                ParticipantError::Link(_)
                | ParticipantError::Persona { .. }
                | ParticipantError::Over(_)
                | ParticipantError::Lost
                | ParticipantError::Deadline(_)
                | ParticipantError::Stopped => false,
            };
            if !is_worth_another || Instant::now() >= until {
                return Err(error);
            }
            wait = (wait * 2).clamp(WAIT_FIRST, WAIT_MAX);
        }
    }

    async fn offer_again(
        &mut self,
        progress: &(impl Fn(Progress) + Send + Sync),
    ) -> Result<State, ParticipantError> {
        // A server takes who returns before all others; one that does not is seen by it.
        let in_line = |position| progress(Progress::InLine { position });
        let tried = Instant::now();
        let (rung, grant) = match self.grant.take() {
            Some(grant) => (Rung::Grant, Some(grant)),
            None => (Rung::Link, None),
        };
        let opened = Connection::open(self.config, self.api, grant.as_deref(), &in_line).await;
        let (connection, next) = match opened {
            Ok(opened) => opened,
            Err(ParticipantError::Refused { status: 401, .. }) if grant.is_some() => {
                Connection::open(self.config, self.api, None, &in_line).await?
            }
            Err(ParticipantError::Refused { status: 410, .. }) => return Ok(State::Ended),
            Err(error) => {
                // It is not used up if nobody took the offer; if somebody did, the next attempt is told so.
                self.grant = grant;
                return Err(error);
            }
        };
        self.connection = connection;
        self.grant = next;
        self.away = Some((self.away.map_or(tried, |(works, _)| works.min(tried)), rung));
        self.out.clear();
        self.mouth = Mouth::new(&mut self.rng);
        self.ears = Ears::new(self.config.ears)?;
        self.turn = Turn::default();
        self.page.returned();
        self.thought = None;
        self.answered = None;
        self.interruption = None;
        self.state = State::Open;
        Ok(State::Open)
    }
}
