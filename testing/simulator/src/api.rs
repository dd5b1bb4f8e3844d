//! The routes of Ultravox's API, of Telnyx's API and of the simulator itself.

mod account;
mod calls;
mod create;
mod data_message;
mod error;
mod messages;
mod paging;
mod sim;
mod telnyx;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{get, post};
use tower_http::trace::TraceLayer;

use crate::simulator::Simulator;
use error::ApiError;

type App = State<Arc<Simulator>>;

pub fn router(simulator: Arc<Simulator>) -> Router {
    let ultravox = Router::new()
        .route("/api/accounts/me", get(account::show))
        .route("/api/telephony_configs/telnyx", get(account::show_carrier))
        .route("/api/voices", get(account::list_voices))
        .route("/api/voices/{id}", get(account::show_voice))
        .route("/api/calls", get(calls::list).post(create::create))
        .route("/api/calls/{id}", get(calls::show).delete(calls::delete))
        .route("/api/calls/{id}/messages", get(messages::list))
        .route("/api/calls/{id}/send_data_message", post(data_message::send))
        .route_layer(from_fn_with_state(Arc::clone(&simulator), check_api_key))
        .route_layer(from_fn_with_state(Arc::clone(&simulator), fail_in_outage));
    let telnyx = Router::new()
        .route(
            "/v2/texml/Accounts/{account}/Calls/{sid}",
            get(telnyx::show_leg).post(telnyx::end_leg),
        )
        .route("/v2/texml/Accounts/{account}/Calls", get(telnyx::list_legs))
        .route_layer(from_fn_with_state(Arc::clone(&simulator), telnyx::check_bearer_key));
    let sim = Router::new()
        .route("/sim/health", get(sim::show_health))
        .route("/sim/ledger", get(sim::show_ledger))
        .route("/sim/telnyx_public_key", get(sim::show_public_key))
        .route(
            "/sim/faults",
            get(sim::show_faults).post(sim::change_faults).delete(sim::clear_faults),
        );
    Router::new()
        .merge(ultravox)
        .merge(telnyx)
        .merge(sim)
        .fallback(async || ApiError::not_found())
        .method_not_allowed_fallback(reject_method)
        .layer(TraceLayer::new_for_http())
        .with_state(simulator)
}

async fn fail_in_outage(
    State(simulator): App,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    match simulator.faults.outage() {
        Some(status) => Err(ApiError::new(status, "an injected outage")),
        None => Ok(next.run(request).await),
    }
}

async fn check_api_key(
    State(simulator): App,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let expected = simulator.settings.api_key.as_bytes();
    match request.headers().get("x-api-key") {
        Some(key) if key.as_bytes() == expected => Ok(next.run(request).await),
        Some(_) => Err(ApiError::new(StatusCode::UNAUTHORIZED, "the API key is not valid")),
        None => Err(ApiError::new(StatusCode::UNAUTHORIZED, "X-API-Key is missing")),
    }
}

async fn reject_method(method: Method) -> ApiError {
    let detail = format!("Method \"{method}\" not allowed.");
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, detail)
}
