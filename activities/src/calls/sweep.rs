//! `calls.sweep`: recording the calls of terminated or lost workflows.

mod abandoned;
mod workflow;

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use chrono::TimeDelta;
use domain::admission::MAX_LATENESS;
use domain::ids::{ConversationId, DialId};
use futures::StreamExt as _;
use store::{StoreError, call_events, decisions, sweeps};
use temporalio_client::Client;
use tokio::time::timeout;
use tracing::{info, instrument, warn};
use workflows::activities::calls::{DialRef, SweepInput, SweepResult};

use super::{Calls, apply_late_event, collect_transcript};
use crate::failure::Failure;

pub use abandoned::{Swept, record_abandoned};

/// How long a dialled call may stay unchanged before the sweep looks for its workflow.
const MIN_AGE: TimeDelta = TimeDelta::minutes(1);
/// For how long after its end the transcript of a call is tried to be read.
const TRANSCRIPT_MAX_AGE: TimeDelta = TimeDelta::days(7);
/// The number of calls that are looked at together, and the time for each. A provider that does not answer must not use
/// up the time of the calls that don't need it.
const CONCURRENCY: usize = 16;
const TIME_PER_CALL: Duration = Duration::from_secs(30);
/// The time for all calls, below the start-to-close timeout of the activity. The next sweep goes on.
const TIME_IN_ALL: Duration = Duration::from_secs(240);

/// Records the calls without a workflow that are over, hangs up the others, and reads transcripts that could not be read.
pub async fn run(
    calls: &Calls,
    client: &Client,
    input: &SweepInput,
) -> Result<SweepResult, Failure> {
    let pruned = prune_decisions(calls).await?;
    read_unread(calls, input.limit).await?;
    let result = Mutex::new(SweepResult { pruned, ..SweepResult::default() });
    let ids = find_calls(calls, client, input.limit).await?;
    let due = find_transcripts(calls, input.limit).await?;
    let swept = async {
        let sweep = |id| sweep_one(calls, client, id, &result);
        futures::stream::iter(ids).for_each_concurrent(CONCURRENCY, sweep).await;
        let read = |dial| read_transcript(calls, client, dial, &result);
        futures::stream::iter(due).for_each_concurrent(CONCURRENCY, read).await;
    };
    if timeout(TIME_IN_ALL, swept).await.is_err() {
        warn!("The sweep has used up its time; the next one goes on");
    }
    Ok(result.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner()))
}

/// The calls to look at: overdue ones, and open ones whose workflow was closed from outside.
async fn find_calls(
    calls: &Calls,
    client: &Client,
    limit: u32,
) -> Result<Vec<ConversationId>, Failure> {
    let now = calls.clock.now();
    let closed = match workflow::closed_from_outside(client, limit).await {
        Ok(closed) => closed,
        Err(error) => {
            warn!(%error, "Terminated workflows can't be listed; their calls are swept once they are overdue");
            Vec::new()
        }
    };
    let mut conn = calls.store.read().await?;
    let slot_before = now - MAX_LATENESS - MIN_AGE;
    let overdue = sweeps::overdue(&mut conn, slot_before, now - MIN_AGE, limit).await?;
    let mut seen = BTreeSet::new();
    let mut found = sweeps::open_among(&mut conn, &closed).await?;
    found.extend(overdue);
    found.retain(|id| seen.insert(id.clone()));
    Ok(found)
}

async fn find_transcripts(
    calls: &Calls,
    limit: u32,
) -> Result<Vec<(DialId, ConversationId)>, StoreError> {
    let now = calls.clock.now();
    let (after, before) = (now - TRANSCRIPT_MAX_AGE, now - MIN_AGE);
    sweeps::transcripts_due(&mut *calls.store.read().await?, after, before, limit).await
}

/// Deletes decisions that are older than `DECISION_DAYS`; returns their number.
async fn prune_decisions(calls: &Calls) -> Result<u64, StoreError> {
    let before = calls.clock.now() - TimeDelta::days(i64::from(calls.settings.decision_days));
    decisions::prune(&calls.store, before).await
}

/// Records messages that an earlier build could not read.
async fn read_unread(calls: &Calls, limit: u32) -> Result<(), StoreError> {
    let messages = call_events::unread(&mut *calls.store.read().await?, limit).await?;
    for (id, message) in messages {
        let mut tx = calls.store.begin().await?;
        if apply_late_event::record_if_readable(calls, &mut tx, &id, &message).await? {
            call_events::delete_unread(&mut tx, &id, &message).await?;
            tx.commit().await?;
            info!(conversationId = %id, "Recorded a message that an earlier build could not read");
        }
    }
    Ok(())
}

#[instrument(name = "sweep", level = "error", skip_all, fields(conversationId = %id))]
async fn sweep_one(
    calls: &Calls,
    client: &Client,
    id: ConversationId,
    result: &Mutex<SweepResult>,
) {
    let swept = async {
        if !workflow::is_closed(client, &id).await? {
            return Ok(None);
        }
        let messages = workflow::received_messages(client, &id).await?;
        record_abandoned(calls, &id, &messages).await.map(Some)
    };
    let swept = match timeout(TIME_PER_CALL, swept).await {
        Ok(Ok(swept)) => swept,
        // A call that can't be recorded yet must not delay the others.
        Ok(Err(error)) => {
            warn!(%error, "The call could not be recorded yet");
            Some(Swept::Ending)
        }
        Err(_) => {
            warn!("The call could not be recorded yet: the time for it is used up");
            Some(Swept::Ending)
        }
    };
    let Some(swept) = swept else { return };
    info!(recorded = swept == Swept::Recorded, "Swept a call without a workflow");
    let mut result = result.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    match swept {
        Swept::Recorded => result.recorded.push(id),
        Swept::Ending => result.ending.push(id),
    }
}

/// Reads the transcript of a call, unless its workflow still runs: it tries to read it itself.
#[instrument(name = "sweep", level = "error", skip_all, fields(dialId = %dial_id))]
async fn read_transcript(
    calls: &Calls,
    client: &Client,
    (dial_id, conversation_id): (DialId, ConversationId),
    result: &Mutex<SweepResult>,
) {
    let read = async {
        if !workflow::is_closed(client, &conversation_id).await? {
            return Ok(false);
        }
        let dial = DialRef { dial_id, provider_call_id: None };
        collect_transcript::run(calls, &dial).await.map(|_| true)
    };
    match timeout(TIME_PER_CALL, read).await {
        Ok(Ok(true)) => {
            let mut result = result.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            result.transcripts.push(conversation_id);
        }
        Ok(Ok(false)) => {}
        Ok(Err(error)) => warn!(%error, "The transcript could not be read yet"),
        Err(_) => warn!("The transcript could not be read yet: the time for it is used up"),
    }
}
