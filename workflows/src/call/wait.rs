//! Waiting for events with a time limit.

use std::time::Duration;

use temporalio_workflow::workflows::select;
use temporalio_workflow::{
    TimerOptions, WaitConditionOptions, WorkflowCancellationToken, WorkflowContext,
};

use super::Call;

pub(super) struct Wait {
    pub timeout: Duration,
    /// The summary of the timer in the Temporal UI.
    pub summary: String,
    /// Whether a cancellation ends the wait; not if the call was cancelled before.
    pub ends_on_cancel: bool,
}

impl Wait {
    /// Waits until the condition holds, the call is cancelled or the timeout has passed.
    pub(super) async fn until(
        self,
        ctx: &WorkflowContext<Call>,
        condition: impl FnMut(&Call) -> bool,
    ) {
        // Tokens of their own: the workflow's token would end timer and condition at once. Dropping a timer does not
        // cancel it.
        let token = WorkflowCancellationToken::new();
        let timer = TimerOptions::builder(self.timeout)
            .summary(self.summary)
            .cancellation_token(token.clone())
            .build();
        let mut timer = ctx.timer(timer);
        let mut condition = std::pin::pin!(
            ctx.wait_condition_with_options(condition, detached_from_cancellation())
        );
        if self.ends_on_cancel {
            let mut cancellation = std::pin::pin!(ctx.cancelled());
            select! { _ = condition => {}, _ = cancellation => {}, _ = timer => {} }
        } else {
            select! { _ = condition => {}, _ = timer => {} }
        }
        // The end of the workflow cancels the timer of a call that is over: that saves an event.
        if ctx.state(|call| !call.facts.is_over() || call.facts.may_still_be_live()) {
            token.cancel();
        }
    }
}

/// Options of a condition that a cancellation of the workflow does not end.
pub(super) fn detached_from_cancellation() -> WaitConditionOptions {
    WaitConditionOptions::builder().cancellation_token(WorkflowCancellationToken::new()).build()
}
