//! Every reason for which a session wakes up, and when.

use crate::time::Mono;

/// A reason to wake up. Each has at most one deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Timer {
    /// The participant was offered a connection and no audio came of it: nobody is there.
    Join,
    /// A link was opened and does not get ready: it is given up.
    LinkOpen,
    /// The pause before a lost link is opened again is over.
    LinkRetry,
    /// The link was asked for speech, or is speaking, and says nothing any more: it is given up.
    LinkStall,
    /// The vendor was to answer the participant by itself and has not begun: other speech need not wait for it.
    Answer,
    /// A request to speak was refused: it is made again.
    SayAgain,
    /// The interviewer owes words, and nobody has been heard for seconds: the participant is told why.
    DeadAir,
    /// The participant was heard here, and the vendor has not noticed.
    Deaf,
    /// The link nears the age at which the vendor ends it.
    Renew,
    /// Media owes the end of an utterance that must be over by now.
    Playout,
    /// The words of a participant's turn have not come: the turn is written down without them.
    Transcript,
    /// A phase has taken as long as it should: the model is told.
    PhaseTarget,
    /// A phase has taken as long as it may: the interview is moved on.
    PhaseMax,
    /// A due change has waited long enough for a settled moment.
    Settle,
    /// Nobody has said anything for long: the participant is prompted, or the session closed.
    Silence,
    /// The session's time is nearly up: it moves to its last phase.
    Wrapup,
    /// The session's time is up.
    Limit,
    /// A participant who dropped out has not come back.
    Recovery,
    /// The closing statement took too long: the session ends without the rest of it.
    Close,
    /// The page is told the time.
    Clock,
}

impl Timer {
    /// All timers, in the order in which they fire if due at the same moment.
    pub const ALL: [Timer; 20] = [
        Timer::Join,
        Timer::LinkOpen,
        Timer::LinkRetry,
        Timer::LinkStall,
        Timer::Answer,
        Timer::SayAgain,
        Timer::DeadAir,
        Timer::Deaf,
        Timer::Renew,
        Timer::Playout,
        Timer::Transcript,
        Timer::PhaseTarget,
        Timer::PhaseMax,
        Timer::Settle,
        Timer::Silence,
        Timer::Wrapup,
        Timer::Limit,
        Timer::Recovery,
        Timer::Close,
        Timer::Clock,
    ];

    /// The name in logs: `phase_max`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Timer::Join => "join",
            Timer::LinkOpen => "link_open",
            Timer::LinkRetry => "link_retry",
            Timer::LinkStall => "link_stall",
            Timer::Answer => "answer",
            Timer::SayAgain => "say_again",
            Timer::DeadAir => "dead_air",
            Timer::Deaf => "deaf",
            Timer::Renew => "renew",
            Timer::Playout => "playout",
            Timer::Transcript => "transcript",
            Timer::PhaseTarget => "phase_target",
            Timer::PhaseMax => "phase_max",
            Timer::Settle => "settle",
            Timer::Silence => "silence",
            Timer::Wrapup => "wrapup",
            Timer::Limit => "limit",
            Timer::Recovery => "recovery",
            Timer::Close => "close",
            Timer::Clock => "clock",
        }
    }
}

/// The deadline of each timer, if it runs. Twenty words: a scan is faster than any heap.
#[derive(Clone, Debug, Default)]
pub(crate) struct TimerTable {
    at: [Option<Mono>; Timer::ALL.len()],
}

impl TimerTable {
    /// Starts a timer, or moves it.
    pub(crate) fn set(&mut self, timer: Timer, at: Mono) {
        self.at[timer as usize] = Some(at);
    }

    /// Stops a timer.
    pub(crate) fn stop(&mut self, timer: Timer) {
        self.at[timer as usize] = None;
    }

    /// Stops all timers.
    pub(crate) fn stop_all(&mut self) {
        self.at = Default::default();
    }

    /// The deadline of one timer.
    pub(crate) fn get(&self, timer: Timer) -> Option<Mono> {
        self.at[timer as usize]
    }

    /// The earliest deadline; of equal ones the timer that stands first in [`Timer::ALL`].
    pub(crate) fn next(&self) -> Option<(Mono, Timer)> {
        Timer::ALL
            .into_iter()
            .filter_map(|timer| Some((self.get(timer)?, timer)))
            .min()
    }

    /// Stops and returns the earliest timer that is due.
    pub(crate) fn take_due(&mut self, now: Mono) -> Option<Timer> {
        let (at, timer) = self.next()?;
        if at > now {
            return None;
        }
        self.stop(timer);
        Some(timer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_timer_stands_at_its_own_place() {
        for (place, timer) in Timer::ALL.into_iter().enumerate() {
            assert_eq!(timer as usize, place, "{}", timer.name());
        }
    }

    #[test]
    fn due_timers_come_in_the_order_of_their_deadlines() {
        let mut table = TimerTable::default();
        table.set(Timer::Close, Mono::from_millis(3));
        table.set(Timer::Clock, Mono::from_millis(1));
        table.set(Timer::Join, Mono::from_millis(9));
        assert_eq!(table.take_due(Mono::from_millis(3)), Some(Timer::Clock));
        assert_eq!(table.take_due(Mono::from_millis(3)), Some(Timer::Close));
        assert_eq!(table.take_due(Mono::from_millis(3)), None);
        assert_eq!(table.next(), Some((Mono::from_millis(9), Timer::Join)));
    }
}
