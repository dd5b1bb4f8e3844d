//! More events of one call than Temporal takes.

use std::time::Duration;

use anyhow::Result;
use devstack::{Parts, StackOptions};
use futures::{StreamExt as _, TryStreamExt as _, stream};

use crate::support::{
    CALL, EVENT, Signed, TestSystem, count_signals, eventually, post_repeatedly, start_call,
};

const MAX_SIGNALS: usize = 20;
const POSTS_AT_ONCE: usize = 8;

/// A webhook server, and a call whose workflow takes [`MAX_SIGNALS`] signals.
async fn start() -> Result<TestSystem> {
    let system = TestSystem::start_with_own_temporal(StackOptions {
        parts: Parts { simulator: false, webhook: true, worker: false },
        temporal_config: vec![format!("history.maximumSignalsPerExecution={MAX_SIGNALS}")],
        ..StackOptions::default()
    })
    .await?;
    start_call(&system, CALL).await?;
    Ok(system)
}

/// Posts events and counts those that the call's workflow has, and those that a `LateEvent` has.
async fn post_events(system: &TestSystem, events: Vec<String>) -> Result<[usize; 2]> {
    let url = system.webhook("/webhooks/outcome");
    let client = reqwest::Client::new();
    let post = async |event: &String| {
        let signed = Signed::now(event);
        let response = post_repeatedly(&client, &url, event, &signed.headers()).await?;
        anyhow::Ok(response.status)
    };
    let statuses: Vec<u16> =
        stream::iter(&events).map(post).buffered(POSTS_AT_ONCE).try_collect().await?;
    assert!(statuses.iter().all(|status| [202, 204].contains(status)), "{statuses:?}");
    Ok([204, 202].map(|wanted| statuses.iter().filter(|status| **status == wanted).count()))
}

#[tokio::test]
async fn repeated_event_is_one_signal() -> Result<()> {
    let system = start().await?;
    let events = vec![EVENT.to_owned(); 3 * MAX_SIGNALS];
    assert_eq!(post_events(&system, events).await?, [3 * MAX_SIGNALS, 0]);
    assert_eq!(count_signals(&system).await?, 1);
    Ok(())
}

#[tokio::test]
async fn event_that_the_workflow_takes_no_more_reaches_a_late_event() -> Result<()> {
    let system = start().await?;
    let event = |number: usize| {
        format!(
            r#"{{"eventType":"call.failed","conversationId":"{CALL}","failureReason":"{number}"}}"#
        )
    };
    let first = (0..MAX_SIGNALS).map(event).collect();
    assert_eq!(post_events(&system, first).await?, [MAX_SIGNALS, 0]);
    // These two kinds are of no use to a call that is over; this one runs.
    let connected = format!(
        r#"{{"eventType":"call.connected","conversationId":"{CALL}","timestamp":"2035-01-01T00:00:00Z"}}"#
    );
    let refused = format!(
        r#"{{"eventType":"call.completed","conversationId":"{CALL}","outcome":{{"type":"DO_NOT_CALL"}}}}"#
    );
    let more = vec![EVENT.to_owned(), connected, refused.clone(), refused];
    assert_eq!(post_events(&system, more).await?, [0, 4]);
    assert_eq!(count_signals(&system).await?, MAX_SIGNALS);
    eventually(Duration::from_secs(20), "each event has a workflow", async || {
        let late = system.workflows(r#"WorkflowType="LateEvent""#).await?;
        Ok((late.len() == 3).then_some(()))
    })
    .await;
    Ok(())
}
