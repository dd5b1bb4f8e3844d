//! The signal by which the webhook server passes events to a call's workflow.
//!
//! The workflow ignores what it does not understand.

use chrono::{DateTime, Utc};
use domain::facts::{DialEvent, EndReason, HangupCause};
use domain::ids::{DialId, UserId};
use domain::report::{ReportSource, ReportedOutcome};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The name of the signal.
pub const SIGNAL: &str = "call_event";

/// An event and the dial to which it belongs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EventMessage {
    /// `None` if the sender does not know dials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dial_id: Option<DialId>,
    /// The user whose system has sent the event: it counts for calls of this user only. `None` if the sender may report
    /// on every call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
    pub event: CallEvent,
}

/// An authenticated event of a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum CallEvent {
    /// The call was created.
    Started {
        /// Set if the provider itself is the sender.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        provider_call_id: Option<String>,
    },
    /// The callee picked up.
    Answered {
        /// `None` if the user's system is the sender.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        provider_call_id: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<DateTime<Utc>>,
    },
    /// The provider reports the end of the call.
    Ended {
        provider_call_id: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        answered_at: Option<DateTime<Utc>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ended_at: Option<DateTime<Utc>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<EndReason>,
    },
    /// The user's system reports the end of the call.
    Completed {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        talk_secs: Option<i64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        transcript: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        report: Option<ReportedOutcome>,
    },
    /// The user's system reports a failure.
    Failed {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// The agent reports an outcome through its tool.
    Reported(ReportedOutcome),
    /// The carrier reports on the telephone leg.
    Carrier {
        /// The carrier's id of the leg.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        carrier_call_id: Option<String>,
        /// Why the callee was not reached.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unreached: Option<HangupCause>,
        /// Whether a machine answered.
        #[serde(default)]
        machine: bool,
    },
}

/// The payload of a signal, as far as this build understands it.
#[derive(Clone, Debug, PartialEq)]
pub enum Received {
    Event(EventMessage),
    /// An event with a word that this build does not know, for example of a newer webhook server.
    Unread,
    /// No event, or an event of another user's system.
    Ignored,
}

/// Parses the payload of a signal to a call of `user`.
pub fn parse_message(payload: &Value, user: &UserId) -> Received {
    let sender = payload.get("userId").and_then(Value::as_str);
    if sender.is_some_and(|sender| sender != user.as_str()) {
        return Received::Ignored;
    }
    match EventMessage::deserialize(payload) {
        Ok(message) => Received::Event(message),
        Err(_) if payload.pointer("/event/kind").is_some_and(Value::is_string) => Received::Unread,
        Err(_) => Received::Ignored,
    }
}

impl CallEvent {
    /// Whether the event may change the records of a call whose workflow has ended. The other events arrive late in
    /// normal operation: an unanswered call, for example, is recorded by the carrier's event before the provider's.
    pub fn is_relevant_late(&self) -> bool {
        match self {
            Self::Ended { answered_at, .. } => answered_at.is_some(),
            Self::Completed { .. } | Self::Failed { .. } | Self::Reported(_) => true,
            Self::Started { .. } | Self::Answered { .. } | Self::Carrier { .. } => false,
        }
    }

    /// Whether the event shows that a call exists: it matters late if the call was recorded as never placed.
    pub fn proves_call(&self) -> bool {
        match self {
            Self::Started { provider_call_id } | Self::Answered { provider_call_id, .. } => {
                provider_call_id.is_some()
            }
            Self::Ended { .. } | Self::Carrier { .. } | Self::Reported(_) => true,
            Self::Completed { .. } | Self::Failed { .. } => false,
        }
    }

