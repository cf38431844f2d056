//! `colloquy synth`: interviews that were never held, so that what comes after an interview can be tried without one.
//!
//! Words are those of the simulator's corpus: real questions and the answers that its personas give. They go through the
//! store as an interview's do, and a server that is started on it finds them as if they had just ended. There is no audio.

use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail, ensure};
use engine::ids::{ItemId, PhaseId, SessionId, TopicId, TurnNo};
use engine::journal::{Entry, MoveCause, Outcome, Turn, TurnEnding};
use engine::link::Speaker;
use fastrand::Rng;
use server::session::after_end;
use sim::corpus::{Clip, Corpus, Role};
use store::{Clock, Database, Length, ManualClock, NewSession, NewStudy, Store, StoreConfig};

use crate::house::STUDY_YAML;
use crate::output;
use crate::serve::{ConfigArguments, runtime};

/// Longest interview: an hour has some 150 answers.
const SEGMENTS_MAX: u32 = 2_000;
/// How long the ends of `uniform` and `peaked` are spread over.
const SPREAD: Duration = Duration::from_secs(2 * 3_600);
/// Within which half of the ends of `peaked` lie.
const PEAK: Duration = Duration::from_secs(15 * 60);
/// A question and its answer.
const EXCHANGE_MS: u64 = 12_000;
/// Sessions between two lines of progress.
const PROGRESS_EVERY: u32 = 50;

/// Arguments of `synth`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    config: ConfigArguments,
    /// How many interviews.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    sessions: u32,
    /// Answers in each.
    #[arg(long, default_value_t = 150, value_parser = clap::value_parser!(u32).range(1..=i64::from(SEGMENTS_MAX)))]
    segments: u32,
    /// When they ended.
    #[arg(long, value_enum, default_value_t = Profile::Burst)]
    profile: Profile,
    /// The same seed writes the same interviews.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// When interviews ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Profile {
    /// All of them now.
    Burst,
    /// Evenly over the last two hours.
    Uniform,
    /// Over the last two hours, half of them within fifteen minutes.
    Peaked,
}

/// What is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) sessions: u32,
    pub(crate) segments: u32,
    pub(crate) profile: Profile,
    pub(crate) seed: u64,
}

/// Writes the interviews into the store that the configuration names.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let config = crate::serve::config(&arguments.config)?;
    let plan = Plan {
        sessions: arguments.sessions,
        segments: arguments.segments,
        profile: arguments.profile,
        seed: arguments.seed,
    };
    runtime()?.block_on(async {
        let place = StoreConfig::new(&config.store.database, &config.store.recordings);
        let written = write(place, plan, |count| {
            if count % PROGRESS_EVERY == 0 {
                output::line(format!("  {count} of {} interviews", plan.sessions));
            }
        })
        .await?;
        output::line(format!(
            "{} interviews of {} answers are in {}: `colloquy serve` codes them",
            written.len(),
            plan.segments,
            Database::at(config.store.database.clone())
        ));
        Ok(ExitCode::SUCCESS)
    })
}

/// Writes finished interviews; gives back their ids in the order of their ends.
pub(crate) async fn write(
    place: StoreConfig,
    plan: Plan,
    told: impl Fn(u32),
) -> anyhow::Result<Vec<SessionId>> {
    let (store, clock, until_us) = open(place, plan.profile).await?;
    let mut rng = Rng::with_seed(plan.seed);
    let mut ids = Vec::new();
    for (index, end_us) in ends_us(plan, until_us, &mut rng).into_iter().enumerate() {
        let passed_us = u64::try_from(end_us.saturating_sub(store.now_us())).unwrap_or(0);
        clock.advance(Duration::from_micros(passed_us));
        let id = create(&store, &mut rng).await?;
        let epoch = store.claim_session(&id, "synth").await?;
        let mut entries = talk(plan.segments, &mut rng)?;
        let timeline_ms = u64::from(plan.segments) * EXCHANGE_MS;
        entries.push(Entry::Ended {
            outcome: Outcome::Complete,
            timeline_ms,
        });
        let jobs = after_end(&id, store.now_us());
        store.finish_session(&id, epoch, entries, jobs).await?;
        ids.push(id);
        told(u32::try_from(index).unwrap_or(u32::MAX).saturating_add(1));
    }
    store.close().await?;
    Ok(ids)
}

