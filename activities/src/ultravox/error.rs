//! Errors of requests to Ultravox.

use domain::error_chain::error_chain;
use domain::ids::DialId;

#[derive(Debug, thiserror::Error)]
pub enum UltravoxError {
    #[error(
        "Ultravox rejects the API key with {status}: {detail}; set ULTRAVOX_API_KEY to a valid key and restart the worker"
    )]
    KeyRejected { status: u16, detail: String },
    /// The answer is not in the contract.
    #[error("Ultravox answered {status}: {detail}")]
    UnexpectedAnswer { status: u16, detail: String },
    #[error("an answer of Ultravox can't be read: {0}")]
    Undecodable(#[source] serde_json::Error),
    #[error("Ultravox has no call of dial {0} yet")]
    NotFound(DialId),
    #[error("Ultravox can't be reached: {}", error_chain(.0))]
    Unreachable(#[source] reqwest::Error),
}

impl UltravoxError {
    /// Whether the provider rejects the account, rather than failing.
    pub fn is_rejection(&self) -> bool {
        matches!(self, Self::KeyRejected { .. } | Self::UnexpectedAnswer { status: 400..=499, .. })
    }
}

impl From<reqwest::Error> for UltravoxError {
    fn from(error: reqwest::Error) -> Self {
        Self::Unreachable(error.without_url())
    }
}
