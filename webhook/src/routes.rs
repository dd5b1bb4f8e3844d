//! The routes, one file each.

mod health;
mod outcome;
mod report_outcome;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

use crate::App;

pub(crate) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/webhooks/outcome", post(outcome::take))
        .route("/tools/report_outcome", post(report_outcome::take))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
}
