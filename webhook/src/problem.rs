//! What a request that can't be taken is told (RFC 9457).

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use tracing::warn;

use crate::Unreachable;
use crate::form::Malformed;
use crate::signature::NotGenuine;

/// Seconds after which a sender should try again when Temporal is away.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("5");

/// Why a request was not taken.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// It is not genuine; the answer is the same whatever was wrong.
    #[error("not genuine")]
    NotGenuine,
    /// It is genuine and can't be read.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// It could not be handed over.
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
}

impl From<NotGenuine> for Problem {
    fn from(_: NotGenuine) -> Self {
        Self::NotGenuine
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        // Which request it was, and what is wrong with it, but never what it says.
        match &self {
            Self::NotGenuine => warn!("Refused a request that is not genuine"),
            Self::Malformed(malformed) => warn!(%malformed, "Refused a request that can't be read"),
            Self::Unreachable(_) => {}
        }
        let (status, title, detail) = match &self {
            Self::NotGenuine => (
                StatusCode::UNAUTHORIZED,
                "Not genuine",
                "The signature or the token is missing, wrong or too old.".to_owned(),
            ),
            Self::Malformed(malformed) => {
                (StatusCode::BAD_REQUEST, "Malformed", malformed.to_string())
            }
            Self::Unreachable(_) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "Try again",
                "The event was not taken. Send it again.".to_owned(),
            ),
        };
        let body = Json(json!({ "title": title, "status": status.as_u16(), "detail": detail }));
        let mut response = (status, body).into_response();
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER);
        }
        response
    }
}
