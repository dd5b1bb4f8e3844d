//! `calls.collect_transcript`: the transcript, and the reports in it.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use domain::callee_zones::spoken_zone;
use domain::facts::DialEvent;
use domain::report::ReportSource;
use store::dials::Dial;
use store::users::{self, UserState};
use store::{StoreError, outcomes, prospects};
use tracing::instrument;
use workflows::activities::calls::{DialRef, ReceivedEvent, RecordInput, Recorded};

use super::fetch_status::find_call;
use super::{Calls, record_outcome};
use crate::failure::Failure;
use crate::ultravox::{Transcript, UltravoxError};

/// Stores the transcript of a dial's call and records the reports of its tool calls, in one transaction.
#[instrument(
    name = "collect_transcript",
    level = "error",
    skip_all,
    fields(userId, prospectId, conversationId, dialId = %input.dial_id)
)]
pub async fn run(calls: &Calls, input: &DialRef) -> Result<Recorded, Failure> {
    let Some((dial, call)) = find_call(calls, input).await? else {
        return Ok(Recorded::default());
    };
    let call = call.ok_or_else(|| UltravoxError::NotFound(dial.id.clone()))?;
    let zone = agent_zone(calls, &dial).await?;
    let transcript = calls.ultravox.read_transcript(&call.call_id, zone).await?;
    let text = transcript.text.clone();
    let received = |event| ReceivedEvent { dial_id: Some(dial.id.clone()), event };
    let record = RecordInput {
        events: into_events(transcript, calls.clock.now()).map(received).collect(),
        ..RecordInput::new(dial.conversation_id.clone())
    };
    let mut tx = calls.store.begin().await?;
    // The lock order: the conversation, then its dials.
    let recorded = record_outcome::record(calls, &mut tx, &record).await?;
    outcomes::store_transcript(&mut tx, &dial, &text, calls.clock.now()).await?;
    tx.commit().await?;
    Ok(recorded)
}

/// The reports in the messages of a call as events.
fn into_events(transcript: Transcript, now: DateTime<Utc>) -> impl Iterator<Item = DialEvent> {
    let reports = transcript
        .reports
        .into_iter()
        .map(move |reported| DialEvent::of_report(reported.checked_at(now), ReportSource::Agent));
    reports.chain(transcript.voicemail.then_some(DialEvent::Voicemail))
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
