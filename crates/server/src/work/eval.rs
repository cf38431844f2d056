//! How far coding several segments in one call agrees with coding each alone, measured on a study's own answers. Nothing is
//! stored.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use engine::cost::{Prices, Usage};
use engine::enrich::{
    Code, Coding, ContextLine, PROMPT_VERSION, Segment, Topics, Verdict, check, instructions,
    message,
};
use engine::ids::{SessionId, StudyId};
use serde::Serialize;
use store::{SessionFilter, Store};
use tokio::task::JoinSet;

use super::call::Client;
use super::coding::{CONTEXT_TURNS, answer, codes_of, schema, segment, tokens_max};
use super::gate::Gate;
use crate::clock::Clock;
use crate::config::Config;
use crate::metrics::Metrics;
use crate::study::Study;

/// Sessions of a page.
const PAGE: u32 = 100;
/// A call that failed is made again so often; then its segments count as missing.
const TRIES: usize = 4;
/// How soon it is seen that the endpoint refuses everything.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What one size of calls came to, beside single calls.
#[derive(Clone, Debug, Serialize)]
pub struct Sized {
    /// Segments in a call at most.
    pub batch: u32,
    /// Calls that were made.
    pub calls: usize,
    /// Segments without an answer that holds. The pipeline asks again about those; this does not.
    pub missing: usize,
    /// Calls that failed to the end, by why the last try did.
    pub failed: BTreeMap<&'static str, usize>,
    /// Segments that both have an answer for: what the agreement is of.
    pub compared: usize,
    /// Of those, with the same sentiment. None if nothing could be compared.
    pub sentiment_agreement: Option<f64>,
    /// Mean overlap of the topics: those that both name of all that either names; two without topics agree.
    pub topic_agreement: Option<f64>,
    /// Tokens in and out.
    pub tokens: u64,
    /// At today's prices.
    pub cost_micro_usd: i64,
}

/// What was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Evaluation {
    /// The model that coded.
    pub model: String,
    /// Version of the instructions.
    pub prompt_version: String,
    /// Segments looked at.
    pub segments: usize,
    /// Of so many interviews.
    pub sessions: usize,
    /// Each segment alone: what the others are compared with.
    pub alone: Sized,
    /// One for each size that was asked for. A size of 1 is a second run of single calls: how far the model agrees with itself.
    pub sizes: Vec<Sized>,
}

/// Segments of one interview, in speech order, with the turns around them.
struct Sample {
    segments: Vec<Segment>,
    turns: Vec<(u64, ContextLine)>,
}

type Codings = BTreeMap<(usize, u32), Coding>;

/// What calls need.
struct Bench {
    client: Client,
    codebook: Vec<Code>,
    ids: BTreeSet<String>,
    prices: Prices,
}

/// Codes up to `most` of a study's segments (newest interviews first) alone and in calls of these sizes. `told` hears how
/// many calls of one size are done.
///
/// # Errors
/// What the store says; or that the study has no segments.
pub async fn evaluate(
    config: &Config,
    store: &Store,
    study: (&StudyId, &Study),
    prices: Prices,
    most: usize,
    sizes: &[u32],
    told: &(dyn Fn(u32, usize, usize) + Sync),
) -> anyhow::Result<Evaluation> {
    let samples = samples(store, study.0, most).await?;
    let segments = samples.iter().map(|sample| sample.segments.len()).sum();
    anyhow::ensure!(
        segments > 0,
        "the study {} has no finished interview with a transcript yet",
        study.0
    );
    let codebook = codes_of(study.1);
    let metrics = Arc::new(Metrics::new());
    let enrichment = &config.enrichment;
    let probe = Duration::from_millis(enrichment.probe_every_ms);
    let gate = Gate::new(enrichment.concurrency, probe, Clock::start(), metrics);
    let bench = Arc::new(Bench {
        client: Client::new(config, Arc::new(gate)),
        ids: codebook.iter().map(|code| code.id.clone()).collect(),
        codebook,
        prices,
    });
    let sessions = samples.len();
    let samples = Arc::new(samples);
    let (alone, mut first) = run(&bench, &samples, 1, told).await;
    bench.refused()?;
    compare(&mut first, &alone, &alone);
    let mut sized = Vec::new();
    for size in sizes {
        let (codings, mut sums) = run(&bench, &samples, *size, told).await;
        bench.refused()?;
        compare(&mut sums, &alone, &codings);
        sized.push(sums);
    }
    Ok(Evaluation {
        model: bench.client.model().to_owned(),
        prompt_version: PROMPT_VERSION.to_owned(),
        segments,
        sessions,
        alone: first,
        sizes: sized,
    })
}

