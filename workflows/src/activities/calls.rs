//! Activities of one call.

use chrono::{DateTime, Utc};
use domain::facts::{Conclusion, Event};
use domain::report::{Report, Source};
use domain::status::{Outcome, Reason};
use serde::{Deserialize, Serialize};

use crate::events::end_reason;

activity!(
    /// Decides whether the call may be made now and reserves what it needs, in one transaction.
    /// Run again while no request has left, it decides anew about the same dial.
    Admit = "calls.admit", AdmitInput => Admission
);
activity!(
    /// Moves the slot of a conversation that is not dialled yet, if its hours allow it. Idempotent.
    MoveSlot = "calls.move_slot", MoveSlotInput => Moved
);
activity!(
    /// Asks the provider to ring the phone, at most once for a dial, whatever happens between.
    Place = "calls.dial", DialRef => Placement
);
activity!(
    /// Takes back a dial of which no request has left, for good. Idempotent.
    Withdraw = "calls.withdraw", DialRef => Withdrawn
);
activity!(
    /// Shows in the conversation that somebody answered. Idempotent.
    NoteAnswered = "calls.note_answered", ConversationRef => ()
);
activity!(
    /// Puts the number of a call under way on its client's do-not-call list. Idempotent.
    Suppress = "calls.suppress", ConversationRef => ()
);
activity!(
    /// Asks the provider what it knows of a dial.
    LookUp = "calls.look_up", DialRef => Sighting
);
activity!(
    /// Ends a call: by the provider if somebody has answered, by the carrier while it rings.
    /// Asked again it does no harm.
    HangUp = "calls.hang_up", Leg => ()
);
activity!(
    /// Stores the transcript and gives back what the agent's tool calls in it say. Idempotent.
    CollectTranscript = "calls.collect_transcript", DialRef => Recovered
);
activity!(
    /// Settles the call's records in one transaction. Idempotent.
    RecordOutcome = "calls.record_outcome", Record => Settled
);

activity!(
    /// Applies what was heard of a call after its workflow had ended. Idempotent.
    ApplyLate = "calls.apply_late", LateInput => Applied
);

activity!(
    /// Settles calls whose workflow ended without settling them. Idempotent: what it can't settle
    /// yet it leaves to the next time.
    Sweep = "calls.sweep", SweepInput => Swept
);

/// Which calls to look at.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SweepInput {
    /// How many at most.
    pub limit: u32,
}

/// What a sweep did.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Swept {
    /// Calls without a workflow that were settled.
    pub settled: Vec<String>,
    /// Calls without a workflow that are not over yet; they were asked to end.
    pub ending: Vec<String>,
    /// Old decisions that were removed.
    pub pruned: u64,
}

/// What was heard late.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LateInput {
    /// The conversation that it is about.
    pub conversation_id: String,
    /// A [`crate::events::Message`], as it came.
    pub message: serde_json::Value,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Applied {
    /// The records were amended.
    Amended,
    /// It said nothing new.
    NothingNew,
    /// There is no such conversation.
    UnknownConversation,
}

/// A conversation.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConversationRef {
    /// Its id.
    pub conversation_id: String,
}

/// A dial, and what is known of its leg.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Leg {
    /// The dial.
    pub dial_id: String,
    /// The provider's id of the call, if it is known.
    #[serde(default)]
    pub provider_call_id: Option<String>,
    /// The carrier's id of the leg, if it is known.
    #[serde(default)]
    pub carrier_call_id: Option<String>,
    /// Whether somebody has answered.
    pub answered: bool,
}

/// A dial.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DialRef {
    /// Its id.
    pub dial_id: String,
    /// The provider's id of the call, if the workflow has heard it: the records may not have.
    #[serde(default)]
    pub provider_call_id: Option<String>,
}

/// Which call asks to be made.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AdmitInput {
    /// The conversation.
    pub conversation_id: String,
    /// The run of its workflow: a settled call is opened again for another run only.
    pub run_id: String,
    /// When this run first asked: the slot of a call that is opened again.
    #[serde(default)]
    pub first_asked: Option<DateTime<Utc>>,
}

/// Where to move a slot.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MoveSlotInput {
    /// The conversation.
    pub conversation_id: String,
    /// The new slot; the present moment if not given.
    #[serde(default)]
    pub slot: Option<DateTime<Utc>>,
}

/// What became of a wish to move a slot.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Moved {
    /// The call is planned for this moment now.
    To {
        /// The new slot.
        slot: DateTime<Utc>,
    },
    /// The slot stays.
    Not {
        /// Why, as a sentence.
        why: String,
    },
}

/// The guard's answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Admission {
    /// The call may be made.
    Admitted(Admitted),
    /// Not now.
    Later {
        /// When to ask again.
        until: DateTime<Utc>,
        /// Why, as a sentence.
        why: String,
    },
    /// Not at all.
    Refused {
        /// A word of [`domain::guard::Objection`].
        objection: String,
        /// Why, as a sentence.
        why: String,
    },
}

/// A dial that may be placed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Admitted {
    /// The dial.
    pub dial_id: String,
    /// Seconds from the request within which the provider gives up on an unanswered call.
    pub join_timeout_secs: i64,
    /// Seconds of talk after which the provider ends the call.
    pub max_duration_secs: i64,
    /// A request for it may have left before: it is followed, not made.
    #[serde(default)]
    pub taken_up: bool,
}

