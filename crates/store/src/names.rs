//! Names of `engine`'s values, read back from columns.

use engine::journal::{Outcome, TurnEnding};
use engine::link::Speaker;
use engine::session::State;

pub(crate) fn state(name: &str) -> Option<State> {
    State::ALL.into_iter().find(|state| state.name() == name)
}

pub(crate) fn outcome(name: &str) -> Option<Outcome> {
    Outcome::ALL
        .into_iter()
        .find(|outcome| outcome.name() == name)
}

pub(crate) fn speaker(name: &str) -> Option<Speaker> {
    [Speaker::Participant, Speaker::Interviewer]
        .into_iter()
        .find(|speaker| speaker.name() == name)
}

pub(crate) fn ending(name: &str) -> Option<TurnEnding> {
    [
        TurnEnding::Complete,
        TurnEnding::Interrupted,
        TurnEnding::Abandoned,
    ]
    .into_iter()
    .find(|ending| ending.name() == name)
}
