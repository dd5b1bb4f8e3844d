//! Forwards events to the workflows of the calls.

use std::time::Duration;

use domain::ids::ConversationId;
use domain::status::{Outcome, Reason};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use temporalio_client::errors::{WorkflowInteractionError, WorkflowStartError};
use temporalio_client::tonic::{Code, IntoRequest as _, Status};
use temporalio_client::{
    Client, WorkflowHandle, WorkflowIdConflictPolicy, WorkflowIdReusePolicy, WorkflowSignalOptions,
    WorkflowStartOptions,
};
use temporalio_common::protos::temporal::api::workflowservice::v1::DescribeNamespaceRequest;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tracing::warn;
use workflows::activities::calls::LateEventInput;
use workflows::attributes::{CALL_OUTCOME, USER_ID};
use workflows::ids::{TASK_QUEUE, call_workflow, late_event_workflow};
use workflows::{Call, LateEvent};

use crate::payload::RoutedEvent;

pub(crate) const FORWARD_TIMEOUT: Duration = Duration::from_secs(5);
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// The result of forwarding an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Forwarded {
    /// The call's workflow has the event.
    Accepted,
    /// The call's workflow takes no such event, for example because it has too many. A `LateEvent`
    /// workflow has it.
    Diverted,
    /// The call's workflow has closed or never existed. If the event may still change the record,
    /// a `LateEvent` workflow has it.
    NoRunningWorkflow,
}

/// Temporal may not have the event; the sender should retry.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ForwardError {
    #[error("too many events are being forwarded")]
    Overloaded,
    #[error("Temporal did not answer within {0:?}")]
    Timeout(Duration),
    #[error("the event can't be encoded")]
    Encode(#[source] serde_json::Error),
    #[error("Temporal did not accept the event")]
    Signal(#[source] WorkflowInteractionError),
    #[error("Temporal did not start a workflow for the late event")]
    StartLateEvent(#[source] WorkflowStartError),
}

pub(crate) struct EventForwarder {
    client: Client,
    in_flight: Semaphore,
}

impl EventForwarder {
    pub fn new(client: Client, max_in_flight: u32) -> Self {
        Self { client, in_flight: Semaphore::new(max_in_flight as usize) }
    }

    /// Forwards an event to the workflow of its conversation.
    ///
    /// # Errors
    ///
    /// Temporal may have the event all the same; workflows ignore repeated events.
    pub async fn forward(
        &self,
        event: &RoutedEvent,
        within: Duration,
    ) -> Result<Forwarded, ForwardError> {
        let forwarded = self.try_forward(event, within).await;
        forwarded.inspect_err(|error| {
            let source = std::error::Error::source(error).map(tracing::field::display);
            warn!(%error, source, "Event not forwarded");
        })
    }

    async fn try_forward(
        &self,
        event: &RoutedEvent,
        within: Duration,
    ) -> Result<Forwarded, ForwardError> {
        // Requests don't queue: a queue would let clients fill the memory.
        let _permit = self.in_flight.try_acquire().map_err(|_| ForwardError::Overloaded)?;
        timeout(within, self.signal(event))
            .await
            .unwrap_or_else(|_| Err(ForwardError::Timeout(within)))
    }

    pub fn namespace(&self) -> &str {
        &self.client.options().namespace
    }

    /// Whether Temporal answers and has the namespace.
    pub async fn is_reachable(&self) -> bool {
        let request = DescribeNamespaceRequest {
            namespace: self.namespace().to_owned(),
            ..Default::default()
        };
        let mut service = self.client.connection().workflow_service();
        let answer =
            timeout(PROBE_TIMEOUT, service.describe_namespace(request.into_request())).await;
        matches!(answer, Ok(Ok(_)))
    }

    async fn signal(&self, event: &RoutedEvent) -> Result<Forwarded, ForwardError> {
        let RoutedEvent { conversation, message } = event;
        let payload = serde_json::to_value(message).map_err(ForwardError::Encode)?;
        let handle = self.client.get_workflow_handle::<Call>(call_workflow(conversation));
        if let Some(user) = &message.user_id
            && let Ok(described) = handle.describe(Default::default()).await
            && described
                .search_attributes()
                .get(&USER_ID)
                .is_some_and(|owner| owner != user.as_str())
        {
            // The workflow would ignore the event too, but only after it is in its history. To the
            // user a call of another user looks like no call.
            return Ok(Forwarded::NoRunningWorkflow);
        }
        let digest = Sha256::digest(payload.to_string());
        // A workflow takes a limited number of signals. Temporal drops a repeated request.
        let options = WorkflowSignalOptions::builder().request_id(hex::encode(digest)).build();
        match handle.signal(Call::call_event, payload.clone().into(), options).await {
            Ok(()) => Ok(Forwarded::Accepted),
            // Without this arm a missing namespace would look like a closed workflow.
            Err(WorkflowInteractionError::NotFound(status))
                if status.message().starts_with("Namespace") =>
            {
                Err(ForwardError::Signal(WorkflowInteractionError::Rpc(status)))
            }
            Err(WorkflowInteractionError::NotFound(_)) => {
                if message.event.is_relevant_late()
                    || (message.event.proves_call() && !is_recorded_as_placed(&handle).await)
                {
                    self.start_late_event(conversation, payload, &digest).await?;
                }
                Ok(Forwarded::NoRunningWorkflow)
            }
            Err(WorkflowInteractionError::Rpc(status)) if is_final(&status) => {
                warn!(%status, "The call's workflow takes no such event; starting a LateEvent");
                self.start_late_event(conversation, payload, &digest).await?;
                Ok(Forwarded::Diverted)
            }
            Err(error) => Err(ForwardError::Signal(error)),
        }
    }

    /// Starts a workflow that applies the event, unless one was started for the same event.
    async fn start_late_event(
        &self,
        conversation: &ConversationId,
        message: Value,
        digest: &[u8],
    ) -> Result<(), ForwardError> {
        let id = late_event_workflow(conversation, &hex::encode(&digest[..8]));
        let input = LateEventInput { conversation_id: conversation.clone(), message };
        let options = WorkflowStartOptions::new(TASK_QUEUE, id)
            .id_reuse_policy(WorkflowIdReusePolicy::RejectDuplicate)
            .id_conflict_policy(WorkflowIdConflictPolicy::Fail)
            .static_summary(format!("Late event of call {conversation}"))
            .build();
        match self.client.start_workflow(LateEvent::run, input.into(), options).await {
            Ok(_) | Err(WorkflowStartError::AlreadyStarted { .. }) => Ok(()),
            Err(error) => Err(ForwardError::StartLateEvent(error)),
        }
    }
}

/// Whether the workflow has recorded that its call was placed: then it does not matter late that a call exists.
async fn is_recorded_as_placed(handle: &WorkflowHandle<Client, Call>) -> bool {
    let Ok(described) = handle.describe(Default::default()).await else { return false };
    let outcome = described.search_attributes().get(&CALL_OUTCOME);
    outcome
        .is_some_and(|word| word.parse::<Outcome>().is_ok() || word == Reason::NoReport.into_str())
}

/// Whether a repetition of the signal would be refused as well: the workflow has as many signals as
/// Temporal allows, or the event is invalid or too large for a signal.
fn is_final(status: &Status) -> bool {
    matches!(status.code(), Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange)
}
