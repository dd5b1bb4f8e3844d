//! The body of a request, read within limits of size, time and memory.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Bytes, HttpBody as _};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, header};
use http_body_util::BodyExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use crate::App;
use crate::config::LimitConfig;
use crate::problem::Problem;

/// Bytes that all bodies together may take. Whoever sends slowly takes no more than was sent.
const MEMORY: usize = 64 * 1024 * 1024;

/// What bodies are read within.
pub struct Limits {
    max_bytes: usize,
    read_within: Duration,
    memory: Arc<Semaphore>,
}

impl Limits {
    /// By these settings.
    pub fn new(limits: &LimitConfig) -> Self {
        Self {
            max_bytes: limits.max_body_bytes as usize,
            read_within: limits.read_timeout(),
            memory: Arc::new(Semaphore::new(MEMORY)),
        }
    }
}

/// A body as it came, byte by byte.
pub struct Raw {
    bytes: Bytes,
    _memory: Option<OwnedSemaphorePermit>,
}

impl std::ops::Deref for Raw {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl FromRequest<Arc<App>> for Raw {
    type Rejection = Problem;

    /// Nothing is set aside for a length that is only announced.
    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Problem> {
        let limits = &app.bodies;
        let (parts, mut body) = request.into_parts();
        if is_encoded(&parts.headers) {
            return Err(Problem::Encoded);
        }
        if body.size_hint().lower() > limits.max_bytes as u64 {
            return Err(Problem::TooLong(limits.max_bytes));
        }
        let deadline = Instant::now() + limits.read_within;
        let mut whole = Vec::new();
        let mut memory: Option<OwnedSemaphorePermit> = None;
        loop {
            let frame = timeout_at(deadline, body.frame()).await.map_err(|_| Problem::TooSlow)?;
            let Some(frame) = frame else { break };
            // Trailers say nothing that we ask for.
            let Ok(data) = frame.map_err(|_| Problem::BrokenOff)?.into_data() else { continue };
            if whole.len() + data.len() > limits.max_bytes {
                return Err(Problem::TooLong(limits.max_bytes));
            }
            let size = u32::try_from(data.len()).map_err(|_| Problem::Busy)?;
            let more = limits.memory.clone().try_acquire_many_owned(size);
            let more = more.map_err(|_| Problem::Busy)?;
            match &mut memory {
                Some(memory) => memory.merge(more),
                none => *none = Some(more),
            }
            whole.extend_from_slice(&data);
        }
        Ok(Self { bytes: whole.into(), _memory: memory })
    }
}

/// Whether the body is compressed: what is signed is what comes, and nothing is unpacked before the
/// signature is known to hold.
fn is_encoded(headers: &HeaderMap) -> bool {
    let encodings = headers.get_all(header::CONTENT_ENCODING).iter();
    encodings.map(|value| value.as_bytes()).any(|value| !value.eq_ignore_ascii_case(b"identity"))
}
