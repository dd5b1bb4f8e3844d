//! From the slot to a request that reached the provider, or may have.

use chrono::{DateTime, TimeDelta, Utc};
use domain::facts::Event;
use domain::guard::Objection;
use domain::status::Reason;
use temporalio_workflow::common::ActivityDefinition;
use temporalio_workflow::workflows::select;
use temporalio_workflow::{
    ActivityExecutionError, ActivityOptions, WaitConditionOptions, WorkflowCancellationToken,
    WorkflowContext, WorkflowTermination,
};

use super::wait::Wait;
use super::watch::suppress;
use super::{Call, CallState, Ending, show};
use crate::activities::calls::{
    Admission, Admit, AdmitInput, Admitted, Place, Placement, Withdraw, Withdrawn,
};
use crate::clock::ClockOffset;
use crate::{clock, presets};

/// What a call does that has nothing to do yet.
const WAITING: &str = "Waiting for the slot";

/// Waits for the slot, for hours and for a line, then dials.
///
/// The guard decides anew after every wait. What comes back is a dial that is out, or how the
/// call ended without one.
pub(super) async fn place(
    ctx: &mut WorkflowContext<Call>,
) -> Result<Result<Admitted, Ending>, WorkflowTermination> {
    let (mut moment, offset) = ctx.state(|call| (call.input.slot, call.input.clock_offset));
    let mut why = WAITING.to_owned();
    // A run that a reset made can't tell, and a call may be out: that is asked before anything else
    // is heeded. Every run asks, so that each replays the history of any other.
    let mut may_be_out = true;
    loop {
        let woken = match std::mem::take(&mut may_be_out) {
            true => Woken::Time,
            false => sleep_until(ctx, clock::now(ctx, offset), moment, &why).await,
        };
        match woken {
            Woken::Time => {}
            Woken::Rings => {
                let dial = ctx.state(|call| call.dial.clone());
                return Ok(dial.ok_or(Ending::Over));
            }
            Woken::End => {
                if ctx.state(|call| call.facts.asks_not_to_be_called()) {
                    suppress(ctx).await;
                }
                return Ok(Err(Ending::Over));
            }
            Woken::Cancel => return Ok(Err(Ending::Cancelled)),
            Woken::Move => {
                (moment, why) = (ctx.state(|call| call.input.slot), WAITING.to_owned());
                continue;
            }
        }
        let dial = match admit(ctx, offset).await? {
            Admission::Admitted(dial) => dial,
            Admission::Later { until, why: reason } => {
                let is_slot = ctx.state(|call| call.input.slot == until);
                why = if is_slot { WAITING.to_owned() } else { reason };
                moment = not_at_once(ctx, until);
                continue;
            }
            Admission::Refused { objection, why } => return Ok(Err(given_back(&objection, why))),
        };
        ctx.state_mut(|call| call.take_up(dial.clone()));
        if !dial.taken_up && ctx.state(|call| call.facts.asks_not_to_be_called()) {
            suppress(ctx).await;
            return Ok(Err(Ending::Over));
        }
        if dial.taken_up || ctx.state(|call| call.facts.is_named() && !call.facts.is_over()) {
            return Ok(Ok(dial));
        }
        if ctx.state(|call| call.facts.is_over()) {
            return Ok(Err(Ending::Over));
        }
        if ctx.cancellation_token().is_cancelled() {
            return Ok(Err(Ending::Cancelled));
        }
        show(ctx, CallState::Dialing, "Asking the provider to ring the phone");
        let Some(placement) = dial_out(ctx, &dial).await? else {
            let over = ctx.state(|call| call.facts.is_over());
            return Ok(Err(if over { Ending::Over } else { Ending::Cancelled }));
        };
        match placement {
            Placement::Placed { provider_call_id } => {
                let about = Some(dial.dial_id.clone());
                ctx.state_mut(|call| call.hear(about, Event::Placed { provider_call_id }));
                return Ok(Ok(dial));
            }
            Placement::Unknown => return Ok(Ok(dial)),
            // It said that it has no room, and rings all the same.
            Placement::Busy { .. } if ctx.state(|call| call.facts.is_named()) => {
                return Ok(Ok(dial));
            }
            Placement::Busy { until } => {
                let until = not_at_once(ctx, until);
                (moment, why) = (until, "The provider has no room".to_owned());
            }
            Placement::Refused { why } => return Ok(Err(Ending::Refused(why))),
            Placement::Withheld { objection, why } => return Ok(Err(given_back(&objection, why))),
        }
    }
}

