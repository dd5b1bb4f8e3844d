//! The record of a call, folded from everything that was said about it.
//!
//! The log of a conversation is insert-only. [`fold`] depends on the set of its entries alone: not on their order, not on
//! who inserts them, not on how often. So a late, repeated or held-up writer gives the same rows as a punctual one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::facts::{CallSummary, DialEvent, DialFacts, EventSource};
use crate::ids::DialId;
use crate::status::{Disposition, Outcome, Reason};

/// How a workflow run ended that did not make its call, or was cancelled. The order counts: of two ends of one call, the
/// later variant is kept.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum RunEnd {
    /// The call was not made and returns to planning; `detail` says why, as a sentence.
    Requeued { reason: Reason, detail: String },
    /// An operator has cancelled the call.
    Cancelled,
    /// The provider has rejected the call for good, in these words.
    RejectedByProvider { detail: String },
}

/// What is said of a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Statement {
    Event(DialEvent),
    RunEnd(RunEnd),
}

impl Statement {
    pub fn source(&self) -> EventSource {
        match self {
            Self::Event(event) => event.source(),
            Self::RunEnd(_) => EventSource::Service,
        }
    }
}

/// An entry of the log of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// `None` if the sender does not know dials, or the run had none.
    pub dial_id: Option<DialId>,
    /// The run that ended; `None` for events.
    pub run_id: Option<String>,
    /// How often the call had been reopened when the entry was inserted.
    pub generation: i32,
    pub statement: Statement,
}

/// A dial of the conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedDial {
    pub id: DialId,
    /// How often the call had been reopened when the dial was admitted.
    pub generation: i32,
    /// Whether a request was sent. It is not known of a dial that the provider seemed to refuse.
    pub is_sent: bool,
    /// Whether the dial counts as over, whatever is said of it: its longest possible end has passed.
    pub is_expired: bool,
}

/// All that is known of a conversation.
#[derive(Clone, Copy, Debug)]
pub struct CallLog<'a> {
    /// How often the call was reopened.
    pub generation: i32,
    /// Runs that were admitted before the present one: their ends don't count.
    pub earlier_runs: &'a [String],
    /// In the order of their sequence.
    pub dials: &'a [LoggedDial],
    pub entries: &'a [LogEntry],
}

/// What the log adds up to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoldedCall {
    /// Whether the conversation is over. A dial may still be live: only the user's system may have reported the end.
    pub closed: bool,
    pub disposition: Disposition,
    pub summary: CallSummary,
    pub opted_out: bool,
    dials: BTreeMap<DialId, DialFacts>,
}

impl FoldedCall {
    /// What is known of a dial.
    pub fn dial(&self, id: &DialId) -> DialFacts {
        self.dials.get(id).cloned().unwrap_or_default()
    }
}

/// Folds the log of a conversation.
///
/// The outcome is the report that ranks highest, of all dials. Without one it is how the last dial went since the call was last
/// reopened, and what the user's system says of it; without that, how the run ended.
pub fn fold(log: &CallLog<'_>) -> FoldedCall {
    let present = log.dials.iter().rfind(|dial| dial.generation == log.generation);
    let present = present.map(|dial| &dial.id);
    let mut dials: BTreeMap<DialId, DialFacts> = BTreeMap::new();
    let mut call = DialFacts::default();
    let mut run_end: Option<&RunEnd> = None;
    for entry in log.entries {
        let is_present = match &entry.dial_id {
            Some(id) => Some(id) == present,
            None => entry.generation == log.generation,
        };
        match &entry.statement {
            Statement::RunEnd(end) => {
                if entry.dial_id.as_ref() == present && entry.counts_as_end(log) {
                    run_end = run_end.max(Some(end));
                }
            }
            Statement::Event(event) => {
                if is_present || is_decision(event) {
                    call.apply(event.clone());
                }
                let dial_id = entry.dial_id.as_ref().or(present.filter(|_| is_present));
                if let Some(id) = dial_id {
                    dials.entry(id.clone()).or_default().apply(event.clone());
                }
            }
        }
    }
    let is_live = log.dials.iter().any(|dial| {
        let facts = dials.get(&dial.id);
        let is_placed = dial.is_sent || facts.is_some_and(DialFacts::is_placed);
        !dial.is_expired && is_placed && facts.is_none_or(DialFacts::may_still_be_live)
    });
    let closed = call.is_over() || run_end.is_some() || (call.is_decided() && !is_live);
    let (disposition, summary) = summarize(&call, run_end);
    FoldedCall { closed, disposition, summary, opted_out: call.opted_out(), dials }
}

impl LogEntry {
    fn counts_as_end(&self, log: &CallLog<'_>) -> bool {
        let is_earlier = |run| log.earlier_runs.contains(run);
        self.generation == log.generation && !self.run_id.as_ref().is_some_and(is_earlier)
    }
}

/// A decision of the callee counts whatever dial it belongs to.
fn is_decision(event: &DialEvent) -> bool {
    matches!(event, DialEvent::Reported(report) if report.is_decision())
}

fn summarize(call: &DialFacts, run_end: Option<&RunEnd>) -> (Disposition, CallSummary) {
    let known = call.summary();
    let ended = |outcome, reason, notes: Option<String>| CallSummary {
        outcome,
        reason: Some(reason),
        notes,
        ..known.clone()
    };
    match run_end {
        _ if call.is_reported() => (Disposition::Over, known),
        Some(RunEnd::Cancelled) => {
            (Disposition::Cancelled, ended(None, Reason::CancelledByOperator, None))
        }
        // Events that were answered with 2xx outweigh that the call could not be made.
        _ if call.has_ended() => (Disposition::Over, known),
        Some(RunEnd::RejectedByProvider { detail }) => {
            let (outcome, notes) = (Some(Outcome::Failed), Some(detail.clone()));
            (Disposition::Over, ended(outcome, Reason::RejectedByProvider, notes))
        }
        Some(RunEnd::Requeued { reason, detail }) => {
            (Disposition::Requeued, ended(None, *reason, Some(detail.clone())))
        }
        None if call.is_over() => {
            let notes = Some("The provider has no such call.".to_owned());
            (Disposition::Requeued, ended(None, Reason::NeverPlaced, notes))
        }
        None => (Disposition::Over, known),
    }
}

#[cfg(test)]
mod tests;
