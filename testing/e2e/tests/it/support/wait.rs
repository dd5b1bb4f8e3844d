//! Waiting for a condition: the only place that pauses.

use std::time::{Duration, Instant};

use anyhow::Result;

/// How often a condition is looked at.
const GLANCE: Duration = Duration::from_millis(100);

/// What `check` finds, as soon as it finds something; panics when the time is over. An error counts
/// as nothing found, and the last one is told. `awaited` completes "still waiting until".
pub async fn eventually<Found>(
    within: Duration,
    awaited: &str,
    mut check: impl AsyncFnMut() -> Result<Option<Found>>,
) -> Found {
    let deadline = Instant::now() + within;
    loop {
        let trouble = match check().await {
            Ok(Some(found)) => return found,
            Ok(None) => String::new(),
            Err(error) => format!(" (last error: {error:#})"),
        };
        let secs = within.as_secs();
        assert!(Instant::now() < deadline, "still waiting after {secs} s until {awaited}{trouble}");
        tokio::time::sleep(GLANCE).await;
    }
}
