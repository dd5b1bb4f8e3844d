//! Refusals as responses.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::strict::Refusal;

/// A status and the reason for it.
#[derive(Debug)]
pub struct ApiError {
    status: u16,
    detail: String,
    retry_after: Option<u64>,
}

impl ApiError {
    /// Any refusal.
    pub fn new(status: u16, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), retry_after: None }
    }

    /// The reason.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// 400.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(400, detail)
    }

    /// 401.
    pub fn unauthorized(detail: impl Into<String>) -> Self {
        Self::new(401, detail)
    }

    /// 404.
    pub fn not_found() -> Self {
        Self::new(404, "Not found.")
    }

    /// The same with the whole seconds to wait, as the provider itself gives with a 503.
    pub fn after(self, retry_after: u64) -> Self {
        Self { retry_after: Some(retry_after), ..self }
    }

    /// 429 with the whole seconds to wait.
    pub fn too_many(detail: impl Into<String>, retry_after: u64) -> Self {
        Self { retry_after: Some(retry_after), ..Self::new(429, detail) }
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        Self::bad_request(refusal.0)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = Json(json!({"detail": self.detail}));
        match self.retry_after {
            Some(secs) => (status, [("retry-after", secs.to_string())], body).into_response(),
            None => (status, body).into_response(),
        }
    }
}
