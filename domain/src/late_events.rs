//! Events that arrive after the call was recorded.

use crate::facts::{CallSummary, DialEvent, DialFacts, EndReason, HangupCause};
use crate::report::{Report, ReportSource, ReportedOutcome};
use crate::status::Reason;

/// Events that give the same summary as a record.
fn events_of(recorded: &CallSummary) -> Vec<DialEvent> {
    let mut events = Vec::new();
    let CallSummary { answered_at, ended_at, .. } = *recorded;
    if answered_at.is_some() && ended_at.is_some() {
        events.push(DialEvent::Ended { answered_at, ended_at, reason: EndReason::Other });
    } else if recorded.talk_secs > 0 {
        events.push(DialEvent::Completed { talk_secs: Some(recorded.talk_secs) });
    }
    let cause = match recorded.reason {
        Some(Reason::NoAnswer) => {
            let reason = EndReason::Unanswered;
            Some(DialEvent::Ended { answered_at: None, ended_at, reason })
        }
        Some(Reason::Busy) => Some(DialEvent::Unreached(HangupCause::Busy)),
        Some(Reason::Rejected) => Some(DialEvent::Unreached(HangupCause::Rejected)),
        Some(Reason::InvalidNumber) => Some(DialEvent::Unreached(HangupCause::InvalidNumber)),
        Some(Reason::CarrierFailed) => Some(DialEvent::Unreached(HangupCause::Failed)),
        Some(Reason::Voicemail) => Some(DialEvent::Voicemail),
        Some(Reason::Vanished) => Some(DialEvent::Vanished),
        Some(Reason::ReportedFailure) => Some(DialEvent::Failed { reason: recorded.notes.clone() }),
        Some(Reason::NoReport) => Some(DialEvent::Answered { at: answered_at }),
        Some(
            Reason::RejectedByProvider
            | Reason::Denied
            | Reason::TooLate
            | Reason::NeverPlaced
            | Reason::Abandoned
            | Reason::Suppressed
            | Reason::CancelledByOperator,
        )
        | None => None,
    };
    let report = recorded.outcome.filter(|_| recorded.reason.is_none()).and_then(|outcome| {
        let CallSummary { time, ref notes, .. } = *recorded;
        let reported = ReportedOutcome { outcome, time, notes: notes.clone() };
        Report::new(reported, ReportSource::Agent).ok()
    });
    events.into_iter().chain(cause).chain(report.map(DialEvent::Reported)).collect()
}

/// The summary of a recorded call with events that arrived late; `None` if they change nothing.
pub fn amend(
    recorded: &CallSummary,
    late: impl IntoIterator<Item = DialEvent>,
) -> Option<CallSummary> {
    let mut facts = DialFacts::of(events_of(recorded));
    let was_known = facts.is_over() || facts.is_reported();
    let before = facts.summary();
    for event in late {
        facts.apply(event);
    }
    let after = facts.summary();
    let is_known = facts.is_over() || facts.is_reported();
    (is_known && (!was_known || differs(&before, &after))).then_some(after)
}

/// Whether two summaries differ in more than notes: recorded notes contain the superseded outcomes, so they never read
/// back as themselves.
fn differs(before: &CallSummary, after: &CallSummary) -> bool {
    let key =
        |s: &CallSummary| (s.outcome, s.reason, s.time, s.answered_at, s.ended_at, s.talk_secs);
    key(before) != key(after)
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};

    use super::*;
    use crate::status::Outcome;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn appointment() -> DialEvent {
        let time = Some(at("2025-02-26T15:00:00Z"));
        let reported = ReportedOutcome { outcome: Outcome::AppointmentSet, time, notes: None };
        DialEvent::Reported(Report::new(reported, ReportSource::Agent).unwrap())
    }

    fn talk() -> DialEvent {
        DialEvent::Ended {
            answered_at: Some(at("2025-02-25T14:00:00Z")),
            ended_at: Some(at("2025-02-25T14:04:00Z")),
            reason: EndReason::CalleeHungUp,
        }
    }

    fn unanswered() -> CallSummary {
        CallSummary {
            outcome: Some(Outcome::NoResponse),
            reason: Some(Reason::NoAnswer),
            ..CallSummary::default()
        }
    }

    #[test]
    fn late_appointment_replaces_a_lesser_outcome() {
        for recorded in [unanswered(), CallSummary::default()] {
            let amended = amend(&recorded, [appointment()]).unwrap();
            assert_eq!(amended.outcome, Some(Outcome::AppointmentSet));
        }
    }

    #[test]
    fn events_that_are_recorded_already_change_nothing() {
        let booked = CallSummary {
            outcome: Some(Outcome::AppointmentSet),
            time: Some(at("2025-02-26T15:00:00Z")),
            answered_at: Some(at("2025-02-25T14:00:00Z")),
            ended_at: Some(at("2025-02-25T14:04:00Z")),
            talk_secs: 240,
            ..CallSummary::default()
        };
        assert_eq!(amend(&booked, [appointment(), talk()]), None);
        let unanswered_end =
            DialEvent::Ended { answered_at: None, ended_at: None, reason: EndReason::Unanswered };
        assert_eq!(amend(&unanswered(), [unanswered_end]), None);
    }

    #[test]
    fn late_talk_is_counted() {
        let amended = amend(&unanswered(), [talk()]).unwrap();
        assert_eq!((amended.outcome, amended.talk_secs), (None, 240));
    }

    #[test]
    fn every_recorded_reason_reads_back_as_itself() {
        for (outcome, reason) in [
            (Some(Outcome::NoResponse), Reason::NoAnswer),
            (Some(Outcome::NoResponse), Reason::Busy),
            (Some(Outcome::NoResponse), Reason::Rejected),
            (Some(Outcome::NoResponse), Reason::Voicemail),
            (Some(Outcome::Failed), Reason::InvalidNumber),
            (Some(Outcome::Failed), Reason::CarrierFailed),
            (Some(Outcome::Failed), Reason::Vanished),
            (Some(Outcome::Failed), Reason::ReportedFailure),
            (None, Reason::NoReport),
        ] {
            let reason = Some(reason);
            let recorded = CallSummary { outcome, reason, ..CallSummary::default() };
            let summary = DialFacts::of(events_of(&recorded)).summary();
            assert_eq!((summary.outcome, summary.reason), (outcome, reason));
        }
    }
}
