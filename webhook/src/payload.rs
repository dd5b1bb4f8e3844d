//! The payloads in which events arrive. They are parsed only after the signature is verified.

pub mod agent_report;
pub mod carrier;
mod fields;
pub mod provider;
pub mod user_webhook;

use domain::ids::ConversationId;
use domain::text::{repair_json, replace_nul};
use serde::Deserialize;
use serde_json::{Map, Value};
use workflows::events::EventMessage;

/// An authenticated request whose payload is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {wanted}")]
pub struct Malformed {
    /// Path of the field, such as `outcome.type`.
    pub field: String,
    /// What the field must be. Never contains the value, which may be private.
    pub wanted: String,
}

impl Malformed {
    fn new(field: impl Into<String>, wanted: impl Into<String>) -> Self {
        Self { field: field.into(), wanted: wanted.into() }
    }
}

/// An event and the conversation whose workflow receives it.
#[derive(Clone, Debug, PartialEq)]
pub struct RoutedEvent {
    pub conversation: ConversationId,
    pub message: EventMessage,
}

/// Parses a body that must be a JSON object. If a key is repeated, the last value counts. What can't
/// be stored of a text, such as half an emoji, becomes U+FFFD: the rest of the event matters.
pub fn parse_object(body: &[u8]) -> Result<Map<String, Value>, Malformed> {
    match serde_json::from_str(&repair_json(without_mark(body))) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(Malformed::new("body", "must be a JSON object")),
        Err(error) => Err(Malformed::new("body", format!("is not JSON: {error}"))),
    }
}

/// The text after a byte order mark, which some senders write.
fn without_mark(body: &[u8]) -> &[u8] {
    body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body)
}

/// A decoded parameter of a query string.
pub fn query_parameter(query: &str, name: &str) -> Option<String> {
    let mut fields = url::form_urlencoded::parse(query.as_bytes());
    fields.find(|(field, _)| field == name).map(|(_, value)| replace_nul(&value).into_owned())
}

/// An object of a payload.
struct JsonObject<'v> {
    fields: &'v Map<String, Value>,
    /// The path of each field up to its name: empty or such as `call.`.
    prefix: String,
}

impl<'v> JsonObject<'v> {
    fn root(fields: &'v Map<String, Value>) -> Self {
        Self { fields, prefix: String::new() }
    }

    /// A nested object, or `None` if it is absent or null.
    fn object(&self, name: &str) -> Result<Option<JsonObject<'v>>, Malformed> {
        let path = format!("{}{name}", self.prefix);
        match self.fields.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Object(fields)) => Ok(Some(Self { fields, prefix: path + "." })),
            Some(_) => Err(Malformed::new(path, "must be an object")),
        }
    }

    /// Reads the fields of `T` and ignores all others. `T` is chosen by the kind of the event, so
    /// that only the fields of that kind are validated.
    fn read<T: Deserialize<'v>>(&self) -> Result<T, Malformed> {
        serde_path_to_error::deserialize(self.fields).map_err(|error| {
            let reason = error.inner().to_string();
            // serde's "unknown variant …, expected …" repeats the value.
            let wanted = match reason.rsplit_once(", expected ") {
                Some((_, expected)) => format!("must be {expected}"),
                None => reason,
            };
            Malformed::new(format!("{}{}", self.prefix, error.path()), wanted)
        })
    }
}

fn required<T>(value: Option<T>, field: &str) -> Result<T, Malformed> {
    value.ok_or_else(|| Malformed::new(field, "is missing"))
}

/// The maximum length of an id in characters. A longer one can't name a workflow.
const MAX_ID_CHARS: usize = 200;

/// Checks an id: ours, or one of provider or carrier. A repaired id is the id of nothing.
fn validate_id(field: &str, id: String) -> Result<String, Malformed> {
    let is_readable = |c: char| !c.is_control() && c != char::REPLACEMENT_CHARACTER;
    if (1..=MAX_ID_CHARS).contains(&id.chars().count()) && id.chars().all(is_readable) {
        Ok(id)
    } else {
        Err(Malformed::new(field, "must have 1 to 200 characters and no control characters"))
    }
}
