//! What an operator can see at `/metrics`. The doc comment of a field is its HELP text; the six numbers come first, and
//! a further one needs an incident that wanted it. Base units (seconds, dollars); every label value is enumerated and
//! starts at zero, so that a series never appears only when something goes wrong.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use engine::journal::Outcome;
use engine::link::FaultCategory;
use engine::vitals::Number;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use providers::Dialect;

use crate::alive::ALIVE;
use crate::vitals::Shared;

/// A counter with one label.
pub type Labelled = Family<[(&'static str, &'static str); 1], Counter>;
/// A counter with two labels.
pub type TwiceLabelled = Family<[(&'static str, &'static str); 2], Counter>;
/// A number that goes up and down and need not be whole.
pub type Fraction = Gauge<f64, AtomicU64>;
/// The same, with one label.
pub type LabelledFraction = Family<[(&'static str, &'static str); 1], Fraction>;
/// What was built: version and commit.
pub type Build = Family<[(&'static str, &'static str); 2], Gauge>;
/// A number that goes up and down, with one label.
pub type LabelledGauge = Family<[(&'static str, &'static str); 1], Gauge>;
/// A counter of dollars.
pub type Dollars = Counter<f64, AtomicU64>;

/// A latency that was measured.
#[derive(Clone, Copy, Debug)]
pub enum Latency {
    /// First participant audio in to first audible interviewer audio out.
    FirstVoice(Duration),
    /// The provider's word that speech stopped to its first audio.
    Provider(Duration),
    /// The participant's last voiced frame in to the first audible frame out.
    Heard {
        /// All of it.
        span: Duration,
        /// Of it, the silence that the study asks for before a turn counts as over.
        patience: Duration,
    },
}

