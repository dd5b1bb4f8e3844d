//! Names by which workflows, schedules and task queues are found.

use domain::ids::ConversationId;

/// The task queue of every workflow and activity.
pub const TASK_QUEUE: &str = "calls";

/// The schedule that starts a plan run every interval, and the prefix of the runs' workflow ids.
pub const PLAN_SCHEDULE: &str = "plan-calls";

/// The schedule that settles what terminated workflows left, and the prefix of its workflow ids.
pub const SWEEP_SCHEDULE: &str = "sweep-calls";

/// The workflow of a conversation.
pub fn call_workflow(conversation: &ConversationId) -> String {
    format!("call/{conversation}")
}

/// The workflow of an event that came after its call's workflow had ended. The same event, told
/// apart by a digest of what it says, has the same workflow.
pub fn late_event_workflow(conversation: &ConversationId, digest: &str) -> String {
    format!("late-event/{conversation}/{digest}")
}
