//! What is known of a dial, folded from events that arrive late, repeatedly and in any order.
//!
//! Every field moves one way only: a set grows, a time moves to the earliest, an enum to the later variant, a flag turns
//! on. So the same events give
//! the same facts in any order and with any repetition. [`DialFacts::summary`] says how the call went.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use strum::IntoStaticStr;

use crate::report::{Report, ReportSource, ReportedOutcome};
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

/// One event of a dial, as it is stored in `call_events`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum DialEvent {
    /// The provider has created the call.
    Placed { provider_call_id: String },
    /// The callee picked up.
    Answered { at: Option<DateTime<Utc>> },
    /// The user's system reports that the callee picked up.
    Connected { at: Option<DateTime<Utc>> },
    /// The provider reports the end of the call.
    Ended { answered_at: Option<DateTime<Utc>>, ended_at: Option<DateTime<Utc>>, reason: EndReason },
    /// The user's system reports the end of the call.
    Completed { talk_secs: Option<i64> },
    /// The user's system reports a failure, with its reason.
    Failed { reason: Option<String> },
    /// The agent or the user's system reports an outcome.
    Reported(Report),
    /// The agent or the user's system reports an outcome that can't be taken, in these words.
    ReportRefused { source: ReportSource, text: String },
    /// The carrier has started the telephone leg.
    LegStarted { carrier_call_id: String },
    /// The carrier did not reach the callee.
    Unreached { cause: HangupCause },
    /// A machine answered.
    Voicemail,
    /// The longest possible end has passed, and nobody has reported the end.
    Vanished,
    /// It was not known whether the provider has the call, and the provider does not list it.
    NeverPlaced,
}

/// Who reports an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum EventSource {
    Provider,
    Agent,
    Carrier,
    /// The user's system.
    User,
    /// The service itself, for what follows from a silence.
    Service,
}

impl From<ReportSource> for EventSource {
    fn from(source: ReportSource) -> Self {
        match source {
            ReportSource::Agent => Self::Agent,
            ReportSource::User => Self::User,
        }
    }
}

impl DialEvent {
    /// The event of a report. One that is invalid counts for the notes only.
    pub fn of_report(reported: ReportedOutcome, source: ReportSource) -> Self {
        let notes = reported.notes.clone().map(|notes| format!(" ({notes})")).unwrap_or_default();
        match Report::new(reported, source) {
            Ok(report) => Self::Reported(report),
            Err(error) => Self::ReportRefused { source, text: format!("{error}{notes}") },
        }
    }

    pub fn source(&self) -> EventSource {
        match self {
            Self::Placed { .. } | Self::Answered { .. } | Self::Ended { .. } => {
                EventSource::Provider
            }
            Self::Reported(report) => report.source().into(),
            Self::ReportRefused { source, .. } => (*source).into(),
            Self::LegStarted { .. } | Self::Unreached { .. } | Self::Voicemail => {
                EventSource::Carrier
            }
            Self::Connected { .. } | Self::Completed { .. } | Self::Failed { .. } => {
                EventSource::User
            }
            Self::Vanished | Self::NeverPlaced => EventSource::Service,
        }
    }
}

/// What is known of a dial.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DialFacts {
    provider_call_id: Option<String>,
    carrier_call_id: Option<String>,
    answered: bool,
    answered_at: Option<DateTime<Utc>>,
    /// What the user's system says of the answer; the provider's word and times win.
    connected: bool,
    connected_at: Option<DateTime<Utc>>,
    ended_at: Option<DateTime<Utc>>,
    end_reason: Option<EndReason>,
    completed: bool,
    talk_secs: Option<i64>,
    failed: bool,
    failure: Option<String>,
    unreached: Option<HangupCause>,
    voicemail: bool,
    vanished: bool,
    never_placed: bool,
    reports: BTreeSet<Report>,
    refused_reports: BTreeSet<String>,
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
    /// The reports that lost against [`outcome`](Self::outcome).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub superseded: Vec<Report>,
    /// What was reported and can't be taken.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused_reports: Vec<String>,
}

