//! What is heard of a call after its workflow has ended.

#![allow(missing_docs, reason = "the macro makes constants beside each method")]

use temporalio_workflow::{
    WorkflowContext, WorkflowContextView, WorkflowResult, workflow, workflow_methods,
};

use crate::activities::calls::{Applied, ApplyLate, LateInput};
use crate::presets;

/// The workflow of one late event. That it ran is the record that the event came.
#[workflow]
pub struct LateEvent {
    input: LateInput,
}

#[workflow_methods]
impl LateEvent {
    /// An event that has not been looked at.
    #[init]
    pub fn new(_ctx: &WorkflowContextView, input: LateInput) -> Self {
        Self { input }
    }

    /// Applies the event if it still says something new.
    #[run(name = "LateEvent")]
    pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<Applied> {
        let input = ctx.state(|event| event.input.clone());
        Ok(ctx.execute_activity(ApplyLate, input, presets::database("apply_late")).await?)
    }
}
