//! `POST /webhooks/telnyx`: what the carrier says of a call's leg.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use chrono::Utc;
use serde::Deserialize;

use crate::App;
use crate::form::carrier;
use crate::problem::Problem;
use crate::signature::{NotGenuine, telnyx};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Address {
    dial_id: Option<String>,
}

/// Verifies, reads, hands over. Without a public key nothing is genuine.
pub(super) async fn take(
    State(app): State<Arc<App>>,
    Query(address): Query<Address>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    let key = app.telnyx_key.as_ref().ok_or(NotGenuine)?;
    telnyx::verify(key, &headers, &body, Utc::now(), app.tolerance)?;
    match carrier::read(&body, address.dial_id.as_deref())? {
        Some(addressed) => super::hand_over(&app, &addressed).await,
        None => Ok(StatusCode::ACCEPTED),
    }
}
