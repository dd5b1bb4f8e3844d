//! Handing events to the calls' workflows.

use std::time::Duration;

use anyhow::Result;
use domain::ids::ConversationId;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use temporalio_client::errors::{WorkflowInteractionError, WorkflowStartError};
use temporalio_client::tonic::IntoRequest as _;
use temporalio_client::{
    Client, WorkflowIdConflictPolicy, WorkflowIdReusePolicy, WorkflowStartOptions,
};
use temporalio_common::protos::temporal::api::workflowservice::v1::DescribeNamespaceRequest;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tracing::warn;
use workflows::activities::calls::LateInput;
use workflows::attributes::USER_ID;
use workflows::events::Message;
use workflows::ids::{TASK_QUEUE, call_workflow, late_event_workflow};
use workflows::{Call, LateEvent};

/// Longest time for Temporal to take an event of a sender who can wait.
pub(crate) const PATIENT: Duration = Duration::from_secs(5);
/// Longest time for Temporal to show that it is there.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivered {
    /// The call's workflow has it.
    Taken,
    /// No workflow waits for it: the call is over, or there never was one. If it may still say
    /// something, Temporal has it all the same.
    NobodyWaits,
}

/// Temporal is not known to have the event; the sender should try again.
#[derive(Debug, thiserror::Error)]
pub enum Undelivered {
    /// So many events are being handed over that this one was not even tried.
    #[error("too many events are being handed over")]
    Busy,
    /// Temporal did not take it.
    #[error("Temporal can't be reached: {0}")]
    Unreachable(String),
}

/// The way to the workflows.
pub struct Deliverer {
    client: Client,
    places: Semaphore,
}

impl Deliverer {
    /// Delivers through this client, that many events at once.
    pub fn new(client: Client, at_once: u32) -> Self {
        Self { client, places: Semaphore::new(at_once as usize) }
    }

    /// Hands an event to the workflow of a conversation, within that time.
    ///
    /// # Errors
    ///
    /// Temporal is not known to have it. It may have it all the same, which does no harm: events
    /// may come any number of times.
    pub async fn deliver(
        &self,
        conversation: &ConversationId,
        message: &Message,
        within: Duration,
    ) -> Result<Delivered, Undelivered> {
        // Nobody queues here: those who wait would take memory without an end.
        let _place = self.places.try_acquire().map_err(|_| Undelivered::Busy)?;
        timeout(within, self.signal(conversation, message))
            .await
            .unwrap_or_else(|_| Err(Undelivered::Unreachable("no answer in time".to_owned())))
            .inspect_err(
                |error| warn!(conversationId = %conversation, %error, "Event not delivered"),
            )
    }

    /// The namespace in which the workflows are.
    pub fn namespace(&self) -> &str {
        &self.client.options().namespace
    }

    /// Whether Temporal answers, and has the namespace.
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

    async fn signal(
        &self,
        conversation: &ConversationId,
        message: &Message,
    ) -> Result<Delivered, Undelivered> {
        let payload = serde_json::to_value(message).map_err(unreachable)?;
        let handle = self.client.get_workflow_handle::<Call>(call_workflow(conversation));
        if let Some(user) = &message.user_id
            && let Ok(described) = handle.describe(Default::default()).await
            && described.search_attributes().get(&USER_ID).is_some_and(|owner| owner != *user)
        {
            // The workflow would pass it over as well, but in its history it would take room, and
            // whether there is such a call is not that user's business.
            return Ok(Delivered::NobodyWaits);
        }
        match handle.signal(Call::call_event, payload.clone(), Default::default()).await {
            Ok(()) => Ok(Delivered::Taken),
            // What is not found may be the namespace as well, which says nothing of the call.
            Err(WorkflowInteractionError::NotFound(status))
                if status.message().starts_with("Namespace") =>
            {
                Err(unreachable(status.message()))
            }
            Err(WorkflowInteractionError::NotFound(_)) => {
                if message.event.matters_late() {
                    self.start_late(conversation, payload).await?;
                }
                Ok(Delivered::NobodyWaits)
            }
            Err(error) => Err(unreachable(error)),
        }
    }

    /// Has a workflow of its own apply the event; one that does so already is enough.
    async fn start_late(
        &self,
        conversation: &ConversationId,
        message: Value,
    ) -> Result<(), Undelivered> {
        let digest = Sha256::digest(message.to_string());
        let digest: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let id = late_event_workflow(conversation, &digest);
        let input = LateInput { conversation_id: conversation.to_string(), message };
        let options = WorkflowStartOptions::new(TASK_QUEUE, id)
            .id_reuse_policy(WorkflowIdReusePolicy::RejectDuplicate)
            .id_conflict_policy(WorkflowIdConflictPolicy::Fail)
            .static_summary(format!("Late event of call {conversation}"))
            .build();
        match self.client.start_workflow(LateEvent::run, input, options).await {
            Ok(_) | Err(WorkflowStartError::AlreadyStarted { .. }) => Ok(()),
            Err(error) => Err(unreachable(error)),
        }
    }
}

fn unreachable(error: impl std::fmt::Display) -> Undelivered {
    Undelivered::Unreachable(error.to_string())
}
