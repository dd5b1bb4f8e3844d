//! Timeouts and retries: one preset for each dependency of an activity.

use std::time::Duration;

use temporalio_workflow::{
    ActivityCloseTimeouts, ActivityOptions, LocalActivityOptions, RetryPolicy,
    WorkflowCancellationToken,
};

const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// An activity that needs only the database: retried until it succeeds. A cancellation of the workflow does not stop it.
pub(crate) fn database(id: &str) -> ActivityOptions {
    ActivityOptions::with_start_to_close_timeout(secs(30))
        .activity_id(id)
        .retry_policy(retry(secs(1), secs(30)))
        .cancellation_token(WorkflowCancellationToken::new())
        .build()
}

/// As [`database`], for an activity that may run several times at once.
pub(crate) fn database_without_id() -> ActivityOptions {
    ActivityOptions::with_start_to_close_timeout(secs(30))
        .retry_policy(retry(secs(1), secs(30)))
        .cancellation_token(WorkflowCancellationToken::new())
        .build()
}

/// A local activity that needs only the database: one attempt. A regular activity is the fallback.
pub(crate) fn local_database() -> LocalActivityOptions {
    LocalActivityOptions::builder()
        .start_to_close_timeout(secs(5))
        .schedule_to_close_timeout(secs(5))
        .retry_policy(RetryPolicy::builder().maximum_attempts(1).build())
        .cancellation_token(WorkflowCancellationToken::new())
        .build()
}

/// A sweep: the next sweep continues where a failed one stopped.
pub(crate) fn sweep() -> ActivityOptions {
    ActivityOptions::with_close_timeouts(ActivityCloseTimeouts::ScheduleAndStartToClose {
        schedule_to_close: secs(600),
        start_to_close: secs(300),
    })
    .retry_policy(retry(secs(5), secs(60)))
    .build()
}

/// As [`database`], for an activity that a cancellation of the workflow stops.
pub(crate) fn database_until_cancelled(id: &str) -> ActivityOptions {
    ActivityOptions::with_start_to_close_timeout(secs(30))
        .activity_id(id)
        .retry_policy(retry(secs(1), secs(30)))
        .build()
}

/// The shares of a page of users: limited, since the run goes on without them.
pub(crate) fn share_slots() -> ActivityOptions {
    ActivityOptions::with_close_timeouts(ActivityCloseTimeouts::ScheduleAndStartToClose {
        schedule_to_close: secs(60),
        start_to_close: secs(60),
    })
    .retry_policy(retry(secs(1), secs(30)))
    .build()
}

/// The plan of one user. The activity limits its attempts itself, so that a lost result or a lost database is no failure.
/// A cancellation of the workflow does not stop it: the workflow starts what it has planned.
pub(crate) fn plan() -> ActivityOptions {
    ActivityOptions::with_start_to_close_timeout(secs(30))
        .retry_policy(retry(secs(1), secs(30)))
        .cancellation_token(WorkflowCancellationToken::new())
        .build()
}

/// The end of the turn of a user that could not be planned: limited, so that it does not delay the others.
pub(crate) fn skip_user() -> ActivityOptions {
    ActivityOptions::with_close_timeouts(ActivityCloseTimeouts::ScheduleAndStartToClose {
        schedule_to_close: secs(60),
        start_to_close: secs(20),
    })
    .retry_policy(retry(secs(1), secs(10)))
    .cancellation_token(WorkflowCancellationToken::new())
    .build()
}

/// The dial request. It is retried only if no request was sent, for example with a rejected API key; the activity itself
/// stops when it is too late.
pub(crate) fn dial(token: WorkflowCancellationToken) -> ActivityOptions {
    ActivityOptions::with_start_to_close_timeout(secs(35))
        .activity_id("dial")
        .retry_policy(retry(secs(5), secs(60)))
        .cancellation_token(token)
        .build()
}

/// A request to the provider: limited, since the workflow repeats it, or an event may answer it meanwhile.
pub(crate) fn provider() -> ActivityOptions {
    limited(secs(90))
}

/// The transcript: a call is recorded without it after this time.
pub(crate) fn transcript() -> ActivityOptions {
    limited(secs(600))
}

fn limited(schedule_to_close: Duration) -> ActivityOptions {
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
