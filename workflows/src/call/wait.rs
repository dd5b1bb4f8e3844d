//! Waiting for news with a bound.

use std::time::Duration;

use temporalio_workflow::workflows::select;
use temporalio_workflow::{
    TimerOptions, WaitConditionOptions, WorkflowCancellationToken, WorkflowContext,
};

use super::Call;

/// A wait.
pub(super) struct Wait {
    /// The bound.
    pub longest: Duration,
    /// What is waited for, as the UI shows it.
    pub summary: String,
    /// Whether a cancellation ends the wait; not if it has been heeded before.
    pub heeds_cancellation: bool,
}

impl Wait {
    /// Waits until the condition holds, the call is cancelled or the time has passed.
    pub(super) async fn for_news(
        self,
        ctx: &WorkflowContext<Call>,
        condition: impl FnMut(&Call) -> bool,
    ) {
        // Tokens of their own: the workflow's would end both at once, and to drop a timer is
        // not to cancel it.
        let token = WorkflowCancellationToken::new();
        let timer = TimerOptions::builder(self.longest)
            .summary(self.summary)
            .cancellation_token(token.clone())
            .build();
        let mut timer = ctx.timer(timer);
        let detached = WaitConditionOptions::builder()
            .cancellation_token(WorkflowCancellationToken::new())
            .build();
        let mut news = std::pin::pin!(ctx.wait_condition_with_options(condition, detached));
        if self.heeds_cancellation {
            let mut cancellation = std::pin::pin!(ctx.cancelled());
            select! { _ = news => {}, _ = cancellation => {}, _ = timer => {} }
        } else {
            select! { _ = news => {}, _ = timer => {} }
        }
        // The timer of a call that is over is left to the end of the workflow: it saves an event.
        if ctx.state(|call| !call.facts.is_over() || call.facts.may_go_on()) {
            token.cancel();
        }
    }
}
