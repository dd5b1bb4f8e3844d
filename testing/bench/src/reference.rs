//! The reference for calls: empty workflows on the same server.

use std::time::Instant;

use anyhow::{Result, anyhow};
use futures::{StreamExt as _, stream};
use temporalio_client::{Client, WorkflowStartOptions};
use temporalio_sdk::runtime::{PollerBehavior, Runtime, RuntimeOptions};
use temporalio_sdk::{Worker, WorkerOptions};
use temporalio_workflow::{WorkflowContext, WorkflowResult, workflow, workflow_methods};

use crate::start::MAX_CONCURRENT_STARTS;

const QUEUE: &str = "empty";

#[workflow]
#[derive(Default)]
struct Empty;

#[workflow_methods]
#[allow(clippy::unused_async, reason = "a workflow's run is always async")]
impl Empty {
    #[run(name = "Empty")]
    async fn run(_ctx: &mut WorkflowContext<Self>) -> WorkflowResult<()> {
        Ok(())
    }
}

/// Measures empty workflows per second, from the first start to the last end.
pub async fn measure_empty_workflows(client: &Client, count: usize, round: usize) -> Result<f64> {
    let options = RuntimeOptions::builder().build().map_err(|error| anyhow!(error))?;
    let runtime = Runtime::from_current_tokio(options)?;
    let options = WorkerOptions::new(QUEUE)
        .register_workflow::<Empty>()?
        .workflow_task_poller_behavior(PollerBehavior::SimpleMaximum(20))
        .build();
    let mut worker = Worker::new(&runtime, client.clone(), options)
        .map_err(|error| anyhow!("starting the reference worker: {error}"))?;
    let stop = worker.shutdown_handle();
    let measured = async {
        let began = Instant::now();
        let ended: Vec<Result<()>> = stream::iter(0..count)
            .map(|n| async move {
                let id = format!("empty-{round}-{n}");
                let options = WorkflowStartOptions::new(QUEUE, id).build();
                let handle = client.start_workflow(Empty::run, (), options).await?;
                handle.get_result(Default::default()).await?;
                Ok(())
            })
            .buffer_unordered(MAX_CONCURRENT_STARTS * 4)
            .collect()
            .await;
        let took = began.elapsed();
        stop();
        ended.into_iter().collect::<Result<Vec<()>>>()?;
        Ok::<f64, anyhow::Error>(count as f64 / took.as_secs_f64())
    };
    let (worked, rate) = tokio::join!(worker.run(), measured);
    worked.map_err(|error| anyhow!("the reference worker: {error}"))?;
    rate
}
