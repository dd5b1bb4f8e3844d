//! The body of a request, read within limits of size, time and memory.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Bytes, HttpBody as _};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, header};
use http_body_util::BodyExt as _;
use tokio::time::{Instant, timeout_at};

use crate::App;
use crate::config::LimitConfig;
use crate::problem::Problem;
use crate::source::Source;

/// Bytes that all bodies together may take while they come. Whoever sends slowly takes no more than
/// was sent.
const MEMORY: usize = 64 * 1024 * 1024;
/// Bytes of it that one source may take, so that no single one can have all.
const MEMORY_OF_ONE: usize = MEMORY / 8;

/// What bodies are read within.
pub struct Limits {
    max_bytes: usize,
    read_within: Duration,
    memory: Arc<Mutex<Memory>>,
}

/// What bodies take.
#[derive(Default)]
struct Memory {
    in_all: usize,
    by_source: HashMap<Source, usize>,
}

/// What one body takes, given back when it is dropped.
struct Share {
    memory: Arc<Mutex<Memory>>,
    source: Source,
    bytes: usize,
}

impl Limits {
    /// By these settings.
    pub fn new(limits: &LimitConfig) -> Self {
        Self {
            max_bytes: limits.max_body_bytes as usize,
            read_within: limits.read_timeout(),
            memory: Arc::default(),
        }
    }
}

/// A body as it came, byte by byte.
pub struct Raw {
    bytes: Bytes,
    _share: Share,
}

impl Share {
    /// Takes more, unless there is none left.
    fn grow(&mut self, bytes: usize) -> Result<(), Problem> {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let of_one = memory.by_source.get(&self.source).copied().unwrap_or_default();
        if memory.in_all + bytes > MEMORY || of_one + bytes > MEMORY_OF_ONE {
            return Err(Problem::Busy);
        }
        memory.in_all += bytes;
        memory.by_source.insert(self.source, of_one + bytes);
        self.bytes += bytes;
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        memory.in_all -= self.bytes;
        if let Some(of_one) = memory.by_source.get_mut(&self.source) {
            *of_one -= self.bytes;
            if *of_one == 0 {
                memory.by_source.remove(&self.source);
            }
        }
    }
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
        let source = parts.extensions.get::<Source>().copied().ok_or(Problem::Busy)?;
        if is_encoded(&parts.headers) {
            return Err(Problem::Encoded);
        }
        if body.size_hint().lower() > limits.max_bytes as u64 {
            return Err(Problem::TooLong(limits.max_bytes));
        }
        let deadline = Instant::now() + limits.read_within;
        let mut whole = Vec::new();
        let mut share = Share { memory: limits.memory.clone(), source, bytes: 0 };
        loop {
            let frame = timeout_at(deadline, body.frame()).await.map_err(|_| Problem::TooSlow)?;
            let Some(frame) = frame else { break };
            // Trailers say nothing that we ask for.
            let Ok(data) = frame.map_err(|_| Problem::BrokenOff)?.into_data() else { continue };
            if whole.len() + data.len() > limits.max_bytes {
                return Err(Problem::TooLong(limits.max_bytes));
            }
            share.grow(data.len())?;
            whole.extend_from_slice(&data);
        }
        Ok(Self { bytes: whole.into(), _share: share })
    }
}

/// Whether the body is compressed: what is signed is what comes, and nothing is unpacked before the
/// signature is known to hold.
fn is_encoded(headers: &HeaderMap) -> bool {
    let encodings = headers.get_all(header::CONTENT_ENCODING).iter();
    encodings.map(|value| value.as_bytes()).any(|value| !value.eq_ignore_ascii_case(b"identity"))
}
