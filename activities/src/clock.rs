//! The present time. The rest of the service gets the time from here, or from the workflow context.

use chrono::{DateTime, Utc};
use workflows::clock::ClockOffset;

/// The service's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clock {
    offset: ClockOffset,
}

impl Clock {
    /// A clock that is ahead of the real time by an offset.
    pub fn new(offset: ClockOffset) -> Self {
        Self { offset }
    }

    pub fn now(&self) -> DateTime<Utc> {
        self.offset.apply(Utc::now())
    }
}
