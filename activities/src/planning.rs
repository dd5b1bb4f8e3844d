//! Activities of a plan run.

mod shares;
mod user_plan;

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, SubsecRound as _, TimeDelta, Utc};
use domain::ids::UserId;
use domain::pacing::Pacing;
use domain::slots::PlanInterval;
use domain::{Block, BlockReason};
use futures::FutureExt as _;
use store::plans::{self, CallbackPage};
use store::{Connection, Store, StoreError};
use temporalio_common::error::ApplicationFailure;
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};
use tracing::{info, instrument, warn};
use workflows::activities::planning::{
    PickDueCallbacks, PickDueCallbacksInput, PickUsers, PickUsersInput, PlanUser, PlanUserInput,
    PlannedCall, PlannedUser, ShareSlots, ShareSlotsInput, SkipUser, SkipUserInput,
};

use crate::clock::Clock;
use crate::failure::to_activity_result;

pub use shares::share_slots;
pub use user_plan::UserPlan;
use user_plan::{read_basis, save_plan};

#[derive(Clone, Copy, Debug)]
pub struct PlanSettings {
    /// Whether prospects without a determined time zone are skipped.
    pub strict_calling_hours: bool,
    /// Calls that may be in progress at once.
    pub max_concurrent_calls: i32,
    /// Calls that the provider accepts per minute.
    pub calls_per_minute: i32,
}

/// What the activities of a plan run need.
pub struct Planning {
    store: Store,
    settings: PlanSettings,
    clock: Clock,
}

impl Planning {
    pub fn new(store: Store, settings: PlanSettings, clock: Clock) -> Self {
        Self { store, settings, clock }
    }

    /// What is left of the interval of a run, in whole seconds: a run that comes late plans nothing in the past.
    fn remaining(&self, from: DateTime<Utc>, until: DateTime<Utc>) -> PlanInterval {
        let now = self.clock.now();
        let on_time = now < until && now < from + MAX_START_DELAY;
        PlanInterval { from: if on_time { from } else { from.max(next_second(now)) }, until }
    }

    fn pacing(&self, planned: Vec<DateTime<Utc>>) -> Pacing {
        Pacing::new(self.settings.max_concurrent_calls, self.settings.calls_per_minute, planned)
    }
}

/// The whole second after a time.
fn next_second(time: DateTime<Utc>) -> DateTime<Utc> {
    time.trunc_subsecs(0) + TimeDelta::seconds(1)
}

/// How long after its nominal time a run is still on time.
const MAX_START_DELAY: TimeDelta = TimeDelta::seconds(5);
/// The maximum time for which one user is planned.
const PLAN_TIMEOUT: Duration = Duration::from_secs(20);
/// Attempts to plan a user. An attempt without a database does not count.
const MAX_PLAN_ATTEMPTS: u32 = 2;

#[activities]
impl Planning {
    /// Picks the users planned longest ago. Reads only.
    #[activity(definition = PickUsers)]
    pub async fn pick_users(
        self: Arc<Self>,
        _ctx: ActivityContext,
        input: PickUsersInput,
    ) -> Result<Vec<UserId>, ActivityError> {
        to_activity_result(pick_users(&self, &input).await)
    }

    /// Picks users with due callbacks. Reads only.
    #[activity(definition = PickDueCallbacks)]
    pub async fn pick_due_callbacks(
        self: Arc<Self>,
        _ctx: ActivityContext,
        input: PickDueCallbacksInput,
    ) -> Result<Vec<UserId>, ActivityError> {
        to_activity_result(pick_due_callbacks(&self, &input).await)
    }

    /// Shares the free slots among users. Reads only.
    #[activity(definition = ShareSlots)]
    pub async fn share_slots(
        self: Arc<Self>,
        _ctx: ActivityContext,
        input: ShareSlotsInput,
    ) -> Result<Vec<Option<usize>>, ActivityError> {
        to_activity_result(share_slots(&self, &input).await)
    }

    /// Plans one user in one transaction. Idempotent by the nominal time stored with the user and, for callbacks only, by
    /// the one open conversation of a prospect.
    #[activity(definition = PlanUser)]
    pub async fn plan_user(
        self: Arc<Self>,
        ctx: ActivityContext,
        input: PlanUserInput,
    ) -> Result<PlannedUser, ActivityError> {
        // A row that can't be used must not stop the others: whatever it causes ends within a time and two attempts.
        let plan = AssertUnwindSafe(plan_user(&self, &input)).catch_unwind();
        let failure = match tokio::time::timeout(PLAN_TIMEOUT, plan).await {
            Ok(Ok(Ok(planned))) => return Ok(planned),
            Ok(Ok(Err(error))) if error.is_unavailable() => return to_activity_result(Err(error)),
            Ok(Ok(Err(error))) => PlanFailure::Store(error),
            Ok(Err(_)) => PlanFailure::Panicked,
            Err(_) => PlanFailure::TimedOut,
        };
        warn!(userId = %input.user_id, error = %failure, "The user could not be planned");
        let last = ctx.info().attempt >= MAX_PLAN_ATTEMPTS;
        let failure = ApplicationFailure::builder(failure).type_name("PlanFailed".to_owned());
        Err(ActivityError::application(failure.non_retryable(last).build()))
    }

    /// Puts a user that could not be planned at the end of the order. Idempotent as [`Self::plan_user`].
    #[activity(definition = SkipUser)]
    pub async fn skip_user(
        self: Arc<Self>,
        _ctx: ActivityContext,
        input: SkipUserInput,
    ) -> Result<PlannedUser, ActivityError> {
        to_activity_result(skip_user(&self, &input).await)
    }
}

