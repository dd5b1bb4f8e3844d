//! The talk: what the agent does with its tools, and how it ends.

use std::time::Duration;

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::run::Run;
use super::timeline::Moment;
use crate::calls::{EndReason, EndedBy, Role};
use crate::scenario::{Party, Report, Step};
use crate::tools::{self, Answer, Facts, Reaction, SelectedTool, ToolDefinition};

/// How long the agent takes to say goodbye before it hangs up.
const FAREWELL: Duration = Duration::from_secs(2);
/// How long the agent takes to speak a voicemail message.
const VOICEMAIL: Duration = Duration::from_secs(12);

/// A tool call whose request arrives after the end of the call.
pub struct Postponed {
    tool: SelectedTool,
    arguments: Map<String, Value>,
    /// Its entry among the reported outcomes.
    entry: usize,
}

impl Run {
    /// Enters everything that happens between the join and the end of the talk.
    pub(super) fn enter_talk(&mut self) {
        for (index, line) in self.scenario.transcript.iter().enumerate() {
            self.timeline.enter(self.now + line.at, Moment::Line(index));
        }
        for (index, step) in self.scenario.steps.iter().enumerate() {
            self.timeline.enter(self.now + step.at(), Moment::Step(index));
        }
        let limit = self.call.request.max_duration;
        let (length, reason, by) = if self.scenario.talk < limit {
            (self.scenario.talk, EndReason::Hangup, EndedBy::Callee)
        } else {
            (limit, EndReason::Timeout, EndedBy::MaxDuration)
        };
        self.timeline.enter(self.now + length, Moment::TalkOver { reason, by });
    }

    pub(super) async fn step(&mut self, index: usize) {
        if !self.is_talking() {
            return;
        }
        match self.scenario.steps.get(index).cloned() {
            Some(Step::ReportOutcome(report)) => self.report(&report).await,
            Some(Step::LeaveVoicemail { message, .. }) => {
                let arguments = json!({"message": message});
                if self.use_built_in("leaveVoicemail", &arguments, "[Leaving voicemail...]") {
                    let spoken = self.message(Role::Agent, message);
                    self.call.progress().say(spoken);
                    self.hang_up_in(VOICEMAIL);
                }
            }
            Some(Step::HangUp { by: Party::Callee, .. }) => {
                self.end(EndReason::Hangup, EndedBy::Callee).await;
            }
            Some(Step::HangUp { by: Party::Agent, .. })
                if self.use_built_in("hangUp", &json!({}), "OK") =>
            {
                self.end(EndReason::AgentHangup, EndedBy::Agent).await;
            }
            Some(Step::HangUp { .. }) | None => {}
        }
    }

    /// Uses the client's outcome tool as the model would.
    async fn report(&mut self, report: &Report) {
        let name = &report.tool;
        let selected = self.call.request.tool(name).cloned();
        let Some((tool, definition)) =
            selected.as_ref().and_then(|tool| Some((tool, tool.temporary_tool.as_ref()?)))
        else {
            self.simulator
                .violations
                .record(format!("the agent needed tool {name}, which is not selected"));
            return;
        };
        let arguments = report.arguments(self.call.created);
        for wrong in tools::check_arguments(tool, definition, &arguments) {
            self.simulator.violations.record(wrong);
        }
        for _ in 0..report.times {
            let invocation = Uuid::new_v4();
            if report.record {
                let text = Value::Object(arguments.clone()).to_string();
                let message = self.message(Role::ToolCall, text);
                let message = message.of_tool(invocation, name, None);
                self.call.progress().say(message);
            }
            let entry = self.note(name, &arguments);
            let answer = if report.after_ended {
                self.postponed.push(Postponed {
                    tool: tool.clone(),
                    arguments: arguments.clone(),
                    entry,
                });
                Answer::failed("the tool did not answer in time")
            } else if report.deliver {
                self.outbox.settled().await;
                self.call_tool(tool, definition, &arguments, entry).await
            } else {
                Answer::failed("the tool could not be reached")
            };
            if report.record {
                let message = self.message(Role::ToolResult, answer.text.clone());
                let message = message.of_tool(invocation, name, answer.error.clone());
                self.call.progress().say(message);
            }
            if answer.reaction == Reaction::HangUp {
                self.hang_up_in(FAREWELL);
            }
        }
    }

    /// Makes the requests that were held back until the end was announced.
    pub(super) async fn use_postponed_tools(&mut self) {
        for postponed in std::mem::take(&mut self.postponed) {
            if let Some(definition) = &postponed.tool.temporary_tool {
                self.outbox.settled().await;
                let Postponed { tool, arguments, entry } = &postponed;
                self.call_tool(tool, definition, arguments, *entry).await;
            }
        }
    }

    async fn call_tool(
        &mut self,
        tool: &SelectedTool,
        definition: &ToolDefinition,
        arguments: &Map<String, Value>,
        entry: usize,
    ) -> Answer {
        let facts = self.facts();
        let client = self.simulator.courier.client();
        let answer = tools::call(client, tool, definition, arguments, &facts).await;
        for violation in &answer.violations {
            self.simulator.violations.record(violation);
        }
        let mut progress = self.call.progress();
        progress.state.extend(answer.state.clone());
        if let Some(noted) = progress.reported.get_mut(entry) {
            noted["delivered"] = json!(answer.status.is_some());
            noted["status"] = json!(answer.status);
        }
        answer
    }

    /// Writes an outcome into the ledger before its delivery is tried.
    fn note(&self, tool: &str, arguments: &Map<String, Value>) -> usize {
        let mut entry = arguments.clone();
        entry.insert("tool".to_owned(), json!(tool));
        entry.insert("delivered".to_owned(), json!(false));
        entry.insert("status".to_owned(), Value::Null);
        let mut progress = self.call.progress();
        progress.reported.push(Value::Object(entry));
        progress.reported.len() - 1
    }

    /// Uses a built-in tool; refused, and a breach of the contract, if it isn't selected.
    fn use_built_in(&self, name: &str, arguments: &Value, result: &str) -> bool {
        let selected = self.call.request.built_in(name);
        let model_name = selected.map_or(name, SelectedTool::model_name);
        let invocation = Uuid::new_v4();
        let (result, error) = match selected {
            Some(_) => (result, None),
            None => ("There is no such tool.", Some(format!("{name} is not selected"))),
        };
        let used = self
            .message(Role::ToolCall, arguments.to_string())
            .of_tool(invocation, model_name, None);
        let answered =
            self.message(Role::ToolResult, result).of_tool(invocation, model_name, error);
        let mut progress = self.call.progress();
        progress.say(used);
        progress.say(answered);
        if selected.is_none() {
            self.simulator
                .violations
                .record(format!("the agent needed tool {name}, which is not selected"));
        }
        selected.is_some()
    }

    fn hang_up_in(&mut self, span: Duration) {
        self.timeline.enter(
            self.now + span,
            Moment::TalkOver { reason: EndReason::AgentHangup, by: EndedBy::Agent },
        );
    }

    fn facts(&self) -> Facts {
        let progress = self.call.progress();
        Facts {
            call_id: self.call.id.to_string(),
            stage_id: self.call.stage.to_string(),
            metadata: Value::Object(self.call.request.metadata.clone()),
            state: Value::Object(progress.state.clone()),
            history: json!(progress.messages),
        }
    }
}
