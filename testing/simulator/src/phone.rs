//! Places calls and lets each one go as its scenario says.

mod leg;
mod outbox;
mod run;
mod talk;
mod timeline;

use std::sync::Arc;

use tokio::sync::mpsc::unbounded_channel;

use crate::calls::Call;
use crate::request::StartCall;
use crate::simulator::Simulator;

use run::Run;

/// Why a sound request makes no call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotPlaced {
    #[error("the number in medium.telnyx.outgoing.to can't be dialled")]
    Undialable,
    #[error("calls are created too fast")]
    TooFast { retry_after: u64 },
    #[error("the account has as many active calls as it may have")]
    TooMany,
}

/// Creates a call and dials. From here on it goes its way in the background.
pub fn place(simulator: &Arc<Simulator>, request: StartCall) -> Result<Arc<Call>, NotPlaced> {
    let (name, scenario) = match &request.dial {
        Some(dial) => simulator.book.look_up(&dial.to),
        None => simulator.book.nobody(),
    };
    if scenario.is_undialable() {
        return Err(NotPlaced::Undialable);
    }
    simulator.rate.take().map_err(|retry_after| NotPlaced::TooFast { retry_after })?;
    let (control, commands) = unbounded_channel();
    let call = Call::new(request, name, simulator.clock.now(), control);
    let call =
        simulator.calls.admit(call, simulator.settings.max_concurrent).ok_or(NotPlaced::TooMany)?;
    tracing::info!(call_id = %call.id, scenario = call.scenario, "A call was created.");
    let run = Run::new(Arc::clone(simulator), Arc::clone(&call), scenario, commands);
    tokio::spawn(run.play());
    Ok(call)
}
