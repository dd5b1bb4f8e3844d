//! `POST /api/calls`.

use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::App;
use super::error::ApiError;
use crate::call::call_json;
use crate::connection::Connection;
use crate::faults::{CreateFault, RetryAfter};
use crate::phone::{self, NotCreated};
use crate::schema::StartCall;

const FAULT_DETAIL: &str = "a fault was injected";
/// Simulated time after which a client retries when all lines are in use.
const BUSY_RETRY_DELAY: Duration = Duration::from_secs(5);

/// Creates a call, with the injected fault of this request.
pub async fn create(
    State(simulator): App,
    ConnectInfo(connection): ConnectInfo<Connection>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ApiError> {
    let fault = simulator.faults.take_create_fault();
    if fault.is_some() {
        tracing::info!("Fault injected into a call creation");
    }
    let fault = fault.unwrap_or_default();
    if fault.drop_before_accept {
        return Ok(abort(&connection));
    }
    reject_before_accept(&fault)?;

    let request = parse_request(&headers, &body).inspect_err(|error| {
        simulator.violations.record(format!("POST /api/calls: {}", error.detail()));
    })?;
    let call = phone::create_call(&simulator, request).map_err(|reason| match reason {
        NotCreated::InvalidNumber => ApiError::bad_request(reason),
        NotCreated::TooManyCalls => {
            let delay = simulator.clock.to_real(BUSY_RETRY_DELAY);
            ApiError::too_many_requests(reason.to_string(), delay.as_secs().max(1))
        }
    })?;

    if let Some(millis) = fault.slow_ms {
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }
    if fault.drop_after_accept {
        return Ok(abort(&connection));
    }
    if let Some(status) = fault.status_after_accept {
        return Err(ApiError::new(status_code(status), FAULT_DETAIL));
    }
    Ok((StatusCode::CREATED, Json(call_json(&call))).into_response())
}

fn abort(connection: &Connection) -> Response {
    connection.abort();
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}

fn reject_before_accept(fault: &CreateFault) -> Result<(), ApiError> {
    if let Some(status) = fault.refuse.or(fault.status_before_accept) {
        let error = ApiError::new(status_code(status), FAULT_DETAIL);
        return Err(if status == 503 { error.with_retry_after(1) } else { error });
    }
    match fault.refuse_429 {
        Some(RetryAfter { retry_after }) => {
            Err(ApiError::too_many_requests(FAULT_DETAIL, retry_after))
        }
        None => Ok(()),
    }
}

fn parse_request(headers: &HeaderMap, body: &[u8]) -> Result<StartCall, ApiError> {
    let media_type = headers.get(header::CONTENT_TYPE);
    let media_type = media_type.and_then(|value| value.to_str().ok()).unwrap_or_default();
    if media_type.split(';').next().map(str::trim) != Some("application/json") {
        let detail = format!("Unsupported media type \"{media_type}\" in request.");
        return Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
    }
    StartCall::parse(body).map_err(ApiError::bad_request)
}

fn status_code(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