async fn samples(store: &Store, study: &StudyId, most: usize) -> anyhow::Result<Vec<Sample>> {
    let mut samples = Vec::new();
    let (mut room, mut before): (usize, Option<SessionId>) = (most, None);
    while room > 0 {
        let filter = SessionFilter {
            study_id: Some(study.clone()),
            before: before.clone(),
            limit: PAGE,
            ..SessionFilter::default()
        };
        let page = store.sessions(filter).await?;
        let Some(last) = page.last() else { break };
        before = Some(last.session_id.clone());
        for session in page {
            if room == 0 {
                break;
            }
            let rows = store.segments(&session.session_id).await?;
            let segments: Vec<Segment> = rows.iter().take(room).map(segment).collect();
            if segments.is_empty() {
                continue;
            }
            room -= segments.len();
            let turns = store.turns(&session.session_id).await?;
            let heard = turns.iter().filter(|turn| !turn.words().is_empty());
            let line = |turn: &store::TurnRow| {
                let (speaker, text) = (turn.speaker, turn.words().to_owned());
                (turn.start_ms, ContextLine { speaker, text })
            };
            samples.push(Sample {
                segments,
                turns: heard.map(line).collect(),
            });
        }
    }
    Ok(samples)
}

/// All samples in calls of one size. The gate bounds how many are under way.
async fn run(
    bench: &Arc<Bench>,
    samples: &Arc<Vec<Sample>>,
    size: u32,
    told: &(dyn Fn(u32, usize, usize) + Sync),
) -> (Codings, Sized) {
    let mut calls = JoinSet::new();
    for (index, sample) in samples.iter().enumerate() {
        for part in sample.segments.chunks(size.max(1) as usize) {
            let (bench, part) = (Arc::clone(bench), part.to_vec());
            let context = context(sample, &part);
            calls.spawn(async move { (index, bench.call(&part, &context).await) });
        }
    }
    let count = calls.len();
    let mut codings = Codings::new();
    let mut usage = Usage::none();
    let mut failed = BTreeMap::new();
    let mut done = 0;
    while let Some(call) = calls.join_next().await {
        done += 1;
        told(size, done, count);
        let (index, result) = match call {
            Ok((index, result)) => (index, result),
            Err(_panicked) => (0, Err("panic")),
        };
        let (coded, used) = match result {
            Ok(coded) => coded,
            Err(why) => {
                *failed.entry(why).or_insert(0) += 1;
                continue;
            }
        };
        codings.extend(coded.into_iter().map(|(no, coding)| ((index, no), coding)));
        usage = used.iter().fold(usage, |sum, (component, quantity)| {
            sum.with(component, quantity)
        });
    }
    let charges = bench.prices.charge(&usage);
    let all: usize = samples.iter().map(|sample| sample.segments.len()).sum();
    let sized = Sized {
        batch: size,
        calls: count,
        missing: all - codings.len(),
        failed,
        compared: 0,
        sentiment_agreement: None,
        topic_agreement: None,
        tokens: usage.iter().map(|(_, quantity)| quantity).sum(),
        cost_micro_usd: charges.iter().map(|charge| charge.cost.0).sum(),
    };
    (codings, sized)
}

/// The last turns before the first of the segments, as in the pipeline.
fn context(sample: &Sample, part: &[Segment]) -> Vec<ContextLine> {
    let first_ms = part.iter().map(|segment| segment.start_ms).min();
    let before = sample
        .turns
        .iter()
        .filter(|(start_ms, _)| Some(*start_ms) < first_ms);
    let mut lines: Vec<ContextLine> = before
        .rev()
        .take(CONTEXT_TURNS as usize)
        .map(|(_, line)| line.clone())
        .collect();
    lines.reverse();
    lines
}

