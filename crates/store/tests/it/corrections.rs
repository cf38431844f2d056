//! What a researcher says, over what a model said.

use engine::enrich::Order;
use store::{Extent, Lane, NEVER_DUE, NewCorrection, Sentiment, StoreError};

use crate::bench::{Bench, START_US};
use crate::work::{coded, cut, no, report, take};

#[tokio::test]
async fn a_researchers_word_stands_over_any_coding_until_it_is_taken_back() {
    let bench = Bench::new().await;
    let id = bench.finished(1).await;
    bench
        .cut(&id, cut(&[1_001, 2_001], Extent::All, 1, NEVER_DUE))
        .await;
    let say = |sentiment, topic: &str| NewCorrection {
        sentiment,
        topics: vec![topic.to_owned()],
    };
    let correct = async |correction| {
        let report = report(&id);
        bench
            .store
            .correct_segment(&id, 1_001, correction, report)
            .await
            .unwrap();
        bench.store.segments(&id).await.unwrap().remove(0)
    };
    let before = correct(Some(say(Sentiment::Negative, "cost"))).await;
    assert_eq!(
        before.corrected_at_us,
        Some(START_US),
        "also where no model coded"
    );
    assert_eq!(
        bench.claim(Lane::Analysis, 1).await,
        [],
        "the report waits for the codings"
    );
    let leases = bench.take(&take(Order::Newest, &[2])).await;
    bench.settle(&leases, |lease| coded(no(lease))).await;
    let reported = bench.claim(Lane::Analysis, 1).await.pop().unwrap();
    bench
        .store
        .complete(&reported, store::Completion::default())
        .await
        .unwrap();
    let after = bench.store.segments(&id).await.unwrap();
    let coding = after[0].coding.as_ref().unwrap();
    assert_eq!(
        (
            coding.model.as_str(),
            coding.sentiment,
            coding.topics.as_slice()
        ),
        (
            store::RESEARCHER,
            Sentiment::Negative,
            ["cost".to_owned()].as_slice()
        )
    );
    assert_eq!(after[1].corrected_at_us, None);
    assert_eq!(after[1].coding.as_ref().unwrap().model, "m");

    let again = correct(Some(say(Sentiment::Mixed, "size"))).await;
    assert_eq!(again.coding.unwrap().topics, ["size"]);
    let remade = bench.claim(Lane::Analysis, 1).await;
    assert_eq!(
        remade[0].job_id, reported.job_id,
        "the report is made again"
    );
    let back = correct(None).await;
    assert_eq!(
        (back.corrected_at_us, back.coding.unwrap().model.as_str()),
        (None, "m")
    );
    let nowhere = bench
        .store
        .correct_segment(&id, 9_001, None, report(&id))
        .await;
    assert!(matches!(nowhere, Err(StoreError::NotFound { .. })));
}
