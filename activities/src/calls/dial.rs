//! `calls.dial`: the request that rings a phone, sent at most once for a dial.

use std::time::Duration;

use bootstrap::token::Purpose;
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use domain::admission::{SendContext, check_before_sending};
use domain::hours::SEND_TIMEOUT_SECS;
use domain::ids::DialId;
use domain::{Block, BlockReason};
use secrecy::ExposeSecret;
use store::dials::{self, Dial, DialState};
use store::users::{self, UserState};
use store::{StoreError, prospects};
use tracing::{info, instrument, warn};
use workflows::activities::calls::{DialRef, DialResult};

use super::agent_script::fill_script;
use super::fetch_status::mark_placed;
use super::rejection::{self, rejected_for_settings};
use super::settings::issue_token;
use super::{Calls, record_ids};
use crate::failure::Failure;
use crate::ultravox::{AgentScript, CallRequest, Created};

/// The maximum time from `SENT` in the row to the request: a process that hung meanwhile must not ring a phone whose dial
/// was given up.
const SEND_TIMEOUT: TimeDelta = TimeDelta::seconds(SEND_TIMEOUT_SECS as i64);
/// The maximum time for which a busy provider is waited for.
const MAX_BUSY_DELAY: Duration = Duration::from_secs(3_600);

/// Rings the phone, unless an earlier request may have been accepted.
#[instrument(
    name = "dial",
    level = "error",
    skip_all,
    fields(userId, prospectId, conversationId, dialId = %input.dial_id)
)]
pub async fn run(calls: &Calls, input: &DialRef) -> Result<DialResult, Failure> {
    match prepare(calls, &input.dial_id).await? {
        Prepared::Done(result) => Ok(result),
        Prepared::Send(dial) => send(calls, &dial).await,
    }
}

enum Prepared {
    /// Nothing is to be sent: this is the result.
    Done(DialResult),
    /// The row is `SENT`: the request may leave.
    Send(Box<PreparedDial>),
}

struct PreparedDial {
    dial: Dial,
    script: AgentScript,
    zone: Tz,
    sent_at: DateTime<Utc>,
}

/// Checks the rules once more and marks the dial as sent, unless an earlier request may have been accepted.
async fn prepare(calls: &Calls, dial_id: &DialId) -> Result<Prepared, StoreError> {
    let mut tx = calls.store.begin().await?;
    let Some(dial) = dials::lock(&mut tx, dial_id).await? else {
        return Ok(deny(BlockReason::AlreadyRecorded.into()));
    };
    record_ids(&dial.user_id, &dial.prospect_id, &dial.conversation_id);
    match (dial.state, &dial.provider_call_id) {
        (DialState::Placed, Some(id)) => {
            return Ok(Prepared::Done(DialResult::Placed { provider_call_id: id.clone() }));
        }
        (DialState::Placed, None) | (DialState::Sent, _) => {
            return Ok(Prepared::Done(DialResult::Unknown));
        }
        (DialState::NotPlaced, _) => {
            let detail = dial.rejection.unwrap_or_else(|| "the call was not placed".to_owned());
            return Ok(Prepared::Done(match dial.rejection_concerns_settings {
                true => rejected_for_settings(&detail),
                false => DialResult::Rejected { detail },
            }));
        }
        (DialState::Intended, _) => {}
    }
    if dial.closed_at.is_some() || !dial.conversation_status.is_open() {
        return Ok(deny(BlockReason::AlreadyRecorded.into()));
    }
    let now = calls.clock.now();
    let prospect =
        prospects::prospect_state(&mut tx, &dial.prospect_id, &dial.conversation_id).await?;
    let Some(prospect) = prospect else {
        return Ok(deny(BlockReason::ProspectDeleted.into()));
    };
    let profile = match users::lock_user_state(&mut tx, &dial.user_id, now).await? {
        UserState::Ready(profile) => profile,
        UserState::Blocked(block) => return Ok(deny(block)),
    };
    let context = SendContext {
        now,
        dial_deadline: dial.dial_deadline,
        admitted_phone: &dial.phone,
        paused: profile.paused,
        window: &profile.window,
        strict: calls.settings.strict_calling_hours,
        callee: prospect.callee(),
    };
    let zones = match check_before_sending(&context) {
        Ok(zones) => zones,
        Err(block) => return Ok(deny(block)),
    };
    // The agent gets one zone; times are reported with their offset.
    let zone = zones.first().copied().unwrap_or(profile.window.zone());
    let follow_up = prospect.attempts > 0;
    let script = match fill_script(&calls.settings, &profile, &prospect, follow_up) {
        Ok(script) => script,
        Err(block) => return Ok(deny(block)),
    };
    dials::mark_sent(&mut tx, dial_id, now).await?;
    tx.commit().await?;
    Ok(Prepared::Send(Box::new(PreparedDial { dial, script, zone, sent_at: now })))
}

