//! Segments as work: cut, taken together, settled each by itself.

use std::time::Duration;

use engine::cost::Component;
use engine::enrich::Order;
use engine::ids::{SessionId, TurnNo};
use store::{
    CodingRow, Cut, Extent, Fate, JobFilter, JobRow, JobState, Lane, Lease, NEVER_DUE, NewCoding,
    NewJob, NewSegment, Replay, Sentiment, Settlement, StoreError, Take,
};

use crate::bench::{Bench, LEASE, START_US, begin, charge, ended, job};

fn segment(segment_no: u32, text: &str) -> NewSegment {
    NewSegment {
        segment_no,
        turn: TurnNo(segment_no / 1_000),
        text: text.to_owned(),
        start_ms: u64::from(segment_no),
        end_ms: u64::from(segment_no) + 900,
        phase: "warmup".into(),
        language: "en".to_owned(),
    }
}

pub(crate) fn cut(numbers: &[u32], extent: Extent, rank: i64, due_us: i64) -> Cut {
    let text = |no: &u32| segment(*no, &format!("words of {no}"));
    Cut {
        segments: numbers.iter().map(text).collect(),
        extent,
        kind: "code".to_owned(),
        rank,
        due_us,
    }
}

pub(crate) fn coded(segment_no: u32) -> Fate {
    Fate::Done(Some(NewCoding {
        segment_no,
        coding: CodingRow {
            sentiment: Sentiment::Neutral,
            score_permille: 0,
            topics: Vec::new(),
            quote: None,
            model: "m".to_owned(),
            prompt_version: "p".to_owned(),
            schema_version: "s".to_owned(),
        },
    }))
}

pub(crate) fn no(lease: &Lease) -> u32 {
    lease.key.parse().unwrap()
}

fn again(round: u32) -> Fate {
    Fate::Again {
        round,
        not_before_us: START_US,
        reason: "not answered".to_owned(),
    }
}

pub(crate) fn report(id: &SessionId) -> NewJob {
    NewJob {
        lane: Lane::Analysis,
        kind: "report".to_owned(),
        ..job(id, "", 1)
    }
}

pub(crate) fn take(order: Order, at_once: &[u32]) -> Take {
    Take {
        order,
        at_once: at_once.to_vec(),
        lease: LEASE,
    }
}

impl Bench {
    /// Cuts a finished session's transcript through the job that does so.
    pub(crate) async fn cut(&self, id: &SessionId, cut: Cut) {
        let key = format!("cut at {}", cut.segments.len());
        let job = NewJob {
            lane: Lane::Transcript,
            ..job(id, &key, cut.rank)
        };
        self.store.enqueue(vec![job]).await.unwrap();
        let lease = self.claim(Lane::Transcript, 1).await.pop().unwrap();
        let completion = store::Completion {
            cut: Some(cut),
            last: Some(report(id)),
            ..store::Completion::default()
        };
        self.store.complete(&lease, completion).await.unwrap();
    }

    pub(crate) async fn take(&self, take: &Take) -> Vec<Lease> {
        self.store.claim(Lane::Enrichment, take).await.unwrap()
    }

    pub(crate) async fn settle(&self, leases: &[Lease], fate: impl Fn(&Lease) -> Fate) -> usize {
        let fates = leases.iter().map(|lease| (lease.job_id, fate(lease)));
        let settlement = Settlement {
            fates: fates.collect(),
            charges: vec![charge(Component::EnrichmentIn, 10, 7)],
            last: leases.first().map(|lease| report(&lease.session_id)),
            ..Settlement::default()
        };
        self.store.settle(leases, settlement).await.unwrap()
    }

    async fn rows(&self, kind: &str, state: JobState) -> Vec<JobRow> {
        let filter = JobFilter {
            state: Some(state),
            limit: 500,
            ..JobFilter::default()
        };
        let mut rows = self.store.jobs(filter).await.unwrap();
        rows.retain(|row| row.kind == kind);
        rows
    }
}