    /// The event as dial events, and its transcript.
    pub fn into_dial_events(self) -> (Vec<DialEvent>, Option<String>) {
        let mut transcript = None;
        let events = match self {
            Self::Started { provider_call_id } => placed(provider_call_id).into_iter().collect(),
            Self::Answered { provider_call_id: Some(provider_call_id), at } => {
                vec![DialEvent::Placed { provider_call_id }, DialEvent::Answered { at }]
            }
            Self::Answered { provider_call_id: None, at } => vec![DialEvent::Connected { at }],
            Self::Ended { provider_call_id, answered_at, ended_at, reason } => {
                let reason = reason.unwrap_or(EndReason::Other);
                vec![
                    DialEvent::Placed { provider_call_id },
                    DialEvent::Ended { answered_at, ended_at, reason },
                ]
            }
            Self::Completed { talk_secs, transcript: text, report } => {
                transcript = text;
                let report = report.map(|report| DialEvent::of_report(report, ReportSource::User));
                report.into_iter().chain([DialEvent::Completed { talk_secs }]).collect()
            }
            Self::Failed { reason } => vec![DialEvent::Failed { reason }],
            Self::Reported(report) => vec![DialEvent::of_report(report, ReportSource::Agent)],
            Self::Carrier { carrier_call_id, unreached, machine } => {
                let started = carrier_call_id
                    .map(|carrier_call_id| DialEvent::LegStarted { carrier_call_id });
                let unreached = unreached.map(|cause| DialEvent::Unreached { cause });
                let machine = machine.then_some(DialEvent::Voicemail);
                started.into_iter().chain(unreached).chain(machine).collect()
            }
        };
        (events, transcript)
    }
}

fn placed(provider_call_id: Option<String>) -> Option<DialEvent> {
    provider_call_id.map(|provider_call_id| DialEvent::Placed { provider_call_id })
}

#[cfg(test)]
mod tests {
    use domain::status::Outcome;
    use serde_json::json;

    use super::*;

    fn parse(payload: Value) -> Received {
        parse_message(&payload, &UserId::new("u1"))
    }

    fn event_of(payload: Value) -> CallEvent {
        match parse(payload) {
            Received::Event(message) => message.event,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn payload_that_is_no_event_is_ignored() {
        for payload in [json!(null), json!("ended"), json!({}), json!({"event": {"kind": 7}})] {
            assert_eq!(parse(payload.clone()), Received::Ignored, "{payload}");
        }
    }

    #[test]
    fn event_with_an_unknown_word_is_kept() {
        for payload in [
            json!({"event": {"kind": "moved"}}),
            json!({"event": {"kind": "reported", "outcome": "WRONG_NUMBER"}}),
            json!({"userId": "u1", "event": {"kind": "carrier", "unreached": "blocked"}}),
        ] {
            assert_eq!(parse(payload.clone()), Received::Unread, "{payload}");
        }
        let of_another = json!({"userId": "u2", "event": {"kind": "moved"}});
        assert_eq!(parse(of_another), Received::Ignored);
    }

    #[test]
    fn unknown_fields_and_unknown_end_reasons_are_accepted() {
        let event = json!({"kind": "started", "providerCallId": "u1", "colour": "red"});
        let event = event_of(json!({"event": event, "weight": 3}));
        assert_eq!(event, CallEvent::Started { provider_call_id: Some("u1".into()) });
        let event = json!({"kind": "ended", "providerCallId": "u1", "reason": "meteorite"});
        let CallEvent::Ended { reason, .. } = event_of(json!({"event": event})) else {
            panic!("not the end of a call")
        };
        assert_eq!(reason, Some(EndReason::Other));
    }

    #[test]
    fn event_of_a_users_system_counts_for_its_own_calls_only() {
        let payload = json!({"userId": "u1", "event": {"kind": "failed"}});
        assert!(matches!(parse(payload.clone()), Received::Event(_)));
        assert_eq!(parse_message(&payload, &UserId::new("u2")), Received::Ignored);
    }

    #[test]
    fn event_round_trips_through_json() {
        let event = CallEvent::Completed {
            talk_secs: Some(240),
            transcript: Some("Booked!".into()),
            report: Some(ReportedOutcome {
                outcome: Outcome::AppointmentSet,
                time: Some("2025-02-26T15:00:00Z".parse().unwrap()),
                notes: None,
            }),
        };
        let message = EventMessage { dial_id: None, user_id: None, event };
        let parsed = event_of(serde_json::to_value(&message).unwrap());
        let (events, transcript) = parsed.into_dial_events();
        assert_eq!(transcript.as_deref(), Some("Booked!"));
        assert_eq!(events.len(), 2);
    }
}
