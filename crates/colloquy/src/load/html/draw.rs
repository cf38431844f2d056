//! What is plotted.

use super::plot::{Kind, Plot, Series};
use crate::load::run::Loaded;
use crate::load::tally::Heard;
use crate::load::watch::Look;

/// All of them, in the order in which they are read.
pub(super) fn plots(loaded: &Loaded) -> Vec<Plot> {
    let looks = &loaded.looks;
    let over = |title, unit, series| Plot {
        title,
        unit,
        x: "seconds since the beginning",
        series,
        shaded: Some(loaded.held_s),
        y_max: None,
        x_max: Some(loaded.seconds),
    };
    let line = |name, of: fn(&Look) -> Option<f64>, class| Series {
        name,
        class,
        kind: Kind::Line,
        points: looks
            .iter()
            .filter_map(|look| Some((look.at_s, of(look)?)))
            .collect(),
    };
    let sessions = vec![
        line("participants", |look| Some(f64::from(look.connected)), "a"),
        line("server", |look| look.live, "b"),
    ];
    let heard = Series {
        name: "each answer",
        class: "a",
        kind: Kind::Dots,
        points: dots(&loaded.tally.heard),
    };
    vec![
        over("Concurrent sessions", "", sessions),
        over("Heard latency", "ms", vec![heard]),
        distribution(
            "First voice",
            &loaded.tally.first_voice_ms,
            &loaded.exported.first_voice,
        ),
        distribution(
            "Heard latency, distribution",
            &loaded.tally.latencies_ms(),
            &loaded.exported.heard_latency,
        ),
        over("CPU of the server’s process", "cores", vec![cpu(looks)]),
        over(
            "Memory of the server’s process (PSS)",
            "MB",
            vec![line("server", |look| look.pss_mb, "b")],
        ),
        over(
            "Segments that wait for enrichment",
            "",
            vec![line("server", |look| look.queue, "b")],
        ),
    ]
}

/// Dots of a long run are thinned evenly: more than this many cannot be told apart.
const DOTS_MAX: usize = 4_000;

fn dots(heard: &[Heard]) -> Vec<(f64, f64)> {
    let every = heard.len().div_ceil(DOTS_MAX).max(1);
    let kept = heard.iter().step_by(every);
    kept.map(|heard| (heard.at_s, f64::from(heard.ms)))
        .collect()
}

/// Cores in use between one look and the next.
fn cpu(looks: &[Look]) -> Series {
    let points = looks.windows(2).filter_map(|pair| {
        let (one, other) = (&pair[0], &pair[1]);
        let seconds = other.at_s - one.at_s;
        (seconds > 0.0).then_some((other.at_s, (other.cpu_s? - one.cpu_s?) / seconds))
    });
    Series {
        name: "server",
        class: "b",
        kind: Kind::Line,
        points: points.collect(),
    }
}

/// Which share of the samples is at or below a value.
fn distribution(title: &'static str, sorted_ms: &[u32], exported: &[(f64, f64)]) -> Plot {
    let count = f64::from(u32::try_from(sorted_ms.len()).unwrap_or(u32::MAX));
    let mut seen = vec![(0.0, 0.0)];
    for (place, value) in (1_u32..).zip(sorted_ms) {
        seen.push((f64::from(*value), f64::from(place) / count * 100.0));
    }
    let mut server = vec![(0.0, 0.0)];
    server.extend(
        exported
            .iter()
            .map(|(bound, share)| (bound * 1_000.0, share * 100.0)),
    );
    // Beyond the first bound with everything below it there is nothing to see.
    let end = server.iter().position(|(_, share)| *share >= 100.0);
    server.truncate(end.map_or(server.len(), |end| end + 1));
    let widest = sorted_ms.last().map(|last| f64::from(*last)).into_iter();
    let widest = widest
        .chain(server.last().map(|(bound, _)| *bound))
        .fold(0.0, f64::max);
    let series = |name, class, kind, points: Vec<(f64, f64)>| Series {
        name,
        class,
        kind,
        points: if points.len() > 1 { points } else { Vec::new() },
    };
    Plot {
        title,
        unit: "% of samples",
        x: "milliseconds or less",
        series: vec![
            series("participants", "a", Kind::Steps, seen),
            series("server, by bucket", "b", Kind::Line, server),
        ],
        shaded: None,
        y_max: Some(100.0),
        x_max: Some(widest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distribution_ends_where_everything_is_below() {
        let plot = distribution("t", &[100, 200], &[(0.1, 0.5), (0.3, 1.0), (0.5, 1.0)]);
        let (seen, server) = (&plot.series[0].points, &plot.series[1].points);
        assert_eq!(seen, &[(0.0, 0.0), (100.0, 50.0), (200.0, 100.0)]);
        assert_eq!(server.len(), 3);
        assert_eq!(plot.x_max, Some(300.0));
        let nothing = distribution("t", &[], &[]);
        assert!(nothing.series.iter().all(|series| series.points.is_empty()));
    }

    #[test]
    fn a_long_run_has_no_more_dots_than_can_be_told_apart() {
        let heard = vec![Heard { at_s: 1.0, ms: 2 }; 10_000];
        assert!((2_000..=DOTS_MAX).contains(&dots(&heard).len()));
        assert_eq!(dots(&heard[..10]).len(), 10);
    }

    #[test]
    fn cpu_is_what_was_used_between_two_looks() {
        let look = |at_s, cpu_s| Look {
            at_s,
            cpu_s,
            ..Look::default()
        };
        let looks = [look(0.0, Some(1.0)), look(2.0, Some(2.0)), look(3.0, None)];
        assert_eq!(cpu(&looks).points, [(2.0, 0.5)]);
    }
}
