//! Settling what terminated workflows left behind.

#![allow(missing_docs, reason = "the macro makes constants beside each method")]

use serde::{Deserialize, Serialize};
use temporalio_workflow::{
    WorkflowContext, WorkflowContextView, WorkflowResult, workflow, workflow_methods,
};

use crate::activities::calls::{Sweep, SweepInput, Swept};
use crate::presets;

/// What a sweep is told by its schedule.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SweepCallsInput {
    /// Calls to look at in one sweep.
    pub limit: u32,
}

/// The workflow of one sweep: a workflow that is terminated runs no cleanup of its own.
#[workflow]
pub struct SweepCalls {
    input: SweepCallsInput,
}

#[workflow_methods]
impl SweepCalls {
    /// A sweep that has not begun.
    #[init]
    pub fn new(_ctx: &WorkflowContextView, input: SweepCallsInput) -> Self {
        Self { input }
    }

    /// Settles the calls that have no workflow any more.
    #[run(name = "SweepCalls")]
    pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<Swept> {
        let limit = ctx.state(|sweep| sweep.input.limit);
        Ok(ctx.execute_activity(Sweep, SweepInput { limit }, presets::sweep()).await?)
    }
}
