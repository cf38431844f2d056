//! A session whose process is gone, made again from its journal; and a session that is left to the next process.
//!
//! Restored sessions are paused: nobody is connected, no link is open, no clock runs. The participant's offer opens a link
//! from the conversation so far (the one rebuild path), and the connection resumes the interview. A return that comes to
//! nothing leaves everything as it was: the session is parked again, not closed, because the link stays good for as long
//! as the study's resume window, which is the store's business.

use crate::ids::{LinkNo, PeerNo, TurnNo};
use crate::link::{Capabilities, Speaker};
use crate::plan::Plan;
use crate::session::{Notice, Output, Past, PastTurn, Session, State};
use crate::time::Mono;

use super::latency::Latency;
use super::phase::Phases;
use super::state::{Absence, Stage};
use super::talk::Standing;
use super::{Remembered, tell};

impl Session {
    /// Makes a session again from its past. One whose interview had begun is paused; one that had not begins anew, on the
    /// same timeline.
    ///
    /// # Panics
    ///
    /// If the plan has no phase.
    #[must_use]
    pub fn restore(now: Mono, plan: Plan, capabilities: Capabilities, past: Past) -> Session {
        let mut session = Session::new(now, plan, capabilities);
        session.zero_ms = past.timeline_ms;
        session.peer_latest = past.peer.unwrap_or(PeerNo(0));
        session.talk.link = past.link.unwrap_or(LinkNo(0));
        session.meter.restore(past.cost);
        session.turn_latest = past.turn.unwrap_or(TurnNo(0));
        let was_heard = |turn: &PastTurn| turn.speaker == Speaker::Interviewer;
        if past.turns.iter().any(was_heard) {
            session.latency = Latency::restored();
        }
        session.history = past
            .turns
            .into_iter()
            .filter(|turn| !turn.text.is_empty())
            .map(|turn| Remembered {
                start_ms: turn.start_ms,
                turn: turn.turn,
                speaker: turn.speaker,
                text: turn.text,
            })
            .collect();
        if let Some(interview) = past.interview {
            session.phases = Phases::restored(&session.plan, &interview);
            session.started = Some(now);
            session.elapsed_before = interview.elapsed;
            session.stage = Stage::Paused {
                deadline: now + session.plan.limits.recovery,
                absence: Absence::Away,
            };
        }
        session
    }

    /// Lets go of everything and leaves the session as it is to whoever restores it. `code` tells the page why.
    pub(super) fn park(&mut self, code: &'static str, out: &mut Vec<Output>) {
        match self.stage {
            Stage::Active => self.pause(self.peer_latest, out),
            // What is being closed is closed to its end.
            Stage::Closing { .. } | Stage::Ended { .. } | Stage::Parked => return,
            Stage::Invited | Stage::Waiting | Stage::Paused { .. } => {}
        }
        self.commit_rest(out);
        self.charge_time(out);
        if self.is_over() || self.state() == State::Closing {
            // That last charge used the budget up.
            return;
        }
        self.timers.stop_all();
        self.stage = Stage::Parked;
        tell(Notice::Trouble { code }, out);
        if self.talk.is_open() {
            out.push(Output::CloseLink {
                link: self.talk.link,
            });
        }
        self.talk.standing = Standing::Unopened;
        if let Some(peer) = self.peer.take() {
            out.push(Output::ClosePeer { peer: peer.no });
        }
        out.push(Output::Park);
    }

    /// Whether nothing happens in this session any more, here.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Ended { .. } | Stage::Parked)
    }

    /// Who is back makes a link necessary, if there is none.
    pub(super) fn open_link_for_return(&mut self, out: &mut Vec<Output>) {
        if self.talk.standing == Standing::Unopened {
            self.talk.tries = 0;
            self.talk.failures = 0;
            self.open_link(out);
        }
    }
}
