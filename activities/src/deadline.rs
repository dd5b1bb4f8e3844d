//! The deadline of every attempt of an activity.

use std::time::{Duration, SystemTime};

use store::deadline::run_until;
use temporalio_sdk::interceptors::{
    ActivityInboundInterceptor, ExecuteActivityInput, ExecuteActivityOutput, Next,
};

use crate::failure::{Failure, to_activity_result};
use store::StoreError;

/// How long before its timeout in Temporal an attempt is stopped. A commit under way then is over by the timeout.
const MARGIN: Duration = Duration::from_secs(1);
/// The limit of an attempt whose timeout Temporal does not tell.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// Stops each attempt of an activity before it times out. The SDK never does: a new attempt would run beside the old one,
/// which keeps its connection and may write in the end.
///
/// The deadline counts from the time at which Temporal started the attempt.
#[derive(Clone, Copy, Debug)]
pub struct StopAtDeadline;

impl ActivityInboundInterceptor for StopAtDeadline {
    fn execute_activity<'a>(
        &'a self,
        input: ExecuteActivityInput,
        next: Next<'a, ExecuteActivityInput, ExecuteActivityOutput<'a>>,
    ) -> ExecuteActivityOutput<'a> {
        let timeout = input.activity_info().deadline;
        let deadline = timeout.unwrap_or_else(|| SystemTime::now() + DEFAULT_TIMEOUT) - MARGIN;
        let attempt = next.run(input);
        Box::pin(async move {
            match run_until(deadline, attempt).await {
                Ok(result) => result,
                Err(passed) => to_activity_result(Err(Failure::from(StoreError::from(passed)))),
            }
        })
    }
}
