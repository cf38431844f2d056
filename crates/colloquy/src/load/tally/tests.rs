#![expect(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use sim::participant::{Gaps, LEFT, Packets, Return};

use super::*;

fn person() -> Person {
    Person {
        joins_at: Duration::ZERO,
        persona: "maya".to_owned(),
        seed: 1,
        interrupts: None,
        drop: None,
        is_sampled: false,
    }
}

fn went(session: &str, result: Result<ParticipantReport, ParticipantError>) -> Went {
    Went {
        person: person(),
        session: session.to_owned(),
        result,
        is_befallen: false,
        is_ended: true,
        is_away: false,
        line: Line::None,
        drops: 0,
        wave: None,
    }
}

fn report(outcome: &str) -> ParticipantReport {
    ParticipantReport {
        outcome: outcome.to_owned(),
        first_voice_ms: Some(400),
        connect_ms: Some(50),
        duration_ms: 20_000,
        heard_ms: 5_000,
        ..ParticipantReport::default()
    }
}

fn refused(status: u16) -> Result<ParticipantReport, ParticipantError> {
    let detail = "No.".to_owned();
    Err(ParticipantError::Refused { status, detail })
}

#[test]
fn failures_are_counted_by_cause_with_one_session_of_each() {
    let all = [
        went("a", Ok(report("complete"))),
        went("b", refused(403)),
        went("c", refused(429)),
        went("d", refused(429)),
        went("e", Ok(report("technical"))),
    ];
    let tally = tally(&all, Instant::now());
    assert_eq!((tally.sessions, tally.complete, tally.failed), (5, 1, 4));
    let failures: Vec<(usize, &str)> = tally
        .failures
        .iter()
        .map(|failure| (failure.count, failure.session.as_str()))
        .collect();
    assert_eq!(failures[0], (2, "c"));
    assert_eq!(failures.len(), 3);
    assert!(tally.failures[0].cause.contains("requests_per_minute"));
}

#[test]
fn an_end_is_a_failure_only_if_nobody_asked_for_it() {
    let mut own = went("a", Ok(report("partial")));
    assert_eq!(tally(std::slice::from_ref(&own), Instant::now()).ended, 1);
    own.is_ended = false;
    assert_eq!(tally(&[own], Instant::now()).failed, 1);
    assert_eq!(
        tally(&[went("a", Ok(report(LEFT)))], Instant::now()).left,
        1
    );
}

#[test]
fn who_stood_in_line_to_the_end_never_got_in_and_did_not_fail() {
    let mut ended = went("a", refused(410));
    ended.line = Line::NeverIn;
    let mut let_in = went("b", Ok(report("complete")));
    let_in.line = Line::Stood(Duration::from_secs(7));
    let mut let_in_and_lost = went("c", refused(410));
    let_in_and_lost.line = Line::Stood(Duration::from_secs(3));
    let gone = Err(ParticipantError::Unreachable("refused".to_owned()));
    let mut turned_away_by_a_crash = went("d", gone);
    turned_away_by_a_crash.line = Line::NeverIn;
    let all = [ended, let_in, let_in_and_lost, turned_away_by_a_crash];
    let tally = tally(&all, Instant::now());
    assert_eq!((tally.never_in, tally.complete, tally.failed), (1, 1, 2));
    assert_eq!(tally.stood_ms, [3_000, 7_000]);
    assert!(!tally.verdict().0);
}

#[test]
fn a_load_of_which_nobody_got_in_is_no_success() {
    let mut one = went("a", refused(410));
    one.line = Line::NeverIn;
    let (is_good, verdict) = tally(&[one], Instant::now()).verdict();
    assert!(!is_good && verdict.contains("Nobody got in"), "{verdict}");
}

#[test]
fn who_never_heard_anything_failed_whatever_the_outcome() {
    let mut deaf = report("complete");
    deaf.first_voice_ms = None;
    let mut short = deaf.clone();
    short.duration_ms = 3_000;
    let mut unconnected = report("partial");
    unconnected.connect_ms = None;
    let all = [deaf, short, unconnected].map(|report| went("a", Ok(report)));
    let tally = tally(&all, Instant::now());
    assert_eq!((tally.failed, tally.complete), (2, 1));
}

#[test]
fn who_was_stopped_on_the_way_back_lost_the_server_and_not_the_closing_statement() {
    let mut one = went("a", Err(ParticipantError::Stopped));
    let cause = |went: &Went| {
        tally(std::slice::from_ref(went), Instant::now()).failures[0]
            .cause
            .clone()
    };
    assert!(cause(&one).contains("closing statement"));
    one.is_away = true;
    assert!(cause(&one).contains("had not found back"));
}

#[test]
fn a_drop_that_was_planned_is_no_surprise_and_a_second_one_is() {
    let mut one = went("a", Ok(report("partial")));
    (one.is_befallen, one.drops) = (true, 1);
    let mut two = went("b", Ok(report("partial")));
    (two.is_befallen, two.drops) = (true, 3);
    let tally = tally(&[one, two], Instant::now());
    assert_eq!((tally.drops_planned, tally.drops_unplanned), (2, 2));
}

#[test]
fn what_was_heard_is_added_up_over_all_who_came_to_an_end() {
    let began = Instant::now();
    let at = |s| began + Duration::from_secs(s);
    let mut one = report("partial");
    one.response_latencies_ms = vec![900, 700];
    one.responses_at = vec![at(30), at(40)];
    one.cost_micro_usd = Some(100_000);
    one.packets = Packets {
        received: 90,
        lost: 1,
    };
    one.gaps = Gaps {
        count: 2,
        longest_ms: 90,
    };
    one.gaps_at = vec![at(50), at(45)];
    one.returns = vec![
        Return {
            rung: Rung::Grant,
            voice_ms: Some(300),
        },
        Return {
            rung: Rung::Grant,
            voice_ms: None,
        },
    ];
    let mut other = report("partial");
    other.first_voice_ms = Some(200);
    other.response_latencies_ms = vec![800];
    other.responses_at = vec![at(35)];
    other.cost_micro_usd = Some(300_000);
    let tally = tally(&[went("a", Ok(one)), went("b", Ok(other))], began);
    assert_eq!(tally.first_voice_ms, [200, 400]);
    assert_eq!(tally.latencies_ms(), [700, 800, 900]);
    let order: Vec<u32> = tally.heard.iter().map(|heard| heard.ms).collect();
    assert_eq!(order, [900, 800, 700]);
    assert!((tally.heard[1].at_s - 35.0).abs() < 1e-6);
    assert!((tally.cost_usd.unwrap() - 0.2).abs() < 1e-9);
    assert!((tally.audible_share.unwrap() - 0.25).abs() < 1e-9);
    assert_eq!(
        (tally.gaps.count, tally.gaps.sessions, tally.gaps.longest_ms),
        (2, 1, 90)
    );
    assert_eq!(tally.gaps_at_s.len(), 2);
    assert!((tally.gaps_at_s[0] - 45.0).abs() < 1e-6);
    let grant = &tally.returns[1];
    assert_eq!(
        (grant.way, grant.count, grant.unheard, grant.voice_p50_ms),
        ("grant", 2, 1, Some(300))
    );
}

#[test]
fn percentiles_are_values_that_were_seen() {
    assert_eq!(percentile(&[], 50), None);
    assert_eq!(percentile(&[5], 95), Some(5));
    assert_eq!(percentile(&[1, 2, 3, 4], 50), Some(2));
    assert_eq!(percentile(&[1, 2, 3, 4], 95), Some(4));
}
