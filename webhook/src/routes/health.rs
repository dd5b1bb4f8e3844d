//! `GET /healthz` and `GET /readyz`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;

use crate::App;

/// The process is alive.
pub(super) async fn alive() -> StatusCode {
    StatusCode::OK
}

/// Events can be handed over.
pub(super) async fn ready(State(app): State<Arc<App>>) -> (StatusCode, &'static str) {
    if app.deliver.is_ready().await {
        (StatusCode::OK, "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "Temporal can't be reached\n")
    }
}
