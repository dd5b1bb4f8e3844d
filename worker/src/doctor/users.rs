//! Which users can't be called, and why.

use std::collections::BTreeMap;

use activities::Planning;
use activities::planning::{UserPlan, preview_plan};
use domain::BlockReason;
use domain::ids::UserId;
use store::{Store, StoreError, plans, provider_rejections};
use workflows::activities::planning::PlanUserInput;

use super::groups::Groups;
use super::{Finding, Part, Report};

/// The maximum number of users that are checked: those that are planned next.
const MAX_USERS: u32 = 500;
/// The users that a finding names.
const NAMED: usize = 3;

pub(super) async fn check(groups: &Groups, store: Store) -> Vec<Finding> {
    let mut report = Report::new(Part::Users);
    if let Err(error) = check_users(groups, store, &mut report).await {
        report.fail(format!("reading the users: {error}"));
    }
    report.findings
}

async fn check_users(groups: &Groups, store: Store, report: &mut Report) -> Result<(), StoreError> {
    let (Some(plans), Some(schedule)) = (&groups.plans, &groups.schedule) else {
        report.warn(
            "not checked: correct MAX_CONCURRENT_CALLS, ULTRAVOX_CALLS_PER_MINUTE, \
            STRICT_CALLING_HOURS, BATCH_SIZE, SCHEDULE_INTERVAL and CLOCK_OFFSET_SECS first",
        );
        return Ok(());
    };
    let clock = schedule.clock();
    let from = clock.now();
    let mut conn = store.read().await?;
    if let Some(pause) = provider_rejections::service_pause(&mut conn).await? {
        report.fail(format!(
            "calls of all users are paused, because the provider has rejected the last {}: {}; \
            correct what it names, and calls go on after the next trial call",
            pause.in_a_row, pause.detail
        ));
    }
    let users = plans::pick_users(&mut conn, from, &[], MAX_USERS).await?;
    drop(conn);
    let planning = Planning::new(store, plans.settings(), clock);
    let mut blocked: BTreeMap<(BlockReason, String), Vec<UserId>> = BTreeMap::new();
    let count = users.len();
    for user_id in users {
        let input = PlanUserInput {
            run: String::new(),
            user_id: user_id.clone(),
            from,
            until: from + schedule.interval(),
            callbacks_only: false,
            share: None,
        };
        let block = match preview_plan(&planning, &input).await? {
            UserPlan::Skipped(block) => Some(block),
            // The same text for all prospects, or one that lacks a value.
            UserPlan::Decided(decisions, _) => decisions
                .into_iter()
                .filter_map(|decision| decision.slot.err())
                .find(|block| block.reason == BlockReason::ScriptInvalid),
        };
        if let Some(block) = block.filter(|block| needs_action(block.reason)) {
            blocked.entry((block.reason, block.detail)).or_default().push(user_id);
        }
    }
    for ((reason, detail), users) in blocked {
        let named = users.iter().take(NAMED).map(UserId::as_str).collect::<Vec<_>>().join(", ");
        let more = match users.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        report.warn(format!("{named}{more}: {detail} {}", reason.remedy()));
    }
    if report.findings.is_empty() {
        report.ok(match count {
            0 => "there are no users yet".to_owned(),
            1 => "one user can be called".to_owned(),
            count => format!("{count} users can be called"),
        });
    }
    Ok(())
}

/// Whether a person must act before the user is called again.
fn needs_action(reason: BlockReason) -> bool {
    use BlockReason::{
        NoActiveSubscription, NoMinutes, Paused, PlanningFailed, ProviderRejects, ScriptInvalid,
        SettingsMissing, WindowInvalid,
    };
    matches!(
        reason,
        NoActiveSubscription
            | NoMinutes
            | Paused
            | PlanningFailed
            | ProviderRejects
            | ScriptInvalid
            | SettingsMissing
            | WindowInvalid
    )
}
