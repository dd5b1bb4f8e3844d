//! Ultravox's own form: `{"event": "call.ended", "call": {…}}`.

use domain::ids::{ConversationId, DialId};
use serde_json::{Map, Value};
use workflows::events::{CallEvent, Message};

use super::{Addressed, Malformed, moment, sound_id, text};

/// Reads an event; nothing if it is genuine and not about a call of ours.
///
/// Which call it is about is read from the metadata that we gave along, which is signed, and
/// never from the address.
pub fn read(body: &Map<String, Value>) -> Result<Option<Addressed>, Malformed> {
    let event = text(body, "", "event")?.ok_or_else(|| Malformed::new("event", "is missing"))?;
    let Some(Value::Object(call)) = body.get("call") else {
        return Err(Malformed::new("call", "must be an object"));
    };
    let provider_call_id = text(call, "call.", "callId")?
        .ok_or_else(|| Malformed::new("call.callId", "is missing"))?
        .to_owned();
    let Some((conversation, dial)) = whose(call)? else { return Ok(None) };
    let event = match event {
        "call.started" => CallEvent::Started { provider_call_id: Some(provider_call_id) },
        "call.joined" => CallEvent::Joined {
            provider_call_id: Some(provider_call_id),
            at: moment(call, "call.", "joined")?,
        },
        "call.ended" | "call.billed" => CallEvent::Ended {
            provider_call_id,
            joined: moment(call, "call.", "joined")?,
            ended: moment(call, "call.", "ended")?,
            reason: text(call, "call.", "endReason")?.map(str::to_owned),
        },
        _ => return Ok(None),
    };
    let message = Message { dial_id: Some(dial.to_string()), user_id: None, event };
    Ok(Some(Addressed { conversation, message }))
}

fn whose(call: &Map<String, Value>) -> Result<Option<(ConversationId, DialId)>, Malformed> {
    let Some(Value::Object(metadata)) = call.get("metadata") else { return Ok(None) };
    let dial = text(metadata, "call.metadata.", "dial_id")?;
    let dial = dial.map(|id| sound_id("call.metadata.dial_id", id)).transpose()?.map(DialId::new);
    Ok(dial.and_then(|dial| Some((dial.conversation()?, dial))))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read_json(body: Value) -> Result<Option<Addressed>, Malformed> {
        read(body.as_object().unwrap())
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
    fn each_event_is_read_for_the_dial_in_its_metadata() {
        for (event, kind) in [
            ("call.started", "started"),
            ("call.joined", "joined"),
            ("call.ended", "ended"),
            ("call.billed", "ended"),
        ] {
            let addressed = read_json(json!({"event": event, "call": call()})).unwrap().unwrap();
            assert_eq!(addressed.conversation.as_str(), "p1-id-3");
            assert_eq!(addressed.message.dial_id.as_deref(), Some("p1-id-3.1"));
            let wire = serde_json::to_value(&addressed.message).unwrap();
            assert_eq!(wire["event"]["kind"], kind);
        }
    }

    #[test]
    fn calls_of_others_and_unknown_events_are_passed_over() {
        let foreign = json!({"callId": "u1", "metadata": {"source": "web"}});
        assert_eq!(read_json(json!({"event": "call.ended", "call": foreign})), Ok(None));
        assert_eq!(read_json(json!({"event": "call.sang", "call": call()})), Ok(None));
    }

    #[test]
    fn what_cannot_be_read_is_named() {
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
