//! The routes, one file per path.

mod event;
mod health;
mod outcome;
mod report_outcome;
mod telnyx;

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use axum::routing::{get, post};
use tracing::field::Empty;
use tracing::{Instrument as _, error_span};

use crate::problem::Problem;
use crate::rate_limit::{RateLimit, limit_requests};
use crate::rejection_counts::{RejectionCounts, count_rejections};
use crate::state::AppState;

/// All routes. Health checks are neither limited nor counted.
pub(crate) fn router(
    state: Arc<AppState>,
    rate_limit: Arc<RateLimit>,
    rejections: Arc<RejectionCounts>,
) -> Router {
    Router::new()
        .route("/webhooks/outcome", post(outcome::receive_event))
        .route("/webhooks/telnyx", post(telnyx::receive_event))
        .route("/tools/report_outcome", post(report_outcome::receive_report))
        .fallback(async || Problem::NotFound)
        .method_not_allowed_fallback(async || Problem::MethodNotAllowed)
        .layer(from_fn(open_span))
        .layer(from_fn_with_state(rate_limit, limit_requests))
        .layer(from_fn_with_state(rejections, count_rejections))
        .route("/healthz", get(health::is_alive))
        .route("/readyz", get(health::is_ready))
        .with_state(state)
}

/// Middleware with one span per request. Handlers record the ids once they are authenticated. The level ERROR keeps the ids
/// under every log filter.
async fn open_span(request: Request, next: Next) -> Response {
    let span = error_span!(
        "request",
        path = request.uri().path(),
        userId = Empty,
        conversationId = Empty,
        dialId = Empty
    );
    next.run(request).instrument(span).await
}
