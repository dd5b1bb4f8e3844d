//! The part of a call that changes.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value};

use super::Message;

const BILLING_STEP_SECS: u64 = 6;

/// Why a call is over, in the service's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    Unjoined,
    Hangup,
    AgentHangup,
    Timeout,
}

/// Who really ended a call; only the ledger tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EndedBy {
    Callee,
    Agent,
    /// The client, over the API.
    Client,
    /// The carrier: its time limit or its API.
    Carrier,
    JoinTimeout,
    MaxDuration,
}

/// How far a call has come.
#[derive(Debug, Default)]
pub struct Progress {
    pub joined: Option<DateTime<Utc>>,
    pub ended: Option<DateTime<Utc>>,
    pub end_reason: Option<EndReason>,
    pub ended_by: Option<EndedBy>,
    pub billed: Option<Duration>,
    pub summary: Option<String>,
    pub deleted: Option<DateTime<Utc>>,
    /// Whether a phone rang.
    pub rang: bool,
    pub messages: Vec<Message>,
    pub state: Map<String, Value>,
    /// Every outcome the agent reported, delivered or not.
    pub reported: Vec<Value>,
}

impl Progress {
    /// Created and not ended: it takes up a slot.
    pub fn is_active(&self) -> bool {
        self.ended.is_none()
    }

    /// Joined and not ended: the agent can hear.
    pub fn is_talking(&self) -> bool {
        self.joined.is_some() && self.ended.is_none()
    }

    /// How long the talk lasted; zero if nobody joined.
    pub fn talk(&self) -> Option<Duration> {
        let ended = self.ended?;
        let talk = ended - self.joined.unwrap_or(ended);
        talk.to_std().ok()
    }

    /// The span that is paid for: the talk, rounded up to the billing step.
    pub fn billable(&self) -> Duration {
        let talk = self.talk().unwrap_or_default();
        let secs = talk.as_secs() + u64::from(talk.subsec_nanos() > 0);
        Duration::from_secs(secs.div_ceil(BILLING_STEP_SECS) * BILLING_STEP_SECS)
    }

    /// Adds a message and numbers it.
    pub fn say(&mut self, mut message: Message) {
        message.call_stage_message_index = self.messages.len();
        self.messages.push(message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn talks_are_billed_in_steps_of_six_seconds() {
        let joined = DateTime::from_timestamp_secs(1_800_000_000).unwrap();
        for (talk, billed) in [(0, 0), (1, 6), (6, 6), (37, 42), (55, 60), (240, 240)] {
            let progress = Progress {
                joined: Some(joined),
                ended: Some(crate::clock::later(joined, Duration::from_secs(talk))),
                ..Progress::default()
            };
            assert_eq!(progress.billable(), Duration::from_secs(billed), "{talk}");
        }
    }
}
