//! The state of a running call.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::outbox::Outbox;
use super::timeline::{Timeline, TimelineEvent};
use crate::call::{Call, EndReason, EndedBy, Message, Role};
use crate::clock;
use crate::scenario::Scenario;
use crate::schema::TemporaryTool;
use crate::simulator::Simulator;
use crate::webhook_event::WebhookEvent;

#[derive(Debug)]
pub struct RunningCall {
    pub simulator: Arc<Simulator>,
    pub call: Arc<Call>,
    pub scenario: Scenario,
    pub outbox: Outbox,
    pub timeline: Timeline,
    /// Simulated time since the creation.
    pub now: Duration,
    /// The time of the join, on the same scale.
    pub joined: Option<Duration>,
    /// Tool requests that are sent after the end of the call.
    pub postponed_tools: Vec<PostponedTool>,
}

#[derive(Debug)]
pub struct PostponedTool {
    pub tool: TemporaryTool,
    pub arguments: Map<String, Value>,
    /// Index among the reported outcomes.
    pub report: usize,
}

impl RunningCall {
    pub fn new(simulator: Arc<Simulator>, call: Arc<Call>, scenario: Scenario) -> Self {
        Self {
            simulator,
            call,
            scenario,
            outbox: Outbox::default(),
            timeline: Timeline::default(),
            now: Duration::ZERO,
            joined: None,
            postponed_tools: Vec::new(),
        }
    }

    /// The current time for bodies.
    pub fn timestamp(&self) -> DateTime<Utc> {
        clock::add(self.call.created_at, self.now)
    }

    pub fn is_talking(&self) -> bool {
        self.call.progress().is_talking()
    }

    /// A message of the current time.
    pub fn new_message(&self, role: Role, text: impl Into<String>) -> Message {
        let at = self.now - self.joined.unwrap_or(self.now);
        Message::new(role, text, self.call.stage_id, at)
    }

    pub fn add_speech(&self, role: Role, text: impl Into<String>) {
        let message = self.new_message(role, text);
        self.call.progress().add_message(message);
    }

    pub fn schedule_hangup_by_agent(&mut self, delay: Duration) {
        let event = TimelineEvent::TalkEnded { reason: EndReason::AgentHangup, by: EndedBy::Agent };
        self.timeline.schedule(self.now + delay, event);
    }

    pub fn send_event(&mut self, event: WebhookEvent) {
        self.outbox.send_event(&self.simulator, &self.call, &self.scenario, event);
    }
}
