//! What is heard of a call after its records were settled.

use chrono::{DateTime, Utc};

use crate::facts::{Conclusion, EndReason, Event, Facts, Unreached};
use crate::report::{Report, Source};
use crate::status::{Outcome, Reason};

/// What the records of a settled call say.
#[derive(Clone, Debug, Default)]
pub struct Recorded {
    /// What came of it.
    pub outcome: Option<Outcome>,
    /// Why, where the outcome does not say it.
    pub reason: Option<Reason>,
    /// The time of the appointment or of the callback.
    pub time: Option<DateTime<Utc>>,
    /// What was said beside.
    pub notes: Option<String>,
    /// When somebody answered.
    pub joined: Option<DateTime<Utc>>,
    /// When the call ended.
    pub ended: Option<DateTime<Utc>>,
    /// Seconds of talk.
    pub talk_secs: i64,
}

impl Recorded {
    /// The events that would have led to these records.
    fn events(&self) -> Vec<Event> {
        let mut events = Vec::new();
        if self.joined.is_some() && self.ended.is_some() {
            let (joined, ended) = (self.joined, self.ended);
            events.push(Event::Ended { joined, ended, reason: EndReason::Other });
        } else if self.talk_secs > 0 {
            events.push(Event::Completed { talk_secs: Some(self.talk_secs) });
        }
        let why = match self.reason {
            Some(Reason::NoAnswer) => {
                let reason = EndReason::Unjoined;
                Some(Event::Ended { joined: None, ended: self.ended, reason })
            }
            Some(Reason::Busy) => Some(Event::Unreached(Unreached::Busy)),
            Some(Reason::Rejected) => Some(Event::Unreached(Unreached::Rejected)),
            Some(Reason::InvalidNumber) => Some(Event::Unreached(Unreached::InvalidNumber)),
            Some(Reason::CarrierFailed) => Some(Event::Unreached(Unreached::Failed)),
            Some(Reason::Voicemail) => Some(Event::Voicemail),
            Some(Reason::Vanished) => Some(Event::Vanished),
            Some(Reason::ReportedFailure) => Some(Event::Failed { reason: self.notes.clone() }),
            Some(Reason::NoReport) => Some(Event::Joined { at: self.joined }),
            _ => None,
        };
        let report = self.outcome.filter(|_| self.reason.is_none()).and_then(|outcome| {
            Report::new(outcome, self.time, self.notes.clone(), Source::Agent).ok()
        });
        events.into_iter().chain(why).chain(report.map(Event::Reported)).collect()
    }
}

/// What the call comes to with what was heard late; nothing if that says nothing new.
pub fn amend(recorded: &Recorded, heard: impl IntoIterator<Item = Event>) -> Option<Conclusion> {
    let mut facts = Facts::default();
    for event in recorded.events() {
        facts.learn(event);
    }
    let was_told = facts.is_over() || facts.is_reported();
    let before = facts.conclusion();
    for event in heard {
        facts.learn(event);
    }
    let after = facts.conclusion();
    let told = facts.is_over() || facts.is_reported();
    (told && (!was_told || says_more(&before, &after))).then_some(after)
}

/// Whether the second comes to something else. Notes alone do not: they hold what was overruled,
/// and so would never read back as themselves.
fn says_more(before: &Conclusion, after: &Conclusion) -> bool {
    let gist = |c: &Conclusion| (c.outcome, c.reason, c.time, c.joined, c.ended, c.talk_secs);
    gist(before) != gist(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn booking() -> Event {
        let time = Some(at("2025-02-26T15:00:00Z"));
        Event::Reported(Report::new(Outcome::AppointmentSet, time, None, Source::Agent).unwrap())
    }

    fn talked() -> Event {
        Event::Ended {
            joined: Some(at("2025-02-25T14:00:00Z")),
            ended: Some(at("2025-02-25T14:04:00Z")),
            reason: EndReason::Hangup,
        }
    }

    fn unanswered() -> Recorded {
        Recorded {
            outcome: Some(Outcome::NoResponse),
            reason: Some(Reason::NoAnswer),
            ..Recorded::default()
        }
    }

    #[test]
    fn an_appointment_that_comes_late_still_becomes_one() {
        for recorded in [unanswered(), Recorded::default()] {
            let amended = amend(&recorded, [booking()]).unwrap();
            assert_eq!(amended.outcome, Some(Outcome::AppointmentSet));
        }
    }

    #[test]
    fn what_was_recorded_says_nothing_new() {
        let booked = Recorded {
            outcome: Some(Outcome::AppointmentSet),
            time: Some(at("2025-02-26T15:00:00Z")),
            joined: Some(at("2025-02-25T14:00:00Z")),
            ended: Some(at("2025-02-25T14:04:00Z")),
            talk_secs: 240,
            ..Recorded::default()
        };
        assert_eq!(amend(&booked, [booking(), talked()]), None);
        let unjoined = Event::Ended { joined: None, ended: None, reason: EndReason::Unjoined };
        assert_eq!(amend(&unanswered(), [unjoined]), None);
    }

    #[test]
    fn talk_that_is_told_late_is_counted() {
        let amended = amend(&unanswered(), [talked()]).unwrap();
        assert_eq!((amended.outcome, amended.talk_secs), (None, 240));
    }

    #[test]
    fn every_reason_reads_back_as_itself() {
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
            let recorded = Recorded { outcome, reason: Some(reason), ..Recorded::default() };
            let mut facts = Facts::default();
            for event in recorded.events() {
                facts.learn(event);
            }
            let conclusion = facts.conclusion();
            assert_eq!((conclusion.outcome, conclusion.reason), (outcome, Some(reason)));
        }
    }
}
