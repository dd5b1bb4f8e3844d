//! Inputs of activities, and what is said of calls.

use chrono::TimeDelta;
use domain::call_log::RunEnd;
use domain::facts::{DialEvent, EndReason, HangupCause};
use domain::ids::{ConversationId, DialId};
use domain::report::{Report, ReportSource, ReportedOutcome};
use domain::status::{Outcome, Reason};
use workflows::activities::calls::{
    AdmitInput, ConversationRef, DialRef, EndedRun, ReceivedEvent, RecordInput,
};

use super::{RUN, at, minutes_after};

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

/// What is said of the first dial of a call.
pub fn said(conversation: &str, events: impl IntoIterator<Item = DialEvent>) -> RecordInput {
    said_of(Some(&format!("{conversation}.1")), conversation, events)
}

/// What is said of a dial of a call, or by a sender who does not know dials.
pub fn said_of(
    dial: Option<&str>,
    conversation: &str,
    events: impl IntoIterator<Item = DialEvent>,
) -> RecordInput {
    let received = |event| ReceivedEvent { dial_id: dial.map(DialId::new), event };
    RecordInput {
        events: events.into_iter().map(received).collect(),
        ..RecordInput::new(ConversationId::new(conversation))
    }
}

/// The end of a call with a talk of some seconds.
pub fn talk(secs: i64) -> DialEvent {
    let answered_at = at("2025-02-25T14:00:30Z");
    DialEvent::Ended {
        answered_at: Some(answered_at),
        ended_at: Some(answered_at + TimeDelta::seconds(secs)),
        reason: EndReason::CalleeHungUp,
    }
}

/// The agent's report; appointments and callbacks are for the next day.
pub fn report(outcome: Outcome) -> DialEvent {
    let (time, notes) = (Some(minutes_after(24 * 60)), Some("As agreed.".to_owned()));
    let reported = ReportedOutcome { outcome, time, notes };
    DialEvent::Reported(Report::new(reported, ReportSource::Agent).unwrap())
}

/// A call with a talk and without a report.
pub fn talked(conversation: &str, secs: i64) -> RecordInput {
    said(conversation, [talk(secs)])
}

/// A call of four minutes with a reported outcome.
pub fn reported(conversation: &str, outcome: Outcome) -> RecordInput {
    said(conversation, [talk(240), report(outcome)])
}

/// A call that nobody answered.
pub fn unanswered(conversation: &str) -> RecordInput {
    said(conversation, [ended_unanswered()])
}

/// A call that nobody answered, for this reason.
pub fn unreached(conversation: &str, reason: Reason) -> RecordInput {
    let cause = match reason {
        Reason::NoAnswer => HangupCause::NoAnswer,
        Reason::Busy => HangupCause::Busy,
        Reason::Rejected => HangupCause::Rejected,
        Reason::Voicemail => return said(conversation, [talk(0), DialEvent::Voicemail]),
        other => panic!("{other} is no reason of the carrier"),
    };
    said(conversation, [DialEvent::Unreached { cause }, ended_unanswered()])
}

/// A call of which the user's system says that it failed.
pub fn failed_by_user(conversation: &str) -> RecordInput {
    said_of(None, conversation, [DialEvent::Failed { reason: None }])
}

/// A run that ended with its first dial, or without one.
pub fn run_ended(conversation: &str, has_dial: bool, end: RunEnd) -> RecordInput {
    let dial_id = has_dial.then(|| DialId::new(format!("{conversation}.1")));
    RecordInput {
        ended_run: Some(EndedRun { run_id: Some(RUN.to_owned()), dial_id, end }),
        ..RecordInput::new(ConversationId::new(conversation))
    }
}

pub fn requeued(reason: Reason) -> RunEnd {
    RunEnd::Requeued { reason, detail: "For a reason.".to_owned() }
}

pub fn rejected() -> RunEnd {
    RunEnd::RejectedByProvider { detail: "In its words.".to_owned() }
}

/// A call that was cancelled, after a talk if `secs` is positive.
pub fn cancelled(conversation: &str, secs: i64) -> RecordInput {
    let events = (secs > 0).then(|| talk(secs)).or(Some(ended_unanswered()));
    RecordInput {
        events: said(conversation, events).events,
        ..run_ended(conversation, true, RunEnd::Cancelled)
    }
}

fn ended_unanswered() -> DialEvent {
    DialEvent::Ended { answered_at: None, ended_at: None, reason: EndReason::Unanswered }
}
