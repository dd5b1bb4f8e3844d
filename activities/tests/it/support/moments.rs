//! Moments as tests write them.

use chrono::{DateTime, TimeDelta, Utc};

/// The moment that it is in most tests: nine in the morning in New York, where the window opens.
pub const NOW: &str = "2025-02-25T14:00:00Z";

/// Reads a moment.
pub fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("a moment is written in RFC 3339")
}

/// The moment so many minutes after [`NOW`].
pub fn minutes_after(minutes: i64) -> DateTime<Utc> {
    at(NOW) + TimeDelta::minutes(minutes)
}
