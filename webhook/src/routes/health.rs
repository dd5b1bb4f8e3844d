//! `GET /healthz` and `GET /readyz`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;

use crate::App;

/// The process is alive.
pub(super) async fn alive() -> StatusCode {
    StatusCode::OK
}

/// Events can be handed over. Secrets are there: without them the server does not start.
pub(super) async fn ready(State(app): State<Arc<App>>) -> (StatusCode, String) {
    match app.health.trouble() {
        None => (StatusCode::OK, "ready\n".to_owned()),
        Some(trouble) => (StatusCode::SERVICE_UNAVAILABLE, format!("{trouble}\n")),
    }
}