/// Writes interviews that still run: `segments` says how many answers the n-th has so far. [`end_all`] ends them.
pub(crate) async fn begin(
    place: StoreConfig,
    sessions: u32,
    seed: u64,
    segments: impl Fn(u32) -> u32,
) -> anyhow::Result<Vec<SessionId>> {
    let (store, _, _) = open(place, Profile::Burst).await?;
    let mut rng = Rng::with_seed(seed);
    let mut ids = Vec::new();
    for index in 0..sessions {
        let id = create(&store, &mut rng).await?;
        let epoch = store.claim_session(&id, "synth").await?;
        let entries = talk(segments(index), &mut rng)?;
        store.append(&id, epoch, entries).await?;
        ids.push(id);
    }
    store.close().await?;
    Ok(ids)
}

/// Ends them all at once.
pub(crate) async fn end_all(place: StoreConfig, ids: &[SessionId]) -> anyhow::Result<()> {
    let store = Store::open(place)
        .await
        .context("the store cannot be opened for ending interviews in it")?;
    for id in ids {
        let epoch = store.claim_session(id, "synth").await?;
        let ended = vec![Entry::Ended {
            outcome: Outcome::Complete,
            timeline_ms: 3_600_000,
        }];
        let jobs = after_end(id, store.now_us());
        store.finish_session(id, epoch, ended, jobs).await?;
    }
    store.close().await?;
    Ok(())
}

/// Opens the store with a clock that can be moved, and puts the study.
async fn open(
    mut place: StoreConfig,
    profile: Profile,
) -> anyhow::Result<(Store, ManualClock, i64)> {
    let now_us = now_us();
    let spread = match profile {
        Profile::Burst => Duration::ZERO,
        Profile::Uniform | Profile::Peaked => SPREAD,
    };
    let spread_us = i64::try_from(spread.as_micros()).unwrap_or(0);
    let clock = ManualClock::at(now_us - spread_us);
    place.clock = Clock::Manual(clock.clone());
    let store = Store::open(place).await.context(
        "the store cannot be opened for writing interviews into it; a server that uses it must be stopped first",
    )?;
    let study = server::study::parse(STUDY_YAML)
        .map_err(|_| anyhow::anyhow!("the example study has mistakes; this is a bug"))?;
    store
        .put_study(NewStudy {
            study_id: study.id,
            title: study.title,
            source: STUDY_YAML.to_owned(),
        })
        .await?;
    Ok((store, clock, now_us))
}

pub(crate) fn now_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
    })
}

/// When the interviews end, first to last.
fn ends_us(plan: Plan, until_us: i64, rng: &mut Rng) -> Vec<i64> {
    let span_us = |span: Duration| i64::try_from(span.as_micros()).unwrap_or(0);
    let (spread_us, peak_us) = (span_us(SPREAD), span_us(PEAK));
    let mut ends: Vec<i64> = (0..plan.sessions)
        .map(|index| match plan.profile {
            Profile::Burst => until_us,
            Profile::Uniform => until_us - rng.i64(0..spread_us),
            Profile::Peaked if index % 2 == 0 => until_us - spread_us / 2 - rng.i64(0..peak_us),
            Profile::Peaked => until_us - rng.i64(0..spread_us),
        })
        .collect();
    ends.sort_unstable();
    ends
}

async fn create(store: &Store, rng: &mut Rng) -> anyhow::Result<SessionId> {
    let study = store
        .study(&crate::house::STUDY.into(), None)
        .await?
        .context("the study was not stored")?;
    // The time is in the id, so that ids sort as sessions were made; the rest is the seed's.
    let millis = u64::try_from(store.now_us() / 1_000).unwrap_or(0);
    let id = SessionId::from(ulid::Ulid::from_parts(millis, rng.u128(..)).to_string());
    let mut link_hash = [0; 32];
    rng.fill(&mut link_hash);
    let session = NewSession {
        session_id: id.clone(),
        study_id: study.study_id,
        study_version: study.version,
        link_hash,
        language: "en".to_owned(),
        length: Length::Full,
        external_id: None,
        expires_at_us: None,
    };
    store.create_sessions(vec![session]).await?;
    store.record_consent(&id, true, [0; 32]).await?;
    Ok(id)
}

