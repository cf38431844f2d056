//! What types cannot say: ranges, addresses that browsers can reach, tokens that cannot be guessed.

use super::Config;
use crate::mistake::Mistake;

/// Collects what does not hold.
struct Checks(Vec<Mistake>);

/// All values out of range.
pub(super) fn mistakes(config: &Config) -> Vec<Mistake> {
    let mut checks = Checks(Vec::new());
    http(config, &mut checks);
    media(config, &mut checks);
    provider(config, &mut checks);
    enrichment(config, &mut checks);
    second_transcript(config, &mut checks);
    webhooks(config, &mut checks);
    let node = &config.store.node;
    checks.that(
        !node.is_empty() && node.len() <= 64,
        "store.node",
        "is empty or longer than 64 characters",
        "The default is node",
    );
    let sessions = config.capacity.sessions_max;
    checks.that(
        sessions >= 1,
        "capacity.sessions_max",
        "must be at least 1",
        "The default is 400",
    );
    let capacity = &config.capacity;
    for (field, percent, default) in [
        ("capacity.cpu_percent_max", capacity.cpu_percent_max, 85),
        ("capacity.late_percent_max", capacity.late_percent_max, 5),
    ] {
        checks.that(
            (1..=100).contains(&percent),
            field,
            "is not between 1 and 100",
            &format!("The default is {default}"),
        );
    }
    let deadline = config.shutdown.deadline_ms;
    checks.that(
        deadline <= 3_600_000,
        "shutdown.deadline_ms",
        "is more than an hour",
        "The default is 20000",
    );
    checks.0
}

impl Checks {
    fn that(&mut self, holds: bool, field: &str, message: &str, remedy: &str) {
        if !holds {
            let (field, message, remedy) = (field.into(), message.into(), remedy.into());
            self.0.push(Mistake {
                line: 0,
                column: 0,
                field,
                message,
                remedy,
            });
        }
    }

    fn web_address(&mut self, url: &str, field: &str, remedy: &str) {
        let is_one = url.starts_with("https://") || url.starts_with("http://");
        self.that(is_one, field, "is not a web address", remedy);
    }

    fn timeout(&mut self, ms: u64, field: &str, remedy: &str) {
        let message = "is not between 100 and 600,000 milliseconds";
        self.that((100..=600_000).contains(&ms), field, message, remedy);
    }
}

fn http(config: &Config, checks: &mut Checks) {
    let http = &config.http;
    let url = &http.public_url;
    if !url.is_empty() {
        checks.web_address(
            url,
            "http.public_url",
            "Write https://interviews.example.org, or leave it empty",
        );
    }
    let plain = !url.contains('#') && !url.contains('?');
    checks.that(
        plain,
        "http.public_url",
        "holds a query or a fragment",
        "Write scheme, host and port only",
    );
    let token = http.console_token.expose();
    checks.that(
        token.is_empty() || token.len() >= 16,
        "http.console_token",
        "is shorter than 16 characters and could be guessed",
        "Leave it empty to have one made, or make one: openssl rand -hex 24",
    );
    let body_fits = (1_024..=16 << 20).contains(&http.body_bytes_max);
    checks.that(
        body_fits,
        "http.body_bytes_max",
        "is not between 1,024 and 16,777,216",
        "The default is 262144",
    );
    let some = http.requests_per_minute > 0 && http.requests_burst > 0;
    checks.that(
        some,
        "http.requests_per_minute",
        "and requests_burst must be above 0",
        "The defaults are 600 and 120",
    );
    checks.timeout(
        http.request_timeout_ms,
        "http.request_timeout_ms",
        "The default is 15000",
    );
}

