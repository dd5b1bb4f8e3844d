//! `calls.hang_up`: ending a call.

use tracing::{info, instrument};
use workflows::activities::calls::{DialRef, HangUpInput};

use super::Calls;
use super::fetch_status::find_call;
use crate::failure::Failure;
use crate::ultravox::{HungUp, UltravoxError};

/// Hangs a call up: by the carrier while it rings, by the provider once it is answered.
#[instrument(
    name = "hang_up",
    level = "error",
    skip_all,
    fields(userId, prospectId, conversationId, dialId = %input.dial_id)
)]
pub async fn run(calls: &Calls, input: &HangUpInput) -> Result<(), Failure> {
    let leg = calls.telnyx.as_ref().zip(input.carrier_call_id.as_deref());
    if !input.answered {
        if let Some((telnyx, sid)) = leg {
            telnyx.hang_up(sid).await?;
            info!("Cancelled the ringing leg");
        }
        return Ok(());
    }
    let dial_id = input.dial_id.clone();
    let dial_ref = DialRef { dial_id, provider_call_id: input.provider_call_id.clone() };
    let Some((dial, call)) = find_call(calls, &dial_ref).await? else { return Ok(()) };
    let call = call.ok_or_else(|| UltravoxError::NotFound(dial.id.clone()))?;
    match (calls.ultravox.hang_up(&call.call_id).await?, leg) {
        (HungUp::Requested, _) => {
            info!(callId = call.call_id, "Hung up");
        }
        // The provider knows no answer: the phone may still ring.
        (HungUp::NotActive, Some((telnyx, sid))) => {
            telnyx.hang_up(sid).await?;
            info!("Cancelled the leg");
        }
        (HungUp::NotActive, None) => {}
    }
    Ok(())
}
