//! What each participant is going to do, drawn from a seed. Pure.

use std::time::Duration;

use anyhow::{Context, ensure};
use sim::participant::Tab;

/// Speech after which an impatient participant cuts in, in milliseconds.
const CUTS_IN_MS: std::ops::Range<u64> = 800..2_500;
/// Every n-th question is interrupted.
const CUTS_IN_EVERY: u32 = 3;
/// A drop happens in this part of the time between joining and the end, in percent.
const DROPS_AT: std::ops::Range<u32> = 20..60;
/// How long a page is gone before its participant is back, in milliseconds; half of the time that is left at most.
const GONE_MS: std::ops::Range<u64> = 1_000..15_000;
/// One of so many who come back does so in another browser, with nothing but the link.
const FRESH_EVERY: u64 = 4;

/// What a load is to be like.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) sessions: u32,
    pub(super) ramp: Duration,
    pub(super) duration: Duration,
    pub(super) seed: u64,
    pub(super) drop_share: f64,
    pub(super) return_share: f64,
    pub(super) barge_in_share: f64,
    pub(super) mix: Mix,
    pub(super) sample: u32,
}

/// Voices and their weights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mix(Vec<(String, u32)>);

/// One participant. Times count from the beginning of the load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Person {
    pub(super) joins_at: Duration,
    pub(super) persona: String,
    /// Varies waiting times.
    pub(super) seed: u64,
    pub(super) interrupts: Option<Interrupts>,
    pub(super) drop: Option<Drop>,
    /// What it hears is decoded and measured.
    pub(super) is_sampled: bool,
}

/// How a participant interrupts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Interrupts {
    pub(super) after: Duration,
    pub(super) every: u32,
}

/// A page that is suddenly gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Drop {
    pub(super) at: Duration,
    /// None leaves for good.
    pub(super) back: Option<Back>,
}

/// The way back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Back {
    pub(super) after: Duration,
    pub(super) tab: Tab,
}

impl Mix {
    /// Reads `all` or `maya:2,leon:1`; a voice without a number counts once.
    pub(super) fn read(text: &str, voices: &[&str]) -> anyhow::Result<Mix> {
        let known = voices.join(", ");
        if text.trim() == "all" {
            ensure!(
                !voices.is_empty(),
                "no voice is built in: there is nobody who could speak"
            );
            return Ok(Mix(voices.iter().map(|v| ((*v).to_owned(), 1)).collect()));
        }
        let mut mix = Vec::new();
        for part in text.split(',') {
            let (voice, weight) = part.trim().split_once(':').unwrap_or((part.trim(), "1"));
            let weight: u32 = weight.trim().parse().with_context(|| {
                format!("--persona-mix: `{weight}` is no whole number; write such as maya:2,leon:1")
            })?;
            ensure!(
                voices.contains(&voice),
                "--persona-mix: there is no voice `{voice}`; there are: {known}"
            );
            ensure!(
                weight <= 1_000,
                "--persona-mix: {weight} is too large a weight; 1,000 at most"
            );
            mix.push((voice.to_owned(), weight));
        }
        ensure!(
            mix.iter().any(|(_, weight)| *weight > 0),
            "--persona-mix: every weight is 0, so nobody would speak"
        );
        Ok(Mix(mix))
    }

    /// So many voices in these proportions, one after another as evenly as they can be: each time whoever is furthest
    /// behind its share.
    fn deal(&self, count: u32) -> Vec<&str> {
        let total: u64 = self.0.iter().map(|(_, weight)| u64::from(*weight)).sum();
        let mut dealt = vec![0_u64; self.0.len()];
        let mut voices = Vec::new();
        for place in 1..=u64::from(count) {
            let behind = |(index, (_, weight)): &(usize, &(String, u32))| {
                let due = i128::from(place * u64::from(*weight));
                let had = i128::from(dealt.get(*index).copied().unwrap_or_default() * total);
                due - had
            };
            let next = self.0.iter().enumerate().rev().max_by_key(behind);
            if let Some((index, (voice, _))) = next {
                dealt[index] += 1;
                voices.push(voice.as_str());
            }
        }
        voices
    }
}

/// Draws who does what, in the order in which they join.
pub(super) fn draw(wanted: &Wanted) -> Vec<Person> {
    let mut rng = fastrand::Rng::with_seed(wanted.seed);
    let mut voices = wanted.mix.deal(wanted.sessions);
    rng.shuffle(&mut voices);
    let mut people: Vec<Person> = (0..wanted.sessions)
        .zip(voices)
        .map(|(number, voice)| Person {
            joins_at: joins_at(wanted, number, &mut rng),
            persona: voice.to_owned(),
            seed: rng.u64(..),
            interrupts: None,
            drop: None,
            is_sampled: false,
        })
        .collect();
    for index in chosen(people.len(), wanted.barge_in_share, &mut rng) {
        let after = Duration::from_millis(rng.u64(CUTS_IN_MS));
        let every = CUTS_IN_EVERY;
        people[index].interrupts = Some(Interrupts { after, every });
    }
    let dropping = chosen(people.len(), wanted.drop_share, &mut rng);
    let returning = part(dropping.len(), wanted.return_share);
    for (order, index) in dropping.into_iter().enumerate() {
        let person = &mut people[index];
        person.drop = Some(drop_of(person, wanted, order < returning, &mut rng));
    }
    // Who stays is heard for longer.
    let mut order: Vec<usize> = (0..people.len()).collect();
    order.sort_by_key(|index| people[*index].drop.is_some());
    for index in order.into_iter().take(wanted.sample as usize) {
        people[index].is_sampled = true;
    }
    people
}

