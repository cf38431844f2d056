//! The only place where real time becomes [`Mono`], and back.

use std::time::{Duration, Instant};

use engine::time::Mono;

/// Counts from the start of the process. Copied freely: all copies agree.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: Instant,
}

impl Clock {
    /// Starts counting now.
    #[must_use]
    pub fn start() -> Clock {
        Clock {
            origin: Instant::now(),
        }
    }

    /// Now.
    #[must_use]
    pub fn now(&self) -> Mono {
        self.mono(Instant::now())
    }

    /// That moment as `Mono`; moments before the start become the start.
    #[must_use]
    pub fn mono(&self, at: Instant) -> Mono {
        Mono::ZERO + at.saturating_duration_since(self.origin)
    }

    /// That moment as `Instant`, for timers of the runtime.
    #[must_use]
    pub fn instant(&self, at: Mono) -> Instant {
        self.origin + Duration::from_micros(at.as_micros())
    }
}
