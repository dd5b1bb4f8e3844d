//! A plan run: plans users and starts their calls.

use std::collections::BTreeMap;
use std::time::SystemTime;

use chrono::{DateTime, TimeDelta, Utc};
use domain::BlockReason;
use domain::ids::UserId;
use serde::{Deserialize, Serialize};
use temporalio_workflow::common::search_attributes::{
    SearchAttributeKey, SearchAttributes, Timestamp,
};
use temporalio_workflow::workflows::join_all;
use temporalio_workflow::{
    ChildWorkflowCancellationType, ChildWorkflowOptions, ChildWorkflowStartError,
    ContinueAsNewOptions, ParentClosePolicy, StartChildWorkflowExecutionFailedCause,
    WorkflowContext, WorkflowContextView, WorkflowIdReusePolicy, WorkflowResult,
    WorkflowTermination, workflow, workflow_methods,
};

use crate::activities::planning::{
    PickDueCallbacks, PickDueCallbacksInput, PickUsers, PickUsersInput, PlanUser, PlanUserInput,
    PlannedCall, PlannedUser,
};
use crate::call::{Call, CallInput, CallState};
use crate::clock::{self, ClockOffset};
use crate::{attributes, ids, presets};

/// Child workflows started at once.
const MAX_STARTS_IN_FLIGHT: usize = 200;
/// Child workflows after which the run continues as new; the server allows 2,000 pending ones.
const MAX_CHILDREN_PER_RUN: u32 = 500;
/// Users picked at once.
const MAX_USERS_PER_PAGE: u32 = 100;

/// The nominal time of the action, which the server sets on workflows started by a schedule.
const NOMINAL_TIME: SearchAttributeKey<Timestamp> =
    SearchAttributeKey::datetime("TemporalScheduledStartTime");

/// The input from the schedule, and the state that a run passes on when it continues as new.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanCallsInput {
    /// Users planned in one run.
    pub batch_size: u32,
    /// Minutes from one run to the next.
    pub interval_minutes: u32,
    #[serde(default)]
    pub clock_offset: ClockOffset,
    /// The time to plan for, by the service's clock; the nominal time of the schedule if `None`.
    #[serde(default)]
    pub from: Option<DateTime<Utc>>,
    #[serde(default)]
    pub so_far: PlanSummary,
    #[serde(default)]
    pub phase: PlanPhase,
}

/// Which users the run plans.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum PlanPhase {
    /// The users planned longest ago.
    #[default]
    Regular,
    /// Other users with due callbacks, in the order of ids.
    DueCallbacks { after: Option<UserId> },
}

/// The result of the workflow.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PlanSummary {
    /// The time planned for.
    pub from: Option<DateTime<Utc>>,
    /// Users considered.
    pub users: u32,
    /// Calls planned.
    pub planned: u32,
    /// Planned calls whose workflow existed already.
    pub already_there: u32,
    /// Skipped prospects and users by reason.
    pub skipped: BTreeMap<BlockReason, u32>,
    /// Users that could not be planned because of an error; the next run plans them first.
    pub failed_users: Vec<UserId>,
}

/// The workflow of one plan run.
#[workflow]
pub struct PlanCalls {
    input: PlanCallsInput,
}

#[workflow_methods]
impl PlanCalls {
    #[init]
    pub fn new(_ctx: &WorkflowContextView, input: PlanCallsInput) -> Self {
        Self { input }
    }

    /// Plans the users whose turn it is, then the due callbacks of other users, and starts the calls.
    #[run(name = "PlanCalls")]
    pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<PlanSummary> {
        let mut input = ctx.state(|run| run.input.clone());
        let from = input.from.unwrap_or_else(|| nominal_time(ctx, input.clock_offset));
        input.from = Some(from);
        input.so_far.from = Some(from);
        let mut started = 0;
        loop {
            let (users, limit) = pick_users(ctx, &input, from).await?;
            let is_last_page = users.len() < limit as usize || limit == 0;
            for user_id in users {
                started += plan_user(ctx, &mut input, user_id.clone(), from).await?;
                if let PlanPhase::DueCallbacks { after } = &mut input.phase {
                    *after = Some(user_id);
                }
                if started >= MAX_CHILDREN_PER_RUN || ctx.continue_as_new_suggested() {
                    match ctx.continue_as_new(input, ContinueAsNewOptions::default())? {}
                }
            }
            match input.phase {
                _ if !is_last_page => {}
                PlanPhase::Regular => input.phase = PlanPhase::DueCallbacks { after: None },
                PlanPhase::DueCallbacks { .. } => return Ok(input.so_far),
            }
        }
    }
}

impl PlanCallsInput {
    /// The nominal time of the next run.
    fn until(&self, from: DateTime<Utc>) -> DateTime<Utc> {
        from + TimeDelta::minutes(i64::from(self.interval_minutes.max(1)))
    }
}

