//! Local activities that several steps of a call execute.

use temporalio_workflow::common::ActivityDefinition;
use temporalio_workflow::{ActivityExecutionError, ActivityOptions, WorkflowContext};

use super::Call;
use crate::activities::calls::Suppress;
use crate::presets;

/// Executes an activity as a local activity and, if that fails, as a regular one with `fallback`.
///
/// A local activity saves most of the events of a regular one.
pub(super) async fn execute_locally_first<A>(
    ctx: &WorkflowContext<Call>,
    activity: A,
    input: A::Input,
    fallback: ActivityOptions,
) -> Result<A::Output, ActivityExecutionError>
where
    A: ActivityDefinition + Copy,
    A::Input: Clone,
{
    let local = ctx.execute_local_activity(activity, input.clone(), presets::local_database());
    match local.await {
        Err(ActivityExecutionError::Failed(_)) => {
            ctx.execute_activity(activity, input, fallback).await
        }
        other => other,
    }
}

/// Puts the number on the do-not-call list while the agent says goodbye, so that no other call to it starts. A failure is
/// ignored: the record of the call repeats it.
pub(super) async fn suppress(ctx: &WorkflowContext<Call>) {
    let conversation = ctx.state(Call::conversation_ref);
    let _ = ctx.execute_local_activity(Suppress, conversation, presets::local_database()).await;
}
