//! An ICE restart in the media task, which has the peer and knows how often it was restarted.

use std::time::Instant;

use media::RestartError;

use super::Running;
use crate::session::restart::{Asked, Generation, RestartRefusal, Restarted};

impl Running {
    pub(super) fn restart(&mut self, now: Instant, asked: Asked) {
        let answer = self.answer(now, &asked);
        if asked.reply.send(answer).is_err() {
            tracing::debug!("whoever asked for a restart is gone; the page will ask again");
        }
    }

    /// What the condition is about and what is changed are looked at in one go: of two restarts at once with the same tag
    /// the second is too late.
    fn answer(&mut self, now: Instant, asked: &Asked) -> Result<Restarted, RestartRefusal> {
        let route = self.task.route.as_ref();
        let route = route.filter(|_| asked.peer == self.task.peer);
        let route = route.ok_or(RestartRefusal::Gone)?;
        let generation = Generation {
            peer: self.task.peer,
            restarts: self.restarts,
        };
        if !asked.expected.holds(generation) {
            return Err(RestartRefusal::Stale(generation));
        }
        let answered = self.task.desk.restart(now, &asked.fragment);
        let fragment = answered.map_err(|error| match error {
            RestartError::Gone(_) => RestartRefusal::Gone,
            RestartError::NotNew => RestartRefusal::NotNew,
        })?;
        route.rename(&fragment.ufrag);
        self.restarts = self.restarts.saturating_add(1);
        Ok(Restarted {
            fragment,
            generation: Generation {
                restarts: self.restarts,
                ..generation
            },
        })
    }
}
