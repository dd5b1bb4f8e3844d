//! `calls.fetch_status`: what the provider knows of a dial.

use store::dials::{self, Dial};
use store::{StoreError, provider_rejections};
use tracing::instrument;
use workflows::activities::calls::{DialRef, ProviderStatus};

use super::{Calls, record_ids};
use crate::failure::Failure;
use crate::ultravox::Call;

#[instrument(
    name = "fetch_status",
    level = "error",
    skip_all,
    fields(userId, prospectId, conversationId, dialId = %input.dial_id)
)]
pub async fn run(calls: &Calls, input: &DialRef) -> Result<ProviderStatus, Failure> {
    let Some((_, Some(call))) = find_call(calls, input).await? else {
        return Ok(ProviderStatus::default());
    };
    Ok(ProviderStatus {
        end_reason: call.end_reason(),
        provider_call_id: Some(call.call_id),
        answered_at: call.joined,
        ended_at: call.ended,
    })
}

/// Finds the dial and its call at the provider: by its id or, if that is unknown, by its metadata. Stores an id that was
/// unknown. `None` if the dial does not exist.
pub(super) async fn find_call(
    calls: &Calls,
    input: &DialRef,
) -> Result<Option<(Dial, Option<Call>)>, Failure> {
    let dial = dials::read(&mut *calls.store.read().await?, &input.dial_id).await?;
    let Some(dial) = dial else { return Ok(None) };
    record_ids(&dial.user_id, &dial.prospect_id, &dial.conversation_id);
    let known = dial.provider_call_id.as_deref().or(input.provider_call_id.as_deref());
    let call = match known {
        Some(id) => calls.ultravox.get_call(id).await?,
        None => match dial.sent_at {
            Some(sent_at) => calls.ultravox.find_call(&dial.id, sent_at).await?,
            None => None,
        },
    };
    match &call {
        Some(call) if dial.provider_call_id.is_none() => {
            mark_placed(calls, &dial, &call.call_id).await?;
        }
        None => mark_not_found(calls, &dial).await?,
        Some(_) => {}
    }
    Ok(Some((dial, call)))
}

/// Stores that the provider does not list the call of a dial although it should by now.
async fn mark_not_found(calls: &Calls, dial: &Dial) -> Result<(), StoreError> {
    let now = calls.clock.now();
    let due = dial.sent_at.is_some_and(|sent_at| now > sent_at + dial.join_timeout);
    if !due || dial.not_found_at.is_some() || !dial.is_live() {
        return Ok(());
    }
    let mut tx = calls.store.begin().await?;
    dials::set_not_found(&mut tx, &dial.id, now).await?;
    tx.commit().await
}

/// Stores that the provider has the call of a dial.
pub(super) async fn mark_placed(
    calls: &Calls,
    dial: &Dial,
    provider_call_id: &str,
) -> Result<(), StoreError> {
    let mut tx = calls.store.begin().await?;
    dials::mark_placed(&mut tx, &dial.id, provider_call_id).await?;
    provider_rejections::delete(&mut tx, &dial.user_id).await?;
    tx.commit().await
}
