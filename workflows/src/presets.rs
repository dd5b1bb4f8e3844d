//! Time-outs and retries, one preset for each thing that an activity depends on.

use std::time::Duration;

use temporalio_workflow::{
    ActivityCloseTimeouts, ActivityOptions, LocalActivityOptions, RetryPolicy,
    WorkflowCancellationToken,
};

const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// An activity that only needs the database: retried until it is back.
pub(crate) fn database(id: &str) -> ActivityOptions {
    ActivityOptions::with_start_to_close_timeout(secs(30))
        .activity_id(id)
        .retry_policy(retry(secs(1), secs(30)))
        .cancellation_token(WorkflowCancellationToken::new())
        .build()
}

/// The same for an activity that may run beside another of its kind.
pub(crate) fn database_unnamed() -> ActivityOptions {
    ActivityOptions::with_start_to_close_timeout(secs(30))
        .retry_policy(retry(secs(1), secs(30)))
        .cancellation_token(WorkflowCancellationToken::new())
        .build()
}

/// The same, run in the worker that holds the workflow, without a trip through the server: one
/// try, after which the visible kind takes over.
pub(crate) fn database_at_once() -> LocalActivityOptions {
    LocalActivityOptions::builder()
        .start_to_close_timeout(secs(5))
        .schedule_to_close_timeout(secs(5))
        .retry_policy(RetryPolicy::builder().maximum_attempts(1).build())
        .cancellation_token(WorkflowCancellationToken::new())
        .build()
}

/// A sweep: the next one takes up what it leaves.
pub(crate) fn sweep() -> ActivityOptions {
    ActivityOptions::with_close_timeouts(ActivityCloseTimeouts::ScheduleAndStartToClose {
        schedule_to_close: secs(600),
        start_to_close: secs(300),
    })
    .retry_policy(retry(secs(5), secs(60)))
    .build()
}

/// A plan for one user: given up after a while, so that one user can't hold up the others.
pub(crate) fn plan() -> ActivityOptions {
    ActivityOptions::with_close_timeouts(ActivityCloseTimeouts::ScheduleAndStartToClose {
        schedule_to_close: secs(300),
        start_to_close: secs(60),
    })
    .retry_policy(retry(secs(1), secs(30)))
    .build()
}

/// The request that rings a phone. It is retried only where nothing has left, as with a key that
/// an operator must mend; it decides itself when it is too late.
pub(crate) fn dial(token: WorkflowCancellationToken) -> ActivityOptions {
    ActivityOptions::with_start_to_close_timeout(secs(35))
        .activity_id("dial")
        .retry_policy(retry(secs(5), secs(60)))
        .cancellation_token(token)
        .build()
}

/// A question to the provider: given up after a while, since whoever asks will ask again and may
/// learn the answer from elsewhere meanwhile.
pub(crate) fn provider() -> ActivityOptions {
    bounded(secs(90))
}

/// A question to the provider that can go without an answer.
pub(crate) fn provider_for_a_while() -> ActivityOptions {
    bounded(secs(600))
}

fn bounded(schedule_to_close: Duration) -> ActivityOptions {
    ActivityOptions::with_close_timeouts(ActivityCloseTimeouts::ScheduleAndStartToClose {
        schedule_to_close,
        start_to_close: secs(35),
    })
    .retry_policy(retry(secs(2), secs(60)))
    .cancellation_token(WorkflowCancellationToken::new())
    .build()
}

fn retry(initial: Duration, maximum: Duration) -> RetryPolicy {
    RetryPolicy::builder()
        .initial_interval(initial)
        .backoff_coefficient(2.0)
        .maximum_interval(maximum)
        .build()
}
