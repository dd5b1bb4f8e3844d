//! What is known of a call, folded from events that come late, twice and in any order.
//!
//! Every field only ever moves one way (a set grows, an instant moves to the earliest, a flag
//! turns on), so the same events give the same facts in whatever order and however often they
//! come. Whoever wants to know how a call went asks [`Facts::conclusion`].

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use crate::report::Report;
use crate::status::{Outcome, Reason};

/// Why the provider says that a call ended (`endReason` of Ultravox's `Call`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EndReason {
    /// A reason that we do not know.
    Other,
    /// Nobody joined.
    Unjoined,
    /// The callee hung up.
    Hangup,
    /// The agent hung up.
    AgentHangup,
    /// The longest duration was reached.
    Timeout,
    /// The line broke.
    ConnectionError,
    /// The provider failed.
    SystemError,
}

/// Why the carrier says that nobody was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unreached {
    /// The phone rang out, or the leg was ended while it rang.
    NoAnswer,
    /// The network failed.
    Failed,
    /// The callee's side turned the call away.
    Rejected,
    /// The line was engaged.
    Busy,
    /// There is no such number.
    InvalidNumber,
}

/// One thing that was said of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The provider created the call.
    Placed {
        /// The provider's id of the call.
        provider_call_id: String,
    },
    /// Somebody answered.
    Joined {
        /// When, if that was said.
        at: Option<DateTime<Utc>>,
    },
    /// The provider says that the call is over.
    Ended {
        /// When somebody answered, if anybody did.
        joined: Option<DateTime<Utc>>,
        /// When the call ended.
        ended: Option<DateTime<Utc>>,
        /// Why.
        reason: EndReason,
    },
    /// A client's system says that the call is over.
    Completed {
        /// Seconds of talk.
        talk_secs: Option<i64>,
    },
    /// A client's system says that the call failed.
    Failed {
        /// Why, in its words.
        reason: Option<String>,
    },
    /// An outcome was reported.
    Reported(Report),
    /// The carrier rings, or rang, the phone.
    Carried {
        /// The carrier's id of the leg.
        carrier_call_id: String,
    },
    /// The carrier says that nobody was reached.
    Unreached(Unreached),
    /// A machine answered.
    Voicemail,
    /// The provider no longer knows a call that it had accepted.
    Vanished,
}

/// What is known of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    provider_call_id: Option<String>,
    answered: bool,
    joined: Option<DateTime<Utc>>,
    ended: Option<DateTime<Utc>>,
    end_reason: Option<EndReason>,
    completed: bool,
    talk_secs: Option<i64>,
    failed: bool,
    failure: Option<String>,
    carrier_call_id: Option<String>,
    unreached: Option<Unreached>,
    voicemail: bool,
    vanished: bool,
    reports: BTreeSet<Report>,
}

/// How a call went, as far as its facts tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conclusion {
    /// What came of it; nothing if it was answered and nobody reported anything.
    pub outcome: Option<Outcome>,
    /// Why, where the outcome does not say it.
    pub reason: Option<Reason>,
    /// The time of the appointment or of the callback.
    pub time: Option<DateTime<Utc>>,
    /// Free text from the report or the failure.
    pub notes: Option<String>,
    /// When somebody answered.
    pub joined: Option<DateTime<Utc>>,
    /// When the call ended.
    pub ended: Option<DateTime<Utc>>,
    /// Seconds of talk, a started second counted whole.
    pub talk_secs: i64,
    /// Reports that contradict the one that won.
    pub overruled: Vec<Outcome>,
}

impl Facts {
    /// Takes in one event; true if it said anything new.
    pub fn learn(&mut self, event: Event) -> bool {
        let before = self.clone();
        match event {
            Event::Placed { provider_call_id } => {
                least(&mut self.provider_call_id, Some(provider_call_id));
            }
            Event::Joined { at } => {
                self.answered = true;
                least(&mut self.joined, at);
            }
            Event::Ended { joined, ended, reason } => {
                self.answered |= joined.is_some();
                least(&mut self.joined, joined);
                least(&mut self.ended, ended);
                self.end_reason = self.end_reason.max(Some(reason));
            }
            Event::Completed { talk_secs } => {
                self.completed = true;
                self.answered |= talk_secs.is_some_and(|secs| secs > 0);
                self.talk_secs = self.talk_secs.max(talk_secs);
            }
            Event::Failed { reason } => {
                self.failed = true;
                least(&mut self.failure, reason);
            }
            Event::Reported(report) => {
                self.reports.insert(report);
            }
            Event::Carried { carrier_call_id } => {
                least(&mut self.carrier_call_id, Some(carrier_call_id));
            }
            Event::Unreached(why) => self.unreached = self.unreached.max(Some(why)),
            Event::Voicemail => self.voicemail = true,
            Event::Vanished => self.vanished = true,
        }
        *self != before
    }

