//! The phone leg of a call at Telnyx: its parameters and its state.

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use chrono::{DateTime, Utc};
use strum::IntoStaticStr;
use uuid::Uuid;

use crate::schema::{AdditionalParams, LegEvent, MachineDetection, Outgoing};

/// A phone leg.
#[derive(Debug)]
pub struct Leg {
    /// `CallSid` and `CallControlId`.
    pub sid: String,
    pub leg_id: Uuid,
    pub session_id: Uuid,
    pub to: String,
    pub from: String,
    pub initiated_at: DateTime<Utc>,
    /// How long the phone rings at most (simulated time).
    pub ring_timeout: Duration,
    /// How long the leg lasts at most once answered (simulated time).
    pub time_limit: Duration,
    pub status_callback: Option<String>,
    pub status_events: Vec<LegEvent>,
    pub detection: Detection,
    pub detection_callback: Option<String>,
    /// Whether detection waits for the end of a machine's greeting.
    pub detects_message_end: bool,
    state: Mutex<LegState>,
}

/// The part of a leg that changes.
#[derive(Debug, Clone, Default)]
pub struct LegState {
    pub status: LegStatus,
    /// Number of the next status event.
    pub sequence: u32,
    pub answered_at: Option<DateTime<Utc>>,
    pub ended_at: Option<DateTime<Utc>>,
    /// Result of a blocking detection.
    pub answered_by: Option<AnsweredBy>,
    pub hangup: Option<(HangupCause, HangupSource)>,
}

/// How Telnyx detects answering machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detection {
    Off,
    /// The callee is connected to the agent only after detection.
    Blocking,
    /// The callee is connected at once; a callback reports the result.
    Async,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
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

#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum AnsweredBy {
    Human,
    MachineStart,
    MachineEndBeep,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum HangupCause {
    NormalClearing,
    UserBusy,
    CallRejected,
    Timeout,
    OriginatorCancel,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum HangupSource {
    Caller,
    Callee,
}

impl LegStatus {
    pub fn is_over(self) -> bool {
        !matches!(self, Self::Queued | Self::Initiated | Self::Ringing | Self::InProgress)
    }
}

impl Leg {
    pub fn new(outgoing: &Outgoing, initiated_at: DateTime<Utc>) -> Self {
        let params = &outgoing.additional_params;
        let url = |url: &Option<crate::schema::CallbackUrl>| url.as_ref().map(|url| url.0.clone());
        Self {
            sid: format!("v3:{}", Uuid::new_v4().simple()),
            leg_id: Uuid::new_v4(),
            session_id: Uuid::new_v4(),
            to: outgoing.to.clone(),
            from: outgoing.from.clone(),
            initiated_at,
            ring_timeout: Duration::from_secs(params.timeout_secs.unwrap_or(30)),
            time_limit: Duration::from_secs(params.time_limit_secs.unwrap_or(14_400)),
            status_callback: url(&params.status_callback),
            status_events: params.status_events().unwrap_or_default(),
            detection: detection(params),
            detection_callback: url(&params.async_amd_status_callback),
            detects_message_end: params.machine_detection
                == Some(MachineDetection::DetectMessageEnd),
            state: Mutex::default(),
        }
    }

    pub fn status(&self) -> LegStatus {
        self.state().status
    }

    pub fn state(&self) -> MutexGuard<'_, LegState> {
        self.state.lock().expect("no holder of a leg's state panics")
    }

    /// The result of detection for a machine or a person.
    pub fn detect(&self, is_machine: bool) -> AnsweredBy {
        match (is_machine, self.detects_message_end) {
            (false, _) => AnsweredBy::Human,
            (true, false) => AnsweredBy::MachineStart,
            (true, true) => AnsweredBy::MachineEndBeep,
        }
    }
}

fn detection(params: &AdditionalParams) -> Detection {
    match params.machine_detection {
        None | Some(MachineDetection::Disable) => Detection::Off,
        Some(_) if params.async_amd == Some(true) => Detection::Async,
        Some(_) => Detection::Blocking,
    }
}
