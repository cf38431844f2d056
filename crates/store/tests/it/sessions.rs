//! Studies, sessions, journals and their projections.

use engine::cost::Component;
use engine::ids::{PeerNo, SessionId};
use engine::journal::{Entry, Measure, Outcome};
use engine::session::State;
use store::{Consent, Epoch, ReportState, SessionFilter, StoreError};

use crate::bench::{Bench, START_US, begin, charge, ended, job, new_session, nudge, study, turn};

#[tokio::test]
async fn a_changed_study_file_is_a_new_version_and_the_same_one_is_not() {
    let bench = Bench::new().await;
    let same = bench.store.put_study(study("title: Tools")).await.unwrap();
    let changed = bench
        .store
        .put_study(study("title: Tools, again"))
        .await
        .unwrap();
    assert_eq!((same.version, changed.version), (1, 2));
    assert_eq!(changed.source, "title: Tools, again");
    let first = bench
        .store
        .study(&"tools".into(), Some(1))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(first.source, "title: Tools");
    assert_eq!(
        bench
            .store
            .study(&"tools".into(), None)
            .await
            .unwrap()
            .unwrap()
            .version,
        2
    );
    assert_eq!(bench.store.studies().await.unwrap().len(), 1);
    assert_eq!(
        bench.store.study(&"nothing".into(), None).await.unwrap(),
        None
    );
}

#[tokio::test]
async fn a_study_counts_its_sessions_by_where_they_are() {
    let bench = Bench::new().await;
    let (done, live) = (bench.session(1).await, bench.session(2).await);
    bench.session(3).await;
    let epoch = bench.store.claim_session(&done, "n").await.unwrap();
    bench
        .store
        .finish_session(&done, epoch, vec![begin(), ended()], vec![])
        .await
        .unwrap();
    bench.store.claim_session(&live, "n").await.unwrap();
    let study = bench
        .store
        .study(&"tools".into(), None)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((study.sessions, study.live, study.completed), (3, 1, 1));
}

#[tokio::test]
async fn sessions_are_created_all_or_none() {
    let bench = Bench::new().await;
    bench.session(1).await;
    let mut same_link = new_session(3);
    same_link.link_hash = [1; 32];
    let refused = bench
        .store
        .create_sessions(vec![new_session(2), same_link])
        .await
        .unwrap_err();
    assert!(matches!(refused, StoreError::Conflict { .. }), "{refused}");
    assert_eq!(bench.store.session(&"S002".into()).await.unwrap(), None);

    let mut no_study = new_session(4);
    no_study.study_version = 9;
    let refused = bench
        .store
        .create_sessions(vec![no_study])
        .await
        .unwrap_err();
    assert!(matches!(refused, StoreError::NotFound { .. }), "{refused}");
}

#[tokio::test]
async fn a_session_is_found_by_its_link_and_by_nothing_else() {
    let bench = Bench::new().await;
    let id = bench.session(7).await;
    assert_eq!(
        bench
            .store
            .session_by_link(&[7; 32])
            .await
            .unwrap()
            .unwrap()
            .session_id,
        id
    );
    assert_eq!(bench.store.session_by_link(&[8; 32]).await.unwrap(), None);
}

#[tokio::test]
async fn an_append_survives_reopening_with_all_its_projections() {
    let bench = Bench::new().await;
    let id = bench.session(1).await;
    let epoch = bench.store.claim_session(&id, "node-a").await.unwrap();
    let entries = vec![
        Entry::PeerUp { peer: PeerNo(1) },
        begin(),
        turn(1, 500, "I use three tools."),
        Entry::TopicCovered {
            topic: "tools".into(),
            phase: "warmup".into(),
            timeline_ms: 2_000,
        },
        Entry::Measured {
            measure: Measure::FirstVoice,
            ms: 412,
        },
        Entry::Charged {
            charges: vec![
                charge(Component::AudioIn, 100, 3_200),
                charge(Component::AudioOut, 50, 3_300),
            ],
        },
    ];
    // The first entry of every session is its creation.
    assert_eq!(bench.store.append(&id, epoch, entries).await.unwrap(), 7);

    let bench = bench.reopen().await;
    let row = bench.store.session(&id).await.unwrap().unwrap();
    assert_eq!(row.state, State::Active);
    assert_eq!(row.phase, Some("warmup".into()));
    assert_eq!(
        (row.turns, row.cost_micro_usd, row.first_voice_ms),
        (1, 6_500, Some(412))
    );
    assert_eq!(
        (row.started_at_us, row.ended_at_us, row.last_seq),
        (Some(START_US), None, 7)
    );
    assert_eq!((row.owner.as_deref(), row.epoch), (Some("node-a"), epoch));
    assert_eq!(
        bench.store.turns(&id).await.unwrap()[0].text,
        "I use three tools."
    );
    assert_eq!(
        bench.store.covered(&id).await.unwrap()[0].topic,
        "tools".into()
    );
    assert_eq!(bench.store.phases(&id).await.unwrap()[0].cause, "start");
    let kinds = bench.kinds(&id).await;
    let expected = [
        "session_created",
        "peer_up",
        "phase_entered",
        "turn",
        "topic_covered",
        "measured",
        "charged",
    ];
    assert_eq!(kinds, expected);
}

