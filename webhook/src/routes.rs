//! The routes, one file each.

mod health;
mod outcome;
mod report_outcome;
mod telnyx;

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};
use tracing::info;

use crate::form::Addressed;
use crate::problem::Problem;
use crate::{App, Delivered};

pub(crate) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/webhooks/outcome", post(outcome::take))
        .route("/webhooks/telnyx", post(telnyx::take))
        .route("/tools/report_outcome", post(report_outcome::take))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
}

/// Hands a genuine event over: 204 if a workflow has it, 202 if no call that is under way waits
/// for it.
async fn hand_over(app: &App, addressed: &Addressed) -> Result<StatusCode, Problem> {
    match app.deliver.deliver(&addressed.conversation, &addressed.message).await? {
        Delivered::Taken => Ok(StatusCode::NO_CONTENT),
        Delivered::NobodyWaits => {
            let conversation = &addressed.conversation;
            info!(conversationId = %conversation, "Webhook concerns no call that is under way");
            Ok(StatusCode::ACCEPTED)
        }
    }
}
