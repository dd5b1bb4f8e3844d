//! `POST /api/calls/{id}/send_data_message`.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;

use super::App;
use super::calls::CallInPath;
use super::error::ApiError;
use crate::call::Command;
use crate::schema::{DataMessage, parse_json};

/// Sends a message to the agent of a joined call.
pub async fn send(
    State(simulator): App,
    CallInPath(call): CallInPath,
    body: Bytes,
) -> Result<StatusCode, ApiError> {
    let DataMessage::HangUp { message } = parse_json(&body).map_err(|error| {
        simulator.violations.record(format!("send_data_message: {error}"));
        ApiError::bad_request(error)
    })?;
    if !call.progress().is_talking() {
        let detail = "the call is not joined or has ended";
        return Err(ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, detail));
    }
    // An error means that the call has just ended.
    let _ = call.commands.send(Command::AgentHangUp { message });
    Ok(StatusCode::NO_CONTENT)
}
