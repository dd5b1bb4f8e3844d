//! The present time. The rest of the service gets the time from here, or from the workflow context.

use chrono::{DateTime, Utc};
use workflows::clock::ClockOffset;

/// The service's clock.
#[derive(Clone, Copy, Debug)]
pub enum Clock {
    /// Ahead of the real time by an offset.
    Running(ClockOffset),
    /// Always at the same time, for tests.
    Stopped(DateTime<Utc>),
}

impl Clock {
    pub fn now(&self) -> DateTime<Utc> {
        match self {
            Self::Running(offset) => offset.apply(Utc::now()),
            Self::Stopped(time) => *time,
        }
    }
}
