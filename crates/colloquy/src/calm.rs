//! Fewer wake-ups for who has very many small things to do.
//!
//! Hundreds of participants have a datagram or a timer every tenth of a millisecond, and each would wake its thread from the deepest sleep
//! for a few microseconds of work. A thread that was woken just now waits a moment instead, and then finds several things to do at once, as
//! a network card does that holds interrupts back. The price is in what is measured: whatever arrives is seen up to [`MOMENT`] later.

use std::cell::Cell;
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::runtime::{Builder, Runtime};

/// From one wake-up of a thread to the next, at least. Packets of audio come every 20 ms, and gaps are judged from 60 ms on.
const MOMENT: Duration = Duration::from_millis(1);

/// Sessions that one thread serves without being late: a half of what would fill it.
const SESSIONS_PER_THREAD: u32 = 250;

thread_local! {
    /// When this thread was let sleep last.
    static LET_SLEEP: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// A runtime for so many sessions. As few threads as can serve them: what one thread wakes on another is a wake-up, too.
pub(crate) fn runtime(name: &str, sessions: u32) -> anyhow::Result<Runtime> {
    let threads = usize::try_from(sessions.div_ceil(SESSIONS_PER_THREAD).max(1))?;
    Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .thread_name(name)
        .on_thread_park(wait_a_moment)
        .build()
        .context("the runtime cannot start: this machine gives no more threads")
}

/// Waits until this thread was let sleep a moment ago.
#[expect(
    clippy::disallowed_methods,
    reason = "the thread has nothing to run: it would sleep anyway, and this is how it sleeps longer"
)]
fn wait_a_moment() {
    let since = LET_SLEEP.get().map(|last| last.elapsed());
    if let Some(rest) = since.and_then(|since| MOMENT.checked_sub(since)) {
        std::thread::sleep(rest);
    }
    LET_SLEEP.set(Some(Instant::now()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_was_let_sleep_just_now_waits_a_moment_first() {
        let before = Instant::now();
        LET_SLEEP.set(Some(before));
        wait_a_moment();
        assert!(before.elapsed() >= MOMENT);
        assert!(
            LET_SLEEP.get() > Some(before),
            "and the next waits from here on"
        );
    }
}
