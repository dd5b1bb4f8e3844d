//! Ultravox's webhooks: `{"event": "call.ended", "call": {…}}`.

use domain::facts::EndReason;
use domain::ids::DialId;
use serde::Deserialize;
use serde_json::{Map, Value};
use workflows::events::{CallEvent, EventMessage};

use super::fields::{Text, Timestamp};
use super::{JsonObject, Malformed, RoutedEvent, required, validate_id};

#[derive(Deserialize)]
struct Webhook {
    event: Text,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Call {
    call_id: Text,
}

#[derive(Deserialize)]
struct Joined {
    joined: Timestamp,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ended {
    joined: Timestamp,
    ended: Timestamp,
    end_reason: Text,
}

/// The metadata that we send when we create a call.
#[derive(Deserialize)]
struct Metadata {
    dial_id: Text,
}

/// Reads an event; `None` if the event is unknown or the call is not one of ours.
pub fn read_event(body: &Map<String, Value>) -> Result<Option<RoutedEvent>, Malformed> {
    let body = JsonObject::root(body);
    let Webhook { event } = body.read()?;
    let event = required(event.0, "event")?;
    let call = required(body.object("call")?, "call")?;
    let Call { call_id } = call.read()?;
    let provider_call_id = required(call_id.0, "call.callId")?;
    let provider_call_id = validate_id("call.callId", provider_call_id)?;
    let Some(dial) = read_dial_id(&call)? else { return Ok(None) };
    let Some(conversation) = dial.conversation() else { return Ok(None) };
    let event = match event.as_str() {
        "call.started" => CallEvent::Started { provider_call_id: Some(provider_call_id) },
        "call.joined" => {
            let Joined { joined } = call.read()?;
            CallEvent::Answered { provider_call_id: Some(provider_call_id), at: joined.0 }
        }
        "call.ended" | "call.billed" => {
            let Ended { joined, ended, end_reason } = call.read()?;
            CallEvent::Ended {
                provider_call_id,
                answered_at: joined.0,
                ended_at: ended.0,
                reason: end_reason.0.as_deref().map(parse_end_reason),
            }
        }
        _ => return Ok(None),
    };
    let message = EventMessage { dial_id: Some(dial), user_id: None, event };
    Ok(Some(RoutedEvent { conversation, message }))
}

/// The dial comes from the metadata, which the signature covers, never from the query string.
fn read_dial_id(call: &JsonObject<'_>) -> Result<Option<DialId>, Malformed> {
    // Calls that others create with the same account may have metadata of any type.
    let Ok(Some(metadata)) = call.object("metadata") else { return Ok(None) };
    let Metadata { dial_id } = metadata.read()?;
    let dial_id = dial_id.0.map(|id| validate_id("call.metadata.dial_id", id)).transpose()?;
    Ok(dial_id.map(DialId::new))
}

/// Parses Ultravox's `endReason`.
fn parse_end_reason(text: &str) -> EndReason {
    match text {
        "unjoined" => EndReason::Unanswered,
        "hangup" => EndReason::CalleeHungUp,
        "agent_hangup" => EndReason::AgentHungUp,
        "timeout" => EndReason::MaxDurationReached,
        "connection_error" => EndReason::ConnectionFailed,
        "system_error" => EndReason::ProviderFailed,
        _ => EndReason::Other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read_json(body: Value) -> Result<Option<RoutedEvent>, Malformed> {
        read_event(body.as_object().unwrap())
    }

    fn call() -> Value {
        json!({
            "callId": "u1",
            "joined": "2026-05-01T12:00:14.512345Z",
            "ended": "2026-05-01T12:02:03.998877Z",
            "endReason": "agent_hangup",
            "metadata": {"dial_id": "p1-id-3.1"},
            "anything": ["else"],
        })
    }

    #[test]
    fn events_are_routed_by_the_dial_in_the_metadata() {
        for (event, kind) in [
            ("call.started", "started"),
            ("call.joined", "answered"),
            ("call.ended", "ended"),
            ("call.billed", "ended"),
        ] {
            let routed = read_json(json!({"event": event, "call": call()})).unwrap().unwrap();
            assert_eq!(routed.conversation.as_str(), "p1-id-3");
            assert_eq!(routed.message.dial_id, Some(DialId::new("p1-id-3.1")));
            let wire = serde_json::to_value(&routed.message).unwrap();
            assert_eq!(wire["event"]["kind"], kind);
        }
    }

    #[test]
    fn foreign_calls_and_unknown_events_are_ignored() {
        let foreign = json!({"callId": "u1", "metadata": {"source": "web"}});
        assert_eq!(read_json(json!({"event": "call.ended", "call": foreign})), Ok(None));
        assert_eq!(read_json(json!({"event": "call.unknown", "call": call()})), Ok(None));
    }

    #[test]
    fn invalid_fields_are_named() {
        for (body, field) in [
            (json!({}), "event"),
            (json!({"event": 1}), "event"),
            (json!({"event": "call.ended"}), "call"),
            (json!({"event": "call.ended", "call": {}}), "call.callId"),
            (
                json!({"event": "call.ended", "call": {"callId": "u", "ended": "noon",
                    "metadata": {"dial_id": "p-1.1"}}}),
                "call.ended",
            ),
        ] {
            assert_eq!(read_json(body).unwrap_err().field, field);
        }
    }
}