/// An interview: each question with one of its answers, through the phases, until there are that many.
fn talk(segments: u32, rng: &mut Rng) -> anyhow::Result<Vec<Entry>> {
    let corpus = Corpus::embedded();
    let personas = corpus.personas("en");
    ensure!(!personas.is_empty(), "the corpus has nobody to speak");
    let persona = personas[rng.usize(..personas.len())];
    let mut asked: Vec<(&Clip, Vec<&Clip>)> = corpus
        .clips()
        .iter()
        .filter(|clip| clip.role == Role::Interviewer && clip.study == crate::house::STUDY)
        .map(|question| (question, corpus.answers(persona, question, &[])))
        .filter(|(_, answers)| !answers.is_empty())
        .collect();
    if asked.is_empty() {
        bail!("{persona} has no answer to any question of the study");
    }
    // Phases stay together, as often as it takes.
    asked.sort_by_key(|(question, _)| question.phase.clone());
    let mut entries = Vec::new();
    let mut phase = String::new();
    for index in 0..segments {
        let place = index as usize * asked.len() / segments.max(1) as usize;
        let (question, answers) = &asked[place.min(asked.len() - 1)];
        let start_ms = u64::from(index) * EXCHANGE_MS;
        if question.phase != phase {
            phase.clone_from(&question.phase);
            entries.push(Entry::PhaseEntered {
                phase: PhaseId::from(phase.as_str()),
                cause: if index == 0 {
                    MoveCause::Start
                } else {
                    MoveCause::Model
                },
                timeline_ms: start_ms,
            });
        }
        let answer = answers[rng.usize(..answers.len())];
        let said = [
            (Speaker::Interviewer, &question.text, start_ms),
            (
                Speaker::Participant,
                &answer.text,
                start_ms + EXCHANGE_MS / 3,
            ),
        ];
        for (place, (speaker, text, start_ms)) in (1..).zip(said) {
            let turn = TurnNo(index * 2 + place);
            entries.push(Entry::Turn(Turn {
                turn,
                speaker,
                item: ItemId::from(format!("item{}", turn.0)),
                phase: PhaseId::from(phase.as_str()),
                start_ms,
                end_ms: start_ms + EXCHANGE_MS / 3,
                text: text.clone(),
                unheard: String::new(),
                ending: TurnEnding::Complete,
            }));
        }
        // `q-warmup-role-1` asks for `role`.
        if let Some(topic) = question.id.split('-').nth(2) {
            entries.push(Entry::TopicCovered {
                topic: TopicId::from(topic),
                phase: PhaseId::from(phase.as_str()),
                timeline_ms: start_ms,
            });
        }
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn plan(profile: Profile) -> Plan {
        Plan {
            sessions: 4,
            segments: 12,
            profile,
            seed: 3,
        }
    }

    async fn written(profile: Profile) -> (tempfile::TempDir, Vec<SessionId>, Store) {
        let folder = tempfile::tempdir().unwrap();
        let place = || StoreConfig::new(folder.path().join("db"), folder.path().join("recordings"));
        let ids = write(place(), plan(profile), |_| {}).await.unwrap();
        let store = Store::open(place()).await.unwrap();
        (folder, ids, store)
    }

    #[tokio::test]
    async fn interviews_are_finished_and_their_work_waits() {
        let (_folder, ids, store) = written(Profile::Burst).await;
        assert_eq!(ids.len(), 4);
        let turns = store.turns(&ids[0]).await.unwrap();
        assert_eq!(turns.len(), 24);
        assert!(turns.iter().all(|turn| !turn.text.is_empty()));
        let depths = store.depths().await.unwrap();
        assert_eq!(depths[&store::Lane::Transcript].ready, 4);
        let row = store.session(&ids[0]).await.unwrap().unwrap();
        assert_eq!(row.outcome, Some(Outcome::Complete));
    }

    #[tokio::test]
    async fn the_same_seed_says_the_same_words_and_ends_lie_in_the_last_two_hours() {
        let (_one, first, one) = written(Profile::Peaked).await;
        let (_two, second, two) = written(Profile::Peaked).await;
        for (a, b) in first.iter().zip(&second) {
            assert_eq!(one.turns(a).await.unwrap(), two.turns(b).await.unwrap());
            let ended_us = one.session(a).await.unwrap().unwrap().ended_at_us.unwrap();
            let age_us = now_us() - ended_us;
            assert!(
                (0..=2 * 3_600 * 1_000_000 + 60_000_000).contains(&age_us),
                "{age_us}"
            );
        }
    }

    #[tokio::test]
    async fn writing_the_same_interviews_into_a_store_that_is_open_says_so() {
        let (folder, _, _store) = written(Profile::Burst).await;
        let place = StoreConfig::new(folder.path().join("db"), folder.path().join("recordings"));
        let refused = write(place, plan(Profile::Burst), |_| {})
            .await
            .unwrap_err();
        assert!(
            format!("{refused:#}").contains("must be stopped first"),
            "{refused:#}"
        );
    }
}
