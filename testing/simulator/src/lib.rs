//! A stand-in for Ultravox's REST API and the Telnyx call leg behind it.
//!
//! [`Simulator`] holds one account; [`serve`] answers its HTTP requests. The called number decides
//! how a call goes (see `scenarios.json`). `/sim/ledger` lists what happened in every call, and
//! `/sim/faults` injects faults.

mod api;
mod call;
mod clock;
mod connection;
mod delivery;
mod duration;
mod faults;
mod leg;
mod phone;
mod scenario;
mod schema;
mod settings;
mod signature;
mod simulator;
mod telnyx_callbacks;
mod tool_call;
mod webhook_event;
mod webhooks;

use std::io;
use std::sync::Arc;

use tokio::net::TcpListener;

pub use settings::Settings;
pub use signature::sign_webhook;
pub use simulator::{Simulator, StartError};

/// Answers requests until `stop` completes. Calls in progress continue in the background.
pub async fn serve(
    listener: TcpListener,
    simulator: Arc<Simulator>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let service =
        api::router(simulator).into_make_service_with_connect_info::<connection::Connection>();
    let server = axum::serve(connection::AbortableListener(listener), service);
    tokio::select! {
        result = server => result,
        () = stop => Ok(()),
    }
}
