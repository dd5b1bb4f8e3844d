//! One plan run: which calls are made before the next one.

#![allow(missing_docs, reason = "the macro makes constants beside each method")]

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use domain::ids::ConversationId;
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
    PickPromises, PickPromisesInput, PickUsers, PickUsersInput, PlanUser, PlanUserInput,
    PlannedCall, PlannedUser,
};
use crate::attributes;
use crate::call::{Call, CallInput};
use crate::clock::{self, ClockOffset};
use crate::ids;
use crate::presets;

/// Children started at once.
const STARTS_IN_FLIGHT: usize = 200;
/// Children after which the run continues as new: far below the 2,000 that may be pending.
const CHILDREN_PER_RUN: u32 = 500;
/// Users picked at once.
const USERS_PER_PAGE: u32 = 100;

/// Set by the server on workflows that a schedule starts: the nominal time of the action.
const NOMINAL: SearchAttributeKey<Timestamp> =
    SearchAttributeKey::datetime("TemporalScheduledStartTime");

/// What a plan run is told by its schedule, and carries on when it continues as new.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanInput {
    /// Users planned in one run.
    pub batch_size: u32,
    /// Minutes from one run to the next.
    pub interval_minutes: u32,
    /// How far the service's clock stands ahead.
    #[serde(default)]
    pub clock_offset: ClockOffset,
    /// The moment to plan for, by the service's clock; the schedule's nominal time if not given.
    #[serde(default)]
    pub from: Option<DateTime<Utc>>,
    /// What earlier pages of this run have done.
    #[serde(default)]
    pub so_far: PlanSummary,
    /// Once the users whose turn it is are planned: the last user whose promised calls were.
    #[serde(default)]
    pub promises_after: Option<String>,
}

/// What a plan run did: the workflow's result.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PlanSummary {
    /// The moment that was planned for.
    pub from: Option<DateTime<Utc>>,
    /// Users considered.
    pub users: u32,
    /// Calls planned.
    pub planned: u32,
    /// Of them, calls that were there already.
    pub already_there: u32,
    /// Prospects and users passed over, by reason.
    pub skipped: BTreeMap<String, u32>,
    /// Users that could not be planned because of an error; they come first in the next run.
    pub failed_users: Vec<String>,
}

/// The workflow of one plan run.
#[workflow]
pub struct PlanCalls {
    input: PlanInput,
}

#[workflow_methods]
impl PlanCalls {
    /// A run that has not begun.
    #[init]
    pub fn new(_ctx: &WorkflowContextView, input: PlanInput) -> Self {
        Self { input }
    }

    /// Plans the users whose turn it is and launches their calls.
    #[run(name = "PlanCalls")]
    pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<PlanSummary> {
        let mut input = ctx.state(|run| run.input.clone());
        let from = input.from.unwrap_or_else(|| nominal_time(ctx, input.clock_offset));
        let until = from + TimeDelta::minutes(i64::from(input.interval_minutes.max(1)));
        input.from = Some(from);
        input.so_far.from = Some(from);
        let mut launched = 0;

        if input.promises_after.is_none() {
            let users = pick(ctx, &input, from).await?;
            let last_page = users.len() < page_size(&input) as usize;
            for user_id in users {
                launched += plan_user(ctx, &mut input, user_id, from, until).await?;
                if launched >= CHILDREN_PER_RUN || ctx.continue_as_new_suggested() {
                    return carry_on(ctx, input);
                }
            }
            if !last_page && page_size(&input) > 0 {
                return carry_on(ctx, input);
            }
            input.promises_after = Some(String::new());
        }
        // Promised calls are kept also by users whose turn has not come.
        while let Some(after) = input.promises_after.clone() {
            let page = PickPromisesInput {
                limit: USERS_PER_PAGE,
                before: until,
                planned_before: from,
                after,
            };
            let users = ctx
                .execute_activity(PickPromises, page, presets::database("pick_promises"))
                .await?;
            for user_id in &users {
                launched += plan_user(ctx, &mut input, user_id.clone(), from, until).await?;
                input.promises_after = Some(user_id.clone());
                if launched >= CHILDREN_PER_RUN || ctx.continue_as_new_suggested() {
                    return carry_on(ctx, input);
                }
            }
            if users.len() < USERS_PER_PAGE as usize {
                break;
            }
        }
        Ok(input.so_far)
    }
}

