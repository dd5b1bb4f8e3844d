//! `POST /webhooks/telnyx`: events of the carrier.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use bootstrap::token::Purpose;
use chrono::Utc;

use super::event::forward_event;
use crate::body::RawBody;
use crate::payload::{carrier, query_parameter};
use crate::problem::Problem;
use crate::signature::telnyx;
use crate::state::AppState;

/// Verifies, parses and forwards an event. The signature does not cover the query string, so the
/// dial is a token there.
pub(super) async fn receive_event(
    State(state): State<Arc<AppState>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: RawBody,
) -> Result<StatusCode, Problem> {
    let keys = state.keys.carrier_keys.borrow().clone();
    telnyx::verify(&keys, &headers, &body, Utc::now(), state.signature_tolerance)?;
    let dial = match query_parameter(query.as_deref().unwrap_or_default(), "dial") {
        None => None,
        Some(token) => {
            let dial = state.keys.dial_of_token(Purpose::Carrier, &token);
            Some(dial.ok_or(Problem::Unauthorized)?)
        }
    };
    let event = carrier::read_event(&body, dial)?;
    // Release its memory before the wait for Temporal.
    drop(body);
    match event {
        Some(event) => forward_event(&state.forwarder, &event).await,
        None => Ok(StatusCode::ACCEPTED),
    }
}
