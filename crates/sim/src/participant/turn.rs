//! Whose turn it is: when to consider what was heard, and when to begin to speak. Pure, as time is an argument.

use std::time::{Duration, Instant};

use super::mind::{Choice, Look};

/// Silence after which what was heard is considered: clips pause for up to half a second within a sentence; people take
/// a turn after a second or so; and after six somebody wonders.
const LOOKS: [(Duration, Look); 3] = [
    (Duration::from_millis(450), Look::Early),
    (Duration::from_millis(1_600), Look::Late),
    (Duration::from_secs(6), Look::Last),
];

/// How long after the interviewer's last word the answer begins: between these, in milliseconds.
const REACTION_MS: std::ops::Range<u64> = 600..1_100;

/// From one try to interrupt to the next, if it was not understood yet what is asked.
const AGAIN: Duration = Duration::from_millis(400);

/// The state of turn-taking.
#[derive(Default)]
pub(super) struct Turn {
    /// The last word that was considered, and how often.
    looked: Option<(Instant, usize)>,
    interrupting: Option<Instant>,
    plan: Option<(Instant, Choice)>,
}

impl Turn {
    /// When to consider what was heard next, if the interviewer's last word was `last`.
    pub(super) fn look_at(&self, last: Instant) -> Option<(Instant, Look)> {
        let looks = self
            .looked
            .filter(|(of, _)| *of == last)
            .map_or(0, |(_, looks)| looks);
        let (after, look) = LOOKS.get(looks)?;
        Some((last + *after, *look))
    }

    /// Notes that it is being considered.
    pub(super) fn look(&mut self, last: Instant) {
        let looks = self
            .looked
            .filter(|(of, _)| *of == last)
            .map_or(0, |(_, looks)| looks);
        self.looked = Some((last, looks + 1));
    }

    /// Whether it is time to interrupt speech that began at `since`; true once, and again after a while.
    pub(super) fn interrupts(&mut self, since: Instant, after: Duration, now: Instant) -> bool {
        let due = self
            .interrupting
            .map_or(since + after, |last| (last + AGAIN).max(since + after));
        if now >= due {
            self.interrupting = Some(now);
        }
        now >= due
    }

    /// Plans to answer.
    pub(super) fn plan(
        &mut self,
        choice: Choice,
        last: Instant,
        look: Look,
        rng: &mut fastrand::Rng,
    ) {
        let at = match look {
            Look::Interrupting => last,
            Look::Early | Look::Late | Look::Last => {
                last + Duration::from_millis(rng.u64(REACTION_MS))
            }
        };
        self.plan = Some((at, choice));
    }

    /// When to begin to speak.
    pub(super) fn speaks_at(&self) -> Option<Instant> {
        self.plan.as_ref().map(|(at, _)| *at)
    }

    /// The answer, if it is time for it.
    pub(super) fn begin(&mut self, now: Instant) -> Option<Choice> {
        let (_, choice) = self.plan.take_if(|(at, _)| *at <= now)?;
        self.interrupting = None;
        Some(choice)
    }

    /// The interviewer speaks on: let it.
    pub(super) fn yield_floor(&mut self) {
        self.plan = None;
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::participant::mind::Mind;

    #[test]
    fn a_pause_is_considered_thrice_and_speech_starts_over() {
        let last = Instant::now();
        let mut turn = Turn::default();
        for look in [Look::Early, Look::Late, Look::Last] {
            assert_eq!(turn.look_at(last).unwrap().1, look);
            turn.look(last);
        }
        assert!(turn.look_at(last).is_none());
        assert_eq!(
            turn.look_at(last + Duration::from_secs(9)).unwrap().1,
            Look::Early
        );
    }

    #[test]
    fn an_answer_waits_its_time_and_gives_way() {
        let mind = Mind::new("maya", "en");
        let choice = || {
            mind.choose(&mind.lines(&[], "What makes you say that?"), Look::Early)
                .unwrap()
        };
        let last = Instant::now();
        let mut rng = fastrand::Rng::with_seed(3);
        let mut turn = Turn::default();
        turn.plan(choice(), last, Look::Early, &mut rng);
        assert!(turn.begin(last + Duration::from_millis(590)).is_none());
        turn.yield_floor();
        assert!(turn.begin(last + Duration::from_secs(9)).is_none());
        turn.plan(choice(), last, Look::Early, &mut rng);
        assert!(turn.begin(last + Duration::from_millis(1_100)).is_some());
        assert!(turn.begin(last + Duration::from_secs(9)).is_none());
    }

    #[test]
    fn interrupting_waits_and_tries_again() {
        let since = Instant::now();
        let after = Duration::from_secs(1);
        let mut turn = Turn::default();
        let at = |ms| since + Duration::from_millis(ms);
        let tries: Vec<u64> = (0..2000)
            .step_by(20)
            .filter(|ms| turn.interrupts(since, after, at(*ms)))
            .collect();
        assert_eq!(tries, [1000, 1400, 1800]);
    }
}
