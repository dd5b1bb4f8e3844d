//! What is known of a dial, folded from events that arrive late, repeatedly and in any order.
//!
//! Every field moves one way only: a set grows, a time moves to the earliest, an enum to the later variant, a flag turns
//! on. So the same events give
//! the same facts in any order and with any repetition. [`DialFacts::summary`] says how the call went.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::report::Report;
use crate::status::{Outcome, Reason};

/// Why the provider ended the call. The order counts: of two reasons for one call, the later variant is kept.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, strum::EnumString,
)]
#[serde(rename_all = "snake_case", from = "String")]
#[strum(serialize_all = "snake_case")]
pub enum EndReason {
    /// A reason that this build does not know.
    Other,
    Unanswered,
    CalleeHungUp,
    AgentHungUp,
    MaxDurationReached,
    ConnectionFailed,
    ProviderFailed,
}

impl From<String> for EndReason {
    fn from(name: String) -> Self {
        name.parse().unwrap_or(Self::Other)
    }
}

/// Why the carrier did not reach the callee. The order counts: of two causes for one leg, the later variant is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HangupCause {
    /// The phone rang until the timeout, or the leg was cancelled while it rang.
    NoAnswer,
    /// The network failed.
    Failed,
    /// The callee declined.
    Rejected,
    Busy,
    /// The number does not exist.
    InvalidNumber,
}

/// One event of a dial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DialEvent {
    /// The provider has created the call.
    Placed { provider_call_id: String },
    /// The callee picked up.
    Answered { at: Option<DateTime<Utc>> },
    /// The provider reports the end of the call.
    Ended { answered_at: Option<DateTime<Utc>>, ended_at: Option<DateTime<Utc>>, reason: EndReason },
    /// The user's system reports the end of the call.
    Completed { talk_secs: Option<i64> },
    /// The user's system reports a failure, with its reason.
    Failed { reason: Option<String> },
    /// The agent or the user's system reports an outcome.
    Reported(Report),
    /// The carrier has started the telephone leg.
    LegStarted { carrier_call_id: String },
    /// The carrier did not reach the callee.
    Unreached(HangupCause),
    /// A machine answered.
    Voicemail,
    /// The provider has lost a call that it had accepted.
    Vanished,
}

/// What is known of a dial.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DialFacts {
    provider_call_id: Option<String>,
    carrier_call_id: Option<String>,
    answered: bool,
    answered_at: Option<DateTime<Utc>>,
    ended_at: Option<DateTime<Utc>>,
    end_reason: Option<EndReason>,
    completed: bool,
    talk_secs: Option<i64>,
    failed: bool,
    failure: Option<String>,
    unreached: Option<HangupCause>,
    voicemail: bool,
    vanished: bool,
    reports: BTreeSet<Report>,
}

/// How a call went.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CallSummary {
    /// `None` if the call was answered and nothing was reported.
    pub outcome: Option<Outcome>,
    pub reason: Option<Reason>,
    /// The time of the appointment or of the callback.
    pub time: Option<DateTime<Utc>>,
    /// Notes of the report, or the reason of the failure.
    pub notes: Option<String>,
    pub answered_at: Option<DateTime<Utc>>,
    pub ended_at: Option<DateTime<Utc>>,
    /// Seconds of talk, rounded up.
    pub talk_secs: i64,
    /// Reported outcomes that lost against [`outcome`](Self::outcome).
    pub superseded: Vec<Outcome>,
}

impl CallSummary {
    /// The notes, with a line that names the superseded outcomes.
    pub fn full_notes(&self) -> Option<String> {
        let superseded: Vec<&str> = self.superseded.iter().map(Outcome::into_str).collect();
        let superseded =
            (!superseded.is_empty()).then(|| format!("also reported: {}", superseded.join(", ")));
        let lines: Vec<String> = self.notes.iter().cloned().chain(superseded).collect();
        (!lines.is_empty()).then(|| lines.join("\n"))
    }
}

impl DialFacts {
    /// Folds the events of a dial.
    pub fn of(events: impl IntoIterator<Item = DialEvent>) -> Self {
        let mut facts = Self::default();
        for event in events {
            facts.apply(event);
        }
        facts
    }

    /// Adds an event; returns whether it changed anything.
    pub fn apply(&mut self, event: DialEvent) -> bool {
        let before = self.clone();
        match event {
            DialEvent::Placed { provider_call_id } => {
                keep_min(&mut self.provider_call_id, Some(provider_call_id));
            }
            DialEvent::Answered { at } => {
                self.answered = true;
                keep_min(&mut self.answered_at, at);
            }
            DialEvent::Ended { answered_at, ended_at, reason } => {
                self.answered |= answered_at.is_some();
                keep_min(&mut self.answered_at, answered_at);
                keep_min(&mut self.ended_at, ended_at);
                self.end_reason = self.end_reason.max(Some(reason));
            }
            DialEvent::Completed { talk_secs } => {
                self.completed = true;
                self.answered |= talk_secs.is_some_and(|secs| secs > 0);
                self.talk_secs = self.talk_secs.max(talk_secs);
            }
            DialEvent::Failed { reason } => {
                self.failed = true;
                keep_min(&mut self.failure, reason);
            }
            DialEvent::Reported(report) => {
                self.reports.insert(report);
            }
            DialEvent::LegStarted { carrier_call_id } => {
                keep_min(&mut self.carrier_call_id, Some(carrier_call_id));
            }
            DialEvent::Unreached(cause) => self.unreached = self.unreached.max(Some(cause)),
            DialEvent::Voicemail => self.voicemail = true,
            DialEvent::Vanished => self.vanished = true,
        }
        *self != before
    }

