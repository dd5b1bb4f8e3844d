//! How a call ended, and what is recorded of it.

use domain::facts::CallSummary;
use domain::status::{Disposition, Outcome, Reason};

use super::Call;
use crate::activities::calls::CallRecord;

#[derive(Clone, Debug)]
pub(super) enum CallEnd {
    /// Provider, carrier or the user's system reports the end.
    Over,
    /// The provider has rejected the call for good, in these words.
    Rejected(String),
    /// The call was not made and returns to planning; the text says why.
    Requeued(Reason, String),
    /// An operator has cancelled the call.
    Cancelled,
}

impl Call {
    /// The record of the call by all that is known now.
    pub(super) fn record(&self, end: &CallEnd) -> CallRecord {
        let known = self.facts.summary();
        let is_known = self.facts.is_reported() || self.facts.is_over();
        let mut never_placed = false;
        let (disposition, summary) = match end {
            CallEnd::Over => (Disposition::Over, known),
            // Events that were answered with 2xx outweigh that the call could not be made.
            CallEnd::Rejected(_) | CallEnd::Requeued(..) if is_known => (Disposition::Over, known),
            // A cancelled call with a reported outcome keeps the outcome.
            CallEnd::Cancelled if self.facts.is_reported() => (Disposition::Over, known),
            CallEnd::Cancelled => {
                never_placed = !self.facts.is_placed();
                let reason = Some(Reason::CancelledByOperator);
                let cancelled = CallSummary { outcome: None, reason, notes: None, ..known };
                (Disposition::Cancelled, cancelled)
            }
            CallEnd::Rejected(detail) => {
                let (outcome, reason) = (Outcome::Failed, Reason::RejectedByProvider);
                (Disposition::Over, ended(known, Some(outcome), reason, detail))
            }
            CallEnd::Requeued(reason, detail) => {
                never_placed = *reason == Reason::NeverPlaced;
                (Disposition::Requeued, ended(known, None, *reason, detail))
            }
        };
        CallRecord {
            dial_id: self.dial.as_ref().map(|dial| dial.dial_id.clone()),
            transcript: self.transcript.clone(),
            provider_call_id: self.facts.provider_call_id().map(str::to_owned),
            carrier_call_id: self.facts.carrier_call_id().map(str::to_owned),
            never_placed,
            ..CallRecord::new(self.input.conversation_id.clone(), disposition, summary)
        }
    }
}

fn ended(known: CallSummary, outcome: Option<Outcome>, reason: Reason, notes: &str) -> CallSummary {
    CallSummary { outcome, reason: Some(reason), notes: Some(notes.to_owned()), ..known }
}
