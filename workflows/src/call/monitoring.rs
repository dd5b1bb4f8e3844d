//! From a dial request that was sent to the end of the call.

use chrono::TimeDelta;
use domain::call_log::RunEnd;
use domain::facts::DialEvent;
use domain::monitor::{DialTerms, Goal, Lookup, Monitor, NextAction, Stage};
use temporalio_workflow::WorkflowContext;

use super::wait::Wait;
use super::{Call, CallState, recording, show};
use crate::activities::calls::{Admitted, FetchStatus, HangUp, HangUpInput, MarkAnswered};
use crate::{clock, presets};

/// Monitors a dial until the call is over. Every wait has a timeout, and every timeout triggers a lookup at the provider.
pub(super) async fn monitor(ctx: &mut WorkflowContext<Call>, dial: &Admitted) -> Option<RunEnd> {
    act_until_done(ctx, dial, Goal::AwaitEnd).await;
    ctx.cancellation_token().is_cancelled().then_some(RunEnd::Cancelled)
}

/// Hangs up until provider or carrier confirm the end of a recorded call, or its longest possible end has passed.
pub(super) async fn ensure_hung_up(ctx: &mut WorkflowContext<Call>, dial: &Admitted) {
    act_until_done(ctx, dial, Goal::EnsureHungUp).await;
}

async fn act_until_done(ctx: &mut WorkflowContext<Call>, dial: &Admitted, goal: Goal) {
    let offset = ctx.state(|call| call.input.clock_offset);
    let terms = DialTerms {
        join_timeout: TimeDelta::seconds(dial.join_timeout_secs),
        max_duration: TimeDelta::seconds(dial.max_duration_secs),
        never_placed_after: TimeDelta::seconds(dial.never_placed_after_secs),
    };
    let now = clock::now(ctx, offset);
    let sent_at = ctx.state_mut(|call| *call.sent_at.get_or_insert(dial.sent_at.unwrap_or(now)));
    let mut monitor = Monitor::new(goal, terms, sent_at, now);
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
            NextAction::Done => return,
            NextAction::HangUp => {
                let succeeded = hang_up(ctx, dial).await;
                let now = clock::now(ctx, offset);
                ctx.state(|call| monitor.hang_up_done(&call.facts, succeeded, now));
            }
            NextAction::FetchStatus => {
                let lookup = fetch_status(ctx, dial).await;
                monitor.lookup_done(lookup, clock::now(ctx, offset));
            }
            NextAction::DeclareNeverPlaced => declare(ctx, dial, DialEvent::NeverPlaced),
            NextAction::DeclareVanished => declare(ctx, dial, DialEvent::Vanished),
            NextAction::MarkAnswered => {
                mark_answered(ctx).await;
                monitor.answered_marked();
            }
            NextAction::RecordOptOut => {
                // A failure is ignored: the record at the end repeats it.
                let _ = recording::record(ctx, None).await;
                monitor.opt_out_recorded();
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

fn declare(ctx: &WorkflowContext<Call>, dial: &Admitted, event: DialEvent) {
    ctx.state_mut(|call| call.receive(Some(dial.dial_id.clone()), event));
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
        (NextAction::HangUp, _) if cancelled => "Cancelled: hanging up",
        (NextAction::HangUp, _) => "The call lasts longer than it may: hanging up",
        (_, Stage::Unknown) => "It is not known whether the provider has the call: looking it up",
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
    let found = status.provider_call_id.is_some();
    for event in status.into_events() {
        declare(ctx, dial, event);
    }
    if found { Lookup::Found } else { Lookup::NotFound }
}

/// Marks the conversation as answered. A failure is ignored: the record of the call repeats it.
async fn mark_answered(ctx: &WorkflowContext<Call>) {
    let conversation = ctx.state(Call::conversation_ref);
    let options = presets::local_database();
    let _ = ctx.execute_local_activity(MarkAnswered, conversation, options).await;
}
