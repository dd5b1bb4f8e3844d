//! States, outcomes and reasons, spelled as in the database.

use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    Display,
    EnumString,
    IntoStaticStr,
    VariantArray,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE", const_into_str)]
pub enum ProspectStatus {
    /// Never called.
    Initial,
    /// Has asked for a callback at a time.
    Rescheduled,
    /// Did not answer the last call, or answered without an outcome.
    NotResponded,
    /// The last call failed.
    Failed,
    /// Has an appointment.
    Booked,
    NotInterested,
    /// Has opted out: never called again.
    DoNotCall,
}

impl ProspectStatus {
    pub fn is_callable(self) -> bool {
        matches!(self, Self::Initial | Self::Rescheduled | Self::NotResponded | Self::Failed)
    }

    /// The status of a prospect after a call with this outcome.
    pub fn after(outcome: Option<Outcome>) -> Self {
        match outcome {
            Some(Outcome::AppointmentSet) => Self::Booked,
            Some(Outcome::CallbackRequested) => Self::Rescheduled,
            Some(Outcome::NotInterested) => Self::NotInterested,
            Some(Outcome::DoNotCall) => Self::DoNotCall,
            Some(Outcome::Failed) => Self::Failed,
            Some(Outcome::NoResponse) | None => Self::NotResponded,
        }
    }

    /// Whether a late report with this result counts although the prospect was called again since.
    pub fn outranks_later_calls(self) -> bool {
        matches!(self, Self::Booked | Self::DoNotCall)
    }

    /// Whether a prospect in this status cools down before the next call.
    pub fn needs_cool_down(self) -> bool {
        matches!(self, Self::NotResponded | Self::Failed)
    }
}

/// The first three are *open*: a prospect has at most one open conversation.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    Display,
    EnumString,
    IntoStaticStr,
    VariantArray,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE", const_into_str)]
pub enum ConversationStatus {
    /// Planned for its slot.
    Scheduled,
    /// Admitted; a phone may ring.
    Dialing,
    /// Answered.
    InProgress,
    /// Ended, with or without an outcome.
    Completed,
    /// Ended with the outcome `FAILED`.
    Failed,
    /// Not made: requeued, or cancelled by an operator.
    Cancelled,
}

impl ConversationStatus {
    pub fn is_open(self) -> bool {
        matches!(self, Self::Scheduled | Self::Dialing | Self::InProgress)
    }

    /// The status of a conversation that has ended.
    pub fn after(disposition: Disposition, outcome: Option<Outcome>) -> Self {
        match (disposition, outcome) {
            (Disposition::Over, Some(Outcome::Failed)) => Self::Failed,
            (Disposition::Over, _) => Self::Completed,
            (Disposition::Requeued | Disposition::Cancelled, _) => Self::Cancelled,
        }
    }
}

/// What happens to a call that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Disposition {
    /// The call was made, or rejected by the provider: it has an outcome, or a talk without one.
    Over,
    /// The call was not made: the prospect returns to planning unchanged.
    Requeued,
    /// An operator cancelled the call: the prospect returns to planning, talk is charged.
    Cancelled,
}

impl Disposition {
    /// Whether a record with this disposition may replace the record of a closed conversation.
    pub fn may_replace(self, recorded: ConversationStatus) -> bool {
        match self {
            Self::Over => true,
            Self::Cancelled => recorded == ConversationStatus::Cancelled,
            Self::Requeued => false,
        }
    }
}

/// The result of a conversation.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    Display,
    EnumString,
    IntoStaticStr,
    VariantArray,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE", const_into_str)]
pub enum Outcome {
    AppointmentSet,
    CallbackRequested,
    NotInterested,
    /// The callee has opted out.
    DoNotCall,
    /// Nobody answered, or a machine did.
    NoResponse,
    /// The call could not be made.
    Failed,
}

/// Why a conversation ended, where the outcome does not say it.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    Display,
    EnumString,
    IntoStaticStr,
    VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum Reason {
    /// The phone rang until the ring timeout.
    NoAnswer,
    Busy,
    /// The callee declined the call.
    Rejected,
    /// A machine answered.
    Voicemail,
    /// The number does not exist.
    InvalidNumber,
    /// The telephone network failed.
    CarrierFailed,
    /// Answered and ended without a report.
    NoReport,
    RejectedByProvider,
    /// The provider or the user's system reported a failure.
    ReportedFailure,
    /// The provider has lost a call that it had accepted.
    Vanished,
    /// Admission denied the call.
    Denied,
    /// The slot passed before the call could be made.
    TooLate,
    /// The answer to a dial request was lost, and the provider has no such call.
    NeverPlaced,
    /// The workflow was terminated before the call ended.
    Abandoned,
    /// The number was suppressed while the call waited or was in progress.
    Suppressed,
    CancelledByOperator,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_parses_back() {
        for status in ProspectStatus::VARIANTS {
            assert_eq!(status.into_str().parse(), Ok(*status));
        }
        assert!("appointment_set".parse::<Outcome>().is_err());
    }

    #[test]
    fn json_name_is_the_database_name() {
        let open = ConversationStatus::VARIANTS.iter().filter(|status| status.is_open());
        let open: Vec<_> = open.map(|status| status.into_str()).collect();
        assert_eq!(open, ["SCHEDULED", "DIALING", "IN_PROGRESS"]);
        assert_eq!(Reason::NoAnswer.to_string(), "no_answer");
    }
}
