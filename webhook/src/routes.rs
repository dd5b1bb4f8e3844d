//! The routes, one file each.

mod health;
mod outcome;
mod report_outcome;
mod telnyx;

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use tracing::info;

use crate::App;
use crate::admission::admit;
use crate::deliver::{Delivered, PATIENT};
use crate::form::Addressed;
use crate::problem::Problem;
use crate::refusals::counted;

/// All routes. Probes of health are not limited by their number, nor by where they come from.
pub(crate) fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/webhooks/outcome", post(outcome::take))
        .route("/webhooks/telnyx", post(telnyx::take))
        .route("/tools/report_outcome", post(report_outcome::take))
        .fallback(async || Problem::NoSuchPath)
        .method_not_allowed_fallback(async || Problem::NoSuchMethod)
        .layer(from_fn_with_state(app.clone(), admit))
        .layer(from_fn_with_state(app.clone(), counted))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .with_state(app)
}

/// Hands a genuine event over: 204 if a workflow has it, 202 if no call that is under way waits
/// for it.
async fn hand_over(app: &App, addressed: &Addressed) -> Result<StatusCode, Problem> {
    let Addressed { conversation, message } = addressed;
    match app.deliver.deliver(conversation, message, PATIENT).await? {
        Delivered::Taken => Ok(StatusCode::NO_CONTENT),
        Delivered::NobodyWaits => {
            info!(conversationId = %conversation, "Webhook concerns no call that is under way");
            Ok(StatusCode::ACCEPTED)
        }
    }
}
