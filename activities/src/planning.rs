//! Activities of a plan run.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, Utc};
use domain::ids::{ConversationId, ProspectId, UserId};
use domain::pacing::Pacing;
use domain::slots::{self, Budget, Decision, PlanContext, PlanInterval};
use domain::{Block, BlockReason};
use store::plans::{self, CallbackPage, CandidateFilter, NewConversation, NewDecision};
use store::users::{self, UserState};
use store::{Connection, Store, StoreError, rules};
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};
use tracing::{info, instrument};
use workflows::activities::planning::{
    PickDueCallbacks, PickDueCallbacksInput, PickUsers, PickUsersInput, PlanUser, PlanUserInput,
    PlannedCall, PlannedUser,
};

use crate::failure::to_activity_result;

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
}

impl Planning {
    pub fn new(store: Store, settings: PlanSettings) -> Self {
        Self { store, settings }
    }
}

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

    /// Plans one user in one transaction. Idempotent by the nominal time stored with the user and, for callbacks only, by
    /// the one open conversation of a prospect.
    #[activity(definition = PlanUser)]
    pub async fn plan_user(
        self: Arc<Self>,
        _ctx: ActivityContext,
        input: PlanUserInput,
    ) -> Result<PlannedUser, ActivityError> {
        to_activity_result(plan_user(&self, &input).await)
    }
}

/// The plan of one user.
pub enum UserPlan {
    /// The user as a whole is skipped.
    Skipped(Block),
    /// The decisions in calling order, and the sequence numbers of the prospects' next conversations.
    Decided(Vec<Decision>, BTreeMap<ProspectId, i32>),
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
    let Some(user) = plans::lock_user(&mut tx, &input.user_id).await? else {
        return Ok(PlannedUser::default());
    };
    let is_turn = user.planned_at.is_none_or(|planned_at| planned_at < input.from);
    if input.callbacks_only || is_turn {
        let plan = decide(planning, &mut tx, input).await?;
        save_plan(&mut tx, input, plan).await?;
        if !input.callbacks_only {
            plans::mark_planned(&mut tx, &input.user_id, input.from).await?;
        }
    }
    let calls = plans::calls_of_run(&mut tx, &input.run, &input.user_id).await?;
    let skipped = plans::skips_of_run(&mut tx, &input.run, &input.user_id).await?;
    tx.commit().await?;
    let calls = calls.into_iter().map(|call| PlannedCall {
        conversation_id: call.conversation_id,
        prospect_id: call.prospect_id,
        slot: call.slot,
    });
    let calls: Vec<PlannedCall> = calls.collect();
    log_plan(input, &calls, &skipped);
    Ok(PlannedUser { calls, skipped })
}

/// Decides as a plan run would, and changes nothing.
pub async fn preview_plan(
    planning: &Planning,
    input: &PlanUserInput,
) -> Result<UserPlan, StoreError> {
    // The transaction is rolled back: it grants the minutes of a new period, as the plan run does.
    let mut tx = planning.store.begin().await?;
    decide(planning, &mut tx, input).await
}

async fn decide(
    planning: &Planning,
    conn: &mut Connection,
    input: &PlanUserInput,
) -> Result<UserPlan, StoreError> {
    let profile = match users::lock_user_state(conn, &input.user_id, input.from).await? {
        UserState::Ready(profile) if profile.paused => {
            return Ok(UserPlan::Skipped(BlockReason::Paused.into()));
        }
        UserState::Ready(profile) => profile,
        UserState::Blocked(block) => return Ok(UserPlan::Skipped(block)),
    };
    let day_start = profile.window.day_start(input.from);
    let usage = plans::usage(conn, &input.user_id, day_start).await?;
    let budget = Budget {
        calls: profile.per_day - usage.calls,
        minutes: profile.minutes_left - usage.unreserved,
    };
    let filter = CandidateFilter {
        user_id: &input.user_id,
        until: input.until,
        max_attempts: profile.max_attempts,
        callbacks_only: input.callbacks_only,
        calls_left: budget.calls.min(budget.minutes),
    };
    let numbered = plans::candidates(conn, &filter).await?;
    let sequences: BTreeMap<ProspectId, i32> =
        numbered.iter().map(|c| (c.candidate.priority.prospect.clone(), c.next_sequence)).collect();
    let candidates = numbered.into_iter().map(|c| c.candidate).collect();
    let interval = PlanInterval { from: input.from, until: input.until };
    let planned = plans::planned_slots(conn, &interval).await?;
    let settings = &planning.settings;
    let context = PlanContext {
        interval,
        window: &profile.window,
        budget,
        rules: &rules::calling_rules(conn).await?,
        strict: settings.strict_calling_hours,
        pacing: Pacing::new(settings.max_concurrent_calls, settings.calls_per_minute, planned),
    };
    Ok(UserPlan::Decided(slots::plan(context, candidates), sequences))
}

async fn save_plan(
    conn: &mut Connection,
    input: &PlanUserInput,
    plan: UserPlan,
) -> Result<(), StoreError> {
    let (run, user_id) = (&input.run, &input.user_id);
    match plan {
        UserPlan::Skipped(block) => {
            let decision = NewDecision {
                reason: Some(block.reason),
                detail: Some(block.detail),
                ..NewDecision::default()
            };
            plans::insert_decisions(conn, run, user_id, &[decision], input.from).await
        }
        UserPlan::Decided(decisions, sequences) => {
            let conversations: Vec<NewConversation> =
                decisions.iter().filter_map(|d| new_conversation(d, &sequences)).collect();
            plans::insert_conversations(conn, run, user_id, &conversations).await?;
            let decisions: Vec<NewDecision> =
                decisions.iter().map(|d| new_decision(d, &sequences)).collect();
            plans::insert_decisions(conn, run, user_id, &decisions, input.from).await
        }
    }
}

fn new_conversation(
    decision: &Decision,
    sequences: &BTreeMap<ProspectId, i32>,
) -> Option<NewConversation> {
    let slot = decision.slot.as_ref().ok()?;
    let (prospect_id, sequence) = (decision.prospect.clone(), sequences[&decision.prospect]);
    let id = ConversationId::nth(&prospect_id, sequence);
    Some(NewConversation { id, prospect_id, sequence, slot: slot.at })
}

fn new_decision(decision: &Decision, sequences: &BTreeMap<ProspectId, i32>) -> NewDecision {
    let prospect = &decision.prospect;
    let common = NewDecision {
        prospect_id: Some(prospect.clone()),
        priority: Some(decision.score),
        calls_left: Some(decision.left.calls),
        minutes_left: Some(decision.left.minutes),
        ..NewDecision::default()
    };
    match &decision.slot {
        Ok(slot) => NewDecision {
            conversation_id: Some(ConversationId::nth(prospect, sequences[prospect])),
            slot: Some(slot.at),
            detail: slot.detail.clone(),
            ..common
        },
        Err(block) => NewDecision {
            reason: Some(block.reason),
            detail: Some(block.detail.clone()),
            next_allowed: block.until,
            ..common
        },
    }
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