/// Why a user could not be planned, although the database can be reached.
#[derive(Debug, thiserror::Error)]
enum PlanFailure {
    #[error(transparent)]
    Store(StoreError),
    #[error("planning the user panicked; the log of the worker says where")]
    Panicked,
    #[error("planning the user took more than 20 seconds")]
    TimedOut,
}

/// Picks the users whose turn it is.
pub async fn pick_users(
    planning: &Planning,
    input: &PickUsersInput,
) -> Result<Vec<UserId>, StoreError> {
    let mut conn = planning.store.read().await?;
    plans::pick_users(&mut conn, input.planned_before, &input.except, input.limit).await
}

/// Picks the users with a due callback that is not planned.
pub async fn pick_due_callbacks(
    planning: &Planning,
    input: &PickDueCallbacksInput,
) -> Result<Vec<UserId>, StoreError> {
    let mut conn = planning.store.read().await?;
    let page = CallbackPage {
        limit: input.limit,
        before: input.before,
        planned_before: input.planned_before,
        after: input.after.as_ref(),
    };
    plans::users_with_due_callbacks(&mut conn, &page).await
}

/// Plans the calls of one user.
#[instrument(name = "plan_user", level = "error", skip_all, fields(userId = %input.user_id))]
pub async fn plan_user(
    planning: &Planning,
    input: &PlanUserInput,
) -> Result<PlannedUser, StoreError> {
    let mut tx = planning.store.begin().await?;
    let Some(user) = plans::lock_user(&mut tx, &input.user_id, input.from).await? else {
        return Ok(PlannedUser::default());
    };
    let interval = planning.remaining(input.from, input.until);
    let from = interval.from;
    let interval_over = from >= input.until;
    let skipped = if !interval_over && (input.callbacks_only || user.waits) {
        let plan = match read_basis(&mut tx, input, &interval).await? {
            Ok(basis) => {
                plans::lock_slots(&mut tx).await?;
                let planned = plans::planned_slots(&mut tx, &interval).await?;
                basis.plan(planning, planning.pacing(planned), input.share)
            }
            Err(block) => UserPlan::Skipped(block),
        };
        let skipped = plan.skipped();
        save_plan(&mut tx, input, plan, from).await?;
        if !input.callbacks_only {
            plans::mark_planned(&mut tx, &input.user_id, input.from).await?;
        }
        skipped
    } else {
        plans::skips_of_run(&mut tx, &input.run, &input.user_id).await?
    };
    let calls = calls_of_run(&mut tx, input).await?;
    tx.commit().await?;
    log_plan(input, &calls, &skipped);
    Ok(PlannedUser { calls, skipped, interval_over })
}

async fn calls_of_run(
    conn: &mut Connection,
    input: &PlanUserInput,
) -> Result<Vec<PlannedCall>, StoreError> {
    let calls = plans::calls_of_run(conn, &input.run, &input.user_id).await?.into_iter();
    let calls = calls.map(|call| PlannedCall {
        conversation_id: call.conversation_id,
        prospect_id: call.prospect_id,
        slot: call.slot,
    });
    Ok(calls.collect())
}

/// Ends the turn of a user that could not be planned, with a decision. Returns the calls of the run: an attempt may have
/// planned them, and only its result was lost.
#[instrument(name = "skip_user", level = "error", skip_all, fields(userId = %input.plan.user_id))]
pub async fn skip_user(
    planning: &Planning,
    input: &SkipUserInput,
) -> Result<PlannedUser, StoreError> {
    let plan = &input.plan;
    let mut tx = planning.store.begin().await?;
    let Some(user) = plans::lock_user(&mut tx, &plan.user_id, plan.from).await? else {
        return Ok(PlannedUser::default());
    };
    let calls = calls_of_run(&mut tx, plan).await?;
    let mut skipped = BTreeMap::new();
    if calls.is_empty() && (plan.callbacks_only || user.waits) {
        let reason = BlockReason::PlanningFailed;
        let detail = format!("{} {}.", reason.sentence(), input.error.trim_end_matches('.'));
        let block = UserPlan::Skipped(Block::with_detail(reason, detail));
        skipped = block.skipped();
        save_plan(&mut tx, plan, block, plan.from.max(planning.clock.now())).await?;
        if !plan.callbacks_only {
            plans::mark_planned(&mut tx, &plan.user_id, plan.from).await?;
        }
    }
    tx.commit().await?;
    Ok(PlannedUser { calls, skipped, interval_over: false })
}

/// Decides as a plan run would, and changes nothing.
pub async fn preview_plan(
    planning: &Planning,
    input: &PlanUserInput,
) -> Result<UserPlan, StoreError> {
    // The transaction is rolled back: it grants the minutes of a new period, as the plan run does.
    let mut tx = planning.store.begin().await?;
    let interval = PlanInterval { from: input.from, until: input.until };
    Ok(match read_basis(&mut tx, input, &interval).await? {
        Ok(basis) => {
            let planned = plans::planned_slots(&mut tx, &interval).await?;
            basis.plan(planning, planning.pacing(planned), input.share)
        }
        Err(block) => UserPlan::Skipped(block),
    })
}

fn log_plan(input: &PlanUserInput, calls: &[PlannedCall], skipped: &BTreeMap<BlockReason, u32>) {
    for call in calls {
        info!(
            prospectId = %call.prospect_id,
            conversationId = %call.conversation_id,
            scheduledTime = %format_time(call.slot),
            "Scheduled call"
        );
    }
    for (reason, count) in skipped {
        info!(planRun = input.run, reason = reason.into_str(), count, "Skipped");
    }
}

fn format_time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}