/// The moment, or one a second from now: the guard's clock may be behind ours, and then would be
/// asked over and over.
fn not_at_once(ctx: &WorkflowContext<Call>, until: DateTime<Utc>) -> DateTime<Utc> {
    let offset = ctx.state(|call| call.input.clock_offset);
    until.max(clock::now(ctx, offset) + TimeDelta::seconds(1))
}

/// Sends the request. Nothing if the call was cancelled, or is said to be over, before one left; a
/// request that may have left by then is followed like any other, so that the call it became is
/// ended.
async fn dial_out(
    ctx: &WorkflowContext<Call>,
    dial: &Admitted,
) -> Result<Option<Placement>, WorkflowTermination> {
    let about = || ctx.state(|call| call.dial_ref(dial));
    let token = WorkflowCancellationToken::new();
    let mut dialling =
        std::pin::pin!(ctx.execute_activity(Place, about(), presets::dial(token.clone())));
    let mut cancellation = std::pin::pin!(ctx.cancelled());
    let detached = WaitConditionOptions::builder()
        .cancellation_token(WorkflowCancellationToken::new())
        .build();
    let mut over =
        std::pin::pin!(ctx.wait_condition_with_options(|call| call.facts.is_over(), detached));
    select! {
        placement = dialling => return Ok(Some(placement?)),
        _ = cancellation => {}
        _ = over => {}
    }
    token.cancel();
    match ctx.execute_activity(Withdraw, about(), presets::database("withdraw")).await? {
        Withdrawn::Unsent => Ok(None),
        Withdrawn::Sent => Ok(Some(Placement::Unknown)),
    }
}

fn given_back(objection: &str, why: String) -> Ending {
    let late = objection == Objection::TooLate.as_str();
    Ending::GivenBack(if late { Reason::TooLate } else { Reason::NotAdmitted }, why)
}

/// Asks the guard.
async fn admit(
    ctx: &WorkflowContext<Call>,
    offset: ClockOffset,
) -> Result<Admission, WorkflowTermination> {
    let now = clock::now(ctx, offset);
    let input = ctx.state_mut(|call| AdmitInput {
        conversation_id: call.input.conversation_id.clone(),
        run_id: ctx.run_id().to_owned(),
        first_asked: Some(*call.first_asked.get_or_insert(now)),
    });
    Ok(at_once_or(ctx, Admit, input, presets::database("admit")).await?)
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

/// Whether somebody says that the call is over, or that no further one must be made.
fn not_to_be_made(call: &Call) -> bool {
    call.facts.is_over() || call.facts.asks_not_to_be_called()
}

/// Why a sleep ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Woken {
    /// The moment has come.
    Time,
    /// The call of which the provider said that it is not made rings after all.
    Rings,
    /// An operator moved the slot.
    Move,
    /// Somebody says that the call is over; it must not be made any more.
    End,
    /// An operator cancelled the call.
    Cancel,
}

/// Sleeps until the moment, unless something comes between.
async fn sleep_until(
    ctx: &WorkflowContext<Call>,
    now: DateTime<Utc>,
    moment: DateTime<Utc>,
    why: &str,
) -> Woken {
    let known = ctx.state(|call| call.moves);
    let rings = |call: &Call| call.dial.is_some() && call.facts.is_named();
    let woken = |ctx: &WorkflowContext<Call>| {
        if ctx.state(rings) {
            return Woken::Rings;
        }
        let (over, moved) = ctx.state(|call| (not_to_be_made(call), call.moves != known));
        match (over, ctx.cancellation_token().is_cancelled(), moved) {
            (true, ..) => Woken::End,
            (_, true, _) => Woken::Cancel,
            (.., true) => Woken::Move,
            _ => Woken::Time,
        }
    };
    let pause = clock::until(now, moment);
    if pause.is_zero() || woken(ctx) != Woken::Time {
        return woken(ctx);
    }
    let moment = moment.format("%Y-%m-%d %H:%M:%S UTC");
    let again = if why == WAITING { "until" } else { "asks again at" };
    let why = format!("{} ({again} {moment})", why.trim_end_matches('.'));
    show(ctx, CallState::Waiting, why.as_str());
    let wait = Wait { longest: pause, summary: why, heeds_cancellation: true };
    wait.for_news(ctx, |call| not_to_be_made(call) || rings(call) || call.moves != known).await;
    woken(ctx)
}