    pub fn provider_call_id(&self) -> Option<&str> {
        self.provider_call_id.as_deref()
    }

    /// The carrier's id of the leg.
    pub fn carrier_call_id(&self) -> Option<&str> {
        self.carrier_call_id.as_deref()
    }

    /// Whether any event shows that a request reached the provider.
    pub fn is_placed(&self) -> bool {
        self.has_external_id()
            || self.answered
            || self.voicemail
            || self.is_reported()
            || self.is_over()
    }

    /// Whether provider or carrier have given the call an id.
    pub fn has_external_id(&self) -> bool {
        self.provider_call_id.is_some() || self.carrier_call_id.is_some()
    }

    pub fn is_answered(&self) -> bool {
        self.answered
    }

    /// Whether an outcome was reported.
    pub fn is_reported(&self) -> bool {
        !self.reports.is_empty()
    }

    /// Whether the callee has opted out.
    pub fn opted_out(&self) -> bool {
        self.reports.iter().any(|report| report.outcome() == Outcome::DoNotCall)
    }

    /// Whether any source reports the end of the call.
    pub fn is_over(&self) -> bool {
        self.end_reason.is_some()
            || self.completed
            || self.failed
            || self.vanished
            || self.unreached.is_some()
    }

    /// Whether the phone may still ring or talk: neither provider nor carrier reports the end.
    pub fn may_still_be_live(&self) -> bool {
        self.end_reason.is_none() && self.unreached.is_none() && !self.vanished
    }

    /// Seconds of talk by the provider's times; without them, by the user's system.
    fn talk_secs(&self) -> i64 {
        match (self.answered_at, self.ended_at) {
            (Some(answered_at), Some(ended_at)) => {
                let millis = (ended_at - answered_at).num_milliseconds().max(0);
                (millis + 999) / 1000
            }
            _ => self.talk_secs.unwrap_or(0).max(0),
        }
    }

    /// How the call went. Before the end: how it would have gone if it ended now.
    pub fn summary(&self) -> CallSummary {
        let winner = self.reports.first();
        let (outcome, reason, notes) = match winner {
            Some(report) => (Some(report.outcome()), None, report.notes().map(str::to_owned)),
            None => self.unreported(),
        };
        let mut superseded: Vec<Outcome> = self.reports.iter().map(Report::outcome).collect();
        superseded.retain(|other| Some(*other) != outcome);
        superseded.dedup();
        CallSummary {
            outcome,
            reason,
            time: winner.and_then(Report::time),
            notes,
            answered_at: self.answered_at,
            ended_at: self.ended_at,
            talk_secs: self.talk_secs(),
            superseded,
        }
    }

    /// Outcome, reason and notes of a call without a report.
    fn unreported(&self) -> (Option<Outcome>, Option<Reason>, Option<String>) {
        if self.failed {
            let reason = Reason::ReportedFailure;
            return (Some(Outcome::Failed), Some(reason), self.failure.clone());
        }
        if self.voicemail {
            return (Some(Outcome::NoResponse), Some(Reason::Voicemail), None);
        }
        if self.answered {
            return (None, Some(Reason::NoReport), None);
        }
        if let Some(cause) = self.unreached {
            let (outcome, reason) = match cause {
                HangupCause::NoAnswer => (Outcome::NoResponse, Reason::NoAnswer),
                HangupCause::Busy => (Outcome::NoResponse, Reason::Busy),
                HangupCause::Rejected => (Outcome::NoResponse, Reason::Rejected),
                HangupCause::InvalidNumber => (Outcome::Failed, Reason::InvalidNumber),
                HangupCause::Failed => (Outcome::Failed, Reason::CarrierFailed),
            };
            return (Some(outcome), Some(reason), None);
        }
        match self.end_reason {
            Some(EndReason::ConnectionFailed | EndReason::ProviderFailed) => {
                let notes = "the provider could not make the call".to_owned();
                (Some(Outcome::Failed), Some(Reason::ReportedFailure), Some(notes))
            }
            None if self.vanished => (Some(Outcome::Failed), Some(Reason::Vanished), None),
            _ => (Some(Outcome::NoResponse), Some(Reason::NoAnswer), None),
        }
    }
}

/// Keeps the smaller of two values.
fn keep_min<T: Ord>(known: &mut Option<T>, new: Option<T>) {
    if let Some(new) = new
        && known.as_ref().is_none_or(|known| new < *known)
    {
        *known = Some(new);
    }
}

#[cfg(test)]
mod tests;
