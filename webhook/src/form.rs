//! The forms in which events come, read field by field.

pub mod carrier;
pub mod plain;
pub mod provider;
pub mod report;

use chrono::{DateTime, Utc};
use domain::ids::ConversationId;
use serde_json::{Map, Value};
use workflows::events::Message;

/// A genuine request that can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {wanted}")]
pub struct Malformed {
    /// The field.
    pub field: String,
    /// What it should look like.
    pub wanted: String,
}

impl Malformed {
    /// A field that should look otherwise.
    pub fn new(field: impl Into<String>, wanted: impl Into<String>) -> Self {
        Self { field: field.into(), wanted: wanted.into() }
    }
}

/// An event and the conversation that it is about.
#[derive(Clone, Debug, PartialEq)]
pub struct Addressed {
    /// The conversation.
    pub conversation: ConversationId,
    /// What was said.
    pub message: Message,
}

/// What the body holds.
pub fn object(body: &[u8]) -> Result<Map<String, Value>, Malformed> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(Malformed::new("body", "must be a JSON object")),
        Err(error) => Err(Malformed::new("body", format!("is not JSON: {error}"))),
    }
}

/// A field of an address, as it was before it was encoded.
pub fn query(query: &str, name: &str) -> Option<String> {
    let mut fields = url::form_urlencoded::parse(query.as_bytes());
    fields.find(|(field, _)| field == name).map(|(_, value)| value.into_owned())
}

/// The id of a conversation or of a dial, if it can be one: what is longer names no workflow.
fn sound_id<'t>(field: &str, id: &'t str) -> Result<&'t str, Malformed> {
    if (1..=200).contains(&id.chars().count()) && !id.chars().any(char::is_control) {
        Ok(id)
    } else {
        Err(Malformed::new(
            field,
            "must have 1 to 200 characters, none of them a control character",
        ))
    }
}

/// A text field; nothing if it is absent, null or blank.
fn text<'v>(
    object: &'v Map<String, Value>,
    path: &str,
    name: &str,
) -> Result<Option<&'v str>, Malformed> {
    match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str()).filter(|text| !text.trim().is_empty())),
        Some(_) => Err(Malformed::new(format!("{path}{name}"), "must be a string")),
    }
}

/// A moment; nothing if it is absent or null.
fn moment(
    object: &Map<String, Value>,
    path: &str,
    name: &str,
) -> Result<Option<DateTime<Utc>>, Malformed> {
    let Some(text) = text(object, path, name)? else { return Ok(None) };
    DateTime::parse_from_rfc3339(text).map(|moment| Some(moment.to_utc())).map_err(|_| {
        let wanted = "must be a time with an offset, as 2025-02-26T15:00:00Z";
        Malformed::new(format!("{path}{name}"), wanted)
    })
}
