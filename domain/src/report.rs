//! What somebody said came of a call, and which of two reports wins.

use chrono::{DateTime, Utc};

use crate::status::Outcome;

/// Who made a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// A client's own system, in the plain form of the webhook.
    Client,
    /// The agent's `report_outcome` tool, live or found in the call's messages.
    Agent,
}

/// The outcomes that an agent may report: the others are found out by themselves.
pub const REPORTABLE: [Outcome; 4] = [
    Outcome::AppointmentSet,
    Outcome::CallbackRequested,
    Outcome::NotInterested,
    Outcome::DoNotCall,
];

/// One report of an outcome.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Report {
    outcome: Outcome,
    time: Option<DateTime<Utc>>,
    notes: Option<String>,
    source: Source,
}

/// A report lacks the time that its outcome is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} needs the time that was agreed on")]
pub struct MissingTime(pub Outcome);

impl Report {
    /// A report; an appointment or a callback must say when. The time of any other is dropped.
    pub fn new(
        outcome: Outcome,
        time: Option<DateTime<Utc>>,
        notes: Option<String>,
        source: Source,
    ) -> Result<Self, MissingTime> {
        let timed = matches!(outcome, Outcome::AppointmentSet | Outcome::CallbackRequested);
        if timed && time.is_none() {
            return Err(MissingTime(outcome));
        }
        Ok(Self {
            outcome,
            time: time.filter(|_| timed),
            notes: notes.filter(|notes| !notes.trim().is_empty()),
            source,
        })
    }

    /// The outcome that was reported.
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// The time of the appointment or of the callback; always there for these two.
    pub fn time(&self) -> Option<DateTime<Utc>> {
        self.time
    }

    /// Free text beside the outcome.
    pub fn notes(&self) -> Option<&str> {
        self.notes.as_deref()
    }

    /// The same report without what was said beside it.
    pub fn without_notes(&self) -> Self {
        Self { notes: None, ..self.clone() }
    }

    /// How much a report weighs against another of the same call; the lower one wins.
    ///
    /// A refusal outranks every wish, a firm date outranks a loose one, and what the agent
    /// heard outranks what a client's system says. Between equals the earlier date wins. The
    /// order of arrival plays no part, since webhooks have none.
    fn weight(&self) -> impl Ord + '_ {
        let outcome = match self.outcome {
            Outcome::DoNotCall => 0,
            Outcome::AppointmentSet => 1,
            Outcome::CallbackRequested => 2,
            Outcome::NotInterested => 3,
            Outcome::NoResponse => 4,
            Outcome::Failed => 5,
        };
        (outcome, std::cmp::Reverse(self.source), self.time, self.notes.is_none(), &self.notes)
    }
}

impl PartialOrd for Report {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Report {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.weight().cmp(&other.weight())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(outcome: Outcome, time: &str, source: Source) -> Report {
        Report::new(outcome, Some(time.parse().unwrap()), None, source).unwrap()
    }

    #[test]
    fn an_appointment_without_a_time_is_no_report() {
        for outcome in [Outcome::AppointmentSet, Outcome::CallbackRequested] {
            assert_eq!(Report::new(outcome, None, None, Source::Agent), Err(MissingTime(outcome)));
        }
    }

    #[test]
    fn a_refusal_outranks_everything_and_the_agent_outranks_the_client() {
        let early = "2025-02-26T15:00:00Z";
        let late = "2025-02-27T15:00:00Z";
        let order = [
            Report::new(Outcome::DoNotCall, None, None, Source::Client).unwrap(),
            report(Outcome::AppointmentSet, early, Source::Agent),
            report(Outcome::AppointmentSet, late, Source::Agent),
            report(Outcome::AppointmentSet, early, Source::Client),
            report(Outcome::CallbackRequested, early, Source::Agent),
            Report::new(Outcome::NotInterested, None, None, Source::Agent).unwrap(),
        ];
        assert!(order.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
