//! The result on a terminal.

use std::fmt::Write as _;

use super::figures::{Side, Unit};
use super::run::Loaded;
use super::sample::Wave;
use super::tally::{Tally, percentile};

/// The whole of it.
pub(super) fn text(loaded: &Loaded) -> String {
    let mut text = format!("\n  {:<28} {:>16} {:>16}\n", "", "participants", "server");
    for row in &loaded.numbers {
        let (seen, exported) = (side(row.participants, row.unit), side(row.server, row.unit));
        let _ = writeln!(text, "  {:<28} {seen:>16} {exported:>16}", row.name);
    }
    text.push('\n');
    for (name, value) in facts(loaded) {
        let _ = writeln!(text, "  {name:<28} {value}");
    }
    for wave in &loaded.waves {
        let _ = writeln!(
            text,
            "  {:<28} {}",
            format!("waveform {}", wave.session),
            of_wave(wave)
        );
    }
    let _ = writeln!(text, "\n  {}", loaded.tally.verdict().1);
    for failure in &loaded.tally.failures {
        let _ = writeln!(
            text,
            "  {:>5}  {} (such as {})",
            failure.count, failure.cause, failure.session
        );
    }
    text
}

/// What is told beside the six numbers: name and value.
pub(super) fn facts(loaded: &Loaded) -> Vec<(&'static str, String)> {
    let tally = &loaded.tally;
    let mut facts = vec![
        ("sessions", ends(tally)),
        ("line for a place", line(tally)),
        (
            "answers",
            format!(
                "{}, the interviewer spoke into {} of them",
                tally.answers, tally.overlaps
            ),
        ),
        ("drops", drops(tally)),
        ("interruptions", interruptions(tally)),
        ("gaps over 60 ms in speech", gaps(loaded)),
        (
            "packets to participants",
            format!(
                "{} received, {} lost",
                tally.packets_received, tally.packets_lost
            ),
        ),
    ];
    facts.push(("means", means(loaded)));
    if let Some(share) = tally.audible_share {
        facts.push((
            "audio of the interviewer",
            format!("{:.0} % of the time", share * 100.0),
        ));
    }
    let dropped: Vec<String> = loaded
        .exported
        .dropped
        .iter()
        .map(|(kind, count)| format!("{kind} {count:.0}"))
        .collect();
    let dropped = if dropped.is_empty() {
        "nothing".to_owned()
    } else {
        dropped.join(", ")
    };
    facts.push(("dropped by the server", dropped));
    facts.extend(process(loaded));
    if loaded.looks_missed > 0 {
        facts.push((
            "metrics",
            format!(
                "{} of {} scrapes were not answered in time",
                loaded.looks_missed,
                loaded.looks.len()
            ),
        ));
    }
    facts.push(("participants' machine", loaded.machine.clone()));
    facts
}

fn ends(tally: &Tally) -> String {
    format!(
        "{}: {} complete, {} ended by the operator, {} left by plan, {} never got in, {} failed",
        tally.sessions, tally.complete, tally.ended, tally.left, tally.never_in, tally.failed
    )
}

fn line(tally: &Tally) -> String {
    let stood = &tally.stood_ms;
    if stood.is_empty() && tally.never_in == 0 {
        return "nobody stood in it".to_owned();
    }
    let mut text = format!(
        "{} stood in it to the end and never got in, {} were let in",
        tally.never_in,
        stood.len()
    );
    if !stood.is_empty() {
        let (p50, p95) = (ms(percentile(stood, 50)), ms(percentile(stood, 95)));
        let _ = write!(text, " (after p50 {p50}, p95 {p95})");
    }
    text
}

fn drops(tally: &Tally) -> String {
    let returns: Vec<String> = tally
        .returns
        .iter()
        .filter(|way| way.count > 0)
        .map(|way| {
            format!(
                "{} by {} (heard again after p50 {}, p95 {})",
                way.count,
                way.way,
                ms(way.voice_p50_ms),
                ms(way.voice_p95_ms)
            )
        })
        .collect();
    let returns = if returns.is_empty() {
        "nobody".to_owned()
    } else {
        returns.join(", ")
    };
    format!(
        "{} planned, {} not planned; back: {returns}",
        tally.drops_planned, tally.drops_unplanned
    )
}

