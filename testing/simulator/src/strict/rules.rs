//! Rules of `POST /api/calls` that span several fields.

use serde_json::{Map, Value};

use super::{Refusal, dial, read, refuse, shapes, tools, voices};

const MODELS: &[&str] =
    &["ultravox-v0.7", "ultravox-v0.6", "ultravox-v0.6-llama3.3-70b", "ultravox-v0.6-gemma3-27b"];

/// Checks a whole call creation and returns it in canonical form.
pub fn start_call(body: &Value) -> Result<Map<String, Value>, Refusal> {
    let body = read(&shapes::START_CALL, body)?;
    model_and_voice(&body)?;
    language(&body)?;
    times(&body)?;
    metadata(&body)?;
    first_speaker(&body)?;
    callbacks(&body)?;
    secrets_and_retention(&body)?;
    data_connection(&body)?;
    dial::check(&body)?;
    tools::check(&body)?;
    Ok(body)
}

fn text<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    object.get(name).and_then(Value::as_str)
}

fn model_and_voice(body: &Map<String, Value>) -> Result<(), Refusal> {
    if let Some(model) = text(body, "model")
        && !MODELS.contains(&model)
    {
        return refuse(format!("model \"{model}\" does not exist"));
    }
    if let Some(voice) = text(body, "voice")
        && !voices::KNOWN.contains(&voice)
    {
        return refuse(format!("voice \"{voice}\" does not exist"));
    }
    if body.contains_key("voice") && body.contains_key("externalVoice") {
        return refuse("voice and externalVoice exclude each other");
    }
    if body.contains_key("voiceOverrides") && !body.contains_key("voice") {
        return refuse("voiceOverrides needs voice");
    }
    for field in ["externalVoice", "voiceOverrides"] {
        if let Some(Value::Object(voice)) = body.get(field)
            && voice.len() != 1
        {
            return refuse(format!("{field} must name exactly one provider"));
        }
    }
    Ok(())
}

fn language(body: &Map<String, Value>) -> Result<(), Refusal> {
    let tag = text(body, "languageHint").unwrap_or_default();
    if tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        Ok(())
    } else {
        refuse("languageHint must be a BCP 47 tag")
    }
}

fn times(body: &Map<String, Value>) -> Result<(), Refusal> {
    for field in ["joinTimeout", "maxDuration"] {
        if text(body, field) == Some("0s") {
            return refuse(format!("{field} must be positive"));
        }
    }
    let timed = body.get("inactivityMessages").and_then(Value::as_array);
    for message in timed.into_iter().flatten() {
        let duration = message.get("duration").and_then(Value::as_str);
        if duration.is_none_or(|duration| duration == "0s") {
            return refuse("every inactivity message needs a positive duration");
        }
        if message.get("message").is_none() {
            return refuse("every inactivity message needs a message");
        }
    }
    Ok(())
}

fn metadata(body: &Map<String, Value>) -> Result<(), Refusal> {
    let entries = body.get("metadata").and_then(Value::as_object);
    match entries.into_iter().flat_map(Map::keys).find(|key| key.starts_with("ultravox.")) {
        Some(key) => refuse(format!("metadata key \"{key}\" uses a reserved prefix")),
        None => Ok(()),
    }
}

fn first_speaker(body: &Map<String, Value>) -> Result<(), Refusal> {
    let Some(Value::Object(settings)) = body.get("firstSpeakerSettings") else {
        return Ok(());
    };
    if settings.len() != 1 {
        return refuse("firstSpeakerSettings must hold exactly one of user and agent");
    }
    let user = settings.get("user");
    let greetings = [user.and_then(|user| user.get("fallback")), settings.get("agent")];
    for greeting in greetings.into_iter().flatten() {
        if greeting.get("text").is_some() && greeting.get("prompt").is_some() {
            return refuse("a greeting may have a text or a prompt, not both");
        }
    }
    let speaker = text(body, "firstSpeaker").unwrap_or("FIRST_SPEAKER_UNSPECIFIED");
    let same = match speaker {
        "FIRST_SPEAKER_USER" => user.is_some(),
        "FIRST_SPEAKER_AGENT" => user.is_none(),
        _ => true,
    };
    if same { Ok(()) } else { refuse("firstSpeaker contradicts firstSpeakerSettings") }
}

fn callbacks(body: &Map<String, Value>) -> Result<(), Refusal> {
    let callbacks = body.get("callbacks").and_then(Value::as_object);
    for (event, callback) in callbacks.into_iter().flatten() {
        if callback.get("url").is_none() {
            return refuse(format!("callbacks.{event} needs a url"));
        }
    }
    Ok(())
}

fn secrets_and_retention(body: &Map<String, Value>) -> Result<(), Refusal> {
    let secrets = body.get("sharedSecrets").and_then(Value::as_array);
    for secret in secrets.into_iter().flatten().filter_map(Value::as_str) {
        if !(16..=127).contains(&secret.len()) {
            return refuse("every shared secret must have 16 to 127 characters");
        }
    }
    if text(body, "retentionPolicy") == Some("CALL_RETENTION_POLICY_AUTO_DELETE") {
        return refuse("this account may not choose a retention policy");
    }
    Ok(())
}

fn data_connection(body: &Map<String, Value>) -> Result<(), Refusal> {
    let Some(connection) = body.get("dataConnection") else {
        return Ok(());
    };
    let address = connection.get("websocketUrl").and_then(Value::as_str);
    let socket = address
        .and_then(|address| url::Url::parse(address).ok())
        .is_some_and(|url| matches!(url.scheme(), "ws" | "wss"));
    if socket { Ok(()) } else { refuse("dataConnection.websocketUrl must be a ws or wss address") }
}
