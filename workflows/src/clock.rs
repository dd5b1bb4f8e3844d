//! The service's time inside a workflow.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use temporalio_workflow::WorkflowContext;

/// How far the service's clock is ahead of the real one, in seconds.
///
/// Not zero in rehearsals only: with a simulated provider the service can run as if it were another time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClockOffset(pub i64);

impl ClockOffset {
    /// The service's time at a real time.
    pub fn apply(self, real: DateTime<Utc>) -> DateTime<Utc> {
        real + TimeDelta::seconds(self.0)
    }
}

/// The service's time by the clock of the workflow.
///
/// # Panics
///
/// The context has no time. The panic fails the workflow task, which is retried; the workflow itself goes on.
pub(crate) fn now<W>(ctx: &WorkflowContext<W>, offset: ClockOffset) -> DateTime<Utc> {
    let real = ctx.workflow_time().expect("every activation of a workflow has a time");
    offset.apply(DateTime::from(real))
}

/// The time from one instant to a later one; zero if it has passed.
pub(crate) fn duration_until(now: DateTime<Utc>, time: DateTime<Utc>) -> Duration {
    (time - now).to_std().unwrap_or_default()
}
