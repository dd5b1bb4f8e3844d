//! A sweep: recording the calls of terminated or lost workflows.

use serde::{Deserialize, Serialize};
use temporalio_workflow::{
    WorkflowContext, WorkflowContextView, WorkflowResult, workflow, workflow_methods,
};

use crate::activities::calls::{Sweep, SweepInput, SweepResult};
use crate::input::Input;
use crate::presets;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SweepCallsInput {
    /// The maximum number of calls that one sweep looks at.
    pub limit: u32,
}

/// The workflow of one sweep. A terminated workflow runs no code of its own, so its call is recorded here.
#[workflow]
pub struct SweepCalls {
    input: Input<SweepCallsInput>,
}

#[workflow_methods]
impl SweepCalls {
    #[init]
    pub fn new(_ctx: &WorkflowContextView, input: Input<SweepCallsInput>) -> Self {
        Self { input }
    }

    /// Records the calls that have no workflow any more.
    #[run(name = "SweepCalls")]
    pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<SweepResult> {
        let SweepCallsInput { limit } = ctx.state(|sweep| sweep.input.get())?;
        Ok(ctx.execute_activity(Sweep, SweepInput { limit }, presets::sweep()).await?)
    }
}
