use std::time::{Duration, Instant};

const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Calls `check` until it returns a value and returns that value. `awaited` completes "still waiting until".
///
/// An error of `check` counts as "not yet".
///
/// # Panics
///
/// If there is no value within `timeout`. The message contains the last error.
pub async fn eventually<T>(
    timeout: Duration,
    awaited: &str,
    mut check: impl AsyncFnMut() -> anyhow::Result<Option<T>>,
) -> T {
    let deadline = Instant::now() + timeout;
    loop {
        let error = match check().await {
            Ok(Some(found)) => return found,
            Ok(None) => String::new(),
            Err(error) => format!(" (last error: {error:#})"),
        };
        let secs = timeout.as_secs();
        assert!(Instant::now() < deadline, "still waiting after {secs} s until {awaited}{error}");
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}
