//! `calls.cancel_dial`: cancelling a dial before its request is sent.

use store::StoreError;
use store::dials::{self, DialState};
use tracing::instrument;
use workflows::activities::calls::{CancelDialResult, DialRef};

use super::Calls;

/// Cancels a dial, unless its request was sent. No request is sent afterwards.
#[instrument(name = "cancel_dial", level = "error", skip_all, fields(dialId = %input.dial_id))]
pub async fn run(calls: &Calls, input: &DialRef) -> Result<CancelDialResult, StoreError> {
    let mut tx = calls.store.begin().await?;
    let Some(dial) = dials::lock(&mut tx, &input.dial_id).await? else {
        return Ok(CancelDialResult::NotSent);
    };
    match dial.state {
        DialState::Intended => {
            dials::mark_cancelled(&mut tx, &dial.id).await?;
            tx.commit().await?;
            Ok(CancelDialResult::NotSent)
        }
        DialState::NotPlaced => Ok(CancelDialResult::NotSent),
        DialState::Sent | DialState::Placed => Ok(CancelDialResult::Sent),
    }
}
