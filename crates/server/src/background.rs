//! Heavy work that can wait, such as mixing a recording: on threads to which the system gives what live interviews leave
//! over.
//!
//! On threads like all others that work takes the media threads' time: while 200 interviews were ended together, those that
//! were still talking heard gaps of up to 1,947 ms, and of up to 356 ms since (`colloquy load` on two cores, one run each).

use std::sync::LazyLock;

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinError;

/// Lowest priority of the system's 40: a thread of normal priority gets 68 times as much time beside it (sched(7)).
#[cfg(target_os = "linux")]
const NICE: i32 = 19;

/// Never driven: only its threads for blocking work are used, and they are made when there is some.
static THREADS: LazyLock<Runtime> = LazyLock::new(|| {
    Builder::new_current_thread()
        .thread_name("background")
        .max_blocking_threads(
            std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        )
        .on_thread_start(give_way)
        .build()
        .expect("a runtime without sockets and timers asks nothing of the system")
});

/// Does this when there is time.
///
/// # Errors
/// When the work panicked.
pub(crate) async fn run<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, JoinError> {
    THREADS.spawn_blocking(work).await
}

/// On Linux a priority belongs to a thread, elsewhere to the whole process, which must not give way.
fn give_way() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        tracing::warn!(%error, "background work cannot be given a lower priority: live interviews may hear it");
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn who_works_in_the_background_gives_way_and_nobody_else_does() {
        let nice = || rustix::process::getpriority_process(None).unwrap();
        let before = nice();
        assert_eq!(super::run(nice).await.unwrap(), super::NICE);
        assert_eq!(nice(), before);
        assert_eq!(
            tokio::task::spawn_blocking(nice).await.unwrap(),
            before,
            "other blocking work, such as the store's, does not wait"
        );
    }
}
