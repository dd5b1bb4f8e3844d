//! Creates calls and plays each one as its scenario says.
//!
//! The modules build on each other: `running_call` holds the state of a call, `dialing` and `tools`
//! act on it, `talk` uses both, and `player` calls them as the events of the timeline occur.

mod dialing;
mod outbox;
mod player;
mod running_call;
mod talk;
mod timeline;
mod tools;

use std::sync::Arc;

use tokio::sync::mpsc::unbounded_channel;

use crate::call::Call;
use crate::scenario::Answer;
use crate::schema::StartCall;
use crate::simulator::Simulator;

use running_call::RunningCall;

/// Why a valid request creates no call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotCreated {
    #[error("the number in medium.telnyx.outgoing.to can't be dialled")]
    InvalidNumber,
    #[error("the account has reached its limit of concurrent calls")]
    TooManyCalls,
}

/// Creates a call, which then continues in the background.
pub fn create_call(
    simulator: &Arc<Simulator>,
    request: StartCall,
) -> Result<Arc<Call>, NotCreated> {
    let (name, scenario) = simulator.scenarios.find(&request.medium.telnyx.outgoing.to);
    if scenario.answer == Answer::Invalid {
        return Err(NotCreated::InvalidNumber);
    }
    let (sender, commands) = unbounded_channel();
    let call = Call::new(request, name, simulator.clock.now(), sender);
    let call = simulator
        .calls
        .add(call, simulator.settings.max_concurrent)
        .ok_or(NotCreated::TooManyCalls)?;
    tracing::info!(call_id = %call.id, scenario = call.scenario, "Call created");
    let running = RunningCall::new(Arc::clone(simulator), Arc::clone(&call), scenario);
    tokio::spawn(player::play(running, commands));
    Ok(call)
}
