//! What the agent of a running call does with its tools.

use std::time::Duration;

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::running_call::{PostponedTool, RunningCall};
use crate::call::Role;
use crate::scenario::Report;
use crate::schema::{BuiltInTool, TemporaryTool};
use crate::tool_call::{self, ToolContext, ToolResult};

/// The client's tool that steps of scenarios use.
const OUTCOME_TOOL: &str = "report_outcome";
/// From the answer of a tool until the agent hangs up because of it.
const HANGUP_DELAY: Duration = Duration::from_secs(2);
/// How long the agent speaks a voicemail message.
const VOICEMAIL_DURATION: Duration = Duration::from_secs(12);

impl RunningCall {
    pub(super) async fn report_outcome(&mut self, report: &Report) {
        let call = std::sync::Arc::clone(&self.call);
        let Some(tool) = call.request.temporary_tool(OUTCOME_TOOL) else {
            self.record_missing_tool(OUTCOME_TOOL);
            return;
        };
        let arguments = report.resolve_arguments(call.created_at);
        for mismatch in tool_call::check_arguments(&tool.definition, &arguments) {
            self.simulator.violations.record(mismatch);
        }
        for _ in 0..report.times {
            let invocation_id = Uuid::new_v4();
            if report.record {
                let text = json!(arguments).to_string();
                self.add_tool_message(Role::ToolCall, text, invocation_id, OUTCOME_TOOL, None);
            }
            let index = self.record_report(&arguments);
            let result = if report.after_ended {
                self.postponed_tools.push(PostponedTool {
                    tool: tool.clone(),
                    arguments: arguments.clone(),
                    report: index,
                });
                ToolResult::failed("the tool did not answer in time")
            } else if report.deliver {
                self.call_tool(tool, &arguments, index).await
            } else {
                ToolResult::failed("the tool could not be reached")
            };
            if report.record {
                let ToolResult { text, error, .. } = result;
                self.add_tool_message(Role::ToolResult, text, invocation_id, OUTCOME_TOOL, error);
            }
            if result.hangs_up {
                self.schedule_hangup_by_agent(HANGUP_DELAY);
            }
        }
    }

    pub(super) fn leave_voicemail(&mut self, message: &str) {
        let name = <&str>::from(BuiltInTool::LeaveVoicemail);
        let is_selected = self.call.request.has_built_in_tool(BuiltInTool::LeaveVoicemail);
        let invocation_id = Uuid::new_v4();
        let arguments = json!({"message": message}).to_string();
        self.add_tool_message(Role::ToolCall, arguments, invocation_id, name, None);
        let (text, error) = if is_selected {
            ("[Leaving voicemail...]", None)
        } else {
            ("There is no such tool.", Some(format!("{name} is not selected")))
        };
        self.add_tool_message(Role::ToolResult, text.to_owned(), invocation_id, name, error);
        if is_selected {
            self.add_speech(Role::Agent, message);
            self.schedule_hangup_by_agent(VOICEMAIL_DURATION);
        } else {
            self.record_missing_tool(name);
        }
    }

    /// Sends the tool requests that scenarios postpone until after the end of the call.
    pub(super) async fn send_postponed_tools(&mut self) {
        for PostponedTool { tool, arguments, report } in std::mem::take(&mut self.postponed_tools) {
            self.call_tool(&tool, &arguments, report).await;
        }
    }

    /// Sends the request after the webhooks so far, and completes the reported outcome.
    async fn call_tool(
        &mut self,
        tool: &TemporaryTool,
        arguments: &Map<String, Value>,
        report: usize,
    ) -> ToolResult {
        self.outbox.wait_for_webhooks().await;
        let context = ToolContext {
            call_id: self.call.id,
            metadata: self.call.request.metadata.clone(),
            state: self.call.progress().state.clone(),
        };
        let client = self.simulator.sender.client();
        let result = tool_call::call_tool(client, tool, arguments, &context).await;
        for violation in &result.violations {
            self.simulator.violations.record(violation);
        }
        let mut progress = self.call.progress();
        progress.state.extend(result.state.clone());
        if let Some(reported) = progress.reported_outcomes.get_mut(report) {
            reported["delivered"] = json!(result.status.is_some());
            reported["status"] = json!(result.status);
        }
        result
    }

    /// Adds an outcome to the ledger as not delivered, and returns its index.
    fn record_report(&self, arguments: &Map<String, Value>) -> usize {
        let mut reported = arguments.clone();
        reported.insert("tool".to_owned(), json!(OUTCOME_TOOL));
        reported.insert("delivered".to_owned(), json!(false));
        reported.insert("status".to_owned(), Value::Null);
        let mut progress = self.call.progress();
        progress.reported_outcomes.push(Value::Object(reported));
        progress.reported_outcomes.len() - 1
    }

    fn record_missing_tool(&self, name: &str) {
        let violation = format!("the agent needs tool {name}, which is not selected");
        self.simulator.violations.record(violation);
    }

    fn add_tool_message(
        &self,
        role: Role,
        text: String,
        invocation_id: Uuid,
        tool: &str,
        error: Option<String>,
    ) {
        let message = self.new_message(role, text).of_tool(invocation_id, tool, error);
        self.call.progress().add_message(message);
    }
}
