//! The deadline of an attempt: after it the attempt neither runs nor writes.

use std::time::SystemTime;

tokio::task_local! {
    static DEADLINE: SystemTime;
}

/// The attempt did not end before its deadline, and was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the attempt was stopped at its deadline, and writes nothing more")]
pub struct DeadlinePassed;

/// Runs an attempt until its deadline at most, then drops it. The transactions of this crate that it begins refuse to
/// commit after the deadline, so an attempt that was suspended meanwhile does not write either.
///
/// The deadline does not extend to tasks that the attempt spawns.
///
/// # Errors
///
/// The deadline has passed. What the attempt committed before stays.
pub async fn run_until<T>(
    deadline: SystemTime,
    attempt: impl Future<Output = T>,
) -> Result<T, DeadlinePassed> {
    let left = deadline.duration_since(SystemTime::now()).map_err(|_| DeadlinePassed)?;
    let attempt = DEADLINE.scope(deadline, attempt);
    tokio::time::timeout(left, attempt).await.map_err(|_| DeadlinePassed)
}

/// The deadline of the attempt that calls this; `None` outside of attempts.
pub(crate) fn current() -> Option<SystemTime> {
    DEADLINE.try_with(|deadline| *deadline).ok()
}
