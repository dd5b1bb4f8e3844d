//! `POST /webhooks/outcome`: what the provider or a client's system says of a call.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use chrono::Utc;
use domain::ids::UserId;
use tracing::info;

use crate::App;
use crate::body::Raw;
use crate::form::{self, plain, provider};
use crate::problem::Problem;
use crate::signature::ultravox;

/// Verifies, reads, hands over, answers: 204 if a workflow has it, 202 if it is genuine and
/// concerns no call that is under way.
///
/// A client that signs with a secret of its own says in the address who it is: `?userId=…`. What
/// it says then counts for its own calls alone.
pub(super) async fn take(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Raw,
) -> Result<StatusCode, Problem> {
    let query = query.unwrap_or_default();
    let user = form::query(&query, "userId").map(UserId::new);
    verify(&app, user.as_ref(), &headers, &body)?;
    let read = form::object(&body)?;
    // What it took is given back before Temporal is waited for.
    drop(body);
    let body = read;
    let addressed = match (body.contains_key("event"), user) {
        (true, None) => provider::read(&body)?,
        // Of calls in the provider's form only the provider speaks.
        (true, Some(_)) => return Err(Problem::NotGenuine),
        (false, user) => {
            let conversation = form::query(&query, "conversationId");
            Some(plain::read(&body, conversation.as_deref(), user)?)
        }
    };
    let Some(addressed) = addressed else {
        info!("Webhook concerns no call of ours");
        return Ok(StatusCode::ACCEPTED);
    };
    super::hand_over(&app, &addressed).await
}

fn verify(
    app: &App,
    user: Option<&UserId>,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<(), Problem> {
    let ours = app.keys.secrets.borrow().clone();
    // The server starts without secrets only where unsigned webhooks are allowed.
    if ours.is_empty() {
        return Ok(());
    }
    let verify = |secrets| ultravox::verify(secrets, headers, body, Utc::now(), app.tolerance);
    let Some(user) = user else { return Ok(verify(&ours)?) };
    let clients = app.keys.clients.borrow().clone();
    match clients.get(user) {
        Some(secrets) => Ok(verify(secrets)?),
        // Takes about as long as if the user were known.
        None => verify(&ours).and(Err(crate::signature::NotGenuine)).map_err(Problem::from),
    }
}
