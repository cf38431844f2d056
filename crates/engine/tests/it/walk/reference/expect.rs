//! What must hold after every step.

use engine::cost::MicroUsd;
use engine::ids::PeerNo;
use engine::session::{Input, MediaFact, Notice, Output, Session, State};
use engine::time::Mono;

use super::Reference;

impl Reference {
    /// What an input must lead to, whatever else happens.
    pub(super) fn expect_state(&self, before: State, now: Mono, input: &Input, outputs: &[Output]) {
        let over = matches!(self.state, State::Closing | State::Ended);
        let went = |state| outputs.contains(&Output::Tell(Notice::State(state)));
        let here = self.here.is_some_and(|(_, up, flowing)| up && flowing);
        match (before, input) {
            (State::Invited, Input::PeerOffered(PeerNo(1..))) => {
                assert!(over || went(State::Waiting))
            }
            (State::Active, Input::Media(_, MediaFact::Lost)) if self.here.is_none() => {
                assert!(over || self.state == State::Paused);
            }
            (State::Paused, Input::Media(PeerNo(no), MediaFact::Up))
                if self.here.is_some_and(|h| h.0 == *no) =>
            {
                let in_time = self
                    .paused
                    .is_some_and(|paused| now.since(paused) <= self.plan.limits.recovery);
                assert!(over || (in_time && self.state == State::Active));
            }
            (
                State::Invited | State::Waiting | State::Active | State::Paused,
                Input::OperatorEnd,
            ) => assert!(over),
            _ => {}
        }
        if self.state == State::Waiting {
            assert!(
                !(here && self.ready.is_some()),
                "it begins as soon as it can"
            );
        }
    }

    /// No wait is without end.
    pub(super) fn expect_bounds(&self, now: Mono) {
        let limits = self.plan.limits;
        match self.state {
            State::Waiting if !self.here.is_some_and(|here| here.2) => {
                let from = self
                    .first_ready
                    .map_or(self.offered, |ready| ready.max(self.offered));
                let from = from.max(self.begun);
                // A participant whose audio was there and went has the whole time again.
                assert!(now.since(from) < limits.join * 3, "nobody comes");
            }
            State::Active | State::Paused => {
                let started = self.started.expect("an interview has a beginning");
                assert!(now.since(started) < limits.session, "the hard limit");
                if self.state == State::Paused {
                    let paused = self.paused.expect("a pause has a beginning");
                    assert!(now.since(paused) <= limits.recovery);
                }
            }
            State::Closing => {
                let closing = self.closing.expect("a closing has a beginning");
                assert!(
                    now.since(closing) < limits.closing,
                    "closing has a deadline"
                );
            }
            State::Invited | State::Waiting | State::Ended => {}
        }
    }

    pub(super) fn expect_books(&self, session: &Session, outputs: &[Output]) {
        if outputs.is_empty() {
            return;
        }
        let snapshot = session.snapshot();
        assert_eq!(snapshot.cost, MicroUsd(self.cost));
        // Of an ended session nothing more is charged, not even in the step that ended it.
        assert!(
            self.charged == self.used || self.finished,
            "what is used is charged"
        );
        assert_eq!(snapshot.covered, self.covered);
        assert_eq!(snapshot.phase.is_some(), self.started.is_some());
        if let Some(phase) = snapshot.phase {
            assert_eq!(phase, self.plan.phases[self.phase].id);
        }
    }
}
