//! What types cannot say: ranges, addresses that browsers can reach, tokens that cannot be guessed.

use super::Config;
use crate::mistake::Mistake;

/// All values out of range.
pub(super) fn mistakes(config: &Config) -> Vec<Mistake> {
    let mut found = Vec::new();
    let mut check = |holds: bool, field: &str, message: &str, remedy: &str| {
        if !holds {
            found.push(Mistake {
                line: 0,
                column: 0,
                field: field.into(),
                message: message.into(),
                remedy: remedy.into(),
            });
        }
    };
    let http = &config.http;
    let url = &http.public_url;
    check(
        url.is_empty() || url.starts_with("https://") || url.starts_with("http://"),
        "http.public_url",
        "is not a web address",
        "Write https://interviews.example.org, or leave it empty",
    );
    check(
        !url.contains('#') && !url.contains('?'),
        "http.public_url",
        "holds a query or a fragment",
        "Write scheme, host and port only",
    );
    let token = http.console_token.expose();
    check(
        token.is_empty() || token.len() >= 16,
        "http.console_token",
        "is shorter than 16 characters and could be guessed",
        "Leave it empty to have one made, or make one: openssl rand -hex 24",
    );
    check(
        (1_024..=16 << 20).contains(&http.body_bytes_max),
        "http.body_bytes_max",
        "is not between 1,024 and 16,777,216",
        "The default is 262144",
    );
    check(
        http.requests_per_minute > 0 && http.requests_burst > 0,
        "http.requests_per_minute",
        "and requests_burst must be above 0",
        "The defaults are 600 and 120",
    );
    check(
        (100..=600_000).contains(&http.request_timeout_ms),
        "http.request_timeout_ms",
        "is not between 100 and 600,000 milliseconds",
        "The default is 15000",
    );
    media(config, &mut check);
    let enrichment = &config.enrichment;
    check(
        (1..=20).contains(&enrichment.batch_segments),
        "enrichment.batch_segments",
        "is not between 1 and 20",
        "The default is 10",
    );
    check(
        (1..=64).contains(&enrichment.concurrency),
        "enrichment.concurrency",
        "is not between 1 and 64",
        "The default is 5",
    );
    check(
        enrichment.attempts_max >= 1,
        "enrichment.attempts_max",
        "must be at least 1",
        "The default is 5",
    );
    check(
        (100..=600_000).contains(&enrichment.timeout_ms),
        "enrichment.timeout_ms",
        "is not between 100 and 600,000 milliseconds",
        "The default is 60000",
    );
    let provider = &config.provider;
    check(
        (100..=60_000).contains(&provider.connect_timeout_ms),
        "provider.connect_timeout_ms",
        "is not between 100 and 60,000 milliseconds",
        "The default is 8000",
    );
    let base = &provider.openai_base_url;
    check(
        base.starts_with("http://") || base.starts_with("https://"),
        "provider.openai_base_url",
        "is not a web address",
        "The default is https://api.openai.com/v1",
    );
    check(
        config.capacity.sessions_max >= 1,
        "capacity.sessions_max",
        "must be at least 1",
        "The default is 400",
    );
    check(
        config.shutdown.deadline_ms <= 3_600_000,
        "shutdown.deadline_ms",
        "is more than an hour",
        "The default is 20000",
    );
    found
}

fn media(config: &Config, check: &mut impl FnMut(bool, &str, &str, &str)) {
    let media = &config.media;
    check(
        media.opus_complexity <= 10,
        "media.opus_complexity",
        "is not between 0 and 10",
        "The default is 5",
    );
    check(
        (6_000..=128_000).contains(&media.opus_bitrate_bps),
        "media.opus_bitrate_bps",
        "is not between 6,000 and 128,000 bits per second",
        "The default is 32000",
    );
    check(
        media.shards <= 256,
        "media.shards",
        "is more than 256",
        "0 takes one per core",
    );
    let anywhere = media.udp_addr.ip().is_unspecified() || media.tcp_addr.ip().is_unspecified();
    check(
        !anywhere || !media.advertise_ips.is_empty(),
        "media.advertise_ips",
        "is empty while media listens on all addresses, so browsers would be told to send their audio to 0.0.0.0",
        "Put the address there under which participants reach this machine, such as [\"203.0.113.7\"]",
    );
    let told_unspecified = media
        .advertise_ips
        .iter()
        .any(std::net::IpAddr::is_unspecified);
    check(
        !told_unspecified,
        "media.advertise_ips",
        "holds 0.0.0.0 or ::, which no browser can send to",
        "Put this machine's public address there",
    );
}