macro_rules! metrics {
    ($(#[doc = $help:literal] $field:ident: $kind:ty = $name:literal, $make:expr;)*) => {
        /// All metrics, shared by reference.
        pub struct Metrics {
            registry: Registry,
            /// The six over rolling windows.
            pub vitals: Shared,
            $(#[doc = $help] pub $field: $kind,)*
        }

        impl Metrics {
            /// Makes and registers all metrics, each at zero.
            #[must_use]
            pub fn new() -> Metrics {
                let mut registry = Registry::with_prefix("colloquy");
                $(
                    let $field: $kind = $make;
                    registry.register($name, $help.trim().trim_end_matches('.'), $field.clone());
                )*
                let metrics = Metrics { registry, vitals: Shared::new(), $($field,)* };
                metrics.fill_labels();
                metrics
            }

            /// The names of all metrics, as registered (counters gain `_total`).
            pub const NAMES: &'static [&'static str] = &[$($name,)*];
        }
    };
}

metrics! {
    #[doc = " Sessions whose task is running."]
    sessions_live: Gauge = "sessions_live", Gauge::default();
    #[doc = " Time to first voice: first participant audio in to first audible interviewer audio out, in seconds; leading silence is no voice."]
    first_voice_seconds: Histogram = "first_voice_seconds", histogram();
    #[doc = " Provider latency: the provider's word that the participant stopped to its first audio, in seconds."]
    provider_latency_seconds: Histogram = "provider_latency_seconds", histogram();
    #[doc = " Heard latency: the participant's last voiced frame in to the first audible interviewer frame out, at the media edge, in seconds."]
    heard_latency_seconds: Histogram = "heard_latency_seconds", histogram();
    #[doc = " Heard latency beyond the patience of the study, in seconds: what its target and its alert are about."]
    heard_beyond_patience_seconds: Histogram = "heard_beyond_patience_seconds", histogram();
    #[doc = " Failures of providers by kind: connections that could not be made or broke, refusals, answers that made no sense. Connections that ended at the vendor's own limit are none."]
    provider_errors: TwiceLabelled = "provider_errors", Family::default();
    #[doc = " Responses that providers began."]
    provider_responses: Labelled = "provider_responses", Family::default();
    #[doc = " Share of failures in what providers were asked within the last five minutes, 0 to 1."]
    provider_error_ratio: LabelledFraction = "provider_error_ratio", Family::default();
    #[doc = " Segments that wait for enrichment."]
    enrichment_queue_segments: Gauge = "enrichment_queue_segments", Gauge::default();
    #[doc = " Age of the oldest segment that waits for enrichment, in seconds; 0 if none does."]
    enrichment_oldest_seconds: Gauge = "enrichment_oldest_seconds", Gauge::default();
    #[doc = " Mean cost of the sessions that ended within the last hour, in dollars; 0 if none did."]
    session_cost_usd: Fraction = "session_cost_usd", Gauge::default();
    #[doc = " Mean of cost by target of the sessions that ended within the last hour and whose study has a target; 0 if none did."]
    session_cost_target_ratio: Fraction = "session_cost_target_ratio", Gauge::default();
    #[doc = " Sessions that may be at once; beyond it new participants wait in line."]
    sessions_cap: Gauge = "sessions_cap", Gauge::default();
    #[doc = " Participants who wait in line for a place."]
    sessions_waiting: Gauge = "sessions_waiting", Gauge::default();
    #[doc = " How late a media thread was at a moment that it wanted to be awake, looked at ten times a second while it has sessions, in seconds."]
    media_tick_lag_seconds: Histogram = "media_tick_lag_seconds", delays();
    #[doc = " How long a commit took to be durable, in seconds."]
    store_commit_seconds: Histogram = "store_commit_seconds", delays();
    #[doc = " Sessions without their participant that were ended: nobody came, or nobody came back."]
    zombies_reaped: Counter = "zombies_reaped", Counter::default();
    #[doc = " Share of all cores that this process used within the last seconds, 0 to 1."]
    cpu_share: Fraction = "cpu_share", Gauge::default();
    #[doc = " 1, with the version and commit that runs."]
    build_info: Build = "build_info", Family::default();
    #[doc = " Wait for results: end of an interview to its first report, in seconds."]
    result_wait_seconds: Histogram = "result_wait_seconds", waits();
    #[doc = " The longest of these waits since the start, in seconds."]
    result_wait_worst_seconds: Gauge = "result_wait_worst_seconds", Gauge::default();
    #[doc = " Calls of the chat endpoint by how they ended: answered; busy (429); trouble (it or the network failed); stopped (key, quota or model refused); refused (what it was asked)."]
    enrichment_calls: Labelled = "enrichment_calls", Family::default();
    #[doc = " Calls of the chat endpoint that may be in flight now, as it is learnt."]
    enrichment_calls_max: Gauge = "enrichment_calls_max", Gauge::default();
    #[doc = " 1 while the chat endpoint refuses the key, the quota or the model, so that coding stands still."]
    enrichment_stopped: Gauge = "enrichment_stopped", Gauge::default();
    #[doc = " Jobs that were given up and wait for a person, in all lanes."]
    dead_letters: Gauge = "dead_letters", Gauge::default();
    #[doc = " Cost of ended sessions, in dollars (with sessions_ended this gives the cost per session)."]
    ended_cost_usd: Dollars = "ended_cost_usd", Counter::default();
    #[doc = " Ended sessions by outcome."]
    sessions_ended: Labelled = "sessions_ended", Family::default();
    #[doc = " What the platform adds inbound: a participant's packet in to its audio on the provider's socket, in seconds."]
    audio_in_seconds: Histogram = "audio_in_seconds", delays();
    #[doc = " What the platform adds outbound: an utterance's first audio from the provider to its first packet out, in seconds."]
    audio_out_seconds: Histogram = "audio_out_seconds", delays();
    #[doc = " Sessions whose task panicked; each ended alone."]
    session_panics: Counter = "session_panics", Counter::default();
    #[doc = " Things dropped because a queue was full or their owner was gone, by kind."]
    dropped: Labelled = "dropped", Family::default();
    #[doc = " Writes that failed, by what was written."]
    write_failures: Labelled = "write_failures", Family::default();
    #[doc = " Requests refused, by reason."]
    refused: Labelled = "refused", Family::default();
    #[doc = " Interviews paused, by cause: their participant's connection went, another page replaced it, the provider stayed away, a deploy, a crash."]
    pauses: Labelled = "pauses", Family::default();
    #[doc = " Interviews that went on after a pause, by the way in which their participant came back."]
    resumes: Labelled = "resumes", Family::default();
    #[doc = " Interviews that were lost, by cause: nobody was back within the recovery window, or, after a pause that outlived its process, within the study's; the provider; a fault of ours. Who comes back later by the link counts in resumes as well."]
    losses: Labelled = "losses", Family::default();
    #[doc = " Offers refused because of their grant, by reason."]
    grants_refused: Labelled = "grants_refused", Family::default();
    #[doc = " ICE restarts that pages asked for, by result: answered; refused because the connection is gone, is another one by now, or the interview is over, or because the request was invalid; or not answered in time."]
    ice_restarts: Labelled = "ice_restarts", Family::default();
    #[doc = " Links built anew in an interview that had begun, tries included, by trigger: the participant's return, the loss of the link before, or a renewal of one that worked."]
    rebuilds: Labelled = "rebuilds", Family::default();
    #[doc = " Sessions of an earlier process found at the start, by what became of them: they wait for their participants, their end was written, or their journal is damaged and they were left as they are."]
    taken_over: Labelled = "taken_over", Family::default();
    #[doc = " Tasks, connections of participants and links that are alive, by kind. Without interviews all are 0: what stays above is a leak."]
    alive: LabelledGauge = "alive", Family::default();
    #[doc = " Files and sockets that this process holds open; 0 where the system does not tell."]
    open_handles: Gauge = "open_handles", Gauge::default();
    #[doc = " Entries of journals that cannot be read: the last one was set aside and its session can go on, or one before the last is in the way of it, counted at each try."]
    damaged_entries: Labelled = "damaged_entries", Family::default();
    #[doc = " How often the clock of this machine was set back by more than a second while the process ran; its own time went on."]
    clock_set_back: Counter = "clock_set_back", Counter::default();
    #[doc = " Jobs that ended as dead letters."]
    dead_jobs: Counter = "dead_jobs", Counter::default();
}

/// Of which commit this is; the build says so by `COLLOQUY_COMMIT`.
const COMMIT: &str = match option_env!("COLLOQUY_COMMIT") {
    Some(commit) => commit,
    None => "unknown",
};
/// Kinds in `provider_errors`.
const ERRORS: [FaultCategory; 4] = [
    FaultCategory::Retryable,
    FaultCategory::RateLimited,
    FaultCategory::Misconfigured,
    FaultCategory::Malformed,
];
/// Kinds in `dropped`.
pub const DROPPED: &[&str] = &[
    "datagram",
    "datagram_out",
    "audio_in",
    "audio_out",
    "unknown_datagram",
    "page_text",
    "chunk",
    "caption",
    "stale_fact",
];
/// Kinds in `write_failures`.
pub const WRITES: &[&str] = &["journal", "recording", "finish", "grant"];
/// Reasons in `refused`.
pub const REFUSALS: &[&str] = &["rate", "full", "link", "token", "offer", "body"];
/// Causes in `pauses`.
pub const PAUSES: &[&str] = &["connection", "replaced", "provider", "deploy", "crash"];
/// Ways in `resumes`.
pub const WAYS: &[&str] = &["grant", "link"];
/// Causes in `losses`.
pub const LOSSES: &[&str] = &["window", "study_window", "provider", "fault"];
/// Results in `ice_restarts`.
pub const RESTARTS: &[&str] = &[
    "answered",
    "gone",
    "stale",
    "over",
    "invalid",
    "unavailable",
];
/// Results in `enrichment_calls`.
pub const CALLS: &[&str] = &["answered", "busy", "trouble", "stopped", "refused"];
/// Triggers in `rebuilds`.
pub const REBUILDS: &[&str] = &["return", "lost", "renewed"];
/// What became of sessions in `taken_over`.
pub const TAKEN_OVER: &[&str] = &["paused", "ended", "damaged"];
/// What was found in `damaged_entries`.
pub const DAMAGED: &[&str] = &["set_aside", "in_the_way"];

impl Metrics {
    /// The text that Prometheus scrapes.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("writing to a String cannot fail");
        text
    }

    /// A latency was measured.
    pub fn latency(&self, of: Latency) {
        let (histogram, span) = match of {
            Latency::FirstVoice(span) => (&self.first_voice_seconds, span),
            Latency::Provider(span) => (&self.provider_latency_seconds, span),
            Latency::Heard { span, patience } => {
                let beyond = span.saturating_sub(patience);
                let histogram = &self.heard_beyond_patience_seconds;
                histogram.observe(beyond.as_secs_f64());
                (&self.heard_latency_seconds, span)
            }
        };
        histogram.observe(span.as_secs_f64());
        let ms = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        self.vitals.with(|vitals, now| match of {
            Latency::FirstVoice(_) => vitals.latency(now, Number::FirstVoice, ms),
            Latency::Provider(_) => vitals.latency(now, Number::ProviderLatency, ms),
            Latency::Heard { patience, .. } => {
                let patience_ms = u32::try_from(patience.as_millis()).unwrap_or(u32::MAX);
                vitals.heard(now, ms, patience_ms);
            }
        });
    }

    /// A provider began a response.
    pub fn provider_responded(&self, provider: &'static str) {
        let labels = [("provider", provider)];
        self.provider_responses.get_or_create(&labels).inc();
        self.vitals.with(|vitals, now| vitals.asked(now, provider));
    }

    /// A provider failed. What is nobody's failure is not counted.
    pub fn provider_failed(&self, provider: &'static str, category: FaultCategory) {
        if !ERRORS.contains(&category) {
            return;
        }
        let labels = [("provider", provider), ("kind", category.name())];
        self.provider_errors.get_or_create(&labels).inc();
        self.vitals.with(|vitals, now| vitals.failed(now, provider));
    }

    /// An interview has its first report so long after its end.
    pub fn waited(&self, wait_us: i64) {
        let wait_us = wait_us.max(0);
        #[expect(clippy::cast_precision_loss, reason = "seconds for a histogram")]
        self.result_wait_seconds.observe(wait_us as f64 / 1e6);
        let worst = &self.result_wait_worst_seconds;
        worst.set(worst.get().max(wait_us / 1_000_000));
    }

    fn fill_labels(&self) {
        let labels = [("version", env!("CARGO_PKG_VERSION")), ("commit", COMMIT)];
        self.build_info.get_or_create(&labels).set(1);
        for provider in Dialect::ALL.map(Dialect::provider) {
            for kind in ERRORS {
                let labels = [("provider", provider), ("kind", kind.name())];
                drop(self.provider_errors.get_or_create(&labels));
            }
            let labels = [("provider", provider)];
            drop(self.provider_responses.get_or_create(&labels));
            drop(self.provider_error_ratio.get_or_create(&labels));
        }
        for outcome in Outcome::ALL {
            drop(
                self.sessions_ended
                    .get_or_create(&[("outcome", outcome.name())]),
            );
        }
        let fill = |family: &Labelled, label, values: &[&'static str]| {
            for value in values {
                drop(family.get_or_create(&[(label, *value)]));
            }
        };
        fill(&self.dropped, "kind", DROPPED);
        fill(&self.write_failures, "kind", WRITES);
        fill(&self.refused, "reason", REFUSALS);
        fill(&self.pauses, "cause", PAUSES);
        fill(&self.resumes, "way", WAYS);
        fill(&self.losses, "cause", LOSSES);
        let reasons = engine::grant::Refusal::ALL.map(engine::grant::Refusal::name);
        fill(&self.grants_refused, "reason", &reasons);
        fill(&self.ice_restarts, "result", RESTARTS);
        fill(&self.enrichment_calls, "result", CALLS);
        fill(&self.rebuilds, "trigger", REBUILDS);
        fill(&self.taken_over, "became", TAKEN_OVER);
        for kind in ALIVE {
            drop(self.alive.get_or_create(&[("kind", *kind)]));
        }
        fill(&self.damaged_entries, "found", DAMAGED);
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Metrics::new()
    }
}

