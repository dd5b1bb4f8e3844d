//! The phone leg at the carrier: how it was dialled and where it stands.

mod callbacks;

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use uuid::Uuid;

pub use callbacks::{Carrier, LegEvent};

/// A phone to ring and the parameters handed through to the carrier.
#[derive(Debug, Clone)]
pub struct Dial {
    pub to: String,
    pub from: String,
    /// How long the phone rings at most (simulated).
    pub ring_timeout: Duration,
    /// How long an answered leg lasts at most (simulated).
    pub time_limit: Duration,
    pub status_callback: Option<LegCallback>,
    /// Events that the status callback wants.
    pub status_events: Vec<String>,
    pub detection: Detection,
    pub detection_callback: Option<LegCallback>,
    /// Whether detection waits for the end of a greeting.
    pub detect_message_end: bool,
}

/// Where the carrier reports to.
#[derive(Debug, Clone)]
pub struct LegCallback {
    pub url: String,
    /// GET instead of POST.
    pub get: bool,
}

/// Whether the carrier listens for an answering machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detection {
    Off,
    /// The agent hears the callee only after detection.
    Blocking,
    /// The agent hears the callee at once; the result follows.
    Async,
}

impl Dial {
    /// The outgoing carrier call in a checked body, if there is one.
    pub fn of(body: &Map<String, Value>) -> Option<Self> {
        let outgoing = body.get("medium")?.get("telnyx")?.get("outgoing")?;
        let params = outgoing.get("additionalParams");
        let param = |name: &str| params.and_then(|params| params.get(name));
        let text = |name: &str| param(name).and_then(Value::as_str);
        let secs = |name: &str, default| {
            let given = param(name).and_then(Value::as_u64);
            Duration::from_secs(given.unwrap_or(default))
        };
        let callback = |url: &str, method: &str| {
            Some(LegCallback { url: text(url)?.to_owned(), get: text(method) == Some("GET") })
        };
        let events = text("StatusCallbackEvent").unwrap_or("completed");
        Some(Self {
            to: outgoing.get("to")?.as_str()?.to_owned(),
            from: outgoing.get("from")?.as_str()?.to_owned(),
            ring_timeout: secs("Timeout", 30),
            time_limit: secs("TimeLimit", 14_400),
            status_callback: callback("StatusCallback", "StatusCallbackMethod"),
            status_events: events.split(' ').map(str::to_owned).collect(),
            detection: match text("MachineDetection") {
                None | Some("Disable") => Detection::Off,
                _ if param("AsyncAmd").and_then(Value::as_bool) == Some(true) => Detection::Async,
                _ => Detection::Blocking,
            },
            detection_callback: callback("AsyncAmdStatusCallback", "AsyncAmdStatusCallbackMethod"),
            detect_message_end: text("MachineDetection") == Some("DetectMessageEnd"),
        })
    }
}

/// Where a leg stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LegStatus {
    #[default]
    Queued,
    Initiated,
    Ringing,
    InProgress,
    Completed,
    NoAnswer,
    Busy,
    Failed,
    Canceled,
}

impl LegStatus {
    /// The carrier's word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Initiated => "initiated",
            Self::Ringing => "ringing",
            Self::InProgress => "in-progress",
            Self::Completed => "completed",
            Self::NoAnswer => "no-answer",
            Self::Busy => "busy",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
        }
    }

    /// Whether nothing more can happen.
    pub fn is_over(self) -> bool {
        !matches!(self, Self::Queued | Self::Initiated | Self::Ringing | Self::InProgress)
    }
}

/// The changing part of a leg.
#[derive(Debug, Clone, Default)]
pub struct LegState {
    pub status: LegStatus,
    /// Number of the next event.
    pub sequence: u32,
    pub answered: Option<DateTime<Utc>>,
    pub ended: Option<DateTime<Utc>>,
    /// Result of a blocking detection.
    pub answered_by: Option<&'static str>,
    pub hangup_cause: Option<&'static str>,
    pub hangup_source: Option<&'static str>,
}

/// One phone leg.
#[derive(Debug)]
pub struct Leg {
    /// `CallSid` and `CallControlId`.
    pub sid: String,
    pub leg_id: Uuid,
    pub session_id: Uuid,
    pub dial: Dial,
    state: Mutex<LegState>,
}

impl Leg {
    /// A leg that is about to be dialled.
    pub fn new(dial: Dial) -> Self {
        Self {
            sid: format!("v3:{}", Uuid::new_v4().simple()),
            leg_id: Uuid::new_v4(),
            session_id: Uuid::new_v4(),
            dial,
            state: Mutex::default(),
        }
    }

    /// Where the leg stands.
    pub fn status(&self) -> LegStatus {
        self.state().status
    }

    /// The changing part, locked.
    pub fn state(&self) -> MutexGuard<'_, LegState> {
        self.state.lock().expect("nothing panics while it holds the state of a leg")
    }
}
