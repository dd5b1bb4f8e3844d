//! Types of JSON fields. An absent field and null are `None`; errors never repeat the value.

use chrono::{DateTime, Utc};
use domain::status::Outcome;
use serde::Deserialize;
use serde::de::{IntoDeserializer as _, value};
use serde_json::Value;

/// The longest talk time that is accepted, in seconds: one day.
const MAX_TALK_SECS: f64 = 86_400.0;

/// A string; a blank one is `None`.
#[derive(Deserialize)]
#[serde(try_from = "Option<Value>")]
pub(super) struct Text(pub Option<String>);

/// A string, or `None` for any other type.
#[derive(Deserialize)]
#[serde(from = "Option<Value>")]
pub(super) struct LenientText(pub Option<String>);

/// A time with an offset (RFC 3339).
#[derive(Deserialize)]
#[serde(try_from = "Option<Value>")]
pub(super) struct Timestamp(pub Option<DateTime<Utc>>);

/// Seconds of talk; a started second counts as a whole one.
#[derive(Deserialize)]
#[serde(try_from = "Option<Value>")]
pub(super) struct TalkSecs(pub Option<i64>);

/// The name of an outcome.
#[derive(Deserialize)]
#[serde(try_from = "Option<Value>")]
pub(super) struct OutcomeName(pub Option<Outcome>);

impl LenientText {
    pub(super) fn trimmed(&self) -> Option<&str> {
        self.0.as_deref().map(str::trim)
    }
}

impl TryFrom<Option<Value>> for Text {
    type Error = &'static str;

    fn try_from(value: Option<Value>) -> Result<Self, Self::Error> {
        match value {
            None => Ok(Self(None)),
            Some(Value::String(text)) => {
                Ok(Self(Some(text).filter(|text| !text.trim().is_empty())))
            }
            Some(_) => Err("must be a string"),
        }
    }
}

impl From<Option<Value>> for LenientText {
    fn from(value: Option<Value>) -> Self {
        match value {
            Some(Value::String(text)) => Self(Some(text)),
            _ => Self(None),
        }
    }
}

impl TryFrom<Option<Value>> for Timestamp {
    type Error = &'static str;

    fn try_from(value: Option<Value>) -> Result<Self, Self::Error> {
        let Some(text) = Text::try_from(value)?.0 else { return Ok(Self(None)) };
        match DateTime::parse_from_rfc3339(&text) {
            Ok(time) => Ok(Self(Some(time.to_utc()))),
            Err(_) => Err("must be a time with an offset, such as 2025-02-26T15:00:00Z"),
        }
    }
}

impl TryFrom<Option<Value>> for TalkSecs {
    type Error = &'static str;

    fn try_from(value: Option<Value>) -> Result<Self, Self::Error> {
        let Some(value) = value else { return Ok(Self(None)) };
        match value.as_f64() {
            Some(secs) if (0.0..=MAX_TALK_SECS).contains(&secs) => {
                Ok(Self(Some(secs.ceil() as i64)))
            }
            _ => Err("must be seconds, from 0 to 86400"),
        }
    }
}

impl TryFrom<Option<Value>> for OutcomeName {
    type Error = String;

    fn try_from(value: Option<Value>) -> Result<Self, Self::Error> {
        let Some(text) = Text::try_from(value)?.0 else { return Ok(Self(None)) };
        let outcome = Outcome::deserialize(text.into_deserializer());
        outcome.map(|outcome| Self(Some(outcome))).map_err(|error: value::Error| error.to_string())
    }
}
