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
    WorkflowCancellationToken, WorkflowContext, WorkflowContextView, WorkflowIdReusePolicy,
    WorkflowResult, WorkflowTermination, workflow, workflow_methods,
};

use crate::activities::planning::{
    PickDueCallbacks, PickDueCallbacksInput, PickUsers, PickUsersInput, PlanUser, PlanUserInput,
    PlannedCall, PlannedUser, ShareSlots, ShareSlotsInput, SkipUser, SkipUserInput,
};
use crate::call::{Call, CallInput, CallState};
use crate::clock::{self, ClockOffset};
use crate::input::Input;
use crate::{attributes, ids, presets};

/// Child workflows started at once.
const MAX_STARTS_IN_FLIGHT: usize = 200;
/// Child workflows after which the run continues as new; the server allows 2,000 pending ones.
const MAX_CHILDREN_PER_RUN: u32 = 500;
/// Users picked at once.
const MAX_USERS_PER_PAGE: u32 = 100;
/// Users planned at once.
const MAX_CONCURRENT_USERS: usize = 8;

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
    /// Users that are planned, and whose calls are not started yet.
    #[serde(default)]
    pub unstarted: Vec<UserId>,
    /// The run is cancelled: it only starts what is planned.
    #[serde(default)]
    pub cancelled: bool,
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
    /// Users that could not be planned because of an error.
    pub failed_users: Vec<UserId>,
    /// The run came so late that its interval was over; it left the other users their turn.
    pub interval_over: bool,
}

/// The workflow of one plan run.
#[workflow]
pub struct PlanCalls {
    input: Input<PlanCallsInput>,
}

#[workflow_methods]
impl PlanCalls {
    #[init]
    pub fn new(_ctx: &WorkflowContextView, input: Input<PlanCallsInput>) -> Self {
        Self { input }
    }

    /// Plans the users whose turn it is, then the due callbacks of other users, and starts the calls.
    #[run(name = "PlanCalls")]
    pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<PlanSummary> {
        let mut input = ctx.state(|run| run.input.get())?;
        let from = input.from.unwrap_or_else(|| nominal_time(ctx, input.clock_offset));
        input.from = Some(from);
        input.so_far.from = Some(from);
        let mut run = PlanRun { ctx, input, from, started: 0 };
        let unstarted = std::mem::take(&mut run.input.unstarted);
        run.plan_users(unstarted.into_iter().map(UserShare::unlimited).collect()).await?;
        while !run.input.so_far.interval_over {
            run.continue_as_new_if_long()?;
            let (users, is_last_page) = run.pick_users().await?;
            let users = run.share_slots(users).await;
            for users in users.chunks(MAX_CONCURRENT_USERS) {
                run.end_if_cancelled()?;
                run.plan_users(users.to_vec()).await?;
                if run.input.so_far.interval_over {
                    break;
                }
                if let (PlanPhase::DueCallbacks { after }, Some(last)) =
                    (&mut run.input.phase, users.last())
                {
                    *after = Some(last.user_id.clone());
                }
                run.continue_as_new_if_long()?;
            }
            match run.input.phase {
                _ if !is_last_page => {}
                PlanPhase::Regular => run.input.phase = PlanPhase::DueCallbacks { after: None },
                PlanPhase::DueCallbacks { .. } => break,
            }
        }
        Ok(run.input.so_far)
    }
}

impl PlanCallsInput {
    /// The nominal time of the next run.
    fn until(&self, from: DateTime<Utc>) -> DateTime<Utc> {
        from + TimeDelta::minutes(i64::from(self.interval_minutes.max(1)))
    }

    /// The most users that the run may still plan besides their callbacks.
    fn users_left(&self) -> u32 {
        self.batch_size.saturating_sub(self.so_far.users)
    }
}

/// A user, and its part of the slots.
#[derive(Clone)]
struct UserShare {
    user_id: UserId,
    /// The most calls besides callbacks; `None` without a limit.
    share: Option<usize>,
}

impl UserShare {
    fn unlimited(user_id: UserId) -> Self {
        Self { user_id, share: None }
    }
}

/// The state of a running plan run.
struct PlanRun<'a> {
    ctx: &'a WorkflowContext<PlanCalls>,
    input: PlanCallsInput,
    from: DateTime<Utc>,
    /// Child workflows started by this run of the workflow.
    started: u32,
}

