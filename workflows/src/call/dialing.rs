//! From the slot to a dial request that was sent, or may have been.

use chrono::{DateTime, TimeDelta, Utc};
use domain::BlockReason;
use domain::call_log::RunEnd;
use domain::facts::{DialEvent, DialFacts};
use domain::status::Reason;
use temporalio_workflow::workflows::select;
use temporalio_workflow::{WorkflowCancellationToken, WorkflowContext, WorkflowTermination};

use super::local_activities::execute_locally_first;
use super::wait::{Wait, detached_from_cancellation};
use super::{Call, CallState, recording, show};
use crate::activities::calls::{
    Admission, Admit, AdmitInput, Admitted, CancelDial, CancelDialResult, Dial, DialResult,
};
use crate::{clock, presets};

const WAITING_FOR_SLOT: &str = "Waiting for the slot";

/// The result of [`wait_and_dial`].
pub(super) enum Dialed {
    /// The phone rings, or may ring.
    Live(Admitted),
    /// `None` if what was reported says how the call ended.
    NotMade(Option<RunEnd>),
}

/// Waits for the slot, for calling hours and for a line, then dials. Asks for admission after every wait.
pub(super) async fn wait_and_dial(
    ctx: &mut WorkflowContext<Call>,
) -> Result<Dialed, WorkflowTermination> {
    // After a reset a dial may be live, which only the rows show. So every run asks for admission before it waits.
    let mut next = admit_and_dial(ctx).await?;
    loop {
        let (time, detail) = match next {
            Next::Return(dialed) => return Ok(dialed),
            Next::WaitUntil(time, detail) => (time, detail),
        };
        next = match wait_until(ctx, time, &detail).await {
            WakeReason::TimeReached => admit_and_dial(ctx).await?,
            WakeReason::AlreadyRinging => {
                // The rows must show at once that the dial was placed: another run would dial again.
                recording::record(ctx, None).await?;
                Next::Return(match ctx.state(|call| call.dial.clone()) {
                    Some(dial) => Dialed::Live(dial),
                    None => Dialed::NotMade(None),
                })
            }
            WakeReason::News => {
                recording::record(ctx, None).await?;
                // A reset run also receives what is said of earlier dials: that alone does not end its wait.
                match ctx.state(|call| must_not_dial(&call.facts)) {
                    true => Next::Return(Dialed::NotMade(None)),
                    false => Next::WaitUntil(time, detail),
                }
            }
            WakeReason::Cancelled => Next::Return(Dialed::NotMade(Some(RunEnd::Cancelled))),
            WakeReason::Rescheduled => {
                Next::WaitUntil(ctx.state(|call| call.input.slot), WAITING_FOR_SLOT.to_owned())
            }
        };
    }
}

/// What follows an attempt to dial.
enum Next {
    Return(Dialed),
    /// Wait until this time, for this reason, then try again.
    WaitUntil(DateTime<Utc>, String),
}

/// Asks for admission and, once admitted, dials.
async fn admit_and_dial(ctx: &mut WorkflowContext<Call>) -> Result<Next, WorkflowTermination> {
    let dial = match admit(ctx).await? {
        Admission::Admitted(dial) => dial,
        Admission::Deferred { until, detail } => {
            let is_slot = ctx.state(|call| call.input.slot == until);
            let detail = if is_slot { WAITING_FOR_SLOT.to_owned() } else { detail };
            return Ok(Next::WaitUntil(at_least_one_second_ahead(ctx, until), detail));
        }
        Admission::Denied { reason, detail } => return Ok(requeue(reason, detail)),
    };
    ctx.state_mut(|call| call.set_dial(dial.clone()));
    if let Some(dialed) = dial_without_request(ctx, &dial).await? {
        return Ok(Next::Return(dialed));
    }
    show(ctx, CallState::Dialing, "Sending the dial request to the provider");
    let result = match send_dial(ctx, &dial).await? {
        SendResult::Answered(result) => result,
        SendResult::CancelledBefore => {
            let over = ctx.state(|call| must_not_dial(&call.facts));
            let end = (!over).then_some(RunEnd::Cancelled);
            return Ok(Next::Return(Dialed::NotMade(end)));
        }
    };
    Ok(match result {
        DialResult::Placed { provider_call_id } => {
            let id = Some(dial.dial_id.clone());
            let placed = DialEvent::Placed { provider_call_id };
            ctx.state_mut(|call| call.receive(id, placed));
            Next::Return(Dialed::Live(dial))
        }
        DialResult::Unknown => Next::Return(Dialed::Live(dial)),
        // The provider has answered "busy" and has the call all the same.
        DialResult::Busy { .. } if ctx.state(|call| call.facts.has_external_id()) => {
            recording::record(ctx, None).await?;
            Next::Return(Dialed::Live(dial))
        }
        DialResult::Busy { until } => {
            let until = at_least_one_second_ahead(ctx, until);
            Next::WaitUntil(until, "The provider is at its limit of calls".to_owned())
        }
        DialResult::Rejected { detail } => {
            Next::Return(Dialed::NotMade(Some(RunEnd::RejectedByProvider { detail })))
        }
        DialResult::Denied { reason, detail } => requeue(reason, detail),
    })
}

