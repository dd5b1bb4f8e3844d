//! `POST /api/calls`.

use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::App;
use super::error::ApiError;
use super::query::Query;
use crate::calls::call_json;
use crate::connection::Connection;
use crate::faults::CreateFault;
use crate::phone::{self, NotPlaced};
use crate::request::StartCall;
use crate::simulator::Simulator;

/// Creates a call, with whatever trouble is set for this request.
pub async fn create(
    State(simulator): App,
    ConnectInfo(connection): ConnectInfo<Connection>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ApiError> {
    let fault = simulator.faults.for_creation();
    if fault != CreateFault::default() {
        tracing::info!("A fault was injected into the creation of a call.");
    }
    if fault.drop_before_accept {
        return Ok(cut(&connection));
    }
    refusal(&fault)?;

    let request = read(query.as_deref(), &headers, &body).inspect_err(|error| {
        simulator.violations.record(format!("POST /api/calls: {}", error.detail()));
    })?;
    let call =
        phone::place(&simulator, request).map_err(|reason| not_placed(&simulator, reason))?;

    // The call is on its way from here on, whether or not the client waits for the answer.
    if let Some(millis) = fault.slow_ms {
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }
    if fault.drop_after_accept {
        return Ok(cut(&connection));
    }
    if let Some(status) = fault.status_after_accept {
        return Err(ApiError::new(status, "a fault was injected"));
    }
    Ok((StatusCode::CREATED, Json(call_json(&call))).into_response())
}

fn cut(connection: &Connection) -> Response {
    connection.cut();
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}

fn refusal(fault: &CreateFault) -> Result<(), ApiError> {
    if let Some(status) = fault.refuse.or(fault.status_before_accept) {
        let refused = ApiError::new(status, "a fault was injected");
        return Err(if status == 503 { refused.after(1) } else { refused });
    }
    match fault.refuse_429 {
        Some(refusal) => Err(ApiError::too_many("a fault was injected", refusal.retry_after)),
        None => Ok(()),
    }
}

/// Checks the request and reads it.
fn read(query: Option<&str>, headers: &HeaderMap, body: &[u8]) -> Result<StartCall, ApiError> {
    let media_type = headers.get(header::CONTENT_TYPE);
    let media_type = media_type.and_then(|value| value.to_str().ok()).unwrap_or_default();
    if media_type.split(';').next().map(str::trim) != Some("application/json") {
        let detail = format!("Unsupported media type \"{media_type}\" in request.");
        return Err(ApiError::new(415, detail));
    }
    let query = Query::parse(query);
    query.flag("enableGreetingPrompt")?;
    if query.get("priorCallId").is_some() {
        return Err(ApiError::new(501, "priorCallId is not simulated"));
    }
    let body = serde_json::from_slice(body)
        .map_err(|error| ApiError::bad_request(format!("JSON parse error: {error}")))?;
    StartCall::parse(&body).map_err(ApiError::from)
}

fn not_placed(simulator: &Simulator, reason: NotPlaced) -> ApiError {
    match reason {
        NotPlaced::Undialable => ApiError::bad_request(reason.to_string()),
        NotPlaced::TooFast { retry_after } => ApiError::too_many(reason.to_string(), retry_after),
        NotPlaced::TooMany => {
            let pause = simulator.clock.real(Duration::from_secs(5));
            ApiError::too_many(reason.to_string(), pause.as_secs().max(1))
        }
    }
}
