//! The provider's answers: the fields that are read. Other fields are ignored.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::facts::EndReason;
use serde::Deserialize;

use super::request::DIAL_KEY;

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Call {
    pub call_id: String,
    #[serde(default)]
    pub created: Option<DateTime<Utc>>,
    /// When the callee picked up.
    #[serde(default)]
    pub joined: Option<DateTime<Utc>>,
    #[serde(default)]
    pub ended: Option<DateTime<Utc>>,
    #[serde(default)]
    end_reason: Option<String>,
    /// The metadata of the request, with fields that the provider adds.
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
}

impl Call {
    /// The dial that has requested this call.
    pub fn dial_id(&self) -> Option<&str> {
        self.metadata.get(DIAL_KEY).map(String::as_str)
    }

    pub fn end_reason(&self) -> Option<EndReason> {
        self.end_reason.as_deref().map(parse_end_reason)
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Page<T> {
    /// The URL of the next page.
    #[serde(default)]
    pub next: Option<String>,
    pub results: Vec<T>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Message {
    #[serde(default)]
    pub role: String,
    #[serde(default)]
    pub text: Option<String>,
    #[serde(default)]
    pub invocation_id: Option<String>,
    #[serde(default)]
    pub tool_name: Option<String>,
}

/// Parses Ultravox's `endReason`.
fn parse_end_reason(text: &str) -> EndReason {
    match text {
        "unjoined" => EndReason::Unanswered,
        "hangup" => EndReason::CalleeHungUp,
        "agent_hangup" => EndReason::AgentHungUp,
        "timeout" => EndReason::MaxDurationReached,
        "connection_error" => EndReason::ConnectionFailed,
        "system_error" => EndReason::ProviderFailed,
        _ => EndReason::Other,
    }
}
