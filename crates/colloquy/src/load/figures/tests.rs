#![expect(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use super::super::server::Scrape;
use super::*;

fn watched(before: &str, after: &str) -> Watched {
    let look = |at_s, connected, live| Look {
        at_s,
        connected,
        live,
        queue: Some(at_s * 10.0),
        ..Look::default()
    };
    Watched {
        before: Scrape::read(before),
        after: Scrape::read(after),
        looks: vec![
            look(0.0, 0, Some(0.0)),
            look(1.0, 3, Some(4.0)),
            look(2.0, 4, Some(2.0)),
        ],
        missed: 0,
        idle: None,
    }
}

fn server(rows: &[Row], key: &str) -> Side {
    rows.iter().find(|row| row.key == key).unwrap().server
}

#[test]
fn what_a_server_does_not_export_is_said_and_never_taken_for_zero() {
    let rows = rows(&Tally::default(), &watched("", ""));
    for key in [
        "first_voice_p50",
        "heard_latency_p95",
        "provider_errors",
        "cost_per_session",
    ] {
        assert_eq!(server(&rows, key), Side::NotExported, "{key}");
    }
    assert_eq!(server(&rows, "sessions_peak"), Side::Value(4.0));
    assert_eq!(rows[0].participants, Side::Value(4.0));
    assert_eq!(server(&rows, "enrichment_queue_peak"), Side::Value(20.0));
    assert_eq!(rows[1].participants, Side::NoSamples);
}

#[test]
fn older_names_of_metrics_are_understood() {
    let old = "colloquy_response_latency_seconds_bucket{le=\"1.0\"} 4\ncolloquy_response_latency_seconds_bucket{le=\"+Inf\"} 4\n\
        colloquy_provider_faults_total{category=\"retryable\"} 1\ncolloquy_provider_responses_total 50\n\
        colloquy_ended_cost_usd_total 0.6\ncolloquy_sessions_ended_total{outcome=\"complete\"} 3\n";
    let rows = rows(&Tally::default(), &watched("", old));
    assert_eq!(server(&rows, "heard_latency_p50"), Side::Value(500.0));
    assert_eq!(server(&rows, "provider_errors"), Side::Value(0.02));
    let Side::Value(cost) = server(&rows, "cost_per_session") else {
        panic!("{rows:?}");
    };
    assert!((cost - 0.2).abs() < 1e-9);
}

#[test]
fn newer_names_go_before_older_ones_and_only_what_came_since_counts() {
    let page = |new: u32, errors: u32| {
        format!(
            "colloquy_heard_latency_seconds_bucket{{le=\"0.5\"}} {new}\ncolloquy_heard_latency_seconds_bucket{{le=\"+Inf\"}} {new}\n\
             colloquy_response_latency_seconds_bucket{{le=\"9.0\"}} 10\ncolloquy_response_latency_seconds_bucket{{le=\"+Inf\"}} 10\n\
             colloquy_provider_errors_total{{kind=\"x\"}} {errors}\ncolloquy_provider_responses_total {new}\n\
             colloquy_session_cost_usd_sum {new}\ncolloquy_session_cost_usd_count {new}\n"
        )
    };
    let rows = rows(&Tally::default(), &watched(&page(100, 50), &page(200, 51)));
    assert_eq!(server(&rows, "heard_latency_p50"), Side::Value(250.0));
    assert_eq!(server(&rows, "provider_errors"), Side::Value(0.01));
    assert_eq!(server(&rows, "cost_per_session"), Side::Value(1.0));
}

#[test]
fn a_process_is_divided_by_the_sessions_of_the_time_it_was_measured_in() {
    let used = |cpu_ms, pss_kb| Used {
        cpu: Duration::from_millis(cpu_ms),
        pss_kb,
        rss_kb: 0,
    };
    let mut watched = watched("", "");
    watched.idle = Some(used(0, 10_240));
    let took = process(&watched, (0.5, used(1_000, 0)), (2.5, used(1_300, 16_384))).unwrap();
    assert!((took.sessions - 3.0).abs() < 1e-9, "{took:?}");
    assert!((took.cpu_cores_per_session - 0.05).abs() < 1e-9, "{took:?}");
    assert!((took.pss_mb_per_session - 2.0).abs() < 1e-9, "{took:?}");
    assert_eq!(
        process(&watched, (3.0, used(0, 0)), (4.0, used(0, 0))),
        None
    );
}