fn media(config: &Config, checks: &mut Checks) {
    let media = &config.media;
    checks.that(
        media.opus_complexity <= 10,
        "media.opus_complexity",
        "is not between 0 and 10",
        "The default is 2",
    );
    let rate = (6_000..=128_000).contains(&media.opus_bitrate_bps);
    checks.that(
        rate,
        "media.opus_bitrate_bps",
        "is not between 6,000 and 128,000 bits per second",
        "The default is 40000",
    );
    checks.that(
        media.shards <= 256,
        "media.shards",
        "is more than 256",
        "0 takes one per core",
    );
    let anywhere = media.udp_addr.ip().is_unspecified() || media.tcp_addr.ip().is_unspecified();
    checks.that(
        !anywhere || !media.advertise_ips.is_empty(),
        "media.advertise_ips",
        "is empty while media listens on all addresses, so browsers would be told to send their audio to 0.0.0.0",
        "Put the address there under which participants reach this machine, such as [\"203.0.113.7\"]",
    );
    let reachable = !media
        .advertise_ips
        .iter()
        .any(std::net::IpAddr::is_unspecified);
    let message = "holds 0.0.0.0 or ::, which no browser can send to";
    checks.that(
        reachable,
        "media.advertise_ips",
        message,
        "Put this machine's public address there",
    );
}

fn provider(config: &Config, checks: &mut Checks) {
    let provider = &config.provider;
    let fits = (100..=60_000).contains(&provider.connect_timeout_ms);
    let message = "is not between 100 and 60,000 milliseconds";
    checks.that(
        fits,
        "provider.connect_timeout_ms",
        message,
        "The default is 8000",
    );
    let remedy = "The default is https://api.openai.com/v1";
    checks.web_address(
        &provider.openai_base_url,
        "provider.openai_base_url",
        remedy,
    );
}

fn second_transcript(config: &Config, checks: &mut Checks) {
    let second = &config.second_transcript;
    checks.that(
        (1..=32).contains(&second.concurrency),
        "second_transcript.concurrency",
        "is not between 1 and 32",
        "The default is 2",
    );
    checks.timeout(
        second.timeout_ms,
        "second_transcript.timeout_ms",
        "The default is 60000",
    );
    if !second.base_url.is_empty() {
        checks.web_address(
            &second.base_url,
            "second_transcript.base_url",
            "Leave it empty to use the provider's",
        );
    }
}

fn webhooks(config: &Config, checks: &mut Checks) {
    let webhooks = &config.webhooks;
    if webhooks.url.is_empty() {
        return;
    }
    checks.web_address(
        &webhooks.url,
        "webhooks.url",
        "Leave it empty to tell nobody",
    );
    checks.that(
        webhooks.secret.expose().len() >= 16,
        "webhooks.secret",
        "is shorter than 16 characters",
        "Receivers tell our events from forged ones by it; make one with `openssl rand -base64 24`",
    );
    checks.timeout(
        webhooks.timeout_ms,
        "webhooks.timeout_ms",
        "The default is 10000",
    );
}

fn enrichment(config: &Config, checks: &mut Checks) {
    let enrichment = &config.enrichment;
    let batch = (1..=20).contains(&enrichment.batch_segments);
    checks.that(
        batch,
        "enrichment.batch_segments",
        "is not between 1 and 20",
        "The default is 10",
    );
    let calls = (1..=64).contains(&enrichment.concurrency);
    checks.that(
        calls,
        "enrichment.concurrency",
        "is not between 1 and 64",
        "The default is 5",
    );
    checks.that(
        (10..=3_600_000).contains(&enrichment.probe_every_ms),
        "enrichment.probe_every_ms",
        "is not between 10 and 3600000 (an hour)",
        "The default is 60000",
    );
    checks.that(
        (1..=10_080).contains(&enrichment.results_within_min),
        "enrichment.results_within_min",
        "is not between 1 and 10080 (a week)",
        "The default is 30",
    );
    checks.that(
        enrichment.attempts_max >= 1,
        "enrichment.attempts_max",
        "must be at least 1",
        "The default is 5",
    );
    checks.timeout(
        enrichment.timeout_ms,
        "enrichment.timeout_ms",
        "The default is 60000",
    );
    if !enrichment.base_url.is_empty() {
        checks.web_address(
            &enrichment.base_url,
            "enrichment.base_url",
            "Leave it empty to use the provider's",
        );
    }
}
