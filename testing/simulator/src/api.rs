//! The routes: the voice API, the carrier's API and the simulator's own.

mod account;
mod calls;
mod carrier;
mod create;
mod data_message;
mod deleted;
mod error;
mod messages;
mod paging;
mod query;
mod sim;
mod webhooks;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::Method;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{delete, get, post};
use tower_http::trace::TraceLayer;

use crate::simulator::Simulator;
use error::ApiError;

/// What every handler gets.
type App = State<Arc<Simulator>>;

/// Every route there is.
pub fn router(simulator: Arc<Simulator>) -> Router {
    let voice = Router::new()
        .route("/api/calls", get(calls::list).post(create::create))
        .route("/api/calls/{id}", get(calls::show).delete(calls::delete))
        .route("/api/calls/{id}/messages", get(messages::list))
        .route("/api/calls/{id}/tools", get(messages::tools))
        .route("/api/calls/{id}/send_data_message", post(data_message::send))
        .route("/api/deleted_calls", get(deleted::list))
        .route("/api/deleted_calls/{id}", get(deleted::show))
        .route("/api/accounts/me", get(account::show))
        .route("/api/webhooks", get(webhooks::list).post(webhooks::create))
        .route("/api/webhooks/{id}", get(webhooks::show))
        .route("/api/webhooks/{id}", delete(webhooks::delete))
        .route_layer(from_fn_with_state(Arc::clone(&simulator), check_key));
    let own = Router::new()
        .route("/sim/health", get(sim::health))
        .route("/sim/ledger", get(sim::ledger))
        .route("/sim/telnyx_public_key", get(sim::public_key))
        .route("/sim/faults", get(sim::faults).post(sim::add_faults).delete(sim::clear_faults));
    let leg = get(carrier::show).post(carrier::update);
    Router::new()
        .merge(voice)
        .merge(own)
        .route("/v2/texml/Accounts/{account}/Calls/{sid}", leg)
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method)
        .layer(TraceLayer::new_for_http())
        .with_state(simulator)
}

async fn check_key(
    State(simulator): App,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let key = request.headers().get("x-api-key");
    match key.map(|key| key.as_bytes()) {
        Some(key) if key == simulator.settings.api_key.as_bytes() => Ok(next.run(request).await),
        Some(_) => Err(ApiError::unauthorized("the API key is not valid")),
        None => Err(ApiError::unauthorized("an API key is needed")),
    }
}

async fn no_such_path() -> ApiError {
    ApiError::not_found()
}

async fn no_such_method(method: Method) -> ApiError {
    ApiError::new(405, format!("Method \"{method}\" not allowed."))
}
