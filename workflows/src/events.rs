//! What the webhook server tells a call's workflow.
//!
//! A signal that can't be read would block its workflow for good. So the workflow takes any JSON,
//! reads it field by field and passes over what it does not understand.

use chrono::{DateTime, Utc};
use domain::facts::{EndReason, Event, Unreached};
use domain::report::{Report, Source};
use domain::status::Outcome;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The name of the signal.
pub const SIGNAL: &str = "call_event";

/// A call event and the dial that it is about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// The dial; nothing if the sender does not know of dials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dial_id: Option<String>,
    /// The user whose word it is; then it counts for that user's calls alone. Nothing if it is the
    /// word of somebody who may speak of every call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// What was said.
    pub event: CallEvent,
}

/// One thing said of a call, checked by the webhook server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum CallEvent {
    /// The call was created.
    Started {
        /// The provider's id of the call, if the provider itself said so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        provider_call_id: Option<String>,
    },
    /// Somebody answered.
    Joined {
        /// The provider's id of the call, if known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        provider_call_id: Option<String>,
        /// When.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<DateTime<Utc>>,
    },
    /// The provider says that the call is over.
    Ended {
        /// The provider's id of the call.
        provider_call_id: String,
        /// When somebody answered.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        joined: Option<DateTime<Utc>>,
        /// When the call ended.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ended: Option<DateTime<Utc>>,
        /// The provider's word for why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// A client's system says that the call is over.
    Completed {
        /// Seconds of talk.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        talk_secs: Option<i64>,
        /// The transcript, which comes no other way in this form.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        transcript: Option<String>,
        /// What came of it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        report: Option<Reported>,
    },
    /// A client's system says that the call failed.
    Failed {
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// The agent reported an outcome through its tool.
    Reported(Reported),
    /// The carrier says something of the phone's leg.
    Carrier {
        /// The carrier's id of the leg.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        carrier_call_id: Option<String>,
        /// Why nobody was reached, if nobody was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unreached: Option<CarrierWord>,
        /// Whether a machine answered.
        #[serde(default)]
        machine: bool,
    },
}

/// Why the carrier says that nobody was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CarrierWord {
    /// The phone rang out.
    NoAnswer,
    /// The line was engaged.
    Busy,
    /// The callee's side turned the call away.
    Rejected,
    /// There is no such number.
    InvalidNumber,
    /// The network failed.
    Failed,
}

/// An outcome that was reported.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reported {
    /// The outcome.
    pub outcome: Outcome,
    /// The time of the appointment or of the callback.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<DateTime<Utc>>,
    /// Free text beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
}

/// Reads the payload of a signal to a call of that user; nothing if it is not one of ours, or is
/// the word of another user.
pub fn read(payload: Value, user: &str) -> Option<Message> {
    let message: Message = serde_json::from_value(payload).ok()?;
    let may_speak = message.user_id.as_deref().is_none_or(|speaker| speaker == user);
    may_speak.then_some(message)
}

impl CallEvent {
    /// Whether the event may still say something when its call's workflow has ended. The others
    /// come late in the normal course of things: a call that nobody joined, say, is settled by
    /// the carrier's word before the provider's.
    pub fn matters_late(&self) -> bool {
        match self {
            Self::Ended { joined, .. } => joined.is_some(),
            Self::Completed { .. } | Self::Failed { .. } | Self::Reported(_) => true,
            Self::Started { .. } | Self::Joined { .. } | Self::Carrier { .. } => false,
        }
    }

