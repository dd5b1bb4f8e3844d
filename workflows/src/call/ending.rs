//! How a call ended, and what is recorded of it.

use domain::status::{Outcome, Reason};

use super::Call;
use crate::activities::calls::{Closing, Record};

/// How a call ended.
#[derive(Clone, Debug)]
pub(super) enum Ending {
    /// The provider, or a client's system, says that it is over.
    Over,
    /// The provider refused it for good.
    Refused(String),
    /// It was not made and goes back to planning.
    GivenBack(Reason, String),
    /// An operator cancelled it.
    Cancelled,
}

impl Call {
    /// What to record, by all that is known now.
    pub(super) fn record(&self, ending: &Ending) -> Record {
        let known = Record {
            dial_id: self.dial.as_ref().map(|dial| dial.dial_id.clone()),
            provider_call_id: self.facts.provider_call_id().map(str::to_owned),
            carrier_call_id: self.facts.carrier_call_id().map(str::to_owned),
            transcript: self.transcript.clone(),
            ..Record::over(&self.input.conversation_id, &self.facts.conclusion())
        };
        let told = self.facts.is_reported() || self.facts.is_over();
        match ending {
            Ending::Over => known,
            // What was heard, and answered for, outweighs that the call could not be made.
            Ending::Refused(_) | Ending::GivenBack(..) if told => known,
            // A cancelled call in which something was agreed is an outcome, not a cancellation.
            Ending::Cancelled if self.facts.is_reported() => known,
            Ending::Cancelled => Record {
                closing: Closing::Cancelled,
                outcome: None,
                reason: Some(Reason::CancelledByOperator),
                notes: None,
                never_placed: !self.facts.is_placed(),
                ..known
            },
            Ending::Refused(why) => Record {
                outcome: Some(Outcome::Failed),
                reason: Some(Reason::RefusedByProvider),
                notes: Some(why.clone()),
                ..known
            },
            Ending::GivenBack(reason, why) => Record {
                closing: Closing::GivenBack,
                outcome: None,
                reason: Some(*reason),
                notes: Some(why.clone()),
                never_placed: *reason == Reason::NeverPlaced,
                ..known
            },
        }
    }
}
