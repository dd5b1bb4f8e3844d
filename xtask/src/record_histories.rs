//! `cargo xtask record-histories`: runs every case of every workflow type on a new stack and records the histories.

mod call_cases;
mod calls;
mod histories;
mod plan_runs;
mod system;

use std::path::PathBuf;

use anyhow::Context;
use devstack::workspace;

use self::system::System;
use crate::interrupt::interrupted;
use crate::{cargo, demo, step};

#[derive(Debug, clap::Args)]
pub struct RecordHistories {
    /// Folder for the histories; other JSON files in it are removed [default: workflows/tests/histories]
    #[arg(long)]
    dir: Option<PathBuf>,
}

/// A workflow whose history is recorded.
#[derive(Debug)]
struct Recording {
    /// The name of the file, without `.json`.
    file: String,
    /// The workflow id; one that ends with a slash stands for the workflow whose id starts with it.
    workflow_id: String,
}

impl Recording {
    fn new(file: impl Into<String>, workflow_id: impl Into<String>) -> Self {
        Self { file: file.into(), workflow_id: workflow_id.into() }
    }

    fn is_of(&self, workflow_id: &str) -> bool {
        match self.workflow_id.ends_with('/') {
            true => workflow_id.starts_with(&self.workflow_id),
            false => workflow_id == self.workflow_id,
        }
    }
}

impl RecordHistories {
    /// Takes about three minutes. The logs stay in `.stack/record-histories` until the next time.
    pub async fn run(self) -> anyhow::Result<()> {
        cargo::build_binaries()?;
        tokio::select! {
            result = self.run_on_new_stack() => result,
            result = interrupted() => result,
        }
    }

    async fn run_on_new_stack(&self) -> anyhow::Result<()> {
        let state_dir = workspace::state_dir("record-histories");
        let _lock = workspace::DirLock::acquire(&workspace::state_dir("record-histories-lock"))?;
        demo::clear(&state_dir)?;
        let mut system = System::start(&state_dir).await?;
        let result = self.record(&system).await;
        if result.is_err() {
            eprintln!("The logs are in {}", system.stack.endpoints().log_dir.display());
        }
        system.stack.stop().await?;
        result
    }

    async fn record(&self, system: &System) -> anyhow::Result<()> {
        let dir = self.dir.clone();
        let dir = dir.unwrap_or_else(|| workspace::root().join("workflows/tests/histories"));
        let mut recordings = plan_runs::run_many_pages(system).await?;
        for case in call_cases::ONE_BY_ONE {
            calls::start_one(system, case).await?;
        }
        recordings.extend(calls::start_together(system, call_cases::TOGETHER).await?);
        let others = futures::try_join!(
            calls::finish_one_by_one(system, call_cases::ONE_BY_ONE),
            calls::finish_together(system, call_cases::TOGETHER),
            plan_runs::run_others(system)
        )?;
        recordings.extend(others.0.into_iter().chain(others.1).chain(others.2));
        let written = histories::write(system, &recordings, &dir).await?;
        step::progress(&format!("{written} histories written to {}", dir.display()));
        Ok(())
    }
}

/// Adds the case to an error.
fn in_case<T>(case: &str, result: anyhow::Result<T>) -> anyhow::Result<T> {
    result.with_context(|| format!("the case {case} could not be recorded"))
}
