//! Inputs and records of calls.

use chrono::TimeDelta;
use domain::facts::{CallSummary, DialEvent, DialFacts, EndReason};
use domain::ids::{ConversationId, DialId};
use domain::status::{Disposition, Outcome};
use workflows::activities::calls::{
    AdmitInput, CallRecord, ConversationRef, DialRef, ProviderStatus, TranscriptReports,
};

use super::{at, minutes_after};

/// A dial whose id at the provider the workflow does not know.
pub fn dial_ref(id: &str) -> DialRef {
    DialRef { dial_id: DialId::new(id), provider_call_id: None }
}

pub fn conversation_ref(id: &str) -> ConversationRef {
    ConversationRef { conversation_id: ConversationId::new(id) }
}

/// The input of a run that asks for admission.
pub fn admit_input(conversation: &str, run_id: &str) -> AdmitInput {
    let conversation_id = ConversationId::new(conversation);
    AdmitInput { conversation_id, run_id: run_id.to_owned(), first_asked: None }
}

/// The record of a call that is over.
fn over(conversation: &str, summary: CallSummary) -> CallRecord {
    CallRecord::new(ConversationId::new(conversation), Disposition::Over, summary)
}

/// The record of a call by its status at the provider and the reports in its transcript.
pub fn record_of(
    conversation: &str,
    status: ProviderStatus,
    reports: TranscriptReports,
) -> CallRecord {
    let facts = DialFacts::of(status.into_events().into_iter().chain(reports.into_events()));
    let provider_call_id = facts.provider_call_id().map(str::to_owned);
    CallRecord { provider_call_id, ..over(conversation, facts.summary()) }
}

/// The record of a call with a talk and without a report.
pub fn talked(conversation: &str, secs: i64) -> CallRecord {
    let answered_at = at("2025-02-25T14:00:30Z");
    let facts = DialFacts::of([DialEvent::Ended {
        answered_at: Some(answered_at),
        ended_at: Some(answered_at + TimeDelta::seconds(secs)),
        reason: EndReason::CalleeHungUp,
    }]);
    let dial_id = Some(DialId::new(format!("{conversation}.1")));
    CallRecord { dial_id, ..over(conversation, facts.summary()) }
}

/// The record of a call of four minutes with a reported outcome; appointments and callbacks are for the next day.
pub fn reported(conversation: &str, outcome: Outcome) -> CallRecord {
    let timed = matches!(outcome, Outcome::AppointmentSet | Outcome::CallbackRequested);
    let mut record = talked(conversation, 240);
    record.summary = CallSummary {
        outcome: Some(outcome),
        reason: None,
        time: timed.then(|| minutes_after(24 * 60)),
        notes: Some("As agreed.".to_owned()),
        ..record.summary
    };
    record
}

/// A record with a changed summary.
pub fn with_summary(mut record: CallRecord, change: impl FnOnce(&mut CallSummary)) -> CallRecord {
    change(&mut record.summary);
    record
}