impl Bench {
    /// When the endpoint refuses the key, the model or the quota: waiting for that to end is the pipeline's business.
    async fn stopped(&self) {
        while self.client.gate().stopped().is_none() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// What keeps calls from being made.
    fn refused(&self) -> anyhow::Result<()> {
        match self.client.gate().stopped() {
            Some(why) => anyhow::bail!("nothing could be measured: {why}"),
            None => Ok(()),
        }
    }

    /// One call, made again where it failed.
    async fn call(
        &self,
        part: &[Segment],
        context: &[ContextLine],
    ) -> Result<(Vec<(u32, Coding)>, Usage), &'static str> {
        let numbers: Vec<u32> = part.iter().map(|segment| segment.no).collect();
        let shown: Vec<&Segment> = part.iter().collect();
        let topics = if self.ids.is_empty() {
            Topics::Open
        } else {
            Topics::Codebook(&self.ids)
        };
        let mut why = "stopped";
        for _ in 0..TRIES {
            let turn = tokio::select! {
                turn = self.client.gate().turn(None) => turn,
                () = self.stopped() => break,
            };
            let asked = self.client.ask(
                turn,
                instructions(&self.codebook),
                message(&self.codebook, context, &shown),
                schema(&numbers, &self.ids),
                PROMPT_VERSION,
                tokens_max(part),
            );
            let reply = match asked.await {
                Ok(reply) => reply,
                Err(error) => {
                    why = error.category.name();
                    continue;
                }
            };
            let answers: serde_json::Map<String, serde_json::Value> =
                reply.json().unwrap_or_default();
            let coded = part.iter().filter_map(|segment| {
                let answer = answers.get(&format!("s{}", segment.no)).and_then(answer);
                match check(&segment.text, answer.as_ref(), topics) {
                    Verdict::Accepted(coding) => Some((segment.no, coding)),
                    Verdict::Refused { rest, .. } => rest.map(|rest| (segment.no, rest)),
                }
            });
            return Ok((coded.collect(), reply.usage));
        }
        Err(why)
    }
}

fn compare(sized: &mut Sized, alone: &Codings, together: &Codings) {
    let pairs: Vec<(&Coding, &Coding)> = together
        .iter()
        .filter_map(|(key, coding)| Some((alone.get(key)?, coding)))
        .collect();
    sized.compared = pairs.len();
    let mean = |sum: f64| {
        #[expect(clippy::cast_precision_loss, reason = "some thousand segments")]
        let count = pairs.len() as f64;
        (count > 0.0).then(|| sum / count)
    };
    let same = pairs
        .iter()
        .filter(|(one, other)| one.sentiment == other.sentiment);
    sized.sentiment_agreement = mean(same.map(|_| 1.0).sum());
    sized.topic_agreement = mean(pairs.iter().map(|(one, other)| overlap(one, other)).sum());
}

/// Of all topics that either names, the part that both do (Jaccard).
fn overlap(one: &Coding, other: &Coding) -> f64 {
    let topics = |coding: &Coding| -> BTreeSet<String> {
        coding
            .topics
            .iter()
            .map(|topic| topic.trim().to_lowercase())
            .collect()
    };
    let (one, other) = (topics(one), topics(other));
    let union = one.union(&other).count();
    if union == 0 {
        return 1.0;
    }
    #[expect(clippy::cast_precision_loss, reason = "a handful of topics")]
    let share = one.intersection(&other).count() as f64 / union as f64;
    share
}

#[cfg(test)]
mod tests {
    use engine::enrich::Sentiment;

    use super::*;

    fn coding(sentiment: Sentiment, topics: &[&str]) -> Coding {
        Coding {
            sentiment,
            score_permille: 0,
            topics: topics.iter().map(|topic| (*topic).to_owned()).collect(),
            quote: None,
        }
    }

    #[test]
    fn agreement_is_of_what_both_have_and_topics_count_by_their_overlap() {
        let alone = Codings::from([
            ((0, 1), coding(Sentiment::Positive, &["price", "time"])),
            ((0, 2), coding(Sentiment::Neutral, &[])),
            ((1, 1), coding(Sentiment::Negative, &["price"])),
            ((1, 2), coding(Sentiment::Negative, &["price"])),
        ]);
        let together = Codings::from([
            ((0, 1), coding(Sentiment::Positive, &["Price "])),
            ((0, 2), coding(Sentiment::Mixed, &[])),
            ((1, 1), coding(Sentiment::Negative, &["time"])),
            ((9, 9), coding(Sentiment::Negative, &["time"])),
        ]);
        let mut sized = Sized {
            batch: 2,
            calls: 2,
            missing: 1,
            failed: BTreeMap::new(),
            compared: 0,
            sentiment_agreement: None,
            topic_agreement: None,
            tokens: 0,
            cost_micro_usd: 0,
        };
        compare(&mut sized, &alone, &Codings::new());
        assert_eq!((sized.compared, sized.sentiment_agreement), (0, None));
        compare(&mut sized, &alone, &together);
        let percent = |share: Option<f64>| (share.unwrap_or_default() * 1_000.0).round() / 10.0;
        assert_eq!(sized.compared, 3);
        assert_eq!(percent(sized.sentiment_agreement), 66.7);
        assert_eq!(percent(sized.topic_agreement), 50.0);
    }
}
