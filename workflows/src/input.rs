//! Inputs of workflows and signals that people may write.
//!
//! The SDK decodes an input before the workflow's code runs, and retries what it can't decode for ever: the workflow is
//! stuck. An [`Input`] is decoded by the workflow, which then decides what to do.

use serde::Serialize;
use serde::de::DeserializeOwned;
use temporalio_workflow::WorkflowTermination;
use temporalio_workflow::common::data_converters::{
    PayloadConversionError, SerializationContext, TemporalDeserializable, TemporalSerializable,
};
use temporalio_workflow::common::error::ApplicationFailure;
use temporalio_workflow::common::protos::temporal::api::common::v1::Payload;

use domain::text::repair_json;

/// The key of the encoding in the metadata of a payload, and its values.
const ENCODING: &str = "encoding";
const JSON: &str = "json/plain";
const NULL: &str = "binary/null";

/// An input as it was received.
#[derive(Clone, Debug)]
pub struct Input<T>(Result<T, InvalidInput>);

/// Why an input can't be read, as a clause that follows the name of what it is the input of.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidInput(String);

impl<T> Input<T> {
    pub fn into_result(self) -> Result<T, InvalidInput> {
        self.0
    }
}

impl<T: Clone> Input<T> {
    /// Returns the input of a workflow.
    ///
    /// # Errors
    ///
    /// It can't be read: the workflow must fail, since a repetition changes nothing.
    pub fn get(&self) -> Result<T, WorkflowTermination> {
        self.0.clone().map_err(InvalidInput::into_termination)
    }
}

impl InvalidInput {
    /// The failure of a workflow with this input.
    pub fn into_termination(self) -> WorkflowTermination {
        let failure = ApplicationFailure::builder(format!("the workflow {self}"));
        failure.type_name("InvalidInput".to_owned()).non_retryable(true).build().into()
    }
}

impl<T> From<T> for Input<T> {
    fn from(value: T) -> Self {
        Self(Ok(value))
    }
}

impl<T: Serialize> TemporalSerializable for Input<T> {
    fn to_payload(
        &self,
        _ctx: &SerializationContext<'_>,
    ) -> Result<Payload, PayloadConversionError> {
        let value = self.0.as_ref().map_err(|error| encoding_error(error.clone()))?;
        let data = serde_json::to_vec(value).map_err(encoding_error)?;
        let metadata = [(ENCODING.to_owned(), JSON.as_bytes().to_vec())].into();
        Ok(Payload { metadata, data, ..Payload::default() })
    }
}

impl<T: DeserializeOwned> TemporalDeserializable for Input<T> {
    fn from_payloads(
        _ctx: &SerializationContext<'_>,
        payloads: Vec<Payload>,
    ) -> Result<Self, PayloadConversionError> {
        Ok(Self(decode(&payloads).map_err(InvalidInput)))
    }
}

/// Decodes an input of one JSON value. What can't be kept of a text is replaced, as in webhooks.
fn decode<T: DeserializeOwned>(payloads: &[Payload]) -> Result<T, String> {
    let [payload] = payloads else {
        return Err(format!("needs one input, but has {}", payloads.len()));
    };
    let encoding = payload.metadata.get(ENCODING).map(|text| String::from_utf8_lossy(text));
    let text = match encoding.as_deref() {
        Some(JSON) => repair_json(&payload.data),
        Some(NULL) => "null".into(),
        other => {
            let other = other.unwrap_or("none");
            return Err(format!("needs an input with the encoding {JSON}, not {other}"));
        }
    };
    serde_json::from_str(&text).map_err(|error| format!("has an input that can't be read: {error}"))
}

fn encoding_error(error: impl std::error::Error + Send + Sync + 'static) -> PayloadConversionError {
    PayloadConversionError::EncodingError(Box::new(error))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn payload(encoding: &str, data: &[u8]) -> Payload {
        let metadata = [(ENCODING.to_owned(), encoding.as_bytes().to_vec())].into();
        Payload { metadata, data: data.to_vec(), ..Payload::default() }
    }

    #[test]
    fn one_json_value_is_read_and_repaired() {
        assert_eq!(decode::<Value>(&[payload(JSON, br#"{"a": 1}"#)]), Ok(json!({"a": 1})));
        assert_eq!(decode::<Value>(&[payload(JSON, br#""\ud83d""#)]), Ok(json!("\u{fffd}")));
        assert_eq!(decode::<Value>(&[payload(NULL, b"")]), Ok(Value::Null));
    }

    #[test]
    fn anything_else_is_described() {
        let json = || payload(JSON, b"1");
        for (payloads, word) in [
            (vec![], "has 0"),
            (vec![json(), json()], "has 2"),
            (vec![payload("binary/plain", b"abc")], "not binary/plain"),
            (vec![payload("json/protobuf", b"{}")], "not json/protobuf"),
            (vec![Payload::default()], "not none"),
            (vec![payload(JSON, br#"{"a":1e999}"#)], "can't be read"),
            (vec![payload(JSON, b"{")], "can't be read"),
            (vec![payload(JSON, b"\xff")], "can't be read"),
        ] {
            let error = decode::<Value>(&payloads).unwrap_err();
            assert!(error.contains(word), "{error}");
        }
    }
}