fn interruptions(tally: &Tally) -> String {
    let all = &tally.interruptions_ms;
    if all.is_empty() {
        return "none".to_owned();
    }
    format!(
        "{}, the interviewer was quiet after p50 {}, p95 {}",
        all.len(),
        ms(percentile(all, 50)),
        ms(percentile(all, 95))
    )
}

/// Exact on both sides, where percentiles of the server are interpolated.
fn means(loaded: &Loaded) -> String {
    let exported = &loaded.exported;
    let whole = |ms: Option<f64>| ms.map_or_else(|| "-".to_owned(), |ms| format!("{ms:.0} ms"));
    format!(
        "first voice {} seen, {} exported; heard latency {} seen, {} exported",
        whole(mean(&loaded.tally.first_voice_ms)),
        whole(exported.first_voice_mean_ms),
        whole(mean(&loaded.tally.latencies_ms())),
        whole(exported.heard_latency_mean_ms),
    )
}

fn mean(all_ms: &[u32]) -> Option<f64> {
    let count = u32::try_from(all_ms.len())
        .ok()
        .filter(|count| *count > 0)?;
    Some(all_ms.iter().map(|ms| f64::from(*ms)).sum::<f64>() / f64::from(count))
}

fn gaps(loaded: &Loaded) -> String {
    let gaps = loaded.tally.gaps;
    if gaps.count == 0 {
        return "none was heard beyond the first second of a connection".to_owned();
    }
    format!(
        "{} in {} sessions, the longest {} ms, beyond the first second of a connection; {} of them while all were held, before the sessions were ended together",
        gaps.count,
        gaps.sessions,
        gaps.longest_ms,
        loaded.gaps_held()
    )
}

fn process(loaded: &Loaded) -> Vec<(&'static str, String)> {
    let Some(process) = loaded.process else {
        return vec![("server process", "not measured: give --pid of a server on this machine, and hold the interviews for long enough".to_owned())];
    };
    vec![
        (
            "CPU per session",
            format!(
                "{:.4} cores ({:.2} cores for {:.1} sessions, over {:.0} s; the server's process alone)",
                process.cpu_cores_per_session, process.cpu_cores, process.sessions, process.seconds
            ),
        ),
        (
            "memory per session",
            format!(
                "{:.2} MB (proportional set size {:.1} MB, {:.1} MB before the first session, one-time costs included)",
                process.pss_mb_per_session, process.pss_mb, process.pss_idle_mb
            ),
        ),
    ]
}

/// One of the sample, in words.
fn of_wave(wave: &Wave) -> String {
    if let Some(problem) = &wave.problem {
        return format!("not measured: {problem}");
    }
    format!(
        "first voice {} (by packets {}), heard latency p50 {} of {} (by packets {} of {})",
        ms(wave.waveform.first_voice_ms),
        ms(wave.packets_first_voice_ms),
        ms(wave.waveform_heard_p50_ms),
        wave.waveform.heard_latencies_ms.len(),
        ms(wave.packets_heard_p50_ms),
        wave.packets_heard,
    )
}

/// Milliseconds, if there are any.
pub(super) fn ms(value: Option<u32>) -> String {
    value.map_or_else(|| "-".to_owned(), |ms| format!("{ms} ms"))
}

/// What one side says about a number.
pub(super) fn side(side: Side, unit: Unit) -> String {
    match (side, unit) {
        (Side::NotSeen, _) => "-".to_owned(),
        (Side::NoSamples, _) => "no samples".to_owned(),
        (Side::NotExported, _) => "not exported".to_owned(),
        (Side::Value(value), Unit::Count) => format!("{value:.0}"),
        (Side::Value(value), Unit::Ms) => format!("{value:.0} ms"),
        (Side::Value(value), Unit::Share) => format!("{:.2} %", value * 100.0),
        (Side::Value(value), Unit::Usd) => format!("{value:.4} USD"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_its_unit_and_what_is_missing_says_why() {
        assert_eq!(side(Side::Value(812.4), Unit::Ms), "812 ms");
        assert_eq!(side(Side::Value(0.005), Unit::Share), "0.50 %");
        assert_eq!(side(Side::Value(0.1), Unit::Usd), "0.1000 USD");
        assert_eq!(side(Side::NotExported, Unit::Ms), "not exported");
        assert_eq!(ms(None), "-");
    }

    #[test]
    fn nothing_has_no_mean() {
        assert_eq!((mean(&[]), mean(&[1, 2])), (None, Some(1.5)));
    }
}
