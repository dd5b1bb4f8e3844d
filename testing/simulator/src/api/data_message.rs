//! `POST /api/calls/{id}/send_data_message`.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde_json::{Map, Value};

use super::App;
use super::calls::find;
use super::error::ApiError;
use crate::calls::Control;
use crate::strict::{self, Shape};

/// Steers a call that is joined and not over.
pub async fn send(
    State(simulator): App,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<StatusCode, ApiError> {
    let call = find(&simulator, &id)?;
    let control = read(&body).inspect_err(|_| {
        simulator.violations.record("send_data_message: the message is malformed");
    })?;
    if !call.progress().is_talking() {
        return Err(ApiError::new(422, "the call has no session: not joined yet, or over"));
    }
    // The call may end at this very moment; then there is nobody left to tell.
    let _ = call.control.send(control);
    Ok(StatusCode::NO_CONTENT)
}

fn read(body: &[u8]) -> Result<Control, ApiError> {
    let body: Value = serde_json::from_slice(body)
        .map_err(|error| ApiError::bad_request(format!("JSON parse error: {error}")))?;
    let text = |message: &Map<String, Value>, name: &str| {
        let value = message.get(name).and_then(Value::as_str);
        value.unwrap_or_default().to_owned()
    };
    let checked = |shape: &Shape| strict::read(shape, &body).map_err(ApiError::from);
    match body.get("type").and_then(Value::as_str) {
        Some("hang_up") => {
            let message = checked(&strict::HANG_UP)?;
            Ok(Control::AgentHangUp(text(&message, "message")))
        }
        Some("user_text_message") => {
            let message = checked(&strict::USER_TEXT_MESSAGE)?;
            if !message.contains_key("text") {
                return Err(ApiError::bad_request("user_text_message needs a text"));
            }
            Ok(Control::UserText(text(&message, "text")))
        }
        Some("forced_agent_message") => {
            let message = checked(&strict::FORCED_AGENT_MESSAGE)?;
            Ok(Control::AgentText(text(&message, "content")))
        }
        Some(other) => Err(ApiError::bad_request(format!(
            "data messages of type \"{other}\" can't be sent here"
        ))),
        None => Err(ApiError::bad_request("a data message needs a type")),
    }
}
