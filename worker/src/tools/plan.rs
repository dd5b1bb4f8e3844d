//! `worker plan --dry-run`

use std::collections::BTreeMap;

use activities::Planning;
use activities::planning::{UserPlan, pick_users, preview_plan};
use anyhow::{Result, bail};
use chrono::{DateTime, TimeDelta, Utc};
use comfy_table::Table;
use domain::BlockReason;
use domain::ids::UserId;
use domain::slots::Decision;
use serde_json::{Value, json};
use workflows::activities::planning::{PickUsersInput, PlanUserInput};

use super::output::print_line;
use super::{PlanArgs, StoreArgs};
use crate::explain::format_time;

#[derive(Debug, clap::Args)]
pub struct Plan {
    /// Only show the plan, as plan runs are started by their schedule
    #[arg(long)]
    dry_run: bool,

    /// Plan this user only; default: the users that the next run would plan
    #[arg(long)]
    user: Option<String>,

    /// Time of the run, as 2026-11-23T15:00:00Z; default: now
    #[arg(long, value_parser = parse_time)]
    at: Option<DateTime<Utc>>,

    /// Print the plan as JSON
    #[arg(long)]
    json: bool,

    /// Users planned in one run
    #[arg(long, env, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    batch_size: u32,

    #[command(flatten)]
    store: StoreArgs,

    #[command(flatten)]
    plan: PlanArgs,
}

/// The text below the table.
#[derive(Default)]
struct Summary {
    planned: u32,
    skipped: BTreeMap<BlockReason, u32>,
    last: Option<DateTime<Utc>>,
}

impl Plan {
    pub(super) async fn run(self) -> Result<()> {
        if !self.dry_run {
            bail!(
                "plan runs are started by their schedule, or now with `temporal schedule trigger \
                --schedule-id plan-calls`; add --dry-run to see what it would do"
            );
        }
        let store = self.store.connect().await?;
        let planning = Planning::new(store, self.plan.plans.settings(), self.store.clock());
        let from = self.at.unwrap_or_else(|| self.store.now());
        let until = from + TimeDelta::minutes(i64::from(self.plan.schedule_interval_minutes));
        let users = match &self.user {
            Some(user) => vec![UserId::new(user.as_str())],
            None => {
                let input =
                    PickUsersInput { limit: self.batch_size, planned_before: from, except: vec![] };
                pick_users(&planning, &input).await?
            }
        };
        let mut table = Table::new();
        table.set_header([
            "user",
            "prospect",
            "slot",
            "reason",
            "until",
            "priority",
            "calls left",
            "minutes left",
        ]);
        let mut summary = Summary::default();
        let mut decided = Vec::new();
        for user_id in users {
            let input = PlanUserInput {
                run: "dry-run".to_owned(),
                user_id: user_id.clone(),
                from,
                until,
                callbacks_only: false,
                share: None,
            };
            match preview_plan(&planning, &input).await? {
                UserPlan::Skipped(block) if block.reason == BlockReason::UserDeleted => {
                    bail!(
                        "there is no user {:?}; `select id from users` lists them",
                        user_id.as_str()
                    )
                }
                UserPlan::Skipped(block) => {
                    *summary.skipped.entry(block.reason).or_default() += 1;
                    decided.push(
                        json!({ "user": user_id, "reason": block.reason, "detail": block.detail,
                        "until": block.until }),
                    );
                    table.add_row([user_id.as_str(), "", "", block.detail.as_str()]);
                }
                UserPlan::Decided(decisions, _) => {
                    for decision in decisions {
                        summary.add(&decision);
                        decided.push(to_json(&user_id, &decision));
                        table.add_row(row(&user_id, &decision));
                    }
                }
            }
        }
        if self.json {
            let plan = json!({ "from": from, "until": until, "planned": summary.planned,
                "skipped": summary.skipped, "decisions": decided });
            print_line(plan)?;
            return Ok(());
        }
        print_line(table)?;
        let (from, until) = (format_time(from), format_time(until));
        print_line(format_args!("Dry run for {from} to {until}; nothing was written:"))?;
        print_line(summary.describe())?;
        Ok(())
    }
}

impl Summary {
    fn add(&mut self, decision: &Decision) {
        match &decision.slot {
            Ok(slot) => {
                self.planned += 1;
                self.last = self.last.max(Some(slot.at));
            }
            Err(block) => *self.skipped.entry(block.reason).or_default() += 1,
        }
    }

    fn describe(&self) -> String {
        let calls = match (self.planned, self.last) {
            (planned, Some(last)) => format!(
                "{planned} calls, the last one at {}; each holds up to MAX_CALL_MINUTES while it lasts.",
                format_time(last)
            ),
            (_, None) => "no calls.".to_owned(),
        };
        let reasons: Vec<String> =
            self.skipped.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
        match reasons.is_empty() {
            true => calls,
            false => format!("{calls} Skipped: {}.", reasons.join(", ")),
        }
    }
}

fn parse_time(text: &str) -> Result<DateTime<Utc>, &'static str> {
    text.parse().map_err(|_| "must be a time with an offset, as 2026-11-23T15:00:00Z")
}

fn to_json(user_id: &UserId, decision: &Decision) -> Value {
    let mut json = json!({ "user": user_id, "prospect": decision.prospect, "priority": decision.score,
        "callsLeft": decision.left.calls, "minutesLeft": decision.left.minutes });
    match &decision.slot {
        Ok(slot) => json["slot"] = json!(slot.at),
        Err(block) => {
            json["reason"] = json!(block.reason);
            json["detail"] = json!(block.detail);
            json["until"] = json!(block.until);
        }
    }
    json
}

fn row(user_id: &UserId, decision: &Decision) -> Vec<String> {
    let (slot, detail, until) = match &decision.slot {
        Ok(slot) => (format_time(slot.at), slot.detail.clone().unwrap_or_default(), String::new()),
        Err(block) => {
            (String::new(), block.detail.clone(), block.until.map(format_time).unwrap_or_default())
        }
    };
    vec![
        user_id.to_string(),
        decision.prospect.to_string(),
        slot,
        detail,
        until,
        format!("{:.1}", decision.score),
        decision.left.calls.to_string(),
        decision.left.minutes.to_string(),
    ]
}
