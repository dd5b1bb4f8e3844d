//! What follows from a request for a call that the provider has rejected.

use domain::BlockReason;
use domain::provider_pause::{PauseScope, concerns_number};
use store::dials::{self, Dial};
use store::provider_rejections::{self, NewRejection};
use store::{Connection, StoreError};
use tracing::{error, warn};
use workflows::activities::calls::DialResult;

use super::Calls;

/// A prospect whose dials were rejected so often, while other calls of its user were accepted, is itself the reason.
const MAX_REJECTIONS_OF_PROSPECT: i64 = 3;

/// Stores a rejection for good. If it does not concern the number, it costs the prospect nothing and counts towards a
/// pause.
pub(super) async fn store(
    calls: &Calls,
    dial: &Dial,
    detail: String,
) -> Result<DialResult, StoreError> {
    let mut tx = calls.store.begin().await?;
    let concerns_prospect = concerns_number(&detail, &dial.phone)
        || (!provider_rejections::exist(&mut tx, &dial.user_id).await?
            && provider_rejections::count_of_prospect(&mut tx, &dial.prospect_id).await? + 1
                >= MAX_REJECTIONS_OF_PROSPECT);
    dials::mark_rejected(&mut tx, &dial.id, &detail, !concerns_prospect).await?;
    if !concerns_prospect {
        count(calls, &mut tx, dial, &detail).await?;
    }
    tx.commit().await?;
    warn!("The provider has rejected the call; see the notes");
    Ok(match concerns_prospect {
        true => DialResult::Rejected { detail },
        false => rejected_for_settings(&detail),
    })
}

/// The result of a dial whose rejection costs the prospect nothing.
pub(super) fn rejected_for_settings(detail: &str) -> DialResult {
    let reason = BlockReason::ProviderRejects;
    DialResult::Denied { reason, detail: format!("The provider has rejected the call: {detail}") }
}

/// Counts a rejection that does not concern the number, and pauses the calls of the user, or of all users, after too many
/// in a row.
pub(super) async fn count(
    calls: &Calls,
    conn: &mut Connection,
    dial: &Dial,
    detail: &str,
) -> Result<(), StoreError> {
    let now = calls.clock.now();
    let new = NewRejection { user_id: &dial.user_id, dial_id: &dial.id, detail };
    for scope in [PauseScope::User, PauseScope::Service] {
        // A repeated attempt counts once.
        let Some(rejections) = provider_rejections::add(conn, scope, &new, now).await? else {
            continue;
        };
        let Some(trial_at) = rejections.next_trial_at(calls.settings.pause_after_rejections, now)
        else {
            continue;
        };
        provider_rejections::set_trial(conn, scope, &dial.user_id, trial_at, None).await?;
        // The words may contain the number.
        let detail = rejections.detail.replace(dial.phone.trim_start_matches('+'), "…");
        match rejections.trial_at {
            None => {
                error!(?scope, detail, %trial_at, "Calls are paused: the provider rejects them")
            }
            Some(_) => warn!(?scope, detail, %trial_at, "A trial call was rejected"),
        }
    }
    Ok(())
}
