//! `worker replay --query QUERY`

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use futures::TryStreamExt as _;
use temporalio_client::{
    Client, WorkflowExecution, WorkflowExecutionInfo, WorkflowHistory, WorkflowListOptions,
};
use temporalio_common::protos::temporal::api::enums::v1::EventType;
use temporalio_common::protos::temporal::api::history::v1::History;
use temporalio_sdk::workflow_replayer::{
    WorkflowReplayError, WorkflowReplayer, WorkflowReplayerOptions,
};
use workflows::{Call, LateEvent, PlanCalls, SweepCalls};

use super::output::print_line;

/// Check before a deployment that running workflows can continue on this build: replay their histories
///
/// Temporal is configured as for the service. Exits with 1 if a history does not match the workflow code.
#[derive(Debug, clap::Args)]
pub struct Replay {
    /// The workflows, as a query of Temporal: 'ExecutionStatus="Running"'
    #[arg(long)]
    query: String,

    /// The maximum number of workflows
    #[arg(long)]
    limit: Option<usize>,

    /// Also write the histories to this folder; they contain the data of the calls
    #[arg(long, value_name = "DIR")]
    export: Option<PathBuf>,
}

impl Replay {
    pub(super) async fn run(self) -> Result<()> {
        let client = bootstrap::temporal::connect().await?;
        let replayer = replayer(&client)?;
        let options = WorkflowListOptions::builder().maybe_limit(self.limit).build();
        let mut executions = client.list_workflows(self.query, options);
        let (mut replayed, mut failed) = (0_usize, 0_usize);
        while let Some(execution) =
            executions.try_next().await.context("listing the workflows of --query")?
        {
            let history = fetch_history(&client, &execution).await?;
            if let Some(dir) = &self.export {
                export(dir, &execution, history.clone()).await?;
            }
            match replay(&replayer, history).await? {
                Replayed::Matches => replayed += 1,
                Replayed::Differs(message) => {
                    failed += 1;
                    let (id, run) = (execution.id(), execution.run_id());
                    print_line(format_args!("{id} (run {run}): {message}"))?;
                }
                Replayed::NotStarted => {}
            }
        }
        print_line(format_args!("{replayed} workflows match this build, {failed} do not"))?;
        if failed > 0 {
            bail!("{failed} workflows can't continue on this build");
        }
        Ok(())
    }
}

fn replayer(client: &Client) -> Result<WorkflowReplayer> {
    let options = client.options();
    let options = WorkflowReplayerOptions::new()
        .register_workflow::<PlanCalls>()?
        .register_workflow::<Call>()?
        .register_workflow::<LateEvent>()?
        .register_workflow::<SweepCalls>()?
        .namespace(options.namespace.clone())
        .data_converter(options.data_converter.clone())
        .build();
    Ok(WorkflowReplayer::new(options)?)
}

async fn fetch_history(client: &Client, execution: &WorkflowExecution) -> Result<History> {
    let info = WorkflowExecutionInfo::builder()
        .namespace(client.options().namespace.as_str())
        .workflow_id(execution.id())
        .run_id(execution.run_id())
        .build();
    let history = info.bind_untyped(client.clone()).fetch_history(Default::default());
    let events = history.into_events().await;
    let events = events.with_context(|| format!("fetching the history of {}", execution.id()))?;
    Ok(History { events })
}

enum Replayed {
    Matches,
    /// Why the history does not match, in the words of the SDK.
    Differs(String),
    /// No worker has run the workflow yet.
    NotStarted,
}

async fn replay(replayer: &WorkflowReplayer, history: History) -> Result<Replayed> {
    let mut events = history.events.iter();
    if !events.any(|event| event.event_type() == EventType::WorkflowTaskCompleted) {
        return Ok(Replayed::NotStarted);
    }
    match replayer.replay_workflow(history.into()).await {
        Ok(()) => Ok(Replayed::Matches),
        Err(WorkflowReplayError::Replay(failure)) => Ok(Replayed::Differs(failure.to_string())),
        Err(error) => Err(error).context("replaying a history"),
    }
}

async fn export(dir: &Path, execution: &WorkflowExecution, history: History) -> Result<()> {
    let name = format!("{}.{}.json", execution.id().replace('/', "-"), execution.run_id());
    let path = dir.join(name);
    let json = WorkflowHistory::from(history).to_json().await?;
    let write = || std::fs::create_dir_all(dir).and_then(|()| std::fs::write(&path, json));
    write().with_context(|| format!("writing {}", path.display()))
}
