//! What a request that can't be taken is told (RFC 9457).

use std::borrow::Cow;

use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use tracing::warn;

use crate::deliver::Undelivered;
use crate::form::Malformed;
use crate::signature::NotGenuine;

/// Seconds after which a sender should try again.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("5");
const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

/// Why a request was not taken. What the status means to a sender stands in `docs/security.md`.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// It is not genuine; the answer is the same whatever was wrong.
    #[error("The signature or the token is missing, wrong or too old.")]
    NotGenuine,
    /// It comes from a network from which nothing is taken.
    #[error("Nothing is taken from this network.")]
    NotFromHere,
    /// Its source sends too many.
    #[error("This address sends too many requests. Send it again later.")]
    TooMany,
    /// Its body is compressed.
    #[error("The body must not be encoded; send it as it is, without Content-Encoding.")]
    Encoded,
    /// Its body is longer than that many bytes.
    #[error("The body must have at most {0} bytes.")]
    TooLong(usize),
    /// Its body did not come in time.
    #[error("The body did not come in time. Send it again.")]
    TooSlow,
    /// Its body ended before its end, or can't be told apart from what follows.
    #[error("The body can't be read to its end. Send it again.")]
    BrokenOff,
    /// It is genuine and can't be read.
    #[error("{0}.")]
    Malformed(#[from] Malformed),
    /// There is too much to do.
    #[error("There is too much to do. Send it again.")]
    Busy,
    /// Temporal did not take it.
    #[error("The event was not taken. Send it again.")]
    Undelivered,
    /// There is nothing at its path.
    #[error("There is nothing here.")]
    NoSuchPath,
    /// Its path takes another method.
    #[error("This path takes another method; see Allow.")]
    NoSuchMethod,
}

impl From<NotGenuine> for Problem {
    fn from(_: NotGenuine) -> Self {
        Self::NotGenuine
    }
}

impl From<Undelivered> for Problem {
    fn from(undelivered: Undelivered) -> Self {
        match undelivered {
            Undelivered::Busy => Self::Busy,
            Undelivered::Unreachable(_) => Self::Undelivered,
        }
    }
}

impl Problem {
    fn status(&self) -> StatusCode {
        match self {
            Self::NotGenuine => StatusCode::UNAUTHORIZED,
            Self::NotFromHere => StatusCode::FORBIDDEN,
            Self::TooMany => StatusCode::TOO_MANY_REQUESTS,
            Self::Encoded => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLong(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::BrokenOff | Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::Busy | Self::Undelivered => StatusCode::SERVICE_UNAVAILABLE,
            Self::NoSuchPath => StatusCode::NOT_FOUND,
            Self::NoSuchMethod => StatusCode::METHOD_NOT_ALLOWED,
        }
    }

    fn title(&self) -> Cow<'static, str> {
        match self {
            Self::NotGenuine => "Not genuine".into(),
            Self::Malformed(_) => "Malformed".into(),
            _ => self.status().canonical_reason().unwrap_or("Not taken").into(),
        }
    }

    /// What the sender should know beside the body.
    fn header(&self) -> Option<(HeaderName, HeaderValue)> {
        match self {
            Self::TooMany | Self::Busy | Self::Undelivered => {
                Some((header::RETRY_AFTER, RETRY_AFTER))
            }
            Self::Encoded => Some((header::ACCEPT_ENCODING, HeaderValue::from_static("identity"))),
            // What is left of the body is not waited for.
            Self::TooLong(_) | Self::TooSlow | Self::BrokenOff => {
                Some((header::CONNECTION, HeaderValue::from_static("close")))
            }
            _ => None,
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut body = json!({
            "title": self.title(),
            "status": self.status().as_u16(),
            "detail": self.to_string(),
        });
        // Who is refused without having been known to be genuine is only counted: see `refusals`.
        if let Self::Malformed(malformed) = &self {
            warn!(%malformed, "Refused a genuine request that can't be read");
            body["field"] = json!(malformed.field);
        }
        let mut response = (self.status(), Json(body)).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, PROBLEM_JSON);
        response.headers_mut().extend(self.header());
        response
    }
}
