//! A stand-in for the Ultravox REST API and its Telnyx phone leg, as strict as the real one.
//!
//! [`Simulator`] holds one account; [`serve`] answers requests for it on a listener that the
//! caller owns. The number that is called decides how a call goes (see `scenarios.json`), the
//! ledger at `/sim/ledger` tells what really happened, and `/sim/faults` makes things go wrong.

mod api;
mod calls;
mod clock;
mod connection;
mod deliveries;
mod faults;
mod ledger;
mod limits;
mod phone;
mod request;
mod scenario;
mod settings;
mod signature;
mod simulator;
mod spans;
mod strict;
mod telnyx;
mod tools;
mod webhooks;

use std::io;
use std::sync::Arc;

use tokio::net::TcpListener;

pub use settings::Settings;
pub use signature::webhook as webhook_signature;
pub use simulator::{Simulator, StartError};

/// Answers requests until `stop` completes. Calls under way go on in the background.
pub async fn serve(
    listener: TcpListener,
    simulator: Arc<Simulator>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let service =
        api::router(simulator).into_make_service_with_connect_info::<connection::Connection>();
    let server = axum::serve(connection::CuttableListener(listener), service);
    tokio::select! {
        result = server => result,
        () = stop => Ok(()),
    }
}