impl CallSummary {
    /// The notes, with a line for each report that was superseded or can't be taken.
    pub fn full_notes(&self) -> Option<String> {
        let superseded = self.superseded.iter().map(|report| format!("also reported: {report}"));
        let refused = self.refused_reports.iter().map(|text| format!("not taken: {text}"));
        let lines: Vec<String> =
            self.notes.iter().cloned().chain(superseded).chain(refused).collect();
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
            DialEvent::Connected { at } => {
                self.connected = true;
                keep_min(&mut self.connected_at, at);
            }
            DialEvent::Ended { answered_at, ended_at, reason } => {
                self.answered |= answered_at.is_some();
                keep_min(&mut self.answered_at, answered_at);
                keep_min(&mut self.ended_at, ended_at);
                self.end_reason = self.end_reason.max(Some(reason));
            }
            DialEvent::Completed { talk_secs } => {
                self.completed = true;
                self.connected |= talk_secs.is_some_and(|secs| secs > 0);
                self.talk_secs = self.talk_secs.max(talk_secs);
            }
            DialEvent::Failed { reason } => {
                self.failed = true;
                keep_min(&mut self.failure, reason);
            }
            DialEvent::Reported(report) => {
                self.reports.insert(report);
            }
            DialEvent::ReportRefused { text, .. } => {
                self.refused_reports.insert(text);
            }
            DialEvent::LegStarted { carrier_call_id } => {
                keep_min(&mut self.carrier_call_id, Some(carrier_call_id));
            }
            DialEvent::Unreached { cause } => self.unreached = self.unreached.max(Some(cause)),
            DialEvent::Voicemail => self.voicemail = true,
            DialEvent::Vanished => self.vanished = true,
            DialEvent::NeverPlaced => self.never_placed = true,
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

    /// Whether provider, carrier or agent show that the request became a call. What the user's system says proves nothing.
    pub fn is_placed(&self) -> bool {
        self.has_external_id()
            || self.answered
            || self.voicemail
            || self.end_reason.is_some()
            || self.unreached.is_some()
            || self.reports.iter().any(|report| report.source() == ReportSource::Agent)
    }

    /// Whether provider or carrier have given the call an id.
    pub fn has_external_id(&self) -> bool {
        self.provider_call_id.is_some() || self.carrier_call_id.is_some()
    }

    pub fn is_answered(&self) -> bool {
        self.answered || self.connected
    }

    /// Whether an outcome was reported.
    pub fn is_reported(&self) -> bool {
        !self.reports.is_empty()
    }

    /// Whether the callee has decided: no further call is due.
    pub fn is_decided(&self) -> bool {
        self.reports.iter().any(Report::is_decision)
    }

    /// Whether the callee has opted out.
    pub fn opted_out(&self) -> bool {
        self.reports.iter().any(|report| report.outcome() == Outcome::DoNotCall)
    }

    /// Whether any source reports how the call ended.
    pub fn has_ended(&self) -> bool {
        self.end_reason.is_some()
            || self.completed
            || self.failed
            || self.vanished
            || self.unreached.is_some()
    }

    /// Whether the call is over: it has ended, or was never placed.
    pub fn is_over(&self) -> bool {
        self.has_ended() || self.never_placed
    }

    /// Whether the call was recorded as never placed; an event may prove the opposite later.
    pub fn is_never_placed(&self) -> bool {
        self.never_placed && !self.is_placed()
    }

    /// Whether the phone may still ring or talk: neither provider nor carrier reports the end.
    pub fn may_still_be_live(&self) -> bool {
        self.end_reason.is_none()
            && self.unreached.is_none()
            && !self.vanished
            && !self.is_never_placed()
    }

    /// Seconds of talk by the provider's times; without them, by the user's system.
    pub fn talk_secs(&self) -> i64 {
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
        CallSummary {
            outcome,
            reason,
            time: winner.and_then(Report::time),
            notes,
            answered_at: self.answered_at.or(self.connected_at),
            ended_at: self.ended_at,
            talk_secs: self.talk_secs(),
            superseded: self.superseded(),
            refused_reports: self.refused_reports.iter().cloned().collect(),
        }
    }

    /// The reports that lost, without those that repeat the winner.
    fn superseded(&self) -> Vec<Report> {
        let Some(winner) = self.reports.first() else { return Vec::new() };
        let losers = self.reports.iter().skip(1);
        losers.filter(|report| !report.adds_nothing_to(winner)).cloned().collect()
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
        if self.answered || (self.connected && self.end_reason.is_none()) {
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
