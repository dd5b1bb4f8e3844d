//! `worker explain PROSPECT`

use activities::Planning;
use anyhow::{Result, bail};
use chrono::TimeDelta;
use domain::ids::ProspectId;
use serde_json::json;

use super::output::print_line;
use super::{PlanArgs, StoreArgs};
use crate::explain::explain;

#[derive(Debug, clap::Args)]
pub struct Explain {
    /// The id of the prospect
    prospect: String,

    /// Print the sentences as JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    store: StoreArgs,

    #[command(flatten)]
    plan: PlanArgs,
}

impl Explain {
    pub(super) async fn run(self) -> Result<()> {
        let store = self.store.connect().await?;
        let planning = Planning::new(store.clone(), self.plan.plans.settings(), self.store.clock());
        let interval = TimeDelta::minutes(i64::from(self.plan.schedule_interval_minutes));
        let now = self.store.now();
        let prospect = ProspectId::new(self.prospect.as_str());
        let lines = explain(&store, &planning, &prospect, now, interval).await?;
        let Some(lines) = lines else {
            bail!(
                "there is no prospect {:?}; `select id from prospects` lists them",
                self.prospect
            );
        };
        if self.json {
            print_line(json!({ "prospect": self.prospect, "lines": lines }))?;
            return Ok(());
        }
        for line in lines {
            print_line(line)?;
        }
        Ok(())
    }
}