/// Picks the next page of users; returns them with the size of a full page. A planned user is not picked again.
async fn pick_users(
    ctx: &WorkflowContext<PlanCalls>,
    input: &PlanCallsInput,
    from: DateTime<Utc>,
) -> Result<(Vec<UserId>, u32), WorkflowTermination> {
    match &input.phase {
        PlanPhase::Regular => {
            let left = input.batch_size.saturating_sub(input.so_far.users);
            let limit = left.min(MAX_USERS_PER_PAGE);
            if limit == 0 {
                return Ok((Vec::new(), limit));
            }
            let except = input.so_far.failed_users.clone();
            let page = PickUsersInput { limit, planned_before: from, except };
            let options = presets::database("pick_users");
            Ok((ctx.execute_activity(PickUsers, page, options).await?, limit))
        }
        PlanPhase::DueCallbacks { after } => {
            let limit = MAX_USERS_PER_PAGE;
            let (before, after) = (input.until(from), after.clone());
            let page = PickDueCallbacksInput { limit, before, planned_before: from, after };
            let options = presets::database("pick_due_callbacks");
            Ok((ctx.execute_activity(PickDueCallbacks, page, options).await?, limit))
        }
    }
}

/// Plans a user and starts its calls; returns their number.
async fn plan_user(
    ctx: &WorkflowContext<PlanCalls>,
    input: &mut PlanCallsInput,
    user_id: UserId,
    from: DateTime<Utc>,
) -> Result<u32, WorkflowTermination> {
    let plan = PlanUserInput {
        run: ctx.workflow_id().to_owned(),
        user_id: user_id.clone(),
        from,
        until: input.until(from),
        callbacks_only: input.phase != PlanPhase::Regular,
    };
    let Ok(planned) = ctx.execute_activity(PlanUser, plan, presets::plan()).await else {
        input.so_far.failed_users.push(user_id);
        return Ok(0);
    };
    let PlannedUser { calls, skipped } = planned;
    input.so_far.users += 1;
    for (reason, count) in skipped {
        *input.so_far.skipped.entry(reason).or_default() += count;
    }
    start_calls(ctx, input, &user_id, &calls).await?;
    ctx.set_current_details(describe(&input.so_far));
    Ok(calls.len() as u32)
}

/// Starts the user's calls as child workflows that outlive the run.
async fn start_calls(
    ctx: &WorkflowContext<PlanCalls>,
    input: &mut PlanCallsInput,
    user_id: &UserId,
    calls: &[PlannedCall],
) -> Result<(), WorkflowTermination> {
    for calls in calls.chunks(MAX_STARTS_IN_FLIGHT) {
        let starts = calls.iter().map(|call| {
            let options = child_options(user_id, call);
            let child = CallInput {
                conversation_id: call.conversation_id.clone(),
                user_id: user_id.clone(),
                prospect_id: call.prospect_id.clone(),
                slot: call.slot,
                clock_offset: input.clock_offset,
            };
            ctx.start_child_workflow(Call::run, child, options)
        });
        let starts: Vec<_> = starts.collect();
        for start in join_all(starts).await {
            input.so_far.planned += 1;
            match start {
                Ok(_started) => {}
                Err(ChildWorkflowStartError::StartFailed {
                    cause: StartChildWorkflowExecutionFailedCause::WorkflowAlreadyExists,
                    ..
                }) => input.so_far.already_there += 1,
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}

fn child_options(user_id: &UserId, call: &PlannedCall) -> ChildWorkflowOptions {
    let slot = call.slot.format("%Y-%m-%d %H:%M:%S UTC");
    let state = CallState::Waiting.into_str().to_owned();
    ChildWorkflowOptions::builder()
        .workflow_id(ids::call_workflow(&call.conversation_id))
        .parent_close_policy(ParentClosePolicy::Abandon)
        .cancel_type(ChildWorkflowCancellationType::Abandon)
        .id_reuse_policy(WorkflowIdReusePolicy::RejectDuplicate)
        .static_summary(format!("Call {} for {user_id} at {slot}", call.prospect_id))
        .search_attributes(SearchAttributes::new([
            attributes::USER_ID.value_set(user_id.to_string()),
            attributes::PROSPECT_ID.value_set(call.prospect_id.to_string()),
            attributes::CALL_STATE.value_set(state),
            attributes::CALL_SLOT.value_set(attributes::timestamp(call.slot)),
        ]))
        .build()
}

/// The nominal time of the schedule's action; the start of the workflow without a schedule.
fn nominal_time(ctx: &WorkflowContext<PlanCalls>, offset: ClockOffset) -> DateTime<Utc> {
    let nominal = ctx.search_attributes().get(&NOMINAL_TIME);
    match nominal.and_then(|time| SystemTime::try_from(time).ok()) {
        Some(nominal) => offset.apply(nominal.into()),
        None => clock::now(ctx, offset),
    }
}

fn describe(summary: &PlanSummary) -> String {
    let skipped: u32 = summary.skipped.values().sum();
    format!("{} users, {} calls planned, {skipped} skipped", summary.users, summary.planned)
}
