//! Activities of a plan run.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, SubsecRound as _, TimeDelta, Utc};
use domain::hours::DailyWindow;
use domain::ids::{ConversationId, ProspectId, UserId};
use domain::pacing::{self, Pacing};
use domain::rules::Rule;
use domain::slots::{self, Budget, Candidate, Decision, PlanContext, PlanInterval};
use domain::{Block, BlockReason};
use futures::{FutureExt as _, StreamExt as _};
use store::plans::{self, CallbackPage, CandidateFilter, LockedUser, NewConversation, NewDecision};
use store::users::{self, UserState};
use store::{Connection, Store, StoreError, rules};
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
        let next_second = self.clock.now().trunc_subsecs(0) + TimeDelta::seconds(1);
        PlanInterval { from: from.max(next_second), until }
    }

    fn pacing(&self, planned: Vec<DateTime<Utc>>) -> Pacing {
        Pacing::new(self.settings.max_concurrent_calls, self.settings.calls_per_minute, planned)
    }
}

/// The maximum time for which one user is planned.
const PLAN_TIMEOUT: Duration = Duration::from_secs(20);
/// Attempts to plan a user. An attempt without a database does not count.
const MAX_PLAN_ATTEMPTS: u32 = 2;
/// Users whose wanted calls are counted at the same time.
const MAX_CONCURRENT_USERS: usize = 4;

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
    let interval = planning.remaining(input.from, input.until);
    let from = interval.from;
    let interval_over = from >= input.until;
    let skipped = if !interval_over && (input.callbacks_only || is_turn(&user, input)) {
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

/// Whether the user has not been planned for the time of this run.
fn is_turn(user: &LockedUser, input: &PlanUserInput) -> bool {
    user.planned_at.is_none_or(|planned_at| planned_at < input.from)
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
    let Some(user) = plans::lock_user(&mut tx, &plan.user_id).await? else {
        return Ok(PlannedUser::default());
    };
    let calls = calls_of_run(&mut tx, plan).await?;
    let mut skipped = BTreeMap::new();
    if calls.is_empty() && (plan.callbacks_only || is_turn(&user, plan)) {
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

/// Shares the free slots of an interval among users by the calls that they could make; `None` for each if there are
/// enough. Users that the run plans later keep their part.
pub async fn share_slots(
    planning: &Planning,
    input: &ShareSlotsInput,
) -> Result<Vec<Option<usize>>, StoreError> {
    let interval = planning.remaining(input.from, input.until);
    let from = interval.from;
    let mut conn = planning.store.read().await?;
    let most = plans::most_calls(&mut conn, &input.users).await?;
    let pacing = planning.pacing(plans::planned_slots(&mut conn, &interval).await?);
    let waiting = plans::count_waiting(&mut conn, input.from).await?;
    drop(conn);
    let users = input.users.len();
    let users_left = waiting.min(input.users_left as usize).max(users);
    let room = pacing.room(from, input.until, most * users_left / users.max(1));
    let room = room * users / users_left.max(1);
    if most <= room {
        return Ok(vec![None; users]);
    }
    let wanted =
        input.users.iter().map(|user| count_wanted(planning, input, user, &interval).boxed());
    let wanted = wanted.collect::<Vec<_>>();
    let wanted: Vec<usize> =
        futures::stream::iter(wanted).buffered(MAX_CONCURRENT_USERS).collect().await;
    // The users that begin change from run to run.
    let first = (input.from.timestamp() / 60).unsigned_abs() as usize;
    Ok(pacing::share(room, &wanted, first).into_iter().map(Some).collect())
}

/// The number of calls that a user could make if it were the only one. A user that can't be planned wants none.
async fn count_wanted(
    planning: &Planning,
    input: &ShareSlotsInput,
    user_id: &UserId,
    interval: &PlanInterval,
) -> usize {
    let input = PlanUserInput {
        run: String::new(),
        user_id: user_id.clone(),
        from: input.from,
        until: input.until,
        callbacks_only: false,
        share: None,
    };
    let count = async {
        let mut tx = planning.store.begin().await?;
        let basis = read_basis(&mut tx, &input, interval).await?;
        let plan = basis.map(|basis| basis.plan(planning, planning.pacing(Vec::new()), None));
        Ok::<_, StoreError>(plan.map_or(0, |plan| plan.spread_calls()))
    };
    let count = AssertUnwindSafe(count).catch_unwind();
    match tokio::time::timeout(PLAN_TIMEOUT, count).await {
        Ok(Ok(Ok(wanted))) => wanted,
        _ => 0,
    }
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

/// What the plan of a user is made from, besides the slots of others.
struct PlanBasis {
    interval: PlanInterval,
    window: DailyWindow,
    budget: Budget,
    candidates: Vec<Candidate>,
    /// The sequence numbers of the prospects' next conversations.
    sequences: BTreeMap<ProspectId, i32>,
    rules: Vec<Rule>,
}

/// Reads what the plan of a user is made from, or why the user as a whole is skipped.
async fn read_basis(
    conn: &mut Connection,
    input: &PlanUserInput,
    interval: &PlanInterval,
) -> Result<Result<PlanBasis, Block>, StoreError> {
    let profile = match users::lock_user_state(conn, &input.user_id, interval.from).await? {
        UserState::Ready(profile) if profile.paused => {
            return Ok(Err(BlockReason::Paused.into()));
        }
        UserState::Ready(profile) => profile,
        UserState::Blocked(block) => return Ok(Err(block)),
    };
    let day_start = profile.window.day_start(interval.from);
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
    let rules = rules::calling_rules(conn).await?;
    let (interval, window) = (*interval, profile.window);
    Ok(Ok(PlanBasis { interval, window, budget, candidates, sequences, rules }))
}

impl PlanBasis {
    fn plan(self, planning: &Planning, pacing: Pacing, share: Option<usize>) -> UserPlan {
        let context = PlanContext {
            interval: self.interval,
            window: &self.window,
            budget: self.budget,
            rules: &self.rules,
            strict: planning.settings.strict_calling_hours,
            pacing,
            share,
        };
        UserPlan::Decided(slots::plan(context, self.candidates), self.sequences)
    }
}

impl UserPlan {
    /// The number of skipped prospects by reason; a skipped user counts once.
    fn skipped(&self) -> BTreeMap<BlockReason, u32> {
        let mut skipped = BTreeMap::new();
        let reasons: Vec<BlockReason> = match self {
            Self::Skipped(block) => vec![block.reason],
            Self::Decided(decisions, _) => {
                decisions.iter().filter_map(|d| d.slot.as_ref().err()).map(|b| b.reason).collect()
            }
        };
        for reason in reasons {
            *skipped.entry(reason).or_default() += 1;
        }
        skipped
    }

    /// The number of planned calls without callbacks.
    fn spread_calls(&self) -> usize {
        match self {
            Self::Skipped(_) => 0,
            Self::Decided(decisions, _) => {
                decisions.iter().filter(|d| !d.is_callback && d.slot.is_ok()).count()
            }
        }
    }
}

async fn save_plan(
    conn: &mut Connection,
    input: &PlanUserInput,
    plan: UserPlan,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let (run, user_id) = (&input.run, &input.user_id);
    match plan {
        UserPlan::Skipped(block) => {
            let decision = NewDecision {
                reason: Some(block.reason),
                detail: Some(block.detail),
                ..NewDecision::default()
            };
            plans::insert_decisions(conn, run, user_id, &[decision], now).await
        }
        UserPlan::Decided(decisions, sequences) => {
            let conversations: Vec<NewConversation> =
                decisions.iter().filter_map(|d| new_conversation(d, &sequences)).collect();
            plans::insert_conversations(conn, run, user_id, &conversations).await?;
            let used_up = |d: &&Decision| {
                d.slot.as_ref().is_err_and(|b| b.reason == BlockReason::AttemptsUsedUp)
            };
            let used_up: Vec<_> = decisions.iter().filter(used_up).map(|d| &d.prospect).collect();
            plans::mark_attempts_used_up(conn, &used_up).await?;
            let decisions: Vec<NewDecision> =
                decisions.iter().map(|d| new_decision(d, &sequences)).collect();
            plans::insert_decisions(conn, run, user_id, &decisions, now).await
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
