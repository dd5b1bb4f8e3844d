//! Scenarios: how a call goes, as data.

mod catalog;
mod relative_time;

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::webhook_event::WebhookEvent;

pub use catalog::{CatalogError, ScenarioCatalog};

/// How one call goes. All durations are simulated.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    pub answer: Answer,
    /// From the join until the callee hangs up, unless the talk ends earlier.
    #[serde(default, rename = "talk_secs", deserialize_with = "seconds")]
    pub talk: Duration,
    #[serde(default)]
    pub steps: Vec<Step>,
    #[serde(default)]
    pub transcript: Vec<Line>,
    #[serde(default)]
    pub webhooks: WebhookPlan,
    /// Whether Telnyx sends no callback.
    #[serde(default)]
    pub carrier_silent: bool,
    /// The provider's summary of the call.
    #[serde(default)]
    pub summary: Option<String>,
}

/// What happens when the number is dialled.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Answer {
    /// A person answers.
    Answered {
        #[serde(deserialize_with = "seconds")]
        after_secs: Duration,
    },
    /// A machine answers.
    Machine {
        #[serde(deserialize_with = "seconds")]
        after_secs: Duration,
    },
    /// Someone answers, but is connected to the agent only after the join timeout.
    Late {
        #[serde(deserialize_with = "seconds")]
        past_join_timeout_secs: Duration,
    },
    #[serde(rename = "no_answer")]
    Unanswered,
    Busy,
    Rejected,
    /// The provider rejects the number: no call is created.
    Invalid,
}

/// What the agent does during the talk.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Step {
    /// The agent reports an outcome with the client's tool.
    ReportOutcome(Report),
    /// The agent leaves a message with the provider's tool.
    LeaveVoicemail {
        #[serde(deserialize_with = "seconds")]
        at_secs: Duration,
        message: String,
    },
}

impl Step {
    /// The time since the join.
    pub fn at(&self) -> Duration {
        match self {
            Self::ReportOutcome(report) => report.at,
            Self::LeaveVoicemail { at_secs, .. } => *at_secs,
        }
    }
}

/// One use of the outcome tool.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// The time since the join.
    #[serde(rename = "at_secs", deserialize_with = "seconds")]
    pub at: Duration,
    /// The model's arguments; `{"$time": …}` is a time relative to the call's creation.
    pub args: Map<String, Value>,
    /// Whether the request reaches its receiver.
    #[serde(default = "yes")]
    pub deliver: bool,
    /// Whether the messages of the call contain the report.
    #[serde(default = "yes")]
    pub record: bool,
    #[serde(default = "once")]
    pub times: u32,
    /// Whether the request is sent only after `call.ended`.
    #[serde(default)]
    pub after_ended: bool,
}

impl Report {
    /// The arguments with relative times resolved.
    pub fn resolve_arguments(&self, created: DateTime<Utc>) -> Map<String, Value> {
        let arguments = self.args.iter();
        arguments
            .map(|(name, value)| (name.clone(), relative_time::resolve(value, created)))
            .collect()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Speaker {
    Agent,
    Callee,
}

/// A line of the transcript.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// The time since the join.
    #[serde(rename = "at_secs", deserialize_with = "seconds")]
    pub at: Duration,
    pub by: Speaker,
    pub text: String,
}

/// Which webhooks of the call are sent.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WebhookPlan {
    /// Events that are never sent.
    pub drop: Vec<WebhookEvent>,
}

fn seconds<'de, D: Deserializer<'de>>(source: D) -> Result<Duration, D::Error> {
    let secs = f64::deserialize(source)?;
    Duration::try_from_secs_f64(secs).map_err(serde::de::Error::custom)
}

fn yes() -> bool {
    true
}

fn once() -> u32 {
    1
}