#[tokio::test]
async fn turns_come_in_speech_order_though_they_were_completed_in_another() {
    let bench = Bench::new().await;
    let id = bench.session(1).await;
    let epoch = bench.store.claim_session(&id, "n").await.unwrap();
    let entries = vec![
        turn(3, 4_000, "third"),
        turn(1, 0, "first"),
        turn(2, 2_000, "second"),
    ];
    bench.store.append(&id, epoch, entries).await.unwrap();
    // The words of a turn may come again, corrected: the later ones stand, the journal has both.
    bench
        .store
        .append(&id, epoch, vec![turn(2, 2_000, "second, corrected")])
        .await
        .unwrap();
    let turns = bench.store.turns(&id).await.unwrap();
    let texts: Vec<&str> = turns.iter().map(|turn| turn.text.as_str()).collect();
    assert_eq!(texts, ["first", "second, corrected", "third"]);
    assert_eq!(bench.store.session(&id).await.unwrap().unwrap().turns, 3);
    assert_eq!(bench.kinds(&id).await.len(), 5);
}

#[tokio::test]
async fn words_come_back_as_they_were_said_in_any_script() {
    let bench = Bench::new().await;
    let id = bench.session(1).await;
    let epoch = bench.store.claim_session(&id, "n").await.unwrap();
    let said = [
        "\"quoted\" \\ 'x'; --",
        "nul \0 and tab\t",
        "😀 會議 \u{202b}עברית\u{202c} e\u{301}",
        "",
    ];
    let entries = said
        .iter()
        .zip(1..)
        .map(|(words, number)| turn(number, u64::from(number), words));
    bench
        .store
        .append(&id, epoch, entries.collect())
        .await
        .unwrap();
    let turns = bench.store.turns(&id).await.unwrap();
    assert_eq!(
        turns
            .iter()
            .map(|turn| turn.text.as_str())
            .collect::<Vec<_>>(),
        said
    );
    assert_eq!(
        bench.store.journal(&id).await.unwrap()[2].body["text"],
        said[1]
    );
}

#[tokio::test]
async fn the_ledger_sums_by_component_and_agrees_with_the_session() {
    let bench = Bench::new().await;
    let id = bench.session(1).await;
    let epoch = bench.store.claim_session(&id, "n").await.unwrap();
    for _ in 0..3 {
        let charges = vec![
            charge(Component::AudioOut, 10, 7),
            charge(Component::TextIn, 5, 1),
        ];
        bench
            .store
            .append(&id, epoch, vec![Entry::Charged { charges }])
            .await
            .unwrap();
    }
    let ledger = bench.store.ledger(&id).await.unwrap();
    let sums: Vec<_> = ledger
        .iter()
        .map(|row| (row.component, row.quantity, row.cost_micro_usd, row.rows))
        .collect();
    assert_eq!(
        sums,
        [
            (Component::TextIn, 15, 3, 3),
            (Component::AudioOut, 30, 21, 3)
        ]
    );
    let total: i64 = ledger.iter().map(|row| row.cost_micro_usd).sum();
    assert_eq!(
        bench
            .store
            .session(&id)
            .await
            .unwrap()
            .unwrap()
            .cost_micro_usd,
        total
    );
}

#[tokio::test]
async fn an_owner_that_was_fenced_off_cannot_write() {
    let bench = Bench::new().await;
    let id = bench.session(1).await;
    let old = bench.store.claim_session(&id, "node-a").await.unwrap();
    bench.store.append(&id, old, vec![begin()]).await.unwrap();
    let new = bench.store.claim_session(&id, "node-b").await.unwrap();
    assert!(new > old);

    let refused = bench
        .store
        .append(&id, old, vec![nudge()])
        .await
        .unwrap_err();
    assert!(matches!(refused, StoreError::Fenced { .. }), "{refused}");
    let refused = bench
        .store
        .finish_session(&id, old, vec![ended()], vec![])
        .await
        .unwrap_err();
    assert!(matches!(refused, StoreError::Fenced { .. }), "{refused}");
    bench.store.append(&id, new, vec![nudge()]).await.unwrap();
    assert_eq!(
        bench.kinds(&id).await,
        ["session_created", "phase_entered", "nudged"]
    );
    // An epoch that was never given out is as bad as an old one.
    assert!(
        bench
            .store
            .append(&id, Epoch(99), vec![nudge()])
            .await
            .is_err()
    );
}

#[tokio::test]
async fn consent_is_recorded_once_however_often_it_is_given() {
    let bench = Bench::new().await;
    let id = bench.session(1).await;
    for _ in 0..2 {
        let row = bench
            .store
            .record_consent(&id, true, [3; 32])
            .await
            .unwrap();
        assert_eq!((row.consent, row.state), (Consent::Given, State::Invited));
    }
    assert_eq!(bench.kinds(&id).await, ["session_created", "consent_given"]);
    let refused = bench
        .store
        .record_consent(&id, false, [3; 32])
        .await
        .unwrap_err();
    assert!(matches!(refused, StoreError::Conflict { .. }), "{refused}");
    let unknown = bench
        .store
        .record_consent(&"nobody".into(), true, [3; 32])
        .await
        .unwrap_err();
    assert!(matches!(unknown, StoreError::NotFound { .. }), "{unknown}");
}