/// What is known of an admitted dial that makes a request unnecessary or forbids it.
async fn dial_without_request(
    ctx: &WorkflowContext<Call>,
    dial: &Admitted,
) -> Result<Option<Dialed>, WorkflowTermination> {
    if dial.resumed {
        return Ok(Some(Dialed::Live(dial.clone())));
    }
    if ctx.state(Call::has_news) && recording::record(ctx, None).await?.closed {
        return Ok(Some(Dialed::NotMade(None)));
    }
    if ctx.state(|call| call.facts.has_external_id()) {
        return Ok(Some(Dialed::Live(dial.clone())));
    }
    let cancelled = ctx.cancellation_token().is_cancelled();
    Ok(cancelled.then_some(Dialed::NotMade(Some(RunEnd::Cancelled))))
}

/// Whether the end of the call or a decision of the callee was reported before the request was sent.
fn must_not_dial(facts: &DialFacts) -> bool {
    facts.is_over() || facts.is_decided()
}

fn requeue(reason: BlockReason, detail: String) -> Next {
    let reason = match reason {
        // The records say how it ended.
        BlockReason::AlreadyRecorded => return Next::Return(Dialed::NotMade(None)),
        BlockReason::TooLate => Reason::TooLate,
        _ => Reason::Denied,
    };
    Next::Return(Dialed::NotMade(Some(RunEnd::Requeued { reason, detail })))
}

fn now(ctx: &WorkflowContext<Call>) -> DateTime<Utc> {
    clock::now(ctx, ctx.state(|call| call.input.clock_offset))
}

/// The time, or one second from now: the clock of admission may be behind, which would lead to a busy loop.
fn at_least_one_second_ahead(ctx: &WorkflowContext<Call>, time: DateTime<Utc>) -> DateTime<Utc> {
    time.max(now(ctx) + TimeDelta::seconds(1))
}

enum SendResult {
    Answered(DialResult),
    /// The call was cancelled or ended before a request was sent.
    CancelledBefore,
}

/// Sends the dial request, unless the call is cancelled or over before. A request that may have been sent by then is
/// monitored like any other, so that its call is hung up.
async fn send_dial(
    ctx: &WorkflowContext<Call>,
    dial: &Admitted,
) -> Result<SendResult, WorkflowTermination> {
    let dial_ref = || ctx.state(|call| call.dial_ref(dial));
    let token = WorkflowCancellationToken::new();
    let mut dialing =
        std::pin::pin!(ctx.execute_activity(Dial, dial_ref(), presets::dial(token.clone())));
    let mut cancellation = std::pin::pin!(ctx.cancelled());
    let mut over = std::pin::pin!(ctx.wait_condition_with_options(
        |call: &Call| must_not_dial(&call.facts),
        detached_from_cancellation()
    ));
    select! {
        result = dialing => return Ok(SendResult::Answered(result?)),
        _ = cancellation => {}
        _ = over => {}
    }
    token.cancel();
    let cancel = ctx.execute_activity(CancelDial, dial_ref(), presets::database("cancel_dial"));
    Ok(match cancel.await? {
        CancelDialResult::NotSent => SendResult::CancelledBefore,
        CancelDialResult::Sent => SendResult::Answered(DialResult::Unknown),
    })
}

async fn admit(ctx: &WorkflowContext<Call>) -> Result<Admission, WorkflowTermination> {
    let now = now(ctx);
    let input = ctx.state_mut(|call| AdmitInput {
        conversation_id: call.input.conversation_id.clone(),
        run_id: ctx.run_id().to_owned(),
        first_asked: Some(*call.first_asked.get_or_insert(now)),
    });
    Ok(execute_locally_first(ctx, Admit, input, presets::database("admit")).await?)
}

/// Why a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WakeReason {
    TimeReached,
    /// An earlier request, answered as "busy", has become a call after all.
    AlreadyRinging,
    Rescheduled,
    /// Something was received: what follows from it is recorded, and may end the call.
    News,
    Cancelled,
}

/// The wake reason by the state of the call; `None` to keep waiting.
fn wake_reason(call: &Call, reschedules: u64, cancelled: bool) -> Option<WakeReason> {
    if call.dial.is_some() && call.facts.has_external_id() {
        Some(WakeReason::AlreadyRinging)
    } else if call.has_news() {
        Some(WakeReason::News)
    } else if cancelled {
        Some(WakeReason::Cancelled)
    } else if call.reschedules != reschedules {
        Some(WakeReason::Rescheduled)
    } else {
        None
    }
}

/// Waits until a time, or until something else happens.
async fn wait_until(ctx: &WorkflowContext<Call>, time: DateTime<Utc>, detail: &str) -> WakeReason {
    let reschedules = ctx.state(|call| call.reschedules);
    let present = || {
        let cancelled = ctx.cancellation_token().is_cancelled();
        ctx.state(|call| wake_reason(call, reschedules, cancelled))
    };
    let timeout = clock::duration_until(now(ctx), time);
    if let Some(reason) = present() {
        return reason;
    }
    if timeout.is_zero() {
        return WakeReason::TimeReached;
    }
    let time = time.format("%Y-%m-%d %H:%M:%S UTC");
    let then = if detail == WAITING_FOR_SLOT { "until" } else { "next try at" };
    let summary = format!("{} ({then} {time})", detail.trim_end_matches('.'));
    show(ctx, CallState::Waiting, summary.as_str());
    let wait = Wait { timeout, summary, ends_on_cancel: true };
    wait.until(ctx, |call| wake_reason(call, reschedules, false).is_some()).await;
    present().unwrap_or(WakeReason::TimeReached)
}
