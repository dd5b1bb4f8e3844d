//! From the end of a call to its records.

use temporalio_workflow::{WorkflowContext, WorkflowTermination};

use super::placing::at_once_or;
use super::{Call, CallResult, CallState, Ending, show};
use crate::activities::calls::{CollectTranscript, DialRef, Record, RecordOutcome};
use crate::{attributes, presets};

/// Collects the transcript and records the outcome; again if news comes meanwhile.
pub(super) async fn settle(
    ctx: &mut WorkflowContext<Call>,
    ending: &Ending,
) -> Result<CallResult, WorkflowTermination> {
    show(ctx, CallState::Settling, "The call is over: writing its records");
    let talked = ctx.state(|call| {
        let dial = call.dial.as_ref().filter(|_| call.facts.provider_call_id().is_some());
        dial.filter(|_| call.facts.is_answered()).map(|dial| call.dial_ref(dial))
    });
    if let Some(about) = talked {
        collect(ctx, about).await;
    }
    loop {
        let record = ctx.state(|call| call.record(ending));
        let visible = presets::database("record_outcome");
        let settled = at_once_or(ctx, RecordOutcome, record.clone(), visible).await?;
        if ctx.state(|call| call.record(ending)) == record {
            finish(ctx, &record);
            return Ok(CallResult {
                outcome: record.outcome,
                reason: record.reason,
                minutes: settled.minutes,
            });
        }
    }
}

/// Stores the transcript and learns from the agent's tool calls in it. A call whose transcript
/// can't be had is settled without it.
async fn collect(ctx: &mut WorkflowContext<Call>, about: DialRef) {
    let dial_id = about.dial_id.clone();
    let collected =
        at_once_or(ctx, CollectTranscript, about, presets::provider_for_a_while()).await;
    let Ok(recovered) = collected else { return };
    ctx.state_mut(|call| {
        for event in recovered.events() {
            call.hear(Some(dial_id.clone()), event);
        }
    });
}

fn finish(ctx: &WorkflowContext<Call>, record: &Record) {
    let outcome = record.outcome.map(|outcome| outcome.as_str());
    let reason = record.reason.map(|reason| reason.as_str());
    let words: Vec<&str> = outcome.into_iter().chain(reason).collect();
    let came_to = outcome.or(reason).unwrap_or("nothing");
    show(ctx, CallState::Settled, format!("Settled: {}", words.join(", ")));
    ctx.upsert_search_attributes([
        attributes::CALL_STATE.value_set(CallState::Settled.word().to_owned()),
        attributes::CALL_OUTCOME.value_set(came_to.to_owned()),
    ]);
}
