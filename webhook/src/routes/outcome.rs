//! `POST /webhooks/outcome`: events of the provider and of users' own systems.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use chrono::{DateTime, Utc};
use domain::ids::UserId;
use serde_json::{Map, Value};
use tracing::field::display;
use tracing::{Span, info};

use super::event::forward_event;
use crate::body::RawBody;
use crate::payload::{RoutedEvent, parse_object, provider, query_parameter, user_webhook};
use crate::problem::Problem;
use crate::signature::{InvalidSignature, ultravox};
use crate::state::AppState;

/// Verifies, parses and forwards an event.
///
/// `?userId=…` selects the secrets of that user. The event then applies only to that user's calls.
pub(super) async fn receive_event(
    State(state): State<Arc<AppState>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: RawBody,
) -> Result<StatusCode, Problem> {
    let query = query.unwrap_or_default();
    let user = query_parameter(&query, "userId").map(UserId::new);
    verify_signature(&state, user.as_ref(), &headers, &body)?;
    if let Some(user) = &user {
        Span::current().record("userId", display(user));
    }
    let payload = parse_object(&body)?;
    // Release its memory before the wait for Temporal.
    drop(body);
    match read_event(&payload, &query, user, state.clock_offset.apply(Utc::now()))? {
        Some(event) => forward_event(&state.forwarder, &event).await,
        None => {
            info!("Event ignored: not about a call of this service");
            Ok(StatusCode::ACCEPTED)
        }
    }
}

fn read_event(
    payload: &Map<String, Value>,
    query: &str,
    user: Option<UserId>,
    now: DateTime<Utc>,
) -> Result<Option<RoutedEvent>, Problem> {
    if payload.contains_key("event") {
        return match user {
            None => Ok(provider::read_event(payload)?),
            // Users' secrets don't authenticate the provider.
            Some(_) => Err(Problem::Unauthorized),
        };
    }
    let query_id = query_parameter(query, "conversationId");
    Ok(Some(user_webhook::read_event(payload, query_id.as_deref(), user, now)?))
}

fn verify_signature(
    state: &AppState,
    user: Option<&UserId>,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<(), InvalidSignature> {
    let service_secrets = state.keys.service_secrets.borrow().clone();
    // The server starts without secrets only if unsigned webhooks are allowed.
    if service_secrets.is_empty() {
        return Ok(());
    }
    let verify =
        |secrets| ultravox::verify(secrets, headers, body, Utc::now(), state.signature_tolerance);
    let Some(user) = user else { return verify(&service_secrets) };
    let user_secrets = state.keys.user_secrets.borrow().clone();
    match user_secrets.get(user) {
        Some(secrets) => verify(secrets),
        // An unknown user takes about as long as a known one.
        None => verify(&service_secrets).and(Err(InvalidSignature)),
    }
}
