//! The events that webhooks report.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum WebhookEvent {
    #[serde(rename = "call.started")]
    Started,
    /// The callee has answered and is connected to the agent.
    #[serde(rename = "call.joined")]
    Joined,
    #[serde(rename = "call.ended")]
    Ended,
    #[serde(rename = "call.billed")]
    Billed,
}