#[tokio::test]
async fn a_call_is_formed_of_one_sessions_segments_when_a_worker_is_free() {
    let bench = Bench::new().await;
    let (old, new) = (bench.finished(1).await, bench.finished(2).await);
    bench
        .cut(
            &old,
            cut(&[1_001, 2_001, 3_001], Extent::All, 10, NEVER_DUE),
        )
        .await;
    bench
        .cut(&new, cut(&[1_001, 1_002], Extent::All, 20, NEVER_DUE))
        .await;
    let three = take(Order::Newest, &[3]);
    let first = bench.take(&three).await;
    assert!(first.iter().all(|lease| lease.session_id == new));
    assert_eq!(first.iter().map(no).collect::<Vec<_>>(), [1_001, 1_002]);
    let second = bench.take(&take(Order::Newest, &[2])).await;
    assert_eq!(second.iter().map(no).collect::<Vec<_>>(), [1_001, 2_001]);
    let third = bench.take(&three).await;
    assert_eq!(third.iter().map(no).collect::<Vec<_>>(), [3_001]);
    assert_eq!(bench.take(&three).await, []);
}

#[tokio::test]
async fn of_a_call_that_succeeds_in_part_only_the_rest_is_asked_again_in_its_round() {
    let bench = Bench::new().await;
    let id = bench.finished(1).await;
    bench
        .cut(
            &id,
            cut(&[1_001, 2_001, 3_001, 4_001], Extent::All, 1, NEVER_DUE),
        )
        .await;
    let sizes = take(Order::Newest, &[4, 2, 1]);
    let leases = bench.take(&sizes).await;
    let held = bench
        .settle(&leases, |lease| {
            if no(lease) == 1_001 {
                coded(1_001)
            } else {
                again(2)
            }
        })
        .await;
    assert_eq!(held, 4);
    let coded_now = bench.store.segments(&id).await.unwrap();
    let coded_now = coded_now.iter().filter(|row| row.coding.is_some()).count();
    assert_eq!(coded_now, 1);
    let second = bench.take(&sizes).await;
    assert_eq!(second.iter().map(no).collect::<Vec<_>>(), [2_001, 3_001]);
    assert!(
        second
            .iter()
            .all(|lease| lease.round == 2 && lease.attempts == 1)
    );
    bench
        .settle(&second, |lease| {
            if no(lease) == 2_001 {
                again(3)
            } else {
                coded(3_001)
            }
        })
        .await;
    // 4,001 waits in round 2 and 2,001 in round 3: they do not share a call.
    let next = bench.take(&sizes).await;
    assert_eq!(next.iter().map(no).collect::<Vec<_>>(), [2_001]);
    assert_eq!(next[0].round, 3);
    bench
        .settle(&next, |_| Fate::Dead("refused".to_owned()))
        .await;
    assert_eq!(
        bench.claim(Lane::Analysis, 1).await,
        [],
        "4,001 is still open"
    );
    let last = bench.take(&sizes).await;
    bench.settle(&last, |lease| coded(no(lease))).await;
    assert_eq!(bench.claim(Lane::Analysis, 1).await.len(), 1, "the report");
    let dead = bench.rows("code", JobState::Dead).await;
    assert_eq!(dead[0].key, "2001");
    assert_eq!(dead[0].last_error.as_deref(), Some("refused"));
    let ledger = bench.store.ledger(&id).await.unwrap();
    assert_eq!(
        ledger[0].cost_micro_usd,
        4 * 7,
        "each of four calls was paid"
    );
}

#[tokio::test]
async fn what_a_lost_lease_brings_is_not_kept_but_was_paid() {
    let bench = Bench::new().await;
    let id = bench.finished(1).await;
    bench
        .cut(&id, cut(&[1_001, 2_001], Extent::All, 1, NEVER_DUE))
        .await;
    let two = take(Order::Newest, &[2]);
    let slow = bench.take(&two).await;
    bench.clock.advance(LEASE);
    let quick = bench.take(&two).await;
    assert_eq!(quick.len(), 2);
    assert_eq!(
        bench.settle(&slow, |_| Fate::Dead("late".to_owned())).await,
        0
    );
    assert_eq!(bench.rows("code", JobState::Dead).await, []);
    assert_eq!(bench.settle(&quick, |lease| coded(no(lease))).await, 2);
    assert_eq!(bench.settle(&quick, |_| again(2)).await, 0, "once");
    let ledger = bench.store.ledger(&id).await.unwrap();
    assert_eq!(ledger[0].cost_micro_usd, 3 * 7);
}

