//! Threads that look at their sockets and timers at most so often.
//!
//! Each datagram and each timer would wake its thread by itself: 200 sessions are 10,000 of either in a second, and waking
//! up costs more than most of what is then done. So a thread that goes idle soon after it woke waits for the rest of its
//! time first, in which more arrives. What wakes up seldom never waits. Network cards do the same with interrupts.
//!
//! The server's media threads are paced, and so is who makes load: the price is that what arrives is seen so much later.

use std::cell::Cell;
use std::time::{Duration, Instant};

use tokio::runtime::Builder;

/// From one look of a media thread to the next: a tenth of a frame of audio, far below what a participant's jitter buffer
/// holds.
const LOOK_EVERY: Duration = Duration::from_millis(2);

thread_local! {
    /// When this thread woke.
    static WOKE: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Lets the threads of a runtime look so often at most.
pub fn pace(builder: &mut Builder, every: Duration) {
    builder
        .on_thread_park(move || wait_for_more(every))
        .on_thread_unpark(|| WOKE.set(Some(Instant::now())));
}

/// Builds a runtime for one media thread.
pub(crate) fn builder() -> Builder {
    let mut builder = Builder::new_current_thread();
    builder.enable_all();
    pace(&mut builder, LOOK_EVERY);
    builder
}

#[expect(
    clippy::disallowed_methods,
    reason = "the thread has nothing to run: it would sleep anyway, and this is how it sleeps longer"
)]
fn wait_for_more(every: Duration) {
    let since = WOKE.get().map(|woke| woke.elapsed());
    if let Some(rest) = since.and_then(|since| every.checked_sub(since)) {
        std::thread::sleep(rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_woke_just_now_waits_before_sleeping_again() {
        let woke = Instant::now();
        WOKE.set(Some(woke));
        wait_for_more(LOOK_EVERY);
        assert!(woke.elapsed() >= LOOK_EVERY);
    }
}