    /// The provider's id of the call, once anything named it.
    pub fn provider_call_id(&self) -> Option<&str> {
        self.provider_call_id.as_deref()
    }

    /// The carrier's id of the leg, once the carrier named it.
    pub fn carrier_call_id(&self) -> Option<&str> {
        self.carrier_call_id.as_deref()
    }

    /// Whether anything shows that a request reached the provider.
    pub fn is_placed(&self) -> bool {
        self.provider_call_id.is_some()
            || self.carrier_call_id.is_some()
            || self.answered
            || self.voicemail
            || self.is_reported()
            || self.is_over()
    }

    /// Whether the provider or the carrier itself has named the call.
    pub fn is_named(&self) -> bool {
        self.provider_call_id.is_some() || self.carrier_call_id.is_some()
    }

    /// Whether somebody answered.
    pub fn is_answered(&self) -> bool {
        self.answered
    }

    /// Whether anybody reported an outcome.
    pub fn is_reported(&self) -> bool {
        !self.reports.is_empty()
    }

    /// Whether the callee asked never to be called again.
    pub fn asks_not_to_be_called(&self) -> bool {
        self.reports.iter().any(|report| report.outcome() == Outcome::DoNotCall)
    }

    /// Whether the call is over, by anybody's word.
    pub fn is_over(&self) -> bool {
        self.end_reason.is_some()
            || self.completed
            || self.failed
            || self.vanished
            || self.unreached.is_some()
    }

    /// Whether a request that left may still be a call, although somebody says that it is over.
    pub fn may_go_on(&self) -> bool {
        self.end_reason.is_none() && self.unreached.is_none() && !self.vanished
    }

    /// Seconds of talk: by the provider's clock if it told both ends, else as a client said.
    fn talk_secs(&self) -> i64 {
        match (self.joined, self.ended) {
            (Some(joined), Some(ended)) => {
                let millis = (ended - joined).num_milliseconds().max(0);
                (millis + 999) / 1000
            }
            _ => self.talk_secs.unwrap_or(0).max(0),
        }
    }

    /// How the call went. Before it is over, this is how it would have gone if it ended now.
    pub fn conclusion(&self) -> Conclusion {
        let winner = self.reports.first();
        let (outcome, reason, notes) = match winner {
            Some(report) => (Some(report.outcome()), None, report.notes().map(str::to_owned)),
            None => self.unreported(),
        };
        let mut overruled: Vec<Outcome> = self.reports.iter().map(Report::outcome).collect();
        overruled.retain(|other| Some(*other) != outcome);
        overruled.dedup();
        Conclusion {
            outcome,
            reason,
            time: winner.and_then(Report::time),
            notes,
            joined: self.joined,
            ended: self.ended,
            talk_secs: self.talk_secs(),
            overruled,
        }
    }

    /// What a call comes to of which nobody reported an outcome.
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
        if let Some(unreached) = self.unreached {
            let (outcome, reason) = match unreached {
                Unreached::NoAnswer => (Outcome::NoResponse, Reason::NoAnswer),
                Unreached::Busy => (Outcome::NoResponse, Reason::Busy),
                Unreached::Rejected => (Outcome::NoResponse, Reason::Rejected),
                Unreached::InvalidNumber => (Outcome::Failed, Reason::InvalidNumber),
                Unreached::Failed => (Outcome::Failed, Reason::CarrierFailed),
            };
            return (Some(outcome), Some(reason), None);
        }
        match self.end_reason {
            Some(EndReason::ConnectionError | EndReason::SystemError) => {
                let notes = "the provider could not make the call".to_owned();
                (Some(Outcome::Failed), Some(Reason::ReportedFailure), Some(notes))
            }
            None if self.vanished => (Some(Outcome::Failed), Some(Reason::Vanished), None),
            _ => (Some(Outcome::NoResponse), Some(Reason::NoAnswer), None),
        }
    }
}

/// Keeps the lesser of what is there and what comes in.
fn least<T: Ord>(known: &mut Option<T>, heard: Option<T>) {
    if let Some(heard) = heard
        && known.as_ref().is_none_or(|known| heard < *known)
    {
        *known = Some(heard);
    }
}

#[cfg(test)]
mod tests;
