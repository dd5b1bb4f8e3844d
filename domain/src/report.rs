//! Outcomes that were reported, and which of two reports wins.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::hours::is_plausible;
use crate::status::Outcome;

/// Who made a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReportSource {
    /// The user's own system, by user webhook v1.
    User,
    /// The agent's `report_outcome` tool, by webhook or from the call's messages.
    Agent,
}

/// The outcomes that the agent's tool accepts; the service determines the others itself.
pub const REPORTABLE: [Outcome; 4] = [
    Outcome::AppointmentSet,
    Outcome::CallbackRequested,
    Outcome::NotInterested,
    Outcome::DoNotCall,
];

/// How far ahead an appointment or a callback may be: with a later time, the year is usually wrong.
pub const MAX_TIME_AHEAD: TimeDelta = TimeDelta::days(366);

/// A reported outcome, not validated yet.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReportedOutcome {
    pub outcome: Outcome,
    /// The time of the appointment or of the callback.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<DateTime<Utc>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
}

/// A valid report: an appointment or a callback has a time, other outcomes have none.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "UncheckedReport")]
pub struct Report {
    #[serde(flatten)]
    reported: ReportedOutcome,
    source: ReportSource,
}

#[derive(Deserialize)]
struct UncheckedReport {
    #[serde(flatten)]
    reported: ReportedOutcome,
    source: ReportSource,
}

impl TryFrom<UncheckedReport> for Report {
    type Error = MissingTime;

    fn try_from(report: UncheckedReport) -> Result<Self, MissingTime> {
        Self::new(report.reported, report.source)
    }
}

/// The report lacks the time of the appointment or of the callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} needs the time that was agreed on")]
pub struct MissingTime(pub Outcome);

impl ReportedOutcome {
    /// Moves a time that nobody can mean, more than [`MAX_TIME_AHEAD`] from now, to the notes.
    #[must_use]
    pub fn checked_at(self, now: DateTime<Utc>) -> Self {
        let is_far = |time: &DateTime<Utc>| *time > now + MAX_TIME_AHEAD || !is_plausible(*time);
        match self.time.filter(is_far) {
            None => self,
            Some(time) => {
                let time = time.format("%Y-%m-%d %H:%M UTC");
                let notes = self.notes.map(|notes| format!(": {notes}")).unwrap_or_default();
                let notes = Some(format!("for {time}, which can't be meant{notes}"));
                Self { time: None, notes, ..self }
            }
        }
    }
}

impl Report {
    /// Validates a report. The time of an outcome that has none is dropped.
    ///
    /// # Errors
    ///
    /// An appointment or a callback has no time within the range of the service.
    pub fn new(reported: ReportedOutcome, source: ReportSource) -> Result<Self, MissingTime> {
        let ReportedOutcome { outcome, time, notes } = reported;
        let timed = matches!(outcome, Outcome::AppointmentSet | Outcome::CallbackRequested);
        let time = time.filter(|time| timed && is_plausible(*time));
        if timed && time.is_none() {
            return Err(MissingTime(outcome));
        }
        let notes = notes.filter(|notes| !notes.trim().is_empty());
        Ok(Self { reported: ReportedOutcome { outcome, time, notes }, source })
    }

    pub fn outcome(&self) -> Outcome {
        self.reported.outcome
    }

    /// The time of the appointment or of the callback; always `Some` for these two outcomes.
    pub fn time(&self) -> Option<DateTime<Utc>> {
        self.reported.time
    }

    pub fn notes(&self) -> Option<&str> {
        self.reported.notes.as_deref()
    }

    pub fn source(&self) -> ReportSource {
        self.source
    }

    /// Whether the callee has decided something that later calls don't change. The other outcomes say how one call went.
    pub fn is_decision(&self) -> bool {
        REPORTABLE.contains(&self.outcome())
    }

    /// The same report with its notes removed.
    pub fn without_notes(&self) -> Self {
        let reported = ReportedOutcome { notes: None, ..self.reported.clone() };
        Self { reported, source: self.source }
    }

    /// Whether another report has the same outcome and time, and the notes of this one.
    pub fn adds_nothing_to(&self, other: &Self) -> bool {
        self.outcome() == other.outcome()
            && self.time() == other.time()
            && (self.notes().is_none() || self.notes() == other.notes())
    }

    /// The rank of a report among the reports of one call; the lowest wins.
    ///
    /// An opt-out outranks every other outcome, an appointment outranks a callback, and the agent outranks the user's
    /// system. Between equals the earlier time wins. The order of arrival does not count, since webhooks are unordered.
    fn rank(&self) -> impl Ord + '_ {
        let ReportedOutcome { outcome, time, notes } = &self.reported;
        let outcome = match outcome {
            Outcome::DoNotCall => 0,
            Outcome::AppointmentSet => 1,
            Outcome::CallbackRequested => 2,
            Outcome::NotInterested => 3,
            Outcome::NoResponse => 4,
            Outcome::Failed => 5,
        };
        (outcome, std::cmp::Reverse(self.source), *time, notes.is_none(), notes)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.outcome())?;
        if let Some(time) = self.time() {
            write!(f, " for {}", time.format("%Y-%m-%d %H:%M UTC"))?;
        }
        f.write_str(match self.source {
            ReportSource::Agent => " by the agent",
            ReportSource::User => " by the user's system",
        })?;
        match self.notes() {
            Some(notes) => write!(f, ": {notes}"),
            None => Ok(()),
        }
    }
}

impl PartialOrd for Report {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Report {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.rank().cmp(&other.rank())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(outcome: Outcome, time: Option<&str>, source: ReportSource) -> Report {
        let time = time.map(|time| time.parse().unwrap());
        Report::new(ReportedOutcome { outcome, time, notes: None }, source).unwrap()
    }

    #[test]
    fn appointment_or_callback_without_time_is_rejected() {
        for outcome in [Outcome::AppointmentSet, Outcome::CallbackRequested] {
            let reported = ReportedOutcome { outcome, time: None, notes: None };
            assert_eq!(Report::new(reported, ReportSource::Agent), Err(MissingTime(outcome)));
        }
    }

    #[test]
    fn opt_out_outranks_all_and_agent_outranks_user() {
        use ReportSource::{Agent, User};
        let (early, late) = (Some("2025-02-26T15:00:00Z"), Some("2025-02-27T15:00:00Z"));
        let order = [
            report(Outcome::DoNotCall, None, User),
            report(Outcome::AppointmentSet, early, Agent),
            report(Outcome::AppointmentSet, late, Agent),
            report(Outcome::AppointmentSet, early, User),
            report(Outcome::CallbackRequested, early, Agent),
            report(Outcome::NotInterested, None, Agent),
        ];
        assert!(order.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