/// Buckets that resolve the thresholds of both latencies: 0.3, 0.5 and 0.8 s for responses, 2 and 3 s for first voice.
fn histogram() -> Histogram {
    Histogram::new([
        0.05, 0.1, 0.2, 0.25, 0.3, 0.4, 0.5, 0.65, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0, 3.0, 5.0,
        10.0,
    ])
}

/// Buckets around the goals for results: 25 s in the median, 60 s at the worst, 30 minutes promised.
fn waits() -> Histogram {
    Histogram::new([
        5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 45.0, 60.0, 90.0, 120.0, 300.0, 600.0, 1_800.0, 3_600.0,
    ])
}

/// Buckets around the goals for what the platform adds: 20 ms inbound (one frame), 40 ms outbound (two).
fn delays() -> Histogram {
    Histogram::new([
        0.001, 0.002, 0.005, 0.01, 0.015, 0.02, 0.025, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1, 0.2, 0.5,
        1.0,
    ])
}

#[cfg(test)]
mod tests {
    use super::Metrics;

    #[test]
    fn every_known_label_is_there_before_anything_happened() {
        let text = Metrics::new().text();
        assert!(
            text.contains("colloquy_sessions_ended_total{outcome=\"no_show\"} 0"),
            "{text}"
        );
        assert!(
            text.contains(
                "colloquy_provider_errors_total{provider=\"openai\",kind=\"malformed\"} 0"
            ),
            "{text}"
        );
        assert!(text.contains("colloquy_sessions_live 0"), "{text}");
    }
}
