//! Types of JSON fields. An absent field and null are `None`; errors never repeat the value.

use std::fmt;
use std::marker::PhantomData;

use chrono::{DateTime, Utc};
use domain::status::Outcome;
use serde::de::value::MapAccessDeserializer;
use serde::de::{IntoDeserializer as _, MapAccess, Visitor, value};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// The longest talk time that is accepted, in seconds: one day.
const MAX_TALK_SECS: f64 = 86_400.0;

/// A string; a blank one is `None`.
#[derive(Default, Deserialize)]
#[serde(try_from = "Value")]
pub(super) struct Text(pub Option<String>);

/// A string, or `None` for any other type.
#[derive(Default, Deserialize)]
#[serde(from = "Value")]
pub(super) struct LenientText(pub Option<String>);

/// A time with an offset (RFC 3339).
#[derive(Default, Deserialize)]
#[serde(try_from = "Value")]
pub(super) struct Timestamp(pub Option<DateTime<Utc>>);

/// Seconds of talk; a started second counts as a whole one.
#[derive(Default, Deserialize)]
#[serde(try_from = "Value")]
pub(super) struct TalkSecs(pub Option<i64>);

/// The name of an outcome.
#[derive(Default, Deserialize)]
#[serde(try_from = "Value")]
pub(super) struct OutcomeName(pub Option<Outcome>);

/// A nested object. A derived `Deserialize` of `T` would also accept an array.
pub(super) struct Object<T>(pub Option<T>);

impl LenientText {
    pub(super) fn trimmed(&self) -> Option<&str> {
        self.0.as_deref().map(str::trim)
    }
}

impl TryFrom<Value> for Text {
    type Error = &'static str;

    fn try_from(value: Value) -> Result<Self, Self::Error> {
        match value {
            Value::Null => Ok(Self(None)),
            Value::String(text) => Ok(Self(Some(text).filter(|text| !text.trim().is_empty()))),
            _ => Err("must be a string"),
        }
    }
}

impl From<Value> for LenientText {
    fn from(value: Value) -> Self {
        match value {
            Value::String(text) => Self(Some(text)),
            _ => Self(None),
        }
    }
}

impl TryFrom<Value> for Timestamp {
    type Error = &'static str;

    fn try_from(value: Value) -> Result<Self, Self::Error> {
        let Some(text) = Text::try_from(value)?.0 else { return Ok(Self(None)) };
        match DateTime::parse_from_rfc3339(&text) {
            Ok(time) => Ok(Self(Some(time.to_utc()))),
            Err(_) => Err("must be a time with an offset, such as 2025-02-26T15:00:00Z"),
        }
    }
}

impl TryFrom<Value> for TalkSecs {
    type Error = &'static str;

    fn try_from(value: Value) -> Result<Self, Self::Error> {
        match value.as_f64() {
            Some(secs) if (0.0..=MAX_TALK_SECS).contains(&secs) => {
                Ok(Self(Some(secs.ceil() as i64)))
            }
            None if value.is_null() => Ok(Self(None)),
            _ => Err("must be seconds, from 0 to 86400"),
        }
    }
}

impl TryFrom<Value> for OutcomeName {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, Self::Error> {
        let Some(text) = Text::try_from(value)?.0 else { return Ok(Self(None)) };
        let outcome = Outcome::deserialize(text.into_deserializer());
        outcome.map(|outcome| Self(Some(outcome))).map_err(|error: value::Error| error.to_string())
    }
}

impl<T> Default for Object<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ObjectVisitor(PhantomData)).map(Self)
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Some)
    }
}
