//! Whose segments are coded first.
//!
//! The store carries this out in SQL, over an index; [`Order::first`] says what its answer must be, and the store's tests hold
//! it to that.

/// An order of work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Order {
    /// What is overdue first (the longest overdue of it), then the newest finished session. A researcher who just watched an
    /// interview sees it coded; nothing waits past its promise for ever.
    #[default]
    Newest,
    /// Whatever can still keep its promise first (the one with the least time left), then the newest finished session. More
    /// promises are kept in a burst, at the price of the median wait.
    Deadline,
}

/// A job in the eyes of the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Greater goes first: the end of its session. Of sessions that still run it is negative.
    pub rank: i64,
    /// By when its result is promised, in microseconds UTC.
    pub due_us: i64,
    /// Greater is younger.
    pub job_id: i64,
}

impl Order {
    /// All of them.
    pub const ALL: [Order; 2] = [Order::Newest, Order::Deadline];

    /// The name in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Order::Newest => "newest",
            Order::Deadline => "deadline",
        }
    }

    /// The order of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Order> {
        Order::ALL.into_iter().find(|order| order.name() == name)
    }

    /// The job that goes first at this moment.
    #[must_use]
    pub fn first(self, now_us: i64, waiting: &[Waiting]) -> Option<Waiting> {
        let by_due = |due: &dyn Fn(&Waiting) -> bool| {
            let urgent = waiting.iter().filter(|job| due(job));
            urgent.min_by_key(|job| (job.due_us, job.job_id)).copied()
        };
        let urgent = match self {
            Order::Newest => by_due(&|job| job.due_us <= now_us),
            Order::Deadline => by_due(&|job| job.due_us > now_us && job.due_us < i64::MAX),
        };
        let newest = || waiting.iter().max_by_key(|job| (job.rank, -job.job_id));
        urgent.or_else(|| newest().copied())
    }
}

/// The place of a session that still runs: after every session that ended, and the one that began first before the others.
#[must_use]
pub const fn rank_of_running(started_at_us: i64) -> i64 {
    -started_at_us.saturating_abs()
}
