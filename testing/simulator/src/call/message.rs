//! Messages of a call: speech and tool use.

use std::time::Duration;

use serde::Serialize;
use uuid::Uuid;

use crate::duration::JsonDuration;

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

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    role: Role,
    text: String,
    #[serde(flatten)]
    tool_use: Option<ToolUse>,
    /// Position in the call, from 0.
    pub call_stage_message_index: usize,
    call_stage_id: Uuid,
    timespan: Timespan,
}

/// What distinguishes the two messages of a tool call.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct ToolUse {
    invocation_id: Uuid,
    tool_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_details: Option<String>,
}

/// Simulated time since the join.
#[derive(Debug, Clone, Serialize)]
struct Timespan {
    start: JsonDuration,
    end: JsonDuration,
}

impl Message {
    /// A message at a time since the join.
    pub fn new(role: Role, text: impl Into<String>, stage_id: Uuid, at: Duration) -> Self {
        let at = JsonDuration(at);
        Self {
            role,
            text: text.into(),
            tool_use: None,
            call_stage_message_index: 0,
            call_stage_id: stage_id,
            timespan: Timespan { start: at, end: at },
        }
    }

    /// Marks the message as the call or the result of a tool.
    pub fn of_tool(self, invocation_id: Uuid, tool: &str, error: Option<String>) -> Self {
        let tool_use = ToolUse { invocation_id, tool_name: tool.to_owned(), error_details: error };
        Self { tool_use: Some(tool_use), ..self }
    }
}