    /// What the event says, in the words of the domain, and a transcript if it brought one.
    pub fn facts(self) -> (Vec<Event>, Option<String>) {
        let mut transcript = None;
        let events = match self {
            Self::Started { provider_call_id } => placed(provider_call_id),
            Self::Joined { provider_call_id, at } => {
                placed(provider_call_id).into_iter().chain([Event::Joined { at }]).collect()
            }
            Self::Ended { provider_call_id, joined, ended, reason } => vec![
                Event::Placed { provider_call_id },
                Event::Ended { joined, ended, reason: end_reason(reason.as_deref()) },
            ],
            Self::Completed { talk_secs, transcript: text, report } => {
                transcript = text;
                let report = report.and_then(|report| report.from(Source::Client));
                report.into_iter().chain([Event::Completed { talk_secs }]).collect()
            }
            Self::Failed { reason } => vec![Event::Failed { reason }],
            Self::Reported(report) => report.from(Source::Agent).into_iter().collect(),
            Self::Carrier { carrier_call_id, unreached, machine } => {
                let carried = carrier_call_id.map(|id| Event::Carried { carrier_call_id: id });
                let unreached = unreached.map(|word| Event::Unreached(word.into()));
                let machine = machine.then_some(Event::Voicemail);
                carried.into_iter().chain(unreached).chain(machine).collect()
            }
        };
        (events, transcript)
    }
}

impl From<CarrierWord> for Unreached {
    fn from(word: CarrierWord) -> Self {
        match word {
            CarrierWord::NoAnswer => Self::NoAnswer,
            CarrierWord::Busy => Self::Busy,
            CarrierWord::Rejected => Self::Rejected,
            CarrierWord::InvalidNumber => Self::InvalidNumber,
            CarrierWord::Failed => Self::Failed,
        }
    }
}

impl Reported {
    fn from(self, source: Source) -> Option<Event> {
        Report::new(self.outcome, self.time, self.notes, source).ok().map(Event::Reported)
    }
}

fn placed(provider_call_id: Option<String>) -> Vec<Event> {
    provider_call_id.map(|id| Event::Placed { provider_call_id: id }).into_iter().collect()
}

/// The provider's `endReason` in the words of the domain.
pub(crate) fn end_reason(word: Option<&str>) -> EndReason {
    match word {
        Some("unjoined") => EndReason::Unjoined,
        Some("hangup") => EndReason::Hangup,
        Some("agent_hangup") => EndReason::AgentHangup,
        Some("timeout") => EndReason::Timeout,
        Some("connection_error") => EndReason::ConnectionError,
        Some("system_error") => EndReason::SystemError,
        _ => EndReason::Other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_an_event_is_passed_over() {
        for payload in [
            json!(null),
            json!("ended"),
            json!({}),
            json!({"event": {"kind": "exploded"}}),
            json!({"event": {"kind": "ended", "providerCallId": 7}}),
            json!({"event": {"kind": "reported", "outcome": "MAYBE"}}),
        ] {
            assert_eq!(read(payload.clone(), "u1"), None, "{payload}");
        }
    }

    #[test]
    fn fields_that_are_added_later_do_no_harm() {
        let event = json!({"kind": "started", "providerCallId": "u1", "colour": "red"});
        let message = read(json!({"event": event, "weight": 3}), "u1").unwrap();
        assert_eq!(message.event, CallEvent::Started { provider_call_id: Some("u1".into()) });
    }

    #[test]
    fn a_users_word_counts_for_its_own_calls_alone() {
        let said = json!({"userId": "u1", "event": {"kind": "failed"}});
        assert!(read(said.clone(), "u1").is_some());
        assert_eq!(read(said, "u2"), None);
    }

    #[test]
    fn an_event_survives_the_wire() {
        let event = CallEvent::Completed {
            talk_secs: Some(240),
            transcript: Some("Booked!".into()),
            report: Some(Reported {
                outcome: Outcome::AppointmentSet,
                time: Some("2025-02-26T15:00:00Z".parse().unwrap()),
                notes: None,
            }),
        };
        let message = Message { dial_id: None, user_id: None, event };
        let read = read(serde_json::to_value(&message).unwrap(), "u1").unwrap();
        let (events, transcript) = read.event.facts();
        assert_eq!(transcript.as_deref(), Some("Booked!"));
        assert_eq!(events.len(), 2);
    }
}