/// What became of a request to the provider.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Placement {
    /// The provider has the call.
    Placed {
        /// Its id there.
        provider_call_id: String,
    },
    /// The provider may have the call: its answer never came.
    Unknown,
    /// The provider has no room; it does not have the call.
    Busy {
        /// When to ask the guard again.
        until: DateTime<Utc>,
    },
    /// The provider refused the call for good; it does not have the call.
    Refused {
        /// Why, in its words.
        why: String,
    },
    /// No request left: something has changed since the guard's answer.
    Withheld {
        /// A word of [`domain::guard::Objection`].
        objection: String,
        /// Why, as a sentence.
        why: String,
    },
}

/// What became of a dial that was to be taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Withdrawn {
    /// No request has left, and none will.
    Unsent,
    /// A request has left and may have been accepted.
    Sent,
}

/// What the provider knows of a dial.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Sighting {
    /// The provider's id of the call; nothing if it knows of none.
    pub provider_call_id: Option<String>,
    /// The provider had the call and no longer knows it.
    pub vanished: bool,
    /// When somebody answered.
    pub joined: Option<DateTime<Utc>>,
    /// When the call ended.
    pub ended: Option<DateTime<Utc>>,
    /// Why it ended, in the provider's word.
    pub end_reason: Option<String>,
}

impl Sighting {
    /// What was seen, in the words of the domain.
    pub fn events(self) -> Vec<Event> {
        let mut events = Vec::new();
        if let Some(provider_call_id) = self.provider_call_id {
            events.push(Event::Placed { provider_call_id });
        }
        if self.vanished {
            events.push(Event::Vanished);
        }
        if self.ended.is_some() || self.end_reason.is_some() {
            let reason = end_reason(self.end_reason.as_deref());
            events.push(Event::Ended { joined: self.joined, ended: self.ended, reason });
        } else if self.joined.is_some() {
            events.push(Event::Joined { at: self.joined });
        }
        events
    }
}

/// What the agent's tool calls say in the messages of a call.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Recovered {
    /// Outcomes that the agent reported.
    pub reports: Vec<RecoveredReport>,
    /// Whether it left a message on a machine.
    pub voicemail: bool,
}

impl Recovered {
    /// What was found, in the words of the domain.
    pub fn events(self) -> impl Iterator<Item = Event> {
        let reports = self.reports.into_iter().filter_map(|found| {
            let report = Report::new(found.outcome, found.time, found.notes, Source::Agent);
            report.ok().map(Event::Reported)
        });
        reports.chain(self.voicemail.then_some(Event::Voicemail))
    }
}

/// An outcome found in the messages of a call.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecoveredReport {
    /// The outcome.
    pub outcome: Outcome,
    /// The time of the appointment or of the callback.
    #[serde(default)]
    pub time: Option<DateTime<Utc>>,
    /// Free text beside it.
    #[serde(default)]
    pub notes: Option<String>,
}

/// How a call ended, as the workflow sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Closing {
    /// It was made, or refused by the provider: it has an outcome, or had talk without one.
    Over,
    /// It was not made: the prospect goes back to planning as it was.
    GivenBack,
    /// An operator cancelled it: the prospect goes back to planning, talk is charged.
    Cancelled,
}

/// What to record of a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// The conversation.
    pub conversation_id: String,
    /// The dial that it is about; nothing if there was none.
    #[serde(default)]
    pub dial_id: Option<String>,
    /// How it ended.
    pub closing: Closing,
    /// What came of it.
    #[serde(default)]
    pub outcome: Option<Outcome>,
    /// Why, where the outcome does not say it.
    #[serde(default)]
    pub reason: Option<Reason>,
    /// The time of the appointment or of the callback.
    #[serde(default)]
    pub time: Option<DateTime<Utc>>,
    /// What was said beside.
    #[serde(default)]
    pub notes: Option<String>,
    /// A transcript that came with the event itself.
    #[serde(default)]
    pub transcript: Option<String>,
    /// When somebody answered.
    #[serde(default)]
    pub joined: Option<DateTime<Utc>>,
    /// When the call ended.
    #[serde(default)]
    pub ended: Option<DateTime<Utc>>,
    /// Seconds of talk.
    #[serde(default)]
    pub talk_secs: i64,
    /// The provider's id of the call, if it is known.
    #[serde(default)]
    pub provider_call_id: Option<String>,
    /// The carrier's id of the leg, if it is known.
    #[serde(default)]
    pub carrier_call_id: Option<String>,
    /// The dial turned out not to have reached the provider.
    #[serde(default)]
    pub never_placed: bool,
}

impl Record {
    /// The record of a call that is over, by what its facts come to.
    pub fn over(conversation_id: &str, known: &Conclusion) -> Self {
        let overruled: Vec<&str> = known.overruled.iter().map(|other| other.as_str()).collect();
        let overruled =
            (!overruled.is_empty()).then(|| format!("also reported: {}", overruled.join(", ")));
        let notes: Vec<String> = known.notes.iter().cloned().chain(overruled).collect();
        Self {
            conversation_id: conversation_id.to_owned(),
            dial_id: None,
            closing: Closing::Over,
            outcome: known.outcome,
            reason: known.reason,
            time: known.time,
            notes: (!notes.is_empty()).then(|| notes.join("\n")),
            transcript: None,
            joined: known.joined,
            ended: known.ended,
            talk_secs: known.talk_secs,
            provider_call_id: None,
            carrier_call_id: None,
            never_placed: false,
        }
    }
}

/// What was recorded.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Settled {
    /// Minutes charged.
    pub minutes: i32,
}
