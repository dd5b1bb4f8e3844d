//! Failures of activities, and their types in Temporal.

use store::StoreError;
use temporalio_client::errors::{ClientError, WorkflowInteractionError};
use temporalio_common::error::ApplicationFailure;
use temporalio_sdk::activities::ActivityError;

use crate::telnyx::TelnyxError;
use crate::ultravox::UltravoxError;

/// Why an activity failed. All failures are retried.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Provider(#[from] UltravoxError),
    #[error(transparent)]
    Carrier(#[from] TelnyxError),
    #[error("the request to Temporal failed: {0}")]
    Temporal(#[source] Box<WorkflowInteractionError>),
    #[error("Temporal can't list workflows: {0}")]
    List(#[source] ClientError),
}

impl From<WorkflowInteractionError> for Failure {
    fn from(error: WorkflowInteractionError) -> Self {
        Self::Temporal(Box::new(error))
    }
}

impl Failure {
    /// The type of the failure in Temporal; it is stored unencrypted.
    fn type_name(&self) -> &'static str {
        match self {
            Self::Store(StoreError::Database(_)) => "Database",
            Self::Store(StoreError::Constraint { .. }) => "DatabaseConstraint",
            Self::Store(StoreError::UnknownVariant { .. }) => "DatabaseUnknownVariant",
            Self::Store(StoreError::Json(_)) => "Json",
            Self::Store(StoreError::DeadlinePassed(_)) => "DeadlinePassed",
            Self::Provider(UltravoxError::KeyRejected { .. }) => "ProviderKeyRejected",
            Self::Provider(_) => "Provider",
            Self::Carrier(_) => "Carrier",
            Self::Temporal(_) | Self::List(_) => "Temporal",
        }
    }
}

impl From<Failure> for ApplicationFailure {
    fn from(failure: Failure) -> Self {
        // No failure is final: an operator corrects a key or a row, and the next attempt succeeds. A result that a retry
        // can't change is an output of the activity, not a failure.
        let type_name = failure.type_name().to_owned();
        ApplicationFailure::builder(failure).type_name(type_name).build()
    }
}

/// Converts the result of an activity for Temporal.
pub(crate) fn to_activity_result<T>(
    result: Result<T, impl Into<Failure>>,
) -> Result<T, ActivityError> {
    result.map_err(|error| ActivityError::application(error.into().into()))
}
