//! Activities of one call.

use chrono::{DateTime, Utc};
use domain::BlockReason;
use domain::call_log::RunEnd;
use domain::facts::{DialEvent, EndReason};
use domain::ids::{ConversationId, DialId};
use domain::status::{Outcome, Reason};
use serde::{Deserialize, Serialize};

activity!(
    /// Decides whether the call may be dialled now and reserves what it needs, in one transaction. Idempotent: repeated
    /// before a request was sent, it decides again about the same dial.
    Admit = "calls.admit", AdmitInput => Admission
);
activity!(
    /// Moves the slot of a conversation that is not dialled yet, within its calling hours. Idempotent.
    Reschedule = "calls.reschedule", RescheduleInput => RescheduleResult
);
activity!(
    /// Sends the dial request to the provider, at most once for a dial.
    Dial = "calls.dial", DialRef => DialResult
);
activity!(
    /// Cancels a dial whose request was not sent. Idempotent.
    CancelDial = "calls.cancel_dial", DialRef => CancelDialResult
);
activity!(
    /// Marks the conversation as answered. Idempotent.
    MarkAnswered = "calls.mark_answered", ConversationRef => ()
);
activity!(
    /// Looks a dial up at the provider.
    FetchStatus = "calls.fetch_status", DialRef => ProviderStatus
);
activity!(
    /// Hangs a call up: through the provider once it is answered, through the carrier while it rings. Idempotent.
    HangUp = "calls.hang_up", HangUpInput => ()
);
activity!(
    /// Stores the transcript of a call and records the reports in it. Idempotent.
    CollectTranscript = "calls.collect_transcript", DialRef => Recorded
);
activity!(
    /// Stores what was said about a call and records what follows from all of it, in one transaction. Idempotent, and the
    /// order does not matter.
    RecordOutcome = "calls.record_outcome", RecordInput => Recorded
);
activity!(
    /// Records an event for which no workflow runs. Idempotent.
    ApplyLateEvent = "calls.apply_late_event", LateEventInput => LateEventResult
);
activity!(
    /// Records calls whose workflow was terminated or lost. Idempotent: what can't be recorded yet is left to the next
    /// sweep.
    Sweep = "calls.sweep", SweepInput => SweepResult
);

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SweepInput {
    /// The maximum number of calls to look at.
    pub limit: u32,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SweepResult {
    /// Calls without a workflow that were recorded.
    pub recorded: Vec<ConversationId>,
    /// Calls without a workflow that are not over yet; a hang-up was requested.
    pub ending: Vec<ConversationId>,
    /// Calls whose transcript was read late.
    pub transcripts: Vec<ConversationId>,
    /// The number of old decisions that were deleted.
    pub pruned: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LateEventInput {
    pub conversation_id: ConversationId,
    /// A [`crate::events::EventMessage`] as received.
    pub message: serde_json::Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LateEventResult {
    /// The records were amended.
    Amended,
    /// The event changed nothing.
    Unchanged,
    UnknownConversation,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConversationRef {
    pub conversation_id: ConversationId,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HangUpInput {
    pub dial_id: DialId,
    #[serde(default)]
    pub provider_call_id: Option<String>,
    /// The carrier's id of the leg.
    #[serde(default)]
    pub carrier_call_id: Option<String>,
    pub answered: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DialRef {
    pub dial_id: DialId,
    /// The provider's id of the call if the workflow knows it; the row may not have it yet.
    #[serde(default)]
    pub provider_call_id: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AdmitInput {
    pub conversation_id: ConversationId,
    /// The run of the workflow: a recorded call is reopened only for another run.
    pub run_id: String,
    /// When this run first asked for admission: the slot of a reopened call.
    #[serde(default)]
    pub first_asked: Option<DateTime<Utc>>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RescheduleInput {
    pub conversation_id: ConversationId,
    /// The new slot; now if `None`.
    #[serde(default)]
    pub slot: Option<DateTime<Utc>>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum RescheduleResult {
    Rescheduled {
        slot: DateTime<Utc>,
    },
    /// The slot stays; `detail` says why, as a sentence.
    Rejected {
        detail: String,
    },
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Admission {
    Admitted(Admitted),
    /// Ask again at `until`; `detail` says why, as a sentence.
    Deferred {
        until: DateTime<Utc>,
        detail: String,
    },
    /// The call returns to planning; `detail` says why, as a sentence.
    Denied {
        reason: BlockReason,
        detail: String,
    },
}

/// A dial that may be placed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Admitted {
    pub dial_id: DialId,
    /// Seconds from the request after which the provider gives up on an unanswered call.
    pub join_timeout_secs: i64,
    /// Seconds of talk after which the provider ends the call.
    pub max_duration_secs: i64,
    /// Seconds for which the provider must go on not listing a dial until it counts as never placed.
    pub never_placed_after_secs: i64,
    /// When an earlier run sent the request.
    #[serde(default)]
    pub sent_at: Option<DateTime<Utc>>,
    /// A request may have been sent by an earlier run: the dial is monitored, not repeated.
    #[serde(default)]
    pub resumed: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum DialResult {
    /// The provider has the call.
    Placed { provider_call_id: String },
    /// The answer was lost: the provider may have the call.
    Unknown,
    /// The provider is at its limit and does not have the call; ask for admission again at `until`.
    Busy { until: DateTime<Utc> },
    /// The provider has rejected the call for good, in these words.
    Rejected { detail: String },
    /// No request was sent: something has changed since admission.
    Denied { reason: BlockReason, detail: String },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum CancelDialResult {
    /// No request was sent, and none will be.
    NotSent,
    /// A request was sent and may have been accepted.
    Sent,
}

/// What the provider knows of a dial.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ProviderStatus {
    /// `None` if the provider does not list a call of the dial.
    pub provider_call_id: Option<String>,
    pub answered_at: Option<DateTime<Utc>>,
    pub ended_at: Option<DateTime<Utc>>,
    pub end_reason: Option<EndReason>,
}

impl ProviderStatus {
    /// The status as events.
    pub fn into_events(self) -> Vec<DialEvent> {
        let Self { provider_call_id, answered_at, ended_at, end_reason } = self;
        let mut events = Vec::new();
        if let Some(provider_call_id) = provider_call_id {
            events.push(DialEvent::Placed { provider_call_id });
        }
        if ended_at.is_some() || end_reason.is_some() {
            let reason = end_reason.unwrap_or(EndReason::Other);
            events.push(DialEvent::Ended { answered_at, ended_at, reason });
        } else if answered_at.is_some() {
            events.push(DialEvent::Answered { at: answered_at });
        }
        events
    }
}

/// An event that a run has received.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReceivedEvent {
    /// `None` if the sender does not know dials.
    #[serde(default)]
    pub dial_id: Option<DialId>,
    pub event: DialEvent,
}

/// What is said of a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordInput {
    pub conversation_id: ConversationId,
    /// Events of all dials of the call.
    #[serde(default)]
    pub events: Vec<ReceivedEvent>,
    #[serde(default)]
    pub ended_run: Option<EndedRun>,
    /// A transcript from the user's system.
    #[serde(default)]
    pub transcript: Option<String>,
    /// Messages with a word that the build of the workflow does not know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<serde_json::Value>,
}

/// A run that ended without a report of the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EndedRun {
    /// `None` if a sweep ends the call.
    #[serde(default)]
    pub run_id: Option<String>,
    /// The dial of the run; `None` if it had none.
    #[serde(default)]
    pub dial_id: Option<DialId>,
    pub end: RunEnd,
}

impl RecordInput {
    pub fn new(conversation_id: ConversationId) -> Self {
        Self {
            conversation_id,
            events: Vec::new(),
            ended_run: None,
            transcript: None,
            unread: Vec::new(),
        }
    }
}

/// The record of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Recorded {
    /// Whether the call is over. `false` if its conversation was deleted.
    pub closed: bool,
    /// Whether the records have changed.
    pub changed: bool,
    pub outcome: Option<Outcome>,
    pub reason: Option<Reason>,
    /// Minutes charged for the conversation.
    pub minutes: i32,
}
