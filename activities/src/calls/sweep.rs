//! `calls.sweep`: recording the calls of terminated or lost workflows.

use chrono::TimeDelta;
use domain::admission::MAX_LATENESS;
use domain::facts::{CallSummary, DialFacts};
use domain::ids::{ConversationId, DialId};
use domain::monitor::UNKNOWN_DIAL_SLACK;
use domain::status::{Disposition, Reason};
use store::dials::{self, Dial};
use store::{StoreError, decisions, sweeps};
use temporalio_client::errors::WorkflowInteractionError;
use temporalio_client::{Client, WorkflowExecutionStatus};
use tracing::{info, instrument, warn};
use workflows::Call;
use workflows::activities::calls::{CallRecord, DialRef, HangUpInput, SweepInput, SweepResult};
use workflows::ids::call_workflow;

use super::{Calls, collect_transcript, fetch_status, hang_up, record_outcome};
use crate::failure::Failure;

/// How long a dialled call may stay unchanged before the sweep looks for its workflow.
const MIN_AGE: TimeDelta = TimeDelta::minutes(1);

/// Records the calls without a workflow that are over, and hangs up the others.
pub async fn run(
    calls: &Calls,
    client: &Client,
    input: &SweepInput,
) -> Result<SweepResult, Failure> {
    let now = calls.clock.now();
    let slot_before = now - MAX_LATENESS - MIN_AGE;
    let mut conn = calls.store.read().await?;
    let overdue = sweeps::overdue(&mut conn, slot_before, now - MIN_AGE, input.limit).await?;
    drop(conn);
    let mut result = SweepResult { pruned: prune_decisions(calls).await?, ..Default::default() };
    for id in overdue {
        // A call that can't be recorded yet must not delay the others.
        match sweep_one(calls, client, &id).await {
            Ok(Swept::HasWorkflow) => {}
            Ok(Swept::Recorded) => result.recorded.push(id),
            Ok(Swept::Ending) => result.ending.push(id),
            Err(error) => {
                warn!(conversationId = %id, %error, "The call could not be recorded yet");
                result.ending.push(id);
            }
        }
    }
    Ok(result)
}

/// What a sweep found of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Swept {
    HasWorkflow,
    Recorded,
    /// The call is not over yet; a hang-up was requested.
    Ending,
}

/// Deletes decisions that are older than `DECISION_DAYS`; returns their number.
async fn prune_decisions(calls: &Calls) -> Result<u64, StoreError> {
    let before = calls.clock.now() - TimeDelta::days(i64::from(calls.settings.decision_days));
    decisions::prune(&calls.store, before).await
}

#[instrument(name = "sweep", level = "error", skip_all, fields(conversationId = %id))]
async fn sweep_one(calls: &Calls, client: &Client, id: &ConversationId) -> Result<Swept, Failure> {
    if is_running(client, id).await? {
        return Ok(Swept::HasWorkflow);
    }
    let swept = record_abandoned(calls, id).await?;
    let recorded = swept == Swept::Recorded;
    info!(recorded, "Swept a call without a workflow");
    Ok(swept)
}

/// Records a call without a workflow, or hangs it up if it is not over.
pub async fn record_abandoned(calls: &Calls, id: &ConversationId) -> Result<Swept, Failure> {
    let last = dials::read_last(&mut *calls.store.read().await?, id).await?;
    let Some(dial) = last.as_ref().filter(|dial| dial.is_live()) else {
        let dial_id = last.map(|dial| dial.id);
        record_outcome::run(calls, &requeued(id, dial_id, Reason::Abandoned)).await?;
        return Ok(Swept::Recorded);
    };
    let dial_ref = DialRef { dial_id: dial.id.clone(), provider_call_id: None };
    let mut facts = DialFacts::of(fetch_status::run(calls, &dial_ref).await?.into_events());
    if facts.is_over() {
        if facts.is_answered() {
            for event in collect_transcript::run(calls, &dial_ref).await?.into_events() {
                facts.apply(event);
            }
        }
        let record = CallRecord {
            dial_id: Some(dial.id.clone()),
            provider_call_id: facts.provider_call_id().map(str::to_owned),
            ..CallRecord::new(id.clone(), Disposition::Over, facts.summary())
        };
        record_outcome::run(calls, &record).await?;
        return Ok(Swept::Recorded);
    }
    if !facts.is_placed() && is_lost(calls, dial) {
        let dial_id = Some(dial.id.clone());
        record_outcome::run(calls, &requeued(id, dial_id, Reason::NeverPlaced)).await?;
        return Ok(Swept::Recorded);
    }
    let leg = HangUpInput {
        dial_id: dial.id.clone(),
        provider_call_id: facts.provider_call_id().map(str::to_owned),
        carrier_call_id: dial.carrier_call_id.clone(),
        answered: facts.is_answered(),
    };
    hang_up::run(calls, &leg).await?;
    Ok(Swept::Ending)
}

/// Whether a request that the provider does not list can no longer become a call.
fn is_lost(calls: &Calls, dial: &Dial) -> bool {
    let limit = TimeDelta::seconds(calls.settings.join_timeout_secs()) + UNKNOWN_DIAL_SLACK;
    dial.sent_at.is_some_and(|sent| calls.clock.now() > sent + limit)
}

fn requeued(id: &ConversationId, dial_id: Option<DialId>, reason: Reason) -> CallRecord {
    let summary = CallSummary {
        reason: Some(reason),
        notes: Some("The workflow of the call was terminated.".to_owned()),
        ..CallSummary::default()
    };
    CallRecord {
        dial_id,
        never_placed: reason == Reason::NeverPlaced,
        ..CallRecord::new(id.clone(), Disposition::Requeued, summary)
    }
}

async fn is_running(client: &Client, id: &ConversationId) -> Result<bool, Failure> {
    let handle = client.get_workflow_handle::<Call>(call_workflow(id));
    match handle.describe(Default::default()).await {
        Ok(description) => Ok(description.status() == WorkflowExecutionStatus::Running),
        Err(WorkflowInteractionError::NotFound(_)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
