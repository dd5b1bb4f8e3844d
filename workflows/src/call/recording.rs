//! From the end of a call to its records.

use domain::call_log::RunEnd;
use temporalio_workflow::{WorkflowContext, WorkflowTermination};

use super::local_activities::execute_locally_first;
use super::{Call, CallResult, CallState, monitoring, show};
use crate::activities::calls::{
    Admitted, CollectTranscript, EndedRun, RecordInput, RecordOutcome, Recorded,
};
use crate::{attributes, presets};

/// Records the outcome first, by what is known. Then hangs up where only the user's system has reported the end, and
/// collects the transcript; what these bring is recorded as well.
pub(super) async fn record_outcome(
    ctx: &mut WorkflowContext<Call>,
    dial: Option<&Admitted>,
    end: Option<&RunEnd>,
) -> Result<CallResult, WorkflowTermination> {
    show(ctx, CallState::Recording, "The call is over: recording the outcome");
    let mut recorded = record(ctx, end).await?;
    if let Some(dial) = dial {
        if ctx.state(|call| call.facts.may_still_be_live()) {
            show_recorded(ctx, &recorded);
            monitoring::ensure_hung_up(ctx, dial).await;
            recorded = record(ctx, end).await?;
        }
        if let Some(collected) = collect_transcript(ctx, dial).await {
            recorded = collected;
        }
    }
    if ctx.state(Call::has_news) {
        recorded = record(ctx, end).await?;
    }
    show_recorded(ctx, &recorded);
    let Recorded { outcome, reason, minutes, .. } = recorded;
    Ok(CallResult { outcome, reason, minutes })
}

/// Records all that was received, and how the run ended; repeats it if more is received meanwhile.
pub(super) async fn record(
    ctx: &WorkflowContext<Call>,
    end: Option<&RunEnd>,
) -> Result<Recorded, WorkflowTermination> {
    loop {
        let (input, received) = ctx.state(|call| (record_input(ctx, call, end), call.received));
        let fallback = presets::database("record_outcome");
        let recorded = execute_locally_first(ctx, RecordOutcome, input, fallback).await?;
        ctx.state_mut(|call| call.recorded = received);
        if !ctx.state(Call::has_news) {
            return Ok(recorded);
        }
    }
}

fn record_input(ctx: &WorkflowContext<Call>, call: &Call, end: Option<&RunEnd>) -> RecordInput {
    let ended_run = end.map(|end| EndedRun {
        run_id: Some(ctx.run_id().to_owned()),
        dial_id: call.dial.as_ref().map(|dial| dial.dial_id.clone()),
        end: end.clone(),
    });
    RecordInput {
        events: call.events.clone(),
        ended_run,
        transcript: call.transcript.clone(),
        unread: call.unread.clone(),
        ..RecordInput::new(call.input.conversation_id.clone())
    }
}

/// Stores the transcript of an answered call and records the reports in it. `None` if it is not available: a sweep tries
/// it again.
async fn collect_transcript(ctx: &WorkflowContext<Call>, dial: &Admitted) -> Option<Recorded> {
    let answered =
        ctx.state(|call| call.facts.is_answered() && call.facts.provider_call_id().is_some());
    if !answered {
        return None;
    }
    let dial_ref = ctx.state(|call| call.dial_ref(dial));
    execute_locally_first(ctx, CollectTranscript, dial_ref, presets::transcript()).await.ok()
}

fn show_recorded(ctx: &WorkflowContext<Call>, recorded: &Recorded) {
    let outcome = recorded.outcome.map(|outcome| outcome.into_str());
    let reason = recorded.reason.map(|reason| reason.into_str());
    let words: Vec<&str> = outcome.into_iter().chain(reason).collect();
    show(ctx, CallState::Recorded, format!("Recorded: {}", words.join(", ")));
    ctx.upsert_search_attributes([
        attributes::CALL_STATE.value_set(CallState::Recorded.into_str().to_owned()),
        attributes::CALL_OUTCOME.value_set(outcome.or(reason).unwrap_or("none").to_owned()),
    ]);
}
