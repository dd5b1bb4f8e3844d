//! The ids of workflows, schedules and the task queue.

use domain::ids::ConversationId;

/// The task queue of all workflows and activities.
pub const TASK_QUEUE: &str = "calls";

/// The schedule that starts a plan run every interval, and the prefix of the runs' workflow ids.
pub const PLAN_SCHEDULE: &str = "plan-calls";

/// The schedule that starts a sweep, and the prefix of the sweeps' workflow ids.
pub const SWEEP_SCHEDULE: &str = "sweep-calls";

/// The workflow id of a call.
pub fn call_workflow(conversation: &ConversationId) -> String {
    format!("call/{conversation}")
}

/// The workflow id of a late event. The digest of its content gives the same event the same id.
pub fn late_event_workflow(conversation: &ConversationId, digest: &str) -> String {
    format!("late-event/{conversation}/{digest}")
}
