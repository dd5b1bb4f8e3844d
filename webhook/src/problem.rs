//! Error responses as `application/problem+json` (RFC 9457).

use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use tracing::warn;

use crate::forward::ForwardError;
use crate::payload::Malformed;
use crate::signature::InvalidSignature;

/// Seconds after which a client should retry.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("5");
const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

/// Why a request was rejected. `docs/security.md` explains the statuses to senders.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Problem {
    /// Does not say what was wrong, so that attackers learn nothing.
    #[error("The signature or token is missing, invalid or expired.")]
    Unauthorized,
    #[error("Requests from this network are not allowed.")]
    Forbidden,
    #[error("Too many requests from this address; retry later.")]
    RateLimited,
    #[error("The body must not be encoded; send it without Content-Encoding.")]
    EncodedBody,
    #[error("The body must have at most {0} bytes.")]
    BodyTooLarge(usize),
    #[error("The body did not arrive in time; retry.")]
    BodyTimeout,
    #[error("The body is incomplete; retry.")]
    IncompleteBody,
    #[error("{0}.")]
    Malformed(#[from] Malformed),
    #[error("Overloaded; retry later.")]
    Overloaded,
    #[error("The event could not be delivered; retry later.")]
    NotDelivered,
    #[error("No resource has this path.")]
    NotFound,
    #[error("This path does not support the method; see Allow.")]
    MethodNotAllowed,
}

impl From<InvalidSignature> for Problem {
    fn from(_: InvalidSignature) -> Self {
        Self::Unauthorized
    }
}

impl From<ForwardError> for Problem {
    fn from(error: ForwardError) -> Self {
        match error {
            ForwardError::Overloaded => Self::Overloaded,
            _ => Self::NotDelivered,
        }
    }
}

impl Problem {
    fn status(&self) -> StatusCode {
        match self {
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            Self::EncodedBody => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::BodyTooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::IncompleteBody | Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::Overloaded | Self::NotDelivered => StatusCode::SERVICE_UNAVAILABLE,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        }
    }

    fn header(&self) -> Option<(HeaderName, HeaderValue)> {
        match self {
            Self::RateLimited | Self::Overloaded | Self::NotDelivered => {
                Some((header::RETRY_AFTER, RETRY_AFTER))
            }
            Self::EncodedBody => {
                Some((header::ACCEPT_ENCODING, HeaderValue::from_static("identity")))
            }
            // The rest of the body is not read.
            Self::BodyTooLarge(_) | Self::BodyTimeout | Self::IncompleteBody => {
                Some((header::CONNECTION, HeaderValue::from_static("close")))
            }
            _ => None,
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status();
        let mut body = json!({
            "title": status.canonical_reason(),
            "status": status.as_u16(),
            "detail": self.to_string(),
        });
        // Other problems can be caused by anyone, so they are only counted (`rejection_counts`).
        if let Self::Malformed(malformed) = &self {
            warn!(%malformed, "Authenticated request rejected: malformed payload");
            body["field"] = json!(malformed.field);
        }
        let mut response = (status, Json(body)).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, PROBLEM_JSON);
        response.headers_mut().extend(self.header());
        response
    }
}
