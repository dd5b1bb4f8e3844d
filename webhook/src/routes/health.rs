//! `GET /healthz` and `GET /readyz`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;

use crate::state::AppState;

pub(super) async fn is_alive() -> StatusCode {
    StatusCode::OK
}

/// Ready means that events can be forwarded. Secrets need no check: the server does not start
/// without them.
pub(super) async fn is_ready(State(state): State<Arc<AppState>>) -> (StatusCode, String) {
    match state.health.unready_reason() {
        None => (StatusCode::OK, "ready\n".to_owned()),
        Some(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")),
    }
}