#[tokio::test]
async fn a_quote_that_is_not_in_its_segment_refuses_the_whole_settlement() {
    let bench = Bench::new().await;
    let id = bench.finished(1).await;
    bench
        .cut(&id, cut(&[1_001], Extent::All, 1, NEVER_DUE))
        .await;
    let leases = bench.take(&take(Order::Newest, &[1])).await;
    let Fate::Done(Some(mut invented)) = coded(1_001) else {
        panic!("a coding")
    };
    invented.coding.quote = Some(store::QuoteSpan {
        start_char: 0,
        end_char: 5,
        text: "wards".to_owned(),
    });
    let settlement = Settlement {
        fates: vec![(leases[0].job_id, Fate::Done(Some(invented)))],
        ..Settlement::default()
    };
    let refused = bench.store.settle(&leases, settlement).await.unwrap_err();
    assert!(matches!(refused, StoreError::Conflict { .. }), "{refused}");
    assert_eq!(
        bench.settle(&leases, |lease| coded(no(lease))).await,
        1,
        "still held"
    );
}

#[tokio::test]
async fn what_is_cut_while_the_interview_runs_moves_to_its_end_and_waits_for_it() {
    let bench = Bench::new().await;
    let (running, over) = (bench.session(1).await, bench.finished(2).await);
    let epoch = bench.store.claim_session(&running, "n").await.unwrap();
    let so_far = cut(&[1_001, 2_001], Extent::SoFar, -5, NEVER_DUE);
    assert_eq!(
        bench
            .store
            .cut_transcript(&running, so_far.clone())
            .await
            .unwrap(),
        2
    );
    assert_eq!(
        bench
            .store
            .cut_transcript(&running, so_far.clone())
            .await
            .unwrap(),
        0
    );
    bench
        .cut(&over, cut(&[1_001], Extent::All, 1, NEVER_DUE))
        .await;
    let one = take(Order::Newest, &[1]);
    let first = bench.take(&one).await;
    assert_eq!(first[0].session_id, over, "ended ones go first");
    let live = bench.take(&one).await;
    assert_eq!((&live[0].session_id, live[0].rank), (&running, -5));
    bench.settle(&live, |lease| coded(no(lease))).await;
    bench
        .settle(&bench.take(&one).await, |lease| coded(no(lease)))
        .await;
    assert_eq!(
        bench.claim(Lane::Analysis, 2).await,
        [],
        "no report on an interview that still runs"
    );
    let more = cut(&[1_001, 2_001, 3_001], Extent::SoFar, -5, NEVER_DUE);
    bench.store.cut_transcript(&running, more).await.unwrap();
    let entries = vec![begin(), ended()];
    bench
        .store
        .finish_session(&running, epoch, entries, vec![])
        .await
        .unwrap();
    let late = cut(&[1_001, 2_001, 3_001, 4_001], Extent::SoFar, -5, NEVER_DUE);
    assert_eq!(
        bench.store.cut_transcript(&running, late).await.unwrap(),
        0,
        "over"
    );
    bench
        .cut(
            &running,
            cut(&[1_001, 2_001, 3_001, 4_001], Extent::All, 9, START_US + 1),
        )
        .await;
    let rest = bench.take(&take(Order::Newest, &[5])).await;
    assert_eq!(rest.iter().map(no).collect::<Vec<_>>(), [3_001, 4_001]);
    assert!(
        rest.iter()
            .all(|lease| (lease.rank, lease.due_us) == (9, START_US + 1))
    );
    bench.settle(&rest, |lease| coded(no(lease))).await;
    assert_eq!(bench.claim(Lane::Analysis, 2).await.len(), 1);
}

