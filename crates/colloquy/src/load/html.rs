//! The report as one page: styles and plots are in it, nothing is fetched, nothing runs.

mod draw;
mod plot;

use std::fmt::Write as _;

use plot::Plot;

use super::figures::Side;
use super::run::Loaded;
use super::sample::Wave;
use super::text::{facts, ms, side};

const STYLE: &str = include_str!("html/style.css");

/// The page.
pub(super) fn page(loaded: &Loaded) -> String {
    let mut page = String::from(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n<title>Load report</title>\n",
    );
    let _ = write!(page, "<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n");
    page.push_str(&head(loaded));
    page.push_str(&failures(loaded));
    page.push_str(&numbers(loaded));
    let plots: String = draw::plots(loaded).iter().map(Plot::figure).collect();
    let _ = write!(
        page,
        "<section>\n<h2>Over the run</h2>\n<p class=\"note\">The shaded part is the time in which the interviews were held: after the last join, before the operator ended them.</p>\n<div class=\"plots\">\n{plots}</div>\n</section>\n"
    );
    page.push_str(&rest(loaded));
    page.push_str("</main>\n</body>\n</html>\n");
    page
}

fn head(loaded: &Loaded) -> String {
    let options = &loaded.options;
    let (is_good, verdict) = loaded.tally.verdict();
    let class = if is_good { "good" } else { "bad" };
    format!(
        "<header>\n<h1>Load report</h1>\n<p class=\"verdict {class}\">{verdict}</p>\n<p>{} synthetic participants joined within {} s and were held for {} s on {}. \
         Seed {}; drop share {}, return share {}, barge-in share {}, voices {}. The run took {:.0} s.</p>\n</header>\n",
        options.sessions,
        seconds(options.ramp_ms),
        seconds(options.duration_ms),
        escape(&loaded.target),
        options.seed,
        options.drop_share,
        options.return_share,
        options.barge_in_share,
        escape(&options.persona_mix),
        loaded.seconds,
    )
}

fn seconds(ms: u64) -> String {
    if ms.is_multiple_of(1_000) {
        format!("{}", ms / 1_000)
    } else {
        format!("{}.{:03}", ms / 1_000, ms % 1_000)
    }
}

fn failures(loaded: &Loaded) -> String {
    if loaded.tally.failures.is_empty() {
        return String::new();
    }
    let rows = loaded
        .tally
        .failures
        .iter()
        .fold(String::new(), |mut rows, failure| {
            let _ = writeln!(
                rows,
                "<tr><td class=\"number\">{}</td><td>{}</td><td><code>{}</code></td></tr>",
                failure.count,
                escape(&failure.cause),
                escape(&failure.session)
            );
            rows
        });
    format!(
        "<section>\n<h2>Failures by cause</h2>\n<table>\n<thead><tr><th class=\"number\">Sessions</th><th>Cause</th><th>One of them</th></tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n</section>\n"
    )
}

fn numbers(loaded: &Loaded) -> String {
    let rows = loaded.numbers.iter().fold(String::new(), |mut rows, row| {
        let cell = |one: Side| {
            let class = if matches!(one, Side::Value(_)) {
                "number"
            } else {
                "number none"
            };
            format!("<td class=\"{class}\">{}</td>", side(one, row.unit))
        };
        let _ = writeln!(
            rows,
            "<tr><th scope=\"row\">{}</th>{}{}</tr>",
            row.name,
            cell(row.participants),
            cell(row.server)
        );
        rows
    });
    format!(
        "<section>\n<h2>The six numbers, from both sides</h2>\n<table class=\"sides\">\n<thead><tr><th></th><th class=\"number\"><span class=\"key a\"></span>Participants</th>\
         <th class=\"number\"><span class=\"key b\"></span>Server</th></tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n\
         <p class=\"note\">Participants measure what they heard: latency from the end of their own speech to the next audible packet, first voice from the connection. \
         The server’s percentiles are interpolated within the buckets of its histograms.</p>\n</section>\n"
    )
}

fn rest(loaded: &Loaded) -> String {
    let mut rest =
        String::from("<section>\n<h2>What else there is to know</h2>\n<table>\n<tbody>\n");
    for (name, value) in facts(loaded) {
        let _ = writeln!(
            rest,
            "<tr><th scope=\"row\">{}</th><td>{}</td></tr>",
            capital(name),
            escape(&value)
        );
    }
    rest.push_str("</tbody>\n</table>\n</section>\n");
    rest.push_str(&waves(&loaded.waves));
    rest
}

fn capital(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

fn waves(waves: &[Wave]) -> String {
    if waves.is_empty() {
        return String::new();
    }
    let rows = waves.iter().fold(String::new(), |mut rows, wave| {
        let _ = write!(rows, "<tr><td><code>{}</code></td>", escape(&wave.session));
        if let Some(problem) = &wave.problem {
            let _ = writeln!(
                rows,
                "<td colspan=\"5\">not measured: {}</td></tr>",
                escape(problem)
            );
            return rows;
        }
        let cells = [
            ms(wave.packets_first_voice_ms),
            ms(wave.waveform.first_voice_ms),
            format!("{} ({})", ms(wave.packets_heard_p50_ms), wave.packets_heard),
            format!(
                "{} ({})",
                ms(wave.waveform_heard_p50_ms),
                wave.waveform.heard_latencies_ms.len()
            ),
            format!(
                "{} / {}",
                wave.waveform.overlapped, wave.waveform.unanswered
            ),
        ];
        for cell in cells {
            let _ = write!(rows, "<td class=\"number\">{cell}</td>");
        }
        rows.push_str("</tr>\n");
        rows
    });
    format!(
        "<section>\n<h2>Measured on the waveform</h2>\n<table>\n<thead><tr><th>Session</th><th class=\"number\">First voice, packets</th><th class=\"number\">First voice, waveform</th>\
         <th class=\"number\">Heard latency p50, packets (n)</th><th class=\"number\">Heard latency p50, waveform (n)</th><th class=\"number\">Overlapped / unanswered</th></tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n\
         <p class=\"note\">On a sample of sessions what was heard was decoded into a wave file. Audible is a frame of 20 ms above −42 dBFS; an end of own speech at which the interviewer was audible already is overlapped, one after which nothing came is unanswered.</p>\n</section>\n"
    )
}

/// For text and attributes.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_others_cannot_become_markup() {
        assert_eq!(escape("<b a=\"1\">&"), "&lt;b a=&quot;1&quot;&gt;&amp;");
    }
}
