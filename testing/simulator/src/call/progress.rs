//! The part of a call that changes.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value};

use super::Message;

const BILLING_STEP_SECS: u64 = 6;

/// Why a call ended: the provider's `endReason`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    Unjoined,
    Hangup,
    AgentHangup,
    Timeout,
}

/// Who ended a call; only the ledger shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EndedBy {
    Callee,
    Agent,
    /// A request to the provider's API.
    Client,
    /// Telnyx's time limit or a request to its API.
    Carrier,
    JoinTimeout,
    MaxDuration,
}

#[derive(Debug, Default)]
pub struct Progress {
    pub joined_at: Option<DateTime<Utc>>,
    pub ended_at: Option<DateTime<Utc>>,
    pub end_reason: Option<EndReason>,
    pub ended_by: Option<EndedBy>,
    pub billed: Option<Duration>,
    pub summary: Option<String>,
    pub is_deleted: bool,
    /// Whether the callee's phone was reached.
    pub rang: bool,
    pub messages: Vec<Message>,
    /// The call state that tool answers set.
    pub state: Map<String, Value>,
    /// Every outcome that the agent reported, delivered or not.
    pub reported_outcomes: Vec<Value>,
}

impl Progress {
    /// Whether the call counts against the limit of concurrent calls.
    pub fn is_active(&self) -> bool {
        self.ended_at.is_none()
    }

    /// Whether the agent and the callee are connected.
    pub fn is_talking(&self) -> bool {
        self.joined_at.is_some() && self.ended_at.is_none()
    }

    /// The length of the talk, zero without a join; `None` until the call ends.
    pub fn talk(&self) -> Option<Duration> {
        let ended_at = self.ended_at?;
        (ended_at - self.joined_at.unwrap_or(ended_at)).to_std().ok()
    }

    /// The length of the talk, rounded up to the billing step.
    pub fn billable(&self) -> Duration {
        let talk = self.talk().unwrap_or_default();
        let secs = talk.as_secs() + u64::from(talk.subsec_nanos() > 0);
        Duration::from_secs(secs.next_multiple_of(BILLING_STEP_SECS))
    }

    pub fn add_message(&mut self, mut message: Message) {
        message.call_stage_message_index = self.messages.len();
        self.messages.push(message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn talks_are_billed_in_steps_of_six_seconds() {
        let joined_at = DateTime::from_timestamp_secs(1_800_000_000).unwrap();
        for (talk, billed) in [(0, 0), (1, 6), (6, 6), (37, 42), (55, 60), (240, 240)] {
            let progress = Progress {
                joined_at: Some(joined_at),
                ended_at: Some(crate::clock::add(joined_at, Duration::from_secs(talk))),
                ..Progress::default()
            };
            assert_eq!(progress.billable(), Duration::from_secs(billed), "{talk}");
        }
    }
}
