//! The service's time inside a workflow.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use temporalio_workflow::WorkflowContext;

/// How far the service's clock stands ahead of the real one, in seconds.
///
/// Zero, but in rehearsals: against a provider on the same machine the service can be run as if
/// it were another moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClockOffset(pub i64);

impl ClockOffset {
    /// The service's time at a real moment.
    pub fn apply(self, real: DateTime<Utc>) -> DateTime<Utc> {
        real + TimeDelta::seconds(self.0)
    }
}

/// The service's time by the clock of the workflow.
pub(crate) fn now<W>(ctx: &WorkflowContext<W>, offset: ClockOffset) -> DateTime<Utc> {
    let real = ctx.workflow_time().map_or(DateTime::UNIX_EPOCH, DateTime::from);
    offset.apply(real)
}

/// The time from one moment to a later one, nothing if it has passed.
pub(crate) fn until(now: DateTime<Utc>, moment: DateTime<Utc>) -> Duration {
    (moment - now).to_std().unwrap_or_default()
}
