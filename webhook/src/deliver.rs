//! Handing events to the calls' workflows.

use std::future::Future;
use std::pin::Pin;
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
use tokio::time::timeout;
use tracing::warn;
use workflows::activities::calls::LateInput;
use workflows::events::Message;
use workflows::ids::{TASK_QUEUE, call_workflow, late_event_workflow};
use workflows::{Call, LateEvent};

/// Longest time for Temporal to take an event.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(5);
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

/// Temporal did not take the event; the sender should try again.
#[derive(Debug, thiserror::Error)]
#[error("Temporal can't be reached: {0}")]
pub struct Unreachable(pub String);

/// A future that can be sent between threads.
pub type Sendable<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Where events go.
pub trait Deliver: Send + Sync {
    /// Hands an event to the workflow of a conversation.
    fn deliver<'a>(
        &'a self,
        conversation: &'a ConversationId,
        message: &'a Message,
    ) -> Sendable<'a, Result<Delivered, Unreachable>>;

    /// Whether events could be handed over now.
    fn is_ready(&self) -> Sendable<'_, bool>;
}

/// The real receiver.
pub struct Temporal {
    client: Client,
}

impl Temporal {
    /// Connects by Temporal's own settings.
    pub async fn connect() -> Result<Self> {
        Ok(Self { client: service::temporal::connect().await? })
    }

    async fn signal(
        &self,
        conversation: &ConversationId,
        message: &Message,
    ) -> Result<Delivered, Unreachable> {
        let payload =
            serde_json::to_value(message).map_err(|error| Unreachable(error.to_string()))?;
        let handle = self.client.get_workflow_handle::<Call>(call_workflow(conversation));
        match handle.signal(Call::call_event, payload.clone(), Default::default()).await {
            Ok(()) => Ok(Delivered::Taken),
            Err(WorkflowInteractionError::NotFound(_)) if message.event.matters_late() => {
                self.start_late(conversation, payload).await?;
                Ok(Delivered::NobodyWaits)
            }
            Err(WorkflowInteractionError::NotFound(_)) => Ok(Delivered::NobodyWaits),
            Err(error) => Err(Unreachable(error.to_string())),
        }
    }

    /// Has a workflow of its own apply the event; one that does so already is enough.
    async fn start_late(
        &self,
        conversation: &ConversationId,
        message: Value,
    ) -> Result<(), Unreachable> {
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
            Err(error) => Err(Unreachable(error.to_string())),
        }
    }
}

impl Deliver for Temporal {
    fn deliver<'a>(
        &'a self,
        conversation: &'a ConversationId,
        message: &'a Message,
    ) -> Sendable<'a, Result<Delivered, Unreachable>> {
        Box::pin(async move {
            timeout(DELIVERY_TIMEOUT, self.signal(conversation, message))
                .await
                .unwrap_or_else(|_| Err(Unreachable("no answer in time".to_owned())))
                .inspect_err(
                    |error| warn!(conversationId = %conversation, %error, "Event not delivered"),
                )
        })
    }

    fn is_ready(&self) -> Sendable<'_, bool> {
        Box::pin(async move {
            let request = DescribeNamespaceRequest {
                namespace: self.client.options().namespace.clone(),
                ..Default::default()
            };
            let mut service = self.client.connection().workflow_service();
            let answer =
                timeout(PROBE_TIMEOUT, service.describe_namespace(request.into_request())).await;
            matches!(answer, Ok(Ok(_)))
        })
    }
}
