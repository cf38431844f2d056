//! Few threads that wake seldom, for who has very many small things to do: hundreds of participants have a datagram or a
//! timer every tenth of a millisecond. The price is in what is measured: whatever arrives is seen up to [`MOMENT`] later.

use std::time::Duration;

use anyhow::Context;
use server::pace::pace;
use tokio::runtime::{Builder, Runtime};

/// From one look of a thread to the next, at least. Packets of audio come every 20 ms, and gaps are judged from 60 ms on.
const MOMENT: Duration = Duration::from_millis(1);

/// Sessions that one thread serves without being late: a half of what would fill it.
const SESSIONS_PER_THREAD: u32 = 250;

/// A runtime for so many sessions. As few threads as can serve them: what one thread wakes on another is a wake-up, too.
pub(crate) fn runtime(name: &str, sessions: u32) -> anyhow::Result<Runtime> {
    let threads = usize::try_from(sessions.div_ceil(SESSIONS_PER_THREAD).max(1))?;
    let mut builder = Builder::new_multi_thread();
    builder
        .worker_threads(threads)
        .enable_all()
        .thread_name(name);
    pace(&mut builder, MOMENT);
    builder
        .build()
        .context("the runtime cannot start: this machine gives no more threads")
}
