//! From the end of a call to its records.

use temporalio_workflow::{WorkflowContext, WorkflowTermination};

use super::local_activities::execute_locally_first;
use super::{Call, CallEnd, CallResult, CallState, show};
use crate::activities::calls::{CallRecord, CollectTranscript, DialRef, RecordOutcome};
use crate::{attributes, presets};

/// Collects the transcript and records the outcome; repeats it if events arrive meanwhile.
pub(super) async fn record_outcome(
    ctx: &mut WorkflowContext<Call>,
    end: &CallEnd,
) -> Result<CallResult, WorkflowTermination> {
    show(ctx, CallState::Recording, "The call is over: recording the outcome");
    let answered = ctx.state(|call| {
        let dial = call.dial.as_ref().filter(|_| call.facts.provider_call_id().is_some());
        dial.filter(|_| call.facts.is_answered()).map(|dial| call.dial_ref(dial))
    });
    if let Some(dial) = answered {
        collect_transcript(ctx, dial).await;
    }
    loop {
        let record = ctx.state(|call| call.record(end));
        let fallback = presets::database("record_outcome");
        let recorded = execute_locally_first(ctx, RecordOutcome, record.clone(), fallback).await?;
        if ctx.state(|call| call.record(end)) == record {
            show_recorded(ctx, &record);
            return Ok(CallResult {
                outcome: record.summary.outcome,
                reason: record.summary.reason,
                minutes: recorded.minutes,
            });
        }
    }
}

/// Stores the transcript and applies the reports in it. A call without an available transcript is recorded without it.
async fn collect_transcript(ctx: &mut WorkflowContext<Call>, dial: DialRef) {
    let dial_id = dial.dial_id.clone();
    let collected =
        execute_locally_first(ctx, CollectTranscript, dial, presets::transcript()).await;
    let Ok(reports) = collected else { return };
    ctx.state_mut(|call| {
        for event in reports.into_events() {
            call.apply_event(Some(dial_id.clone()), event);
        }
    });
}

fn show_recorded(ctx: &WorkflowContext<Call>, record: &CallRecord) {
    let outcome = record.summary.outcome.map(|outcome| outcome.into_str());
    let reason = record.summary.reason.map(|reason| reason.into_str());
    let words: Vec<&str> = outcome.into_iter().chain(reason).collect();
    show(ctx, CallState::Recorded, format!("Recorded: {}", words.join(", ")));
    ctx.upsert_search_attributes([
        attributes::CALL_STATE.value_set(CallState::Recorded.into_str().to_owned()),
        attributes::CALL_OUTCOME.value_set(outcome.or(reason).unwrap_or("none").to_owned()),
    ]);
}
