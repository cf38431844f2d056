//! What a completion brings, all of it or nothing.

use engine::cost::Component;
use engine::ids::{SessionId, TurnNo};
use serde_json::json;
use store::{
    CodingRow, Completion, Cut, Extent, Lane, Lease, NEVER_DUE, NewCoding, NewSegment, Peaks,
    QuoteSpan, RecordingRow, ReportState, Sentiment, StoreError,
};

use crate::bench::{Bench, begin, charge, ended, job, turn};

/// Eleven characters, seventeen bytes: a count of bytes would be found out.
const WORDS: &str = "Größe zählt";

async fn leased(bench: &Bench, key: &str) -> (SessionId, Lease) {
    let id = SessionId::from("S001");
    bench.store.enqueue(vec![job(&id, key, 1)]).await.unwrap();
    let lease = bench.claim(Lane::Enrichment, 1).await.pop().unwrap();
    (id, lease)
}

fn segment(segment_no: u32, text: &str) -> NewSegment {
    NewSegment {
        segment_no,
        turn: TurnNo(2),
        text: text.to_owned(),
        start_ms: 1_000,
        end_ms: 2_000,
        phase: "warmup".into(),
        language: "de".to_owned(),
    }
}

fn cut(segments: Vec<NewSegment>) -> Option<Cut> {
    Some(Cut {
        segments,
        extent: Extent::All,
        kind: "code".to_owned(),
        rank: 1,
        due_us: NEVER_DUE,
    })
}

fn coding(segment_no: u32, model: &str, quote: Option<QuoteSpan>) -> NewCoding {
    let coding = CodingRow {
        sentiment: Sentiment::Negative,
        score_permille: -640,
        topics: vec!["size".to_owned(), "cost".to_owned()],
        quote,
        model: model.to_owned(),
        prompt_version: "p1".to_owned(),
        schema_version: "s1".to_owned(),
    };
    NewCoding { segment_no, coding }
}

fn quote(start_char: u32, end_char: u32, text: &str) -> Option<QuoteSpan> {
    Some(QuoteSpan {
        start_char,
        end_char,
        text: text.to_owned(),
    })
}

#[tokio::test]
async fn segments_codings_and_quotes_come_back_as_they_were_given() {
    let bench = Bench::new().await;
    bench.session(1).await;
    let (id, lease) = leased(&bench, "a").await;
    let completion = Completion {
        cut: cut(vec![segment(1, WORDS), segment(2, "")]),
        codings: vec![coding(1, "m", quote(6, 11, "zählt"))],
        report: Some(json!({"summary": "short"})),
        charges: vec![charge(Component::EnrichmentIn, 900, 45)],
        recording: Some(RecordingRow {
            object: "sessions/S001/recording.ogg".to_owned(),
            duration_ms: 61_000,
            bytes: 480_000,
            peaks: Peaks {
                ms_per_peak: 100,
                participant: vec![0, 255],
                interviewer: vec![7, 0],
            },
        }),
        ..Completion::default()
    };
    bench
        .store
        .complete(&lease, completion.clone())
        .await
        .unwrap();

    let bench = bench.reopen().await;
    let segments = bench.store.segments(&id).await.unwrap();
    assert_eq!(segments.len(), 2);
    assert_eq!(
        (
            segments[0].text.as_str(),
            segments[0].turn,
            segments[0].language.as_str()
        ),
        (WORDS, TurnNo(2), "de")
    );
    assert_eq!(
        segments[0].coding.as_ref(),
        Some(&completion.codings[0].coding)
    );
    assert_eq!(segments[1].coding, None);
    assert_eq!(bench.store.report(&id).await.unwrap(), completion.report);
    assert_eq!(
        bench.store.recording(&id).await.unwrap(),
        completion.recording
    );
    assert_eq!(bench.store.ledger(&id).await.unwrap()[0].cost_micro_usd, 45);
    let row = bench.store.session(&id).await.unwrap().unwrap();
    assert_eq!((row.cost_micro_usd, row.report), (45, ReportState::Ready));
}

#[tokio::test]
async fn a_quote_that_is_not_in_its_segment_refuses_the_whole_completion() {
    let bench = Bench::new().await;
    bench.session(1).await;
    let (id, lease) = leased(&bench, "a").await;
    // Other words; the right words elsewhere; byte offsets; beyond the end; nothing; longer than its span.
    let invented = [
        quote(6, 11, "zahlt"),
        quote(5, 10, "zählt"),
        quote(8, 14, "zählt"),
        quote(6, 12, "zählt"),
        quote(6, 6, ""),
        quote(6, 10, "zählt"),
    ];
    for quote in invented {
        let completion = Completion {
            cut: cut(vec![segment(1, WORDS)]),
            codings: vec![coding(1, "m", quote.clone())],
            charges: vec![charge(Component::EnrichmentIn, 1, 1)],
            ..Completion::default()
        };
        let refused = bench.store.complete(&lease, completion).await.unwrap_err();
        assert!(
            matches!(refused, StoreError::Conflict { .. }),
            "{quote:?}: {refused}"
        );
    }
    assert_eq!(bench.store.segments(&id).await.unwrap(), []);
    assert_eq!(bench.store.ledger(&id).await.unwrap(), []);
    bench
        .store
        .complete(&lease, Completion::default())
        .await
        .expect("the lease is still held");
}

