//! Heavy work that can wait, such as mixing a recording: on threads that run only while nobody else wants to.
//!
//! On threads like all others such work takes the media threads' time. The lowest priority (nice 19) is not enough: whoever
//! has begun keeps its core for milliseconds. Beside 200 interviews on two cores, one thread that is always busy made 1,771
//! gaps over 60 ms in 18 s at nice 19, and 30 under `SCHED_IDLE`, which gives way at once (`colloquy load`, one run).

use std::sync::LazyLock;

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinError;

#[cfg(target_os = "linux")]
use thread_priority::{
    NormalThreadSchedulePolicy::Idle,
    ThreadPriority::Min,
    ThreadSchedulePolicy::Normal,
    unix::{set_thread_priority_and_policy, thread_native_id, thread_schedule_policy},
};

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

/// Linux lets a thread do so (sched(7)), other systems a whole process at best.
fn give_way() {
    #[cfg(target_os = "linux")]
    {
        let given = set_thread_priority_and_policy(thread_native_id(), Min, Normal(Idle));
        // A process that is nice as a whole may not become less so, which matters to nobody here.
        if thread_schedule_policy() != Ok(Normal(Idle)) {
            tracing::warn!(
                ?given,
                "background work cannot be made to give way: live interviews may hear it"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn who_works_in_the_background_gives_way_and_nobody_else_does() {
        use super::{Idle, Normal, thread_schedule_policy};
        let before = thread_schedule_policy().unwrap();
        assert_ne!(before, Normal(Idle));
        let background = super::run(thread_schedule_policy).await.unwrap();
        assert_eq!(background.unwrap(), Normal(Idle));
        assert_eq!(thread_schedule_policy().unwrap(), before);
        let other = tokio::task::spawn_blocking(thread_schedule_policy).await;
        assert_eq!(
            other.unwrap().unwrap(),
            before,
            "other blocking work, such as the store's, does not wait"
        );
    }
}
