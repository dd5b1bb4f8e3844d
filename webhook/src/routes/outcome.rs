//! `POST /webhooks/outcome`: what the provider or a client's system says of a call.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use chrono::Utc;
use serde::Deserialize;
use tracing::info;

use crate::App;
use crate::form::{self, plain, provider};
use crate::problem::Problem;
use crate::signature::ultravox;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Address {
    conversation_id: Option<String>,
}

/// Verifies, reads, hands over, answers: 204 if a workflow has it, 202 if it is genuine and
/// concerns no call that is under way.
pub(super) async fn take(
    State(app): State<Arc<App>>,
    Query(address): Query<Address>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    // The server starts without secrets only where unsigned webhooks are allowed.
    if !app.secrets.is_empty() {
        ultravox::verify(&app.secrets, &headers, &body, Utc::now(), app.tolerance)?;
    }
    let body = form::object(&body)?;
    let addressed = if body.contains_key("event") {
        provider::read(&body)?
    } else {
        Some(plain::read(&body, address.conversation_id.as_deref())?)
    };
    let Some(addressed) = addressed else {
        info!("Webhook concerns no call of ours");
        return Ok(StatusCode::ACCEPTED);
    };
    super::hand_over(&app, &addressed).await
}
