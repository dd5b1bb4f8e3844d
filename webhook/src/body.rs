//! Request bodies, read within limits on size, time and memory.

use std::sync::Arc;
use std::time::Duration;

use axum::body::HttpBody as _;
use axum::extract::{FromRef, FromRequest, Request};
use axum::http::{HeaderMap, header};
use http_body_util::BodyExt as _;
use tokio::time::{Instant, timeout_at};

use crate::config::LimitConfig;
use crate::per_source_limit::{PerSourceLimit, Permit};
use crate::problem::Problem;
use crate::source::Source;

/// Bytes that all bodies together may use. Bytes count once they arrive, so that slow clients don't
/// reserve memory.
const MAX_MEMORY_BYTES: usize = 64 * 1024 * 1024;
const MAX_MEMORY_BYTES_PER_SOURCE: usize = MAX_MEMORY_BYTES / 8;

#[derive(Clone)]
pub(crate) struct BodyLimits {
    max_bytes: usize,
    read_timeout: Duration,
    memory: Arc<PerSourceLimit>,
}

impl BodyLimits {
    pub fn new(limits: &LimitConfig) -> Self {
        Self {
            max_bytes: limits.max_body_bytes as usize,
            read_timeout: limits.read_timeout(),
            memory: PerSourceLimit::new(MAX_MEMORY_BYTES, MAX_MEMORY_BYTES_PER_SOURCE),
        }
    }
}

/// A body, byte for byte as received: signatures cover these bytes.
pub(crate) struct RawBody {
    bytes: Vec<u8>,
    _memory: Permit,
}

impl std::ops::Deref for RawBody {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl<S: Send + Sync> FromRequest<S> for RawBody
where
    BodyLimits: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let limits = BodyLimits::from_ref(state);
        let (parts, mut body) = request.into_parts();
        if is_encoded(&parts.headers) {
            return Err(Problem::EncodedBody);
        }
        if body.size_hint().lower() > limits.max_bytes as u64 {
            return Err(Problem::BodyTooLarge(limits.max_bytes));
        }
        let deadline = Instant::now() + limits.read_timeout;
        // No allocation for an announced length.
        let mut bytes = Vec::new();
        let mut memory = limits.memory.permit(parts.extensions.get::<Source>().copied());
        loop {
            let frame =
                timeout_at(deadline, body.frame()).await.map_err(|_| Problem::BodyTimeout)?;
            let Some(frame) = frame else { break };
            // Trailers are ignored.
            let Ok(data) = frame.map_err(|_| Problem::IncompleteBody)?.into_data() else {
                continue;
            };
            if bytes.len() + data.len() > limits.max_bytes {
                return Err(Problem::BodyTooLarge(limits.max_bytes));
            }
            memory.acquire(data.len()).map_err(|_| Problem::Overloaded)?;
            bytes.extend_from_slice(&data);
        }
        Ok(Self { bytes, _memory: memory })
    }
}

/// Whether the body is compressed. The signature covers the bytes as sent, and nothing is
/// decompressed before the signature is verified.
fn is_encoded(headers: &HeaderMap) -> bool {
    let encodings = headers.get_all(header::CONTENT_ENCODING).iter();
    encodings.map(|value| value.as_bytes()).any(|value| !value.eq_ignore_ascii_case(b"identity"))
}