/// Plans a user and launches its calls; how many there are.
async fn plan_user(
    ctx: &WorkflowContext<PlanCalls>,
    input: &mut PlanInput,
    user_id: String,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<u32, WorkflowTermination> {
    let promised_only = input.promises_after.is_some();
    let plan = PlanUserInput {
        run: ctx.workflow_id().to_owned(),
        user_id: user_id.clone(),
        from,
        until,
        promised_only,
    };
    let Ok(planned) = ctx.execute_activity(PlanUser, plan, presets::plan()).await else {
        input.so_far.failed_users.push(user_id);
        return Ok(0);
    };
    input.so_far.users += 1;
    let calls = planned.calls.len() as u32;
    launch(ctx, input, &user_id, planned).await?;
    ctx.set_current_details(sentence(&input.so_far));
    Ok(calls)
}

/// Ends this run's history and goes on in a new one.
fn carry_on(ctx: &WorkflowContext<PlanCalls>, input: PlanInput) -> WorkflowResult<PlanSummary> {
    match ctx.continue_as_new(input, ContinueAsNewOptions::default())? {}
}

fn page_size(input: &PlanInput) -> u32 {
    input.batch_size.saturating_sub(input.so_far.users).min(USERS_PER_PAGE)
}

/// The next page of users whose turn it is; planning a user takes it out of the next page.
async fn pick(
    ctx: &WorkflowContext<PlanCalls>,
    input: &PlanInput,
    from: DateTime<Utc>,
) -> Result<Vec<String>, WorkflowTermination> {
    let page = PickUsersInput {
        limit: page_size(input),
        planned_before: from,
        except: input.so_far.failed_users.clone(),
    };
    if page.limit == 0 {
        return Ok(Vec::new());
    }
    Ok(ctx.execute_activity(PickUsers, page, presets::database("pick_users")).await?)
}

/// Starts the user's calls as children that live on their own.
async fn launch(
    ctx: &WorkflowContext<PlanCalls>,
    input: &mut PlanInput,
    user_id: &str,
    planned: PlannedUser,
) -> Result<(), WorkflowTermination> {
    for (reason, count) in planned.skipped {
        *input.so_far.skipped.entry(reason).or_default() += count;
    }
    for calls in planned.calls.chunks(STARTS_IN_FLIGHT) {
        let starts = calls.iter().map(|call| {
            let options = child_options(user_id, call);
            let child = CallInput {
                conversation_id: call.conversation_id.clone(),
                user_id: user_id.to_owned(),
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

fn child_options(user_id: &str, call: &PlannedCall) -> ChildWorkflowOptions {
    let slot = call.slot.format("%Y-%m-%d %H:%M:%S UTC");
    ChildWorkflowOptions::builder()
        .workflow_id(ids::call_workflow(&ConversationId::new(call.conversation_id.as_str())))
        .parent_close_policy(ParentClosePolicy::Abandon)
        .cancel_type(ChildWorkflowCancellationType::Abandon)
        .id_reuse_policy(WorkflowIdReusePolicy::RejectDuplicate)
        .static_summary(format!("Call {} for {user_id} at {slot}", call.prospect_id))
        .search_attributes(SearchAttributes::new([
            attributes::USER_ID.value_set(user_id.to_owned()),
            attributes::PROSPECT_ID.value_set(call.prospect_id.clone()),
            attributes::CALL_STATE.value_set("waiting".to_owned()),
            attributes::CALL_SLOT.value_set(attributes::timestamp(call.slot)),
        ]))
        .build()
}

/// The moment that the schedule meant, which a late start does not change; the start for a run
/// that no schedule started.
fn nominal_time(ctx: &WorkflowContext<PlanCalls>, offset: ClockOffset) -> DateTime<Utc> {
    let nominal = ctx
        .search_attributes()
        .get(&NOMINAL)
        .and_then(|time| DateTime::from_timestamp(time.seconds(), 0));
    match nominal {
        Some(nominal) => offset.apply(nominal),
        None => clock::now(ctx, offset),
    }
}

fn sentence(summary: &PlanSummary) -> String {
    let skipped: u32 = summary.skipped.values().sum();
    format!("{} users, {} calls planned, {skipped} passed over", summary.users, summary.planned)
}
