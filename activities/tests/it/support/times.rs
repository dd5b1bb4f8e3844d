//! Times of tests.

use chrono::{DateTime, TimeDelta, Utc};

/// The time in most tests: 9:00 in New York, the start of the calling window.
pub const NOW: &str = "2025-02-25T14:00:00Z";

/// Parses an RFC 3339 time.
pub fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("the time is in RFC 3339")
}

/// The time some minutes after [`NOW`].
pub fn minutes_after(minutes: i64) -> DateTime<Utc> {
    at(NOW) + TimeDelta::minutes(minutes)
}
