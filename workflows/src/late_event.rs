//! An event for a call whose workflow does not run.

use temporalio_workflow::{
    WorkflowContext, WorkflowContextView, WorkflowResult, workflow, workflow_methods,
};

use crate::activities::calls::{ApplyLateEvent, LateEventInput, LateEventResult};
use crate::input::Input;
use crate::presets;

/// The workflow of one late event.
#[workflow]
pub struct LateEvent {
    input: Input<LateEventInput>,
}

#[workflow_methods]
impl LateEvent {
    #[init]
    pub fn new(_ctx: &WorkflowContextView, input: Input<LateEventInput>) -> Self {
        Self { input }
    }

    /// Applies the event to the records.
    #[run(name = "LateEvent")]
    pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<LateEventResult> {
        let input = ctx.state(|event| event.input.get())?;
        let options = presets::database("apply_late_event");
        Ok(ctx.execute_activity(ApplyLateEvent, input, options).await?)
    }
}