#[tokio::test]
async fn a_declined_consent_ends_the_session_for_good() {
    let bench = Bench::new().await;
    let id = bench.session(1).await;
    for _ in 0..2 {
        let row = bench
            .store
            .record_consent(&id, false, [3; 32])
            .await
            .unwrap();
        assert_eq!((row.consent, row.state), (Consent::Declined, State::Ended));
        assert_eq!(
            (row.outcome, row.ended_at_us),
            (Some(Outcome::NoConsent), Some(START_US))
        );
    }
    assert_eq!(
        bench.kinds(&id).await,
        ["session_created", "consent_declined"]
    );
    assert!(matches!(
        bench.store.claim_session(&id, "n").await,
        Err(StoreError::Conflict { .. })
    ));
    assert_eq!(bench.store.unfinished_sessions().await.unwrap(), []);
}

#[tokio::test]
async fn the_end_and_what_follows_from_it_are_one_step_that_can_be_repeated() {
    let bench = Bench::new().await;
    let id = bench.session(1).await;
    let epoch = bench.store.claim_session(&id, "node").await.unwrap();
    bench.store.append(&id, epoch, vec![begin()]).await.unwrap();
    assert_eq!(bench.store.unfinished_sessions().await.unwrap().len(), 1);
    for _ in 0..2 {
        bench
            .store
            .finish_session(&id, epoch, vec![ended()], vec![job(&id, "", 1)])
            .await
            .unwrap();
    }
    let row = bench.store.session(&id).await.unwrap().unwrap();
    assert_eq!(
        (row.state, row.outcome, row.duration_ms),
        (State::Ended, Some(Outcome::Complete), Some(61_000))
    );
    assert_eq!((row.owner, row.report), (None, ReportState::Working));
    assert_eq!(
        bench.kinds(&id).await,
        ["session_created", "phase_entered", "ended"]
    );
    assert_eq!(
        bench
            .store
            .jobs(store::JobFilter::default())
            .await
            .unwrap()
            .len(),
        1
    );
    assert_eq!(bench.store.unfinished_sessions().await.unwrap(), []);
    assert!(matches!(
        bench.store.append(&id, epoch, vec![nudge()]).await,
        Err(StoreError::Conflict { .. })
    ));
}

#[tokio::test]
async fn a_job_that_cannot_be_put_keeps_the_end_from_being_written() {
    let bench = Bench::new().await;
    let id = bench.session(1).await;
    let epoch = bench.store.claim_session(&id, "n").await.unwrap();
    let foreign = job(&"nobody".into(), "", 1);
    let refused = bench
        .store
        .finish_session(&id, epoch, vec![ended()], vec![foreign])
        .await
        .unwrap_err();
    assert!(matches!(refused, StoreError::NotFound { .. }), "{refused}");
    assert_eq!(bench.kinds(&id).await, ["session_created"]);
    assert_eq!(
        bench.store.session(&id).await.unwrap().unwrap().state,
        State::Waiting
    );
}

#[tokio::test]
async fn pages_of_sessions_join_without_gap_or_repetition() {
    let bench = Bench::new().await;
    for number in 1..=7 {
        bench.session(number).await;
        // Pairs share their moment of creation.
        if number % 2 == 0 {
            bench.clock.advance(std::time::Duration::from_secs(1));
        }
    }
    let mut seen: Vec<SessionId> = Vec::new();
    loop {
        let filter = SessionFilter {
            before: seen.last().cloned(),
            limit: 3,
            ..SessionFilter::default()
        };
        let page = bench.store.sessions(filter).await.unwrap();
        if page.is_empty() {
            break;
        }
        seen.extend(page.into_iter().map(|row| row.session_id));
    }
    let newest_first: Vec<SessionId> = (1..=7)
        .rev()
        .map(|number| format!("S{number:03}").into())
        .collect();
    assert_eq!(seen, newest_first);
}

#[tokio::test]
async fn sessions_are_listed_by_study_and_state() {
    let bench = Bench::new().await;
    let first = bench.session(1).await;
    bench.session(2).await;
    bench.store.claim_session(&first, "n").await.unwrap();
    let waiting = SessionFilter {
        state: Some(State::Waiting),
        ..SessionFilter::default()
    };
    let listed = bench.store.sessions(waiting).await.unwrap();
    assert_eq!(
        listed
            .into_iter()
            .map(|row| row.session_id)
            .collect::<Vec<_>>(),
        [first]
    );
    let other = SessionFilter {
        study_id: Some("other".into()),
        ..SessionFilter::default()
    };
    assert_eq!(bench.store.sessions(other).await.unwrap(), []);
}
