//! What Temporal knows of the workflow of a call.

use std::time::{Duration, SystemTime};

use chrono::{DateTime, SecondsFormat, Utc};
use domain::ids::ConversationId;
use futures::TryStreamExt as _;
use serde_json::Value;
use temporalio_client::errors::WorkflowInteractionError;
use temporalio_client::{Client, WorkflowExecutionStatus, WorkflowListOptions};
use temporalio_common::data_converters::{SerializationContextData, WorkflowSerializationContext};
use temporalio_common::protos::temporal::api::history::v1::history_event::Attributes;
use workflows::Call;
use workflows::events;
use workflows::ids::call_workflow;

use crate::failure::Failure;

/// How far back workflows are looked for that were closed from outside. Sweeps run more often.
const LOOK_BACK: Duration = Duration::from_secs(3_600);

/// Whether the workflow of a call does not run and never will by itself. A paused one is left to its operator, and a state
/// that this build does not know to a later build.
pub(super) async fn is_closed(client: &Client, id: &ConversationId) -> Result<bool, Failure> {
    let handle = client.get_workflow_handle::<Call>(call_workflow(id));
    match handle.describe(Default::default()).await {
        Ok(description) => Ok(closes(description.status())),
        Err(WorkflowInteractionError::NotFound(_)) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

fn closes(status: WorkflowExecutionStatus) -> bool {
    use WorkflowExecutionStatus::*;
    matches!(status, Completed | Failed | Canceled | Terminated | TimedOut)
}

/// Finds calls whose workflow was recently closed without recording its call.
pub(super) async fn closed_from_outside(
    client: &Client,
    limit: u32,
) -> Result<Vec<ConversationId>, Failure> {
    // Temporal's times are real ones, also in a rehearsal with another clock.
    let since = DateTime::<Utc>::from(SystemTime::now() - LOOK_BACK);
    let query = format!(
        "WorkflowType = 'Call' AND ExecutionStatus IN ('Terminated', 'TimedOut', 'Failed') AND CloseTime > '{}'",
        since.to_rfc3339_opts(SecondsFormat::Secs, true)
    );
    let options = WorkflowListOptions::builder().limit(limit as usize).build();
    let executions = client.list_workflows(query, options);
    let id = |execution: temporalio_client::WorkflowExecution| {
        execution.id().strip_prefix("call/").map(ConversationId::from)
    };
    let ids: Vec<Option<ConversationId>> =
        executions.map_ok(id).try_collect().await.map_err(Failure::List)?;
    Ok(ids.into_iter().flatten().collect())
}

/// Reads the messages that the last run of a workflow received: a terminated run has not recorded them.
pub(super) async fn received_messages(
    client: &Client,
    id: &ConversationId,
) -> Result<Vec<Value>, Failure> {
    let handle = client.get_workflow_handle::<Call>(call_workflow(id));
    let events = match handle.fetch_history(Default::default()).into_events().await {
        Ok(events) => events,
        Err(WorkflowInteractionError::NotFound(_)) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let converter = &client.options().data_converter;
    let mut messages = Vec::new();
    for event in events {
        let Some(Attributes::WorkflowExecutionSignaledEventAttributes(signal)) = event.attributes
        else {
            continue;
        };
        if signal.signal_name != events::SIGNAL {
            continue;
        }
        for payload in signal.input.into_iter().flat_map(|input| input.payloads) {
            let context = SerializationContextData::Workflow(WorkflowSerializationContext::new());
            // What can't be decoded is no message of the webhook server.
            messages.extend(converter.from_payload::<Value>(&context, payload).await.ok());
        }
    }
    Ok(messages)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_closed_workflow_is_swept() {
        use WorkflowExecutionStatus::*;
        for status in [Completed, Failed, Canceled, Terminated, TimedOut] {
            assert!(closes(status), "{status:?}");
        }
        for status in [Unspecified, Running, ContinuedAsNew, Paused] {
            assert!(!closes(status), "{status:?}");
        }
    }
}
