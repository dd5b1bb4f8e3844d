//! `calls.collect_transcript`: the transcript, and the reports in it.

use chrono_tz::Tz;
use domain::callee_zones::spoken_zone;
use store::dials::Dial;
use store::users::{self, UserState};
use store::{StoreError, outcomes, prospects};
use tracing::instrument;
use workflows::activities::calls::{DialRef, TranscriptReports};

use super::Calls;
use super::fetch_status::find_call;
use crate::failure::Failure;
use crate::ultravox::UltravoxError;

/// Stores the transcript of a dial's call and returns the reports of its tool calls.
#[instrument(
    name = "collect_transcript",
    level = "error",
    skip_all,
    fields(userId, prospectId, conversationId, dialId = %input.dial_id)
)]
pub async fn run(calls: &Calls, input: &DialRef) -> Result<TranscriptReports, Failure> {
    let Some((dial, call)) = find_call(calls, input).await? else {
        return Ok(TranscriptReports::default());
    };
    let call = call.ok_or_else(|| UltravoxError::NotFound(dial.id.clone()))?;
    let zone = agent_zone(calls, &dial).await?;
    let transcript = calls.ultravox.read_transcript(&call.call_id, zone).await?;
    if !transcript.text.is_empty() {
        let mut tx = calls.store.begin().await?;
        outcomes::store_transcript(&mut tx, &dial.conversation_id, &transcript.text).await?;
        tx.commit().await?;
    }
    Ok(TranscriptReports { reports: transcript.reports, voicemail: transcript.voicemail })
}

/// The zone that the agent was given; `None` if it is no longer known.
async fn agent_zone(calls: &Calls, dial: &Dial) -> Result<Option<Tz>, StoreError> {
    let mut conn = calls.store.read().await?;
    let UserState::Ready(profile) = users::user_state(&mut conn, &dial.user_id).await? else {
        return Ok(None);
    };
    let prospect =
        prospects::prospect_state(&mut conn, &dial.prospect_id, &dial.conversation_id).await?;
    let own = prospect.as_ref().and_then(|prospect| prospect.time_zone.as_deref());
    let state = prospect.as_ref().and_then(|prospect| prospect.state.as_deref());
    Ok(spoken_zone(own, state, &dial.phone, &profile.window))
}
