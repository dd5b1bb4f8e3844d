//! `POST /webhooks/telnyx`: what the carrier says of a call's leg.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use bootstrap::token::Purpose;
use chrono::Utc;
use domain::ids::DialId;

use crate::App;
use crate::body::Raw;
use crate::form::{self, carrier};
use crate::problem::Problem;
use crate::signature::telnyx;

/// Verifies, reads, hands over. Without a public key nothing is genuine. The signature covers the
/// body alone, so the address names the dial by a token.
pub(super) async fn take(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Raw,
) -> Result<StatusCode, Problem> {
    let keys = app.keys.carrier.borrow().clone();
    telnyx::verify(&keys, &headers, &body, Utc::now(), app.tolerance)?;
    let token = form::query(query.as_deref().unwrap_or_default(), "dial");
    let dial = token.map(|token| named(&app, &token)).transpose()?;
    let read = carrier::read(&body, dial)?;
    drop(body);
    match read {
        Some(addressed) => super::hand_over(&app, &addressed).await,
        None => Ok(StatusCode::ACCEPTED),
    }
}

/// The dial of a token that we gave to the carrier.
fn named(app: &App, token: &str) -> Result<DialId, Problem> {
    app.keys.dial(Purpose::Carrier, token).ok_or(Problem::NotGenuine)
}