impl PlanRun<'_> {
    fn is_cancelled(&self) -> bool {
        self.input.cancelled || self.ctx.cancellation_token().is_cancelled()
    }

    fn end_if_cancelled(&self) -> Result<(), WorkflowTermination> {
        if self.is_cancelled() { Err(WorkflowTermination::cancelled()) } else { Ok(()) }
    }

    fn is_long(&self) -> bool {
        self.started >= MAX_CHILDREN_PER_RUN || self.ctx.continue_as_new_suggested()
    }

    /// Continues the workflow as new if this run of it has become long. Ends it if it is cancelled.
    fn continue_as_new_if_long(&self) -> Result<(), WorkflowTermination> {
        self.end_if_cancelled()?;
        if self.is_long() { self.continue_as_new() } else { Ok(()) }
    }

    fn continue_as_new(&self) -> Result<(), WorkflowTermination> {
        // The next run of the workflow does not get the request for cancellation.
        let input = PlanCallsInput { cancelled: self.is_cancelled(), ..self.input.clone() };
        match self.ctx.continue_as_new(input.into(), ContinueAsNewOptions::default())? {}
    }

    /// Picks the next page of users; returns them, and whether it is the last page. A planned user is not picked again.
    async fn pick_users(&self) -> Result<(Vec<UserId>, bool), WorkflowTermination> {
        let (input, from) = (&self.input, self.from);
        let (users, limit) = match &input.phase {
            PlanPhase::Regular => {
                let limit = input.users_left().min(MAX_USERS_PER_PAGE);
                if limit == 0 {
                    return Ok((Vec::new(), true));
                }
                let except = input.so_far.failed_users.clone();
                let page = PickUsersInput { limit, planned_before: from, except };
                let options = presets::database_until_cancelled("pick_users");
                (self.ctx.execute_activity(PickUsers, page, options).await, limit)
            }
            PlanPhase::DueCallbacks { after } => {
                let limit = MAX_USERS_PER_PAGE;
                let (before, after) = (input.until(from), after.clone());
                let page = PickDueCallbacksInput { limit, before, planned_before: from, after };
                let options = presets::database_until_cancelled("pick_due_callbacks");
                (self.ctx.execute_activity(PickDueCallbacks, page, options).await, limit)
            }
        };
        match users {
            Ok(users) => {
                let is_last_page = users.len() < limit as usize;
                Ok((users, is_last_page))
            }
            Err(error) => {
                self.end_if_cancelled()?;
                Err(error.into())
            }
        }
    }

    /// Shares the slots among the users of a page. Without an answer there is no limit.
    async fn share_slots(&self, users: Vec<UserId>) -> Vec<UserShare> {
        let mut shares = Vec::new();
        if self.input.phase == PlanPhase::Regular && users.len() > 1 {
            let input = ShareSlotsInput {
                users: users.clone(),
                users_left: self.input.users_left(),
                from: self.from,
                until: self.input.until(self.from),
            };
            let answer = self.ctx.execute_activity(ShareSlots, input, presets::share_slots());
            shares = answer.await.unwrap_or_default();
        }
        let shares = shares.into_iter().chain(std::iter::repeat(None));
        users.into_iter().zip(shares).map(|(user_id, share)| UserShare { user_id, share }).collect()
    }

    /// Plans users at the same time, and starts their calls. What is planned is started even if the run is cancelled.
    async fn plan_users(&mut self, users: Vec<UserShare>) -> Result<(), WorkflowTermination> {
        let planned = join_all(users.iter().map(|user| self.plan_user(user))).await;
        for (position, (user, planned)) in users.iter().zip(planned).enumerate() {
            let so_far = &mut self.input.so_far;
            let PlannedUser { calls, skipped, interval_over } = match planned {
                Planned::Done(planned) => planned,
                Planned::Failed(planned) => {
                    so_far.failed_users.push(user.user_id.clone());
                    planned
                }
            };
            so_far.users += 1;
            so_far.interval_over |= interval_over;
            for (reason, count) in skipped {
                *so_far.skipped.entry(reason).or_default() += count;
            }
            self.start_calls(&user.user_id, &calls).await?;
            self.ctx.set_current_details(describe(&self.input.so_far));
            let rest = &users[position + 1..];
            if self.is_long() && !rest.is_empty() {
                // The next run of the workflow reads their calls from the database.
                self.input.unstarted = rest.iter().map(|user| user.user_id.clone()).collect();
                if let PlanPhase::DueCallbacks { after } = &mut self.input.phase {
                    *after = users.last().map(|user| user.user_id.clone());
                }
                self.continue_as_new()?;
            }
        }
        Ok(())
    }

    async fn plan_user(&self, user: &UserShare) -> Planned {
        let plan = PlanUserInput {
            run: self.ctx.workflow_id().to_owned(),
            user_id: user.user_id.clone(),
            from: self.from,
            until: self.input.until(self.from),
            callbacks_only: self.input.phase != PlanPhase::Regular,
            share: user.share,
        };
        let error = match self.ctx.execute_activity(PlanUser, plan.clone(), presets::plan()).await {
            Ok(planned) => return Planned::Done(planned),
            Err(error) => root_cause(&error),
        };
        let skip = SkipUserInput { plan, error };
        let skipped = self.ctx.execute_activity(SkipUser, skip, presets::skip_user()).await;
        Planned::Failed(skipped.unwrap_or_default())
    }

    /// Starts the user's calls as child workflows that outlive the run.
    async fn start_calls(
        &mut self,
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
                    clock_offset: self.input.clock_offset,
                };
                self.ctx.start_child_workflow(Call::run, child, options)
            });
            let starts: Vec<_> = starts.collect();
            for start in join_all(starts).await {
                self.started += 1;
                self.input.so_far.planned += 1;
                match start {
                    Ok(_) => {}
                    Err(ChildWorkflowStartError::StartFailed {
                        cause: StartChildWorkflowExecutionFailedCause::WorkflowAlreadyExists,
                        ..
                    }) => self.input.so_far.already_there += 1,
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }
}

/// The result for one user.
enum Planned {
    Done(PlannedUser),
    /// The user could not be planned; the calls that an attempt has planned nevertheless.
    Failed(PlannedUser),
}

/// The innermost message of an error.
fn root_cause(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |error| error.source()).last().unwrap_or(error).to_string()
}

fn child_options(user_id: &UserId, call: &PlannedCall) -> ChildWorkflowOptions {
    let slot = call.slot.format("%Y-%m-%d %H:%M:%S UTC");
    let state = CallState::Waiting.into_str().to_owned();
    ChildWorkflowOptions::builder()
        .workflow_id(ids::call_workflow(&call.conversation_id))
        .parent_close_policy(ParentClosePolicy::Abandon)
        .cancel_type(ChildWorkflowCancellationType::Abandon)
        // What is planned is started, even if the plan run is cancelled.
        .cancellation_token(WorkflowCancellationToken::new())
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