/// Each in its own slot of the ramp, somewhere in it.
fn joins_at(wanted: &Wanted, number: u32, rng: &mut fastrand::Rng) -> Duration {
    let slot = wanted.ramp / wanted.sessions.max(1);
    slot * number + slot.mul_f64(rng.f64())
}

/// A random selection of so large a share, to the nearest whole number.
fn chosen(of: usize, share: f64, rng: &mut fastrand::Rng) -> Vec<usize> {
    let mut all: Vec<usize> = (0..of).collect();
    rng.shuffle(&mut all);
    all.truncate(part(of, share));
    all
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "thousands of participants at most, and a share from 0 to 1"
)]
fn part(of: usize, share: f64) -> usize {
    (of as f64 * share).round() as usize
}

fn drop_of(person: &Person, wanted: &Wanted, returns: bool, rng: &mut fastrand::Rng) -> Drop {
    let end = wanted.ramp + wanted.duration;
    let stay = end.saturating_sub(person.joins_at);
    let at = person.joins_at + stay.mul_f64(f64::from(rng.u32(DROPS_AT)) / 100.0);
    let left = end.saturating_sub(at);
    let after = Duration::from_millis(rng.u64(GONE_MS)).min(left / 2);
    let tab = if rng.u64(..FRESH_EVERY) == 0 {
        Tab::Fresh
    } else {
        Tab::Reloaded
    };
    let back = returns.then_some(Back { after, tab });
    Drop { at, back }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const VOICES: [&str; 3] = ["leon", "maya", "nora"];

    fn wanted(sessions: u32, seed: u64) -> Wanted {
        Wanted {
            sessions,
            ramp: Duration::from_secs(20),
            duration: Duration::from_secs(60),
            seed,
            drop_share: 0.25,
            return_share: 0.5,
            barge_in_share: 0.3,
            mix: Mix::read("all", &VOICES).unwrap(),
            sample: 2,
        }
    }

    #[test]
    fn the_same_seed_draws_the_same_plan_and_another_seed_another() {
        assert_eq!(draw(&wanted(40, 7)), draw(&wanted(40, 7)));
        assert_ne!(draw(&wanted(40, 7)), draw(&wanted(40, 8)));
    }

    #[test]
    fn shares_hold_to_the_nearest_person() {
        for sessions in 1..60 {
            let people = draw(&wanted(sessions, 3));
            let count = |is: fn(&&Person) -> bool| people.iter().filter(is).count();
            let dropping = count(|p| p.drop.is_some());
            assert_eq!(dropping, part(sessions as usize, 0.25));
            let returning = count(|p| p.drop.is_some_and(|drop| drop.back.is_some()));
            assert_eq!(returning, part(dropping, 0.5));
            assert_eq!(
                count(|p| p.interrupts.is_some()),
                part(sessions as usize, 0.3)
            );
            assert_eq!(count(|p| p.is_sampled), 2.min(sessions as usize));
        }
        assert_eq!((part(10, 0.25), part(10, 0.24), part(3, 1.0)), (3, 2, 3));
    }

    #[test]
    fn everybody_joins_within_the_ramp_and_is_back_before_the_end() {
        let wanted = wanted(100, 5);
        let people = draw(&wanted);
        assert!(people.is_sorted_by_key(|person| person.joins_at));
        assert!(people.iter().all(|person| person.joins_at < wanted.ramp));
        assert!(people.last().unwrap().joins_at > wanted.ramp * 9 / 10);
        for person in people {
            if let Some(drop) = person.drop {
                assert!(drop.at > person.joins_at);
                let away = drop.back.map_or(Duration::ZERO, |back| back.after);
                assert!(drop.at + away < wanted.ramp + wanted.duration);
            }
        }
    }

    #[test]
    fn a_mix_is_dealt_in_its_proportions() {
        let mix = Mix::read("maya:2, leon", &VOICES).unwrap();
        let dealt = mix.deal(10);
        assert_eq!(dealt.iter().filter(|voice| **voice == "maya").count(), 7);
        assert_eq!(dealt.len(), 10);
        let all = Mix::read("all", &VOICES).unwrap();
        let dealt = all.deal(7);
        assert_eq!(dealt.iter().filter(|voice| **voice == "leon").count(), 3);
    }

    #[test]
    fn a_mix_that_cannot_be_says_why() {
        let wrong = |text| Mix::read(text, &VOICES).unwrap_err().to_string();
        assert!(wrong("zoe").contains("there are: leon, maya, nora"));
        assert!(wrong("maya:x").contains("no whole number"));
        assert!(wrong("maya:0").contains("nobody would speak"));
        assert!(wrong("").contains("no voice"));
    }
}
