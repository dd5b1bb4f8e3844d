//! Why a prospect is or is not called: its history and the next step, in sentences.

use activities::Planning;
use activities::planning::{UserPlan, preview_plan};
use chrono::{DateTime, TimeDelta, Utc};
use domain::BlockReason;
use domain::ids::{ProspectId, UserId};
use domain::status::{ConversationStatus, ProspectStatus};
use workflows::activities::planning::PlanUserInput;

use store::prospect_history::{self, ProspectSummary};
use store::{Store, StoreError};

/// Describes the history and the next step of a prospect, one sentence per line; `None` if it does not exist. `interval`:
/// the time from one plan run to the next.
pub async fn explain(
    store: &Store,
    planning: &Planning,
    prospect: &ProspectId,
    now: DateTime<Utc>,
    interval: TimeDelta,
) -> Result<Option<Vec<String>>, StoreError> {
    let mut conn = store.read().await?;
    let summary = prospect_history::prospect(&mut conn, prospect).await?;
    let Some(summary) = summary else { return Ok(None) };
    let calls = prospect_history::calls(&mut conn, prospect).await?;
    let planned = prospect_history::last_plan_decision(&mut conn, prospect).await?;
    let admission = prospect_history::last_admission_decision(&mut conn, prospect).await?;
    drop(conn);

    let mut lines = vec![format!("{prospect} of {} is {}.", summary.user_id, summary.status)];
    match summary.last_contacted {
        Some(at) => lines.push(format!("It was last contacted on {}.", format_time(at))),
        None => lines.push("It was never contacted.".to_owned()),
    }
    if let Some(at) = summary.rescheduled_for {
        lines.push(format!("Its callback is due on {}.", format_time(at)));
    }
    let is_open = |status: &str| status.parse().is_ok_and(ConversationStatus::is_open);
    let open = calls.iter().any(|call| is_open(&call.status));
    for call in calls {
        let result =
            [call.outcome, call.reason].into_iter().flatten().collect::<Vec<_>>().join(", ");
        let result = if result.is_empty() { String::new() } else { format!(": {result}") };
        let notes = call.notes.map(|notes| format!(" ({notes})")).unwrap_or_default();
        lines.push(format!(
            "Call {}, for {}, {}{result}{notes}.",
            call.id,
            format_time(call.slot),
            call.status
        ));
    }
    if let Some(decision) = planned {
        let (run, at) = (&decision.by, format_time(decision.at));
        let what = match (decision.slot, decision.detail) {
            (Some(slot), detail) => {
                format!("planned it for {}. {}", format_time(slot), detail.unwrap_or_default())
            }
            (None, detail) => format!("skipped it: {}", detail.unwrap_or_default()),
        };
        lines.push(format!(
            "The plan run {run} of {at} {}{}",
            what.trim_end(),
            until(decision.next)
        ));
    }
    if let Some(decision) = admission {
        let (call, at) = (&decision.by, format_time(decision.at));
        let detail = decision.detail.unwrap_or_default();
        lines.push(format!("Admission of {call} on {at}: {detail}{}", until(decision.next)));
    }
    lines.push(next_step(planning, prospect, &summary, open, now, interval).await?);
    Ok(Some(lines))
}

/// What a plan run would decide now.
async fn next_step(
    planning: &Planning,
    prospect: &ProspectId,
    summary: &ProspectSummary,
    open: bool,
    now: DateTime<Utc>,
    interval: TimeDelta,
) -> Result<String, StoreError> {
    let callable = summary.status.parse().is_ok_and(ProspectStatus::is_callable);
    if !callable && !open {
        return Ok(format!("Next: no call; a prospect that is {} is not called.", summary.status));
    }
    if summary.attempts_used_up && !open {
        let reason = BlockReason::AttemptsUsedUp;
        return Ok(format!("Next: {} {}", reason.sentence(), reason.remedy()));
    }
    let input = PlanUserInput {
        run: String::new(),
        user_id: UserId::new(summary.user_id.as_str()),
        from: now,
        until: now + interval,
        callbacks_only: false,
        share: None,
    };
    Ok(match preview_plan(planning, &input).await? {
        UserPlan::Skipped(block) => format!("Next: {} {}", block.detail, block.reason.remedy()),
        UserPlan::Decided(decisions, _) => {
            match decisions.into_iter().find(|decision| decision.prospect == *prospect) {
                None => {
                    "Next: it waits; the user has many prospects, and others come first.".to_owned()
                }
                Some(decision) => match decision.slot {
                    Ok(slot) => {
                        let detail = slot.detail.unwrap_or_default();
                        let at = format_time(slot.at);
                        format!("Next: a plan run now would call it on {at}. {detail}")
                            .trim_end()
                            .to_owned()
                    }
                    Err(block) => {
                        let remedy = block.reason.remedy();
                        format!("Next: {}{} {remedy}", block.detail, until(block.until))
                    }
                },
            }
        }
    })
}

fn until(next: Option<DateTime<Utc>>) -> String {
    next.map(|next| format!(" Until {}.", format_time(next))).unwrap_or_default()
}

pub(crate) fn format_time(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}