fn deny(block: Block) -> Prepared {
    Prepared::Done(DialResult::Denied { reason: block.reason, detail: block.detail })
}

/// Sends the request and stores its result.
async fn send(calls: &Calls, prepared: &PreparedDial) -> Result<DialResult, Failure> {
    let dial = &prepared.dial;
    if calls.clock.now() > prepared.sent_at + SEND_TIMEOUT {
        warn!("Dial not sent: more than 10 s since it was marked SENT");
        return Ok(DialResult::Unknown);
    }
    match create_call(calls, prepared).await {
        Created::Placed(provider_call_id) => {
            // If this fails, the row stays SENT and a lookup finds the call by its metadata.
            if let Err(error) = mark_placed(calls, dial, &provider_call_id).await {
                warn!(%error, "The placed call could not be stored yet");
            }
            info!(callId = provider_call_id, "Placed call");
            Ok(DialResult::Placed { provider_call_id })
        }
        Created::Busy(delay) => {
            mark_not_sent(calls, &dial.id).await?;
            info!(delaySecs = delay.as_secs(), "The provider is at its limit");
            Ok(retry_or_deny(calls, dial, delay))
        }
        Created::NotPlaced(error) => {
            let mut tx = calls.store.begin().await?;
            dials::mark_not_sent(&mut tx, &dial.id).await?;
            if error.is_rejection() {
                rejection::count(calls, &mut tx, dial, &error.to_string()).await?;
            }
            tx.commit().await?;
            Err(error.into())
        }
        Created::Rejected(detail) => Ok(rejection::store(calls, dial, detail).await?),
        Created::Unknown(error) => {
            warn!(
                error,
                "It is not known whether the provider has the call: it is looked up, and the request is not repeated"
            );
            Ok(DialResult::Unknown)
        }
    }
}

async fn create_call(calls: &Calls, prepared: &PreparedDial) -> Created {
    let PreparedDial { dial, script, zone, .. } = prepared;
    // Read once: all parts of the request must be checked with the same secret.
    let secret = calls.settings.secret();
    let token = |purpose| issue_token(secret.as_ref(), purpose, &dial.id);
    let request = CallRequest {
        dial_id: &dial.id,
        conversation_id: &dial.conversation_id,
        to: &dial.phone,
        from: &calls.settings.from_number,
        script,
        zone: *zone,
        now: calls.clock.now(),
        ring_timeout_secs: calls.settings.ring_timeout_secs,
        join_timeout_secs: dial.join_timeout.num_seconds(),
        max_duration_secs: dial.max_duration.num_seconds(),
        service_url: &calls.settings.service_url,
        callback_secret: secret.as_ref().map(|secret| secret.expose_secret()),
        outcome_token: &token(Purpose::Outcome),
        carrier_token: &token(Purpose::Carrier),
    };
    calls.ultravox.create_call(&request).await
}

/// When to ask for admission again; a denial if that is after the deadline, since waiting would only occupy a line.
fn retry_or_deny(calls: &Calls, dial: &Dial, delay: Duration) -> DialResult {
    let delay = TimeDelta::from_std(delay.min(MAX_BUSY_DELAY)).unwrap_or(TimeDelta::seconds(60));
    let until = calls.clock.now() + delay + jitter(&dial.id);
    if until >= dial.dial_deadline {
        let detail = "The provider is at its limit until after the deadline.".to_owned();
        return DialResult::Denied { reason: BlockReason::TooLate, detail };
    }
    DialResult::Busy { until }
}

async fn mark_not_sent(calls: &Calls, dial_id: &DialId) -> Result<(), StoreError> {
    let mut tx = calls.store.begin().await?;
    dials::mark_not_sent(&mut tx, dial_id).await?;
    tx.commit().await
}

/// Up to two seconds, different for each dial, so that dials rejected together don't retry together.
fn jitter(dial_id: &DialId) -> TimeDelta {
    let bytes = dial_id.as_str().bytes();
    let sum = bytes.fold(7_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    TimeDelta::milliseconds(i64::from(sum % 2_000))
}
