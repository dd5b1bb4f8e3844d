//! From the slot to a request that reached the provider, or may have.

use chrono::{DateTime, Utc};
use domain::facts::Event;
use domain::guard::Objection;
use domain::status::Reason;
use temporalio_workflow::{
    ActivityExecutionError, ActivityOptions, TimerOptions, TimerResult, WorkflowContext,
    WorkflowTermination, common::ActivityDefinition,
};

use super::{Call, CallState, Ending, show};
use crate::activities::calls::{
    Admission, Admit, Admitted, ConversationRef, DialRef, Place, Placement,
};
use crate::{clock, presets};

/// Waits for the slot, for hours and for a line, then dials.
///
/// The guard decides anew after every wait. What comes back is a dial that is out, or how the
/// call ended without one.
pub(super) async fn place(
    ctx: &mut WorkflowContext<Call>,
) -> Result<Result<Admitted, Ending>, WorkflowTermination> {
    let (mut moment, offset) = ctx.state(|call| (call.input.slot, call.input.clock_offset));
    let mut why = "Waiting for the slot".to_owned();
    loop {
        if !sleep_until(ctx, clock::now(ctx, offset), moment, &why).await {
            return Ok(Err(Ending::Cancelled));
        }
        let dial = match admit(ctx).await? {
            Admission::Admitted(dial) => dial,
            Admission::Later { until, why: reason } => {
                (moment, why) = (until, reason);
                continue;
            }
            Admission::Refused { objection, why } => return Ok(Err(given_back(&objection, why))),
        };
        ctx.state_mut(|call| call.take_up(dial.clone()));
        show(ctx, CallState::Dialing, "Asking the provider to ring the phone");
        let about = DialRef { dial_id: dial.dial_id.clone() };
        match ctx.execute_activity(Place, about, presets::dial()).await? {
            Placement::Placed { provider_call_id } => {
                ctx.state_mut(|call| call.hear(None, Event::Placed { provider_call_id }));
                return Ok(Ok(dial));
            }
            Placement::Unknown => return Ok(Ok(dial)),
            Placement::Busy { until } => {
                (moment, why) = (until, "The provider has no room".to_owned());
            }
            Placement::Refused { why } => return Ok(Err(Ending::Refused(why))),
            Placement::Withheld { objection, why } => return Ok(Err(given_back(&objection, why))),
        }
    }
}

fn given_back(objection: &str, why: String) -> Ending {
    let late = objection == Objection::TooLate.as_str();
    Ending::GivenBack(if late { Reason::TooLate } else { Reason::NotAdmitted }, why)
}

/// Asks the guard.
async fn admit(ctx: &WorkflowContext<Call>) -> Result<Admission, WorkflowTermination> {
    let about =
        ctx.state(|call| ConversationRef { conversation_id: call.input.conversation_id.clone() });
    Ok(at_once_or(ctx, Admit, about, presets::database("admit")).await?)
}

/// Runs an activity within the workflow's own task and, if that fails, as a visible one.
///
/// The first saves most of the events that the second would write.
pub(super) async fn at_once_or<A>(
    ctx: &WorkflowContext<Call>,
    activity: A,
    input: A::Input,
    otherwise: ActivityOptions,
) -> Result<A::Output, ActivityExecutionError>
where
    A: ActivityDefinition + Copy,
    A::Input: Clone,
{
    let attempt = ctx.execute_local_activity(activity, input.clone(), presets::database_at_once());
    match attempt.await {
        Err(ActivityExecutionError::Failed(_)) => {
            ctx.execute_activity(activity, input, otherwise).await
        }
        other => other,
    }
}

/// Sleeps until the moment; false if the call was cancelled instead.
async fn sleep_until(
    ctx: &WorkflowContext<Call>,
    now: DateTime<Utc>,
    moment: DateTime<Utc>,
    why: &str,
) -> bool {
    let pause = clock::until(now, moment);
    if pause.is_zero() {
        return !ctx.cancellation_token().is_cancelled();
    }
    let moment = moment.format("%Y-%m-%d %H:%M:%S UTC");
    show(ctx, CallState::Waiting, format!("{why}, until {moment}"));
    let timer = TimerOptions::builder(pause).summary(format!("{why}, until {moment}")).build();
    ctx.timer(timer).await == TimerResult::Fired
}
