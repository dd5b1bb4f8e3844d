//! `POST /tools/report_outcome`: the agent's tool that reports the outcome of its call.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use bootstrap::token::Purpose;
use chrono::Utc;
use serde_json::json;
use tracing::field::display;
use tracing::{Span, warn};
use workflows::events::{CallEvent, EventMessage};

use super::event::record_ids;
use crate::body::RawBody;
use crate::forward::{EventForwarder, Forwarded};
use crate::payload::agent_report::{AgentReport, read_report};
use crate::payload::{RoutedEvent, parse_object};
use crate::problem::Problem;
use crate::state::AppState;

/// Short, because the callee hears silence until the tool answers.
const REPORT_TIMEOUT: Duration = Duration::from_millis(400);

/// How the agent continues after the tool's answer (documentation of Ultravox, "Tools").
const AGENT_REACTION: HeaderName = HeaderName::from_static("x-ultravox-agent-reaction");
/// Whether the call continues.
const RESPONSE_TYPE: HeaderName = HeaderName::from_static("x-ultravox-response-type");
/// State that the provider sends with the next use of a tool in this call.
const CALL_STATE: HeaderName = HeaderName::from_static("x-ultravox-update-call-state");

/// The tool's answer to the agent.
enum Answer {
    Accepted(AgentReport),
    /// An argument is invalid; the sentence says what to do.
    Rejected(String),
    /// Not forwarded. The answer has no `accepted`, so that the report is recovered from the call's
    /// messages if the agent does not repeat it.
    RetryLater,
    /// The call's workflow has closed; a `LateEvent` workflow amends the record.
    CallOver,
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let (accepted, message) = match &self {
            Self::Accepted(report) => (Some(true), report.answer.as_str()),
            Self::Rejected(reason) => (Some(false), reason.as_str()),
            Self::RetryLater => (
                None,
                "That could not be recorded yet. Continue, and use report_outcome with the same \
                arguments once more before you say goodbye.",
            ),
            Self::CallOver => (Some(true), "This call is over. Use hangUp."),
        };
        let mut body = json!({ "message": message });
        if let Some(accepted) = accepted {
            body["accepted"] = json!(accepted);
        }
        let mut response = Json(body).into_response();
        let headers = response.headers_mut();
        match &self {
            Self::Accepted(report) => {
                headers.insert(AGENT_REACTION, HeaderValue::from_static("speaks-once"));
                let call_state = HeaderValue::from_str(&report.call_state);
                headers.extend(call_state.ok().map(|call_state| (CALL_STATE, call_state)));
            }
            Self::CallOver => {
                headers.insert(RESPONSE_TYPE, HeaderValue::from_static("hang-up"));
            }
            Self::Rejected(_) | Self::RetryLater => {
                headers.insert(AGENT_REACTION, HeaderValue::from_static("speaks"));
            }
        }
        response
    }
}

/// Checks the token, reads the arguments and forwards the report.
pub(super) async fn receive_report(
    State(state): State<Arc<AppState>>,
    headers: HeaderMap,
    body: RawBody,
) -> Result<Response, Problem> {
    let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let dial = authorization
        .and_then(|value| value.strip_prefix("Bearer "))
        .and_then(|token| state.keys.dial_of_token(Purpose::Outcome, token))
        .ok_or(Problem::Unauthorized)?;
    let conversation = dial.conversation().ok_or(Problem::Unauthorized)?;
    Span::current().record("dialId", display(&dial));
    let arguments = parse_object(&body)?;
    // Release its memory before the wait for Temporal.
    drop(body);
    let answer = match read_report(&arguments, state.clock_offset.apply(Utc::now())) {
        Ok(report) => {
            let event = CallEvent::Reported(report.reported.clone());
            let message = EventMessage { dial_id: Some(dial), user_id: None, event };
            let event = RoutedEvent { conversation, message };
            forward_report(&state.forwarder, &event, report).await
        }
        Err(reason) => Answer::Rejected(reason),
    };
    Ok(answer.into_response())
}

async fn forward_report(
    forwarder: &EventForwarder,
    event: &RoutedEvent,
    report: AgentReport,
) -> Answer {
    record_ids(event);
    match forwarder.forward(event, REPORT_TIMEOUT).await {
        Ok(Forwarded::Accepted | Forwarded::Diverted) => Answer::Accepted(report),
        Ok(Forwarded::NoRunningWorkflow) => {
            warn!("The call's workflow has closed: the report is recorded as a late event");
            Answer::CallOver
        }
        Err(_) => Answer::RetryLater,
    }
}
