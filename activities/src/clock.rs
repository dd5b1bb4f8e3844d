//! The one door to the present moment.

use chrono::{DateTime, Utc};
use workflows::clock::ClockOffset;

/// The service's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clock {
    offset: ClockOffset,
}

impl Clock {
    /// A clock that stands ahead of the real one by an offset.
    pub fn ahead(offset: ClockOffset) -> Self {
        Self { offset }
    }

    /// The present moment.
    pub fn now(&self) -> DateTime<Utc> {
        self.offset.apply(Utc::now())
    }
}