#[tokio::test]
async fn the_latest_way_of_coding_is_shown_and_the_same_way_keeps_its_first_result() {
    let bench = Bench::new().await;
    bench.session(1).await;
    let (id, lease) = leased(&bench, "a").await;
    let segments = vec![segment(1, WORDS)];
    let first = Completion {
        cut: cut(segments),
        codings: vec![coding(1, "old", None)],
        ..Completion::default()
    };
    bench.store.complete(&lease, first).await.unwrap();

    let (_, lease) = leased(&bench, "b").await;
    let mut same_way = coding(1, "old", None);
    same_way.coding.sentiment = Sentiment::Positive;
    bench
        .store
        .complete(
            &lease,
            Completion {
                codings: vec![same_way],
                ..Completion::default()
            },
        )
        .await
        .unwrap();
    let shown = bench.store.segments(&id).await.unwrap()[0]
        .coding
        .clone()
        .unwrap();
    assert_eq!(
        (shown.model.as_str(), shown.sentiment),
        ("old", Sentiment::Negative)
    );

    let (_, lease) = leased(&bench, "c").await;
    let other_way = vec![coding(1, "new", None)];
    bench
        .store
        .complete(
            &lease,
            Completion {
                codings: other_way,
                ..Completion::default()
            },
        )
        .await
        .unwrap();
    assert_eq!(
        bench.store.segments(&id).await.unwrap()[0]
            .coding
            .as_ref()
            .unwrap()
            .model,
        "new"
    );
}

#[tokio::test]
async fn a_coding_without_its_segment_is_refused() {
    let bench = Bench::new().await;
    bench.session(1).await;
    let (_, lease) = leased(&bench, "a").await;
    let completion = Completion {
        codings: vec![coding(9, "m", None)],
        ..Completion::default()
    };
    let refused = bench.store.complete(&lease, completion).await.unwrap_err();
    assert!(matches!(refused, StoreError::NotFound { .. }), "{refused}");
}

#[tokio::test]
async fn a_second_transcript_is_kept_beside_the_turn_and_the_first_one_stands() {
    let bench = Bench::new().await;
    let id = bench.session(1).await;
    let epoch = bench.store.claim_session(&id, "n").await.unwrap();
    let entries = vec![begin(), turn(1, 0, "live words"), turn(2, 500, ""), ended()];
    bench
        .store
        .finish_session(&id, epoch, entries, vec![])
        .await
        .unwrap();
    let hear = |turn: u32| store::NewJob {
        key: turn.to_string(),
        ..job(&id, "hear", 1)
    };
    bench.store.enqueue(vec![hear(1), hear(2)]).await.unwrap();
    let take = store::Take {
        at_once: vec![10],
        ..store::Take::one(std::time::Duration::from_secs(60))
    };
    let leases = bench
        .store
        .claim(job(&id, "hear", 1).lane, &take)
        .await
        .unwrap();
    assert_eq!(leases.len(), 2);
    let second = |turn, text: &str| store::NewSecond {
        turn: engine::ids::TurnNo(turn),
        second: store::SecondRow {
            text: text.to_owned(),
            model: "m".to_owned(),
        },
    };
    let settlement = |seconds| store::Settlement {
        fates: leases
            .iter()
            .map(|lease| (lease.job_id, store::Fate::Done(None)))
            .collect(),
        seconds,
        ..store::Settlement::default()
    };
    let first = settlement(vec![second(1, "life words"), second(2, "found words")]);
    assert_eq!(bench.store.settle(&leases, first).await.unwrap(), 2);
    // Whoever comes too late changes nothing.
    let late = settlement(vec![second(1, "other words")]);
    assert_eq!(bench.store.settle(&leases, late).await.unwrap(), 0);
    let turns = bench.store.turns(&id).await.unwrap();
    let seen: Vec<_> = turns
        .iter()
        .map(|turn| {
            (
                turn.text.as_str(),
                turn.second.as_ref().map(|second| second.text.as_str()),
                turn.words(),
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("live words", Some("life words"), "live words"),
            ("", Some("found words"), "found words")
        ]
    );
}