#[tokio::test]
async fn a_segment_whose_words_changed_is_coded_again_and_one_that_is_gone_is_gone() {
    let bench = Bench::new().await;
    let id = bench.session(1).await;
    let epoch = bench.store.claim_session(&id, "n").await.unwrap();
    let numbers = [1_001, 2_001, 2_002];
    bench
        .store
        .cut_transcript(&id, cut(&numbers, Extent::SoFar, -1, NEVER_DUE))
        .await
        .unwrap();
    let leases = bench.take(&take(Order::Newest, &[2])).await;
    bench.settle(&leases, |lease| coded(no(lease))).await;
    bench
        .store
        .finish_session(&id, epoch, vec![begin(), ended()], vec![])
        .await
        .unwrap();
    let mut whole = cut(&[1_001, 2_001], Extent::All, 1, NEVER_DUE);
    whole.segments[1].text = "other words".to_owned();
    bench.cut(&id, whole).await;
    let segments = bench.store.segments(&id).await.unwrap();
    let seen: Vec<_> = segments
        .iter()
        .map(|row| (row.segment_no, row.text.as_str(), row.coding.is_some()))
        .collect();
    assert_eq!(
        seen,
        [
            (1_001, "words of 1001", true),
            (2_001, "other words", false)
        ]
    );
    let rest = bench.take(&take(Order::Newest, &[5])).await;
    assert_eq!(rest.iter().map(no).collect::<Vec<_>>(), [2_001]);
}

#[tokio::test]
async fn a_dead_letter_that_is_replayed_runs_again_and_so_does_the_report() {
    let bench = Bench::new().await;
    let id = bench.finished(1).await;
    bench
        .cut(&id, cut(&[1_001], Extent::All, 1, NEVER_DUE))
        .await;
    let one = take(Order::Newest, &[1]);
    let leases = bench.take(&one).await;
    bench
        .settle(&leases, |_| Fate::Dead("refused".to_owned()))
        .await;
    let reported = bench.claim(Lane::Analysis, 1).await.pop().unwrap();
    bench
        .store
        .complete(&reported, store::Completion::default())
        .await
        .unwrap();

    assert_eq!(
        bench
            .store
            .replay(Replay::Job(reported.job_id))
            .await
            .unwrap(),
        0,
        "not dead"
    );
    assert_eq!(
        bench
            .store
            .replay(Replay::Lane(Lane::Recording))
            .await
            .unwrap(),
        0
    );
    assert_eq!(
        bench
            .store
            .replay(Replay::Job(leases[0].job_id))
            .await
            .unwrap(),
        1
    );
    assert_eq!(bench.store.replay(Replay::All).await.unwrap(), 0, "once");
    let again = bench.take(&one).await;
    assert_eq!((again[0].attempts, again[0].round), (1, 1));
    bench.settle(&again, |lease| coded(no(lease))).await;
    let report = bench.claim(Lane::Analysis, 1).await;
    assert_eq!(
        report[0].job_id, reported.job_id,
        "the same report, made again"
    );
}

#[tokio::test]
async fn depths_count_what_waits_and_what_is_dead_and_how_long() {
    let bench = Bench::new().await;
    let id = bench.finished(1).await;
    bench
        .cut(&id, cut(&[1_001, 2_001, 3_001], Extent::All, 1, NEVER_DUE))
        .await;
    bench.clock.advance(Duration::from_secs(5));
    let one = take(Order::Newest, &[1]);
    let first = bench.take(&one).await;
    bench
        .settle(&first, |_| Fate::Dead("refused".to_owned()))
        .await;
    bench.take(&one).await;
    let depths = bench.store.depths().await.unwrap();
    let depth = depths[&Lane::Enrichment];
    assert_eq!((depth.ready, depth.leased, depth.dead), (1, 1, 1));
    assert_eq!(depth.oldest_us, Some(START_US));
    assert_eq!(depths[&Lane::Analysis], store::LaneDepth::default());
    assert_eq!(
        depths[&Lane::Transcript],
        store::LaneDepth::default(),
        "done is not waiting"
    );
}
