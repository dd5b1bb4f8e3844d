//! `worker plan --dry-run`

use std::collections::BTreeMap;

use activities::{Considered, Planning};
use anyhow::{Result, bail};
use chrono::{DateTime, TimeDelta, Utc};
use comfy_table::Table;
use domain::slots::Decision;
use workflows::activities::planning::{PickUsersInput, PlanUserInput};

use super::{Planner, Records, shown};

/// What to plan.
#[derive(Debug, clap::Args)]
pub(super) struct Plan {
    /// Touch nothing; a plan run itself is started by its schedule
    #[arg(long)]
    dry_run: bool,

    /// Only this user; otherwise all whose turn it is
    #[arg(long)]
    user: Option<String>,

    /// The moment of the run, as 2026-11-23T15:00:00Z; otherwise now
    #[arg(long)]
    at: Option<DateTime<Utc>>,

    /// Users planned in one run
    #[arg(long, env, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    batch_size: u32,

    #[command(flatten)]
    records: Records,

    #[command(flatten)]
    planner: Planner,
}

/// What is told beneath the table.
#[derive(Default)]
struct Summary {
    planned: u32,
    passed_over: BTreeMap<&'static str, u32>,
    last: Option<DateTime<Utc>>,
}

impl Plan {
    pub(super) async fn run(self) -> Result<()> {
        if !self.dry_run {
            bail!(
                "a plan run is started by its schedule, or at once by `temporal schedule trigger \
                --schedule-id plan-calls`; add --dry-run to see what it would do"
            );
        }
        let store = self.records.open().await?;
        let planning = Planning::new(store, self.planner.plans.settings());
        let from = self.at.unwrap_or_else(|| self.records.now());
        let until = from + TimeDelta::minutes(i64::from(self.planner.schedule_interval));
        let users = match &self.user {
            Some(user) => vec![user.clone()],
            None => {
                let turn =
                    PickUsersInput { limit: self.batch_size, planned_before: from, except: vec![] };
                planning.pick(&turn).await?
            }
        };
        let mut table = Table::new();
        table.set_header([
            "user",
            "prospect",
            "slot",
            "or why not",
            "until",
            "priority",
            "calls left",
            "minutes left",
        ]);
        let mut summary = Summary::default();
        for user_id in users {
            let input = PlanUserInput {
                run: "dry-run".to_owned(),
                user_id: user_id.clone(),
                from,
                until,
                promised_only: false,
            };
            match planning.would_plan(&input).await? {
                None => bail!("there is no user {user_id:?}; `select id from users` lists them"),
                Some(Considered::PassedOver(why)) => {
                    *summary.passed_over.entry(why.reason.as_str()).or_default() += 1;
                    table.add_row([&user_id, "", "", why.detail.as_str()]);
                }
                Some(Considered::Decided(decisions, _)) => {
                    for decision in decisions {
                        summary.add(&decision);
                        table.add_row(row(&user_id, &decision));
                    }
                }
            }
        }
        println!("{table}");
        println!("A run for {} to {}, of which nothing was written:", shown(from), shown(until));
        println!("{}", summary.sentence());
        Ok(())
    }
}

impl Summary {
    fn add(&mut self, decision: &Decision) {
        match &decision.verdict {
            Ok(slot) => {
                self.planned += 1;
                self.last = self.last.max(Some(slot.at));
            }
            Err(skip) => *self.passed_over.entry(skip.reason.as_str()).or_default() += 1,
        }
    }

    fn sentence(&self) -> String {
        let calls = match (self.planned, self.last) {
            (planned, Some(last)) => format!(
                "{planned} calls, the last one at {}; each holds up to MAX_CALL_MINUTES while it lasts.",
                shown(last)
            ),
            (_, None) => "no calls.".to_owned(),
        };
        let reasons: Vec<String> =
            self.passed_over.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
        match reasons.is_empty() {
            true => calls,
            false => format!("{calls} Passed over: {}.", reasons.join(", ")),
        }
    }
}

fn row(user_id: &str, decision: &Decision) -> Vec<String> {
    let (slot, why, until) = match &decision.verdict {
        Ok(slot) => (shown(slot.at), slot.detail.clone().unwrap_or_default(), String::new()),
        Err(skip) => (String::new(), skip.detail.clone(), skip.next.map(shown).unwrap_or_default()),
    };
    vec![
        user_id.to_owned(),
        decision.prospect.to_string(),
        slot,
        why,
        until,
        format!("{:.1}", decision.score),
        decision.left.calls.to_string(),
        decision.left.minutes.to_string(),
    ]
}
