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

#[cfg(test)]
mod tests {
    use domain::text::repair_json;

    use super::*;

    #[test]
    fn texts_of_an_answer_can_be_stored() {
        for bad in [r"\u0000", r"\ud83d"] {
            let call = format!(
                r#"{{"callId":"u{bad}","endReason":"{bad}","metadata":{{"dial_id":"p{bad}"}}}}"#
            );
            let call: Call = serde_json::from_str(&repair_json(call.as_bytes())).unwrap();
            assert_eq!((call.call_id.as_str(), call.dial_id()), ("u\u{fffd}", Some("p\u{fffd}")));
            let message = format!(r#"{{"role":"MESSAGE_ROLE_USER","text":"Hello{bad}"}}"#);
            let message: Message = serde_json::from_str(&repair_json(message.as_bytes())).unwrap();
            assert_eq!(message.text.as_deref(), Some("Hello\u{fffd}"));
        }
    }
}
