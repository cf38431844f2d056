//! What runs, counted while it does. All of it is zero when no interview runs: what stays above is a leak.

use prometheus_client::metrics::gauge::Gauge;

use crate::metrics::Metrics;

/// Kinds in `alive`: tasks, the connections of participants, and those that came over TCP.
pub(crate) const ALIVE: &[&str] = &["session", "media", "recorder", "link", "peer", "tcp"];

/// One thing that is alive, until this is dropped: also by a panic, or with the thread that its task ran on.
#[derive(Debug)]
pub(crate) struct Alive(Gauge);

impl Metrics {
    /// Counts one thing of that kind for as long as the guard is kept.
    pub(crate) fn alive(&self, kind: &'static str) -> Alive {
        let gauge = self.alive.get_or_create(&[("kind", kind)]).clone();
        gauge.inc();
        Alive(gauge)
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::{ALIVE, Metrics};

    #[test]
    fn what_panics_is_not_alive_any_more() {
        let metrics = Metrics::new();
        let text = |count: u8| format!("colloquy_alive{{kind=\"link\"}} {count}");
        assert!(metrics.text().contains(&text(0)), "{ALIVE:?}");
        let first = metrics.alive("link");
        let died = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _second = metrics.alive("link");
            assert!(metrics.text().contains(&text(0)), "an injected bug");
        }));
        assert!(died.is_err() && metrics.text().contains(&text(1)));
        drop(first);
        assert!(metrics.text().contains(&text(0)));
    }
}
