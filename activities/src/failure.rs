//! The one place that decides whether a failed activity is tried again.

use temporalio_common::error::ApplicationFailure;
use temporalio_sdk::activities::ActivityError;

use crate::telnyx::TelnyxError;
use crate::ultravox::UltravoxError;
use store::StoreError;

/// Why an activity could not do its work; all of these are tried again.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The database did not answer, or refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The provider did not answer, or refused.
    #[error(transparent)]
    Provider(#[from] UltravoxError),
    /// The carrier did not answer, or refused.
    #[error(transparent)]
    Carrier(#[from] TelnyxError),
    /// A late event came before the call was settled.
    #[error("conversation {0} has no workflow and is not settled; the next sweep settles it")]
    NotSettled(String),
    /// Temporal did not answer.
    #[error("Temporal can't be reached: {0}")]
    Temporal(String),
}

impl Failure {
    /// The type by which the failure is found in Temporal; it is stored in clear.
    fn type_name(&self) -> &'static str {
        match self {
            Self::Store(_) => "Database",
            Self::Provider(UltravoxError::KeyRefused { .. }) => "ProviderKeyRefused",
            Self::Provider(_) => "Provider",
            Self::Carrier(_) => "Carrier",
            Self::NotSettled(_) => "NotSettled",
            Self::Temporal(_) => "Temporal",
        }
    }
}

impl From<Failure> for ApplicationFailure {
    fn from(failure: Failure) -> Self {
        // Nothing here is final: a database comes back, a key is mended by an operator. What
        // can't be mended by trying again is an answer of the activity, not a failure.
        let type_name = failure.type_name().to_owned();
        ApplicationFailure::builder(failure).type_name(type_name).build()
    }
}

/// An activity's result as Temporal takes it.
pub(crate) fn reported<T>(result: Result<T, impl Into<Failure>>) -> Result<T, ActivityError> {
    result.map_err(|error| ActivityError::application(error.into().into()))
}
