//! Names by which workflows, schedules and task queues are found.

use domain::ids::ConversationId;

/// The task queue of every workflow and activity.
pub const TASK_QUEUE: &str = "calls";

/// The schedule that starts a plan run every interval, and the prefix of the runs' workflow ids.
pub const PLAN_SCHEDULE: &str = "plan-calls";

/// The workflow of a conversation.
pub fn call_workflow(conversation: &ConversationId) -> String {
    format!("call/{conversation}")
}
