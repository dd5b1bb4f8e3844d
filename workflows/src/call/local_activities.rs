//! Executing local activities.

use temporalio_workflow::common::ActivityDefinition;
use temporalio_workflow::{ActivityExecutionError, ActivityOptions, WorkflowContext};

use super::Call;
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
