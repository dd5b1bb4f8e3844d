//! From a dial request that was sent to the end of the call.

use chrono::TimeDelta;
use domain::facts::DialEvent;
use domain::monitor::{DialTerms, Goal, Lookup, Monitor, MonitorEnd, NextAction, Stage};
use domain::status::Reason;
use temporalio_workflow::WorkflowContext;

use super::local_activities::suppress;
use super::wait::Wait;
use super::{Call, CallEnd, CallState, show};
use crate::activities::calls::{Admitted, FetchStatus, HangUp, HangUpInput, MarkAnswered};
use crate::{clock, presets};

/// Monitors a dial until the call is over. Every wait has a timeout, and every timeout triggers a lookup at the provider.
pub(super) async fn monitor(ctx: &mut WorkflowContext<Call>, dial: &Admitted) -> CallEnd {
    let end = act_until_done(ctx, dial, Goal::AwaitEnd).await;
    match end {
        _ if ctx.cancellation_token().is_cancelled() => CallEnd::Cancelled,
        MonitorEnd::Over => CallEnd::Over,
        MonitorEnd::NeverPlaced => {
            let detail = "The provider has no such call.".to_owned();
            CallEnd::Requeued(Reason::NeverPlaced, detail)
        }
    }
}

/// Hangs up until provider or carrier confirm the end, where only the user's system has reported it. Returns whether the
/// record of the call has changed since.
pub(super) async fn ensure_hung_up(
    ctx: &mut WorkflowContext<Call>,
    dial: &Admitted,
    end: &CallEnd,
) -> bool {
    let recorded = ctx.state(|call| call.record(end));
    act_until_done(ctx, dial, Goal::EnsureHungUp).await;
    ctx.state(|call| call.record(end)) != recorded
}

async fn act_until_done(
    ctx: &mut WorkflowContext<Call>,
    dial: &Admitted,
    goal: Goal,
) -> MonitorEnd {
    let offset = ctx.state(|call| call.input.clock_offset);
    let terms = DialTerms {
        join_timeout: TimeDelta::seconds(dial.join_timeout_secs),
        max_duration: TimeDelta::seconds(dial.max_duration_secs),
    };
    let started_at = clock::now(ctx, offset);
    let mut monitor = ctx.state(|call| Monitor::new(goal, terms, &call.facts, started_at));
    loop {
        let now = clock::now(ctx, offset);
        let cancelled = ctx.cancellation_token().is_cancelled();
        let action = ctx.state(|call| {
            monitor.observe(&call.facts, now);
            monitor.next_action(&call.facts, cancelled, now)
        });
        if goal == Goal::AwaitEnd {
            show_action(ctx, action, cancelled);
        }
        match action {
            NextAction::Done(end) => return end,
            NextAction::HangUp => {
                let succeeded = hang_up(ctx, dial).await;
                let now = clock::now(ctx, offset);
                ctx.state(|call| monitor.hang_up_done(&call.facts, succeeded, now));
            }
            NextAction::FetchStatus => {
                let lookup = fetch_status(ctx, dial).await;
                monitor.lookup_done(lookup, clock::now(ctx, offset));
            }
            NextAction::DeclareVanished => {
                let id = Some(dial.dial_id.clone());
                ctx.state_mut(|call| call.apply_event(id, DialEvent::Vanished));
            }
            NextAction::MarkAnswered => {
                mark_answered(ctx).await;
                monitor.answered_marked();
            }
            NextAction::Suppress => {
                suppress(ctx).await;
                monitor.suppression_done();
            }
            NextAction::WaitUntil(time) => {
                let (timeout, summary) = (clock::duration_until(now, time), wait_summary(goal));
                let ends_on_cancel = goal == Goal::AwaitEnd && !cancelled;
                let wait = Wait { timeout, summary, ends_on_cancel };
                wait.until(ctx, |call| monitor.next_action(&call.facts, cancelled, now) != action)
                    .await;
            }
        }
    }
}

fn wait_summary(goal: Goal) -> String {
    let summary = match goal {
        Goal::AwaitEnd => "If no event arrives, look the call up at the provider",
        Goal::EnsureHungUp => "Until the provider confirms the end, hang up again",
    };
    summary.to_owned()
}

fn show_action(ctx: &WorkflowContext<Call>, action: NextAction, cancelled: bool) {
    let stage = ctx.state(|call| Stage::of(&call.facts));
    let state = match stage {
        Stage::Unknown | Stage::Ringing => CallState::Ringing,
        Stage::Talking => CallState::Talking,
        Stage::Over => CallState::Recording,
    };
    let details = match (action, stage) {
        (NextAction::HangUp, Stage::Over) => {
            "The end was reported by the user's system: hanging up"
        }
        (NextAction::HangUp, _) if cancelled => "Cancelled: hanging up",
        (_, Stage::Unknown) => "The dial request has no answer: looking for the call",
        (_, Stage::Ringing) => "Ringing",
        (_, Stage::Talking) => "Talking",
        (_, Stage::Over) => "The call is over",
    };
    show(ctx, state, details);
}

/// Requests a hang-up: by the carrier while the phone rings, by the provider once the call is answered. Without carrier
/// credentials, a phone rings on until it is answered or the ring timeout ends. Returns whether the request succeeded.
async fn hang_up(ctx: &WorkflowContext<Call>, dial: &Admitted) -> bool {
    let input = ctx.state(|call| HangUpInput {
        dial_id: dial.dial_id.clone(),
        provider_call_id: call.facts.provider_call_id().map(str::to_owned),
        carrier_call_id: call.facts.carrier_call_id().map(str::to_owned),
        answered: call.facts.is_answered(),
    });
    ctx.execute_activity(HangUp, input, presets::provider()).await.is_ok()
}

/// Looks the dial up at the provider and applies its status.
async fn fetch_status(ctx: &WorkflowContext<Call>, dial: &Admitted) -> Lookup {
    let dial_ref = ctx.state(|call| call.dial_ref(dial));
    let fetched = ctx.execute_activity(FetchStatus, dial_ref, presets::provider()).await;
    let Ok(status) = fetched else { return Lookup::Failed };
    let found = status.provider_call_id.is_some() || status.vanished;
    ctx.state_mut(|call| {
        for event in status.into_events() {
            call.apply_event(Some(dial.dial_id.clone()), event);
        }
    });
    if found { Lookup::Found } else { Lookup::NotFound }
}

/// Marks the conversation as answered. A failure is ignored: the record of the call repeats it.
async fn mark_answered(ctx: &WorkflowContext<Call>) {
    let conversation = ctx.state(Call::conversation_ref);
    let options = presets::local_database();
    let _ = ctx.execute_local_activity(MarkAnswered, conversation, options).await;
}
