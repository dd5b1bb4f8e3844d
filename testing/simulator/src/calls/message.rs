//! What was said and which tools were used in a call.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::spans;

/// Whose message it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Role {
    #[serde(rename = "MESSAGE_ROLE_USER")]
    User,
    #[serde(rename = "MESSAGE_ROLE_AGENT")]
    Agent,
    #[serde(rename = "MESSAGE_ROLE_TOOL_CALL")]
    ToolCall,
    #[serde(rename = "MESSAGE_ROLE_TOOL_RESULT")]
    ToolResult,
}

/// One message of a call.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    pub role: Role,
    pub text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invocation_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_details: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub medium: Option<&'static str>,
    pub call_stage_message_index: usize,
    pub call_stage_id: Uuid,
    pub timespan: Value,
    pub wall_clock_timespan: Value,
}

impl Message {
    /// Something said at a moment counted from the join.
    pub fn spoken(role: Role, text: impl Into<String>, stage: Uuid, at: Duration) -> Self {
        let moment = json!({"start": spans::write(at), "end": spans::write(at)});
        Self {
            role,
            text: text.into(),
            invocation_id: None,
            tool_name: None,
            error_details: None,
            medium: Some("MESSAGE_MEDIUM_VOICE"),
            call_stage_message_index: 0,
            call_stage_id: stage,
            timespan: moment.clone(),
            wall_clock_timespan: moment,
        }
    }

    /// The same message, written instead of spoken.
    pub fn in_writing(self) -> Self {
        Self { medium: Some("MESSAGE_MEDIUM_TEXT"), ..self }
    }

    /// The same message as half of a tool call.
    pub fn of_tool(self, invocation: Uuid, tool: &str, error: Option<String>) -> Self {
        Self {
            invocation_id: Some(invocation),
            tool_name: Some(tool.to_owned()),
            error_details: error,
            medium: None,
            ..self
        }
    }
}
