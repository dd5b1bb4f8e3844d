//! Waiting for a condition: the only place that pauses.

use std::time::{Duration, Instant};

const LONGEST: Duration = Duration::from_secs(20);
const GLANCE: Duration = Duration::from_millis(10);

/// What `check` finds, as soon as it finds something. `awaited` completes "still waiting until".
pub async fn eventually<Found>(
    awaited: &str,
    mut check: impl AsyncFnMut() -> Option<Found>,
) -> Found {
    let deadline = Instant::now() + LONGEST;
    loop {
        if let Some(found) = check().await {
            return found;
        }
        assert!(Instant::now() < deadline, "still waiting until {awaited}");
        tokio::time::sleep(GLANCE).await;
    }
}
