//! How calls can go, as data.

mod book;
mod moment;

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::calls::Event;

pub use book::{Book, BookError};

/// How one call goes. All spans are simulated seconds.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What happens when the number is dialled.
    pub answer: Answer,
    /// From the join until the callee hangs up, unless something ends the talk before.
    #[serde(default, rename = "talk_secs", deserialize_with = "secs")]
    pub talk: Duration,
    /// What the agent does, counted from the join.
    #[serde(default)]
    pub steps: Vec<Step>,
    /// What is said, counted from the join.
    #[serde(default)]
    pub transcript: Vec<Line>,
    /// What becomes of the webhooks.
    #[serde(default)]
    pub webhooks: WebhookPlan,
    /// Whether the carrier sends no callback.
    #[serde(default)]
    pub carrier_silent: bool,
    /// The summary of the call.
    #[serde(default)]
    pub summary: Option<String>,
}

/// What happens when a number is dialled.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Answer {
    /// A person picks up.
    Answered {
        #[serde(deserialize_with = "secs")]
        after_secs: Duration,
    },
    /// A machine picks up.
    Machine {
        #[serde(deserialize_with = "secs")]
        after_secs: Duration,
    },
    /// Someone picks up, but the agent could speak only after the join time-out.
    Late {
        #[serde(deserialize_with = "secs")]
        past_join_timeout_secs: Duration,
    },
    /// It rings until the caller gives up.
    #[serde(rename = "no_answer")]
    Unanswered,
    /// The line is busy.
    Busy,
    /// The callee declines.
    Rejected,
    /// The number leads nowhere, which the carrier notices only after dialling.
    Failed,
    /// The number can't be dialled: creating the call is refused.
    Invalid,
}

/// Something the agent, or the callee, does in a talk.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Step {
    /// The agent uses a tool of the client.
    ReportOutcome(Report),
    /// The agent uses the built-in voicemail tool.
    LeaveVoicemail {
        #[serde(deserialize_with = "secs")]
        at_secs: Duration,
        message: String,
    },
    /// Someone hangs up; the agent needs the built-in tool for it.
    HangUp {
        #[serde(deserialize_with = "secs")]
        at_secs: Duration,
        by: Party,
    },
}

impl Step {
    /// When it happens, counted from the join.
    pub fn at(&self) -> Duration {
        match self {
            Self::ReportOutcome(report) => report.at,
            Self::LeaveVoicemail { at_secs, .. } | Self::HangUp { at_secs, .. } => *at_secs,
        }
    }
}

/// One use of the outcome tool.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    #[serde(rename = "at_secs", deserialize_with = "secs")]
    pub at: Duration,
    /// The tool's name for the model.
    #[serde(default = "outcome_tool")]
    pub tool: String,
    /// What the model says; `{"$time": …}` stands for a moment relative to the call's creation.
    pub args: Map<String, Value>,
    /// Whether the request reaches the receiver.
    #[serde(default = "yes")]
    pub deliver: bool,
    /// Whether the messages of the call show it.
    #[serde(default = "yes")]
    pub record: bool,
    /// How often the model does it.
    #[serde(default = "once")]
    pub times: u32,
    /// Whether the request arrives only after the call's end was announced.
    #[serde(default)]
    pub after_ended: bool,
}

impl Report {
    /// The arguments with every relative moment filled in.
    pub fn arguments(&self, created: DateTime<Utc>) -> Map<String, Value> {
        let pairs = self.args.iter();
        pairs.map(|(name, value)| (name.clone(), moment::resolve(value, created))).collect()
    }
}

/// Who hangs up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Party {
    Agent,
    Callee,
}

/// A line of the transcript.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    #[serde(rename = "at_secs", deserialize_with = "secs")]
    pub at: Duration,
    pub by: Party,
    pub text: String,
}

/// What becomes of the webhooks of one call.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WebhookPlan {
    /// Events that are never delivered.
    pub drop: Vec<Event>,
    /// How many more times every event is delivered.
    pub duplicate: u32,
    /// Simulated seconds by which an event comes late, overtaken by later ones.
    pub delay_secs: BTreeMap<Event, f64>,
}

fn secs<'de, D: Deserializer<'de>>(source: D) -> Result<Duration, D::Error> {
    let secs = f64::deserialize(source)?;
    Duration::try_from_secs_f64(secs).map_err(serde::de::Error::custom)
}

fn outcome_tool() -> String {
    "report_outcome".to_owned()
}

fn yes() -> bool {
    true
}

fn once() -> u32 {
    1
}
