//! A webhook server that is told to stop says so first, and finishes what it has accepted.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::net::TcpStream;

use crate::support::{EVENT, Signed, Wire, door, events_taken, eventually, request};

const SOON: Duration = Duration::from_secs(20);

#[tokio::test]
async fn what_was_accepted_is_finished_and_nothing_else_is_begun() -> Result<()> {
    let mut story = door(&[("SHUTDOWN_DELAY_SECS", "3"), ("READ_TIMEOUT_SECS", "60")]).await?;
    let url = story.webhook("");
    let whole = request("/webhooks/outcome", &Signed::now(EVENT).headers(), EVENT);
    let (begun, rest) = whole.split_at(whole.len() - 5);
    let mut half_sent = Wire::to(&url).await?;
    half_sent.send(begun).await?;
    let mut idle = Wire::to(&url).await?;
    assert_eq!(idle.ask(&whole).await?.status, 204);

    let server = &mut story.stack.webhook.as_mut().context("a server")?.process;
    Command::new("kill").args(["-TERM", &server.pid().to_string()]).status()?;
    eventually(SOON, "the server is no longer ready", async || {
        let (status, body) = devstack::get(&format!("{url}/readyz")).await?;
        Ok((status == 503 && body == "stopping\n").then_some(()))
    })
    .await;
    // A load balancer has not noticed yet.
    assert_eq!(Wire::to(&url).await?.ask(&whole).await?.status, 204);
    idle.ended().await?;
    eventually(SOON, "the server does not listen any more", async || {
        let host = url.trim_start_matches("http://");
        Ok(TcpStream::connect(host).await.is_err().then_some(()))
    })
    .await;
    assert!(server.is_running());
    assert_eq!(half_sent.ask(rest).await?.status, 204);
    assert!(server.wait_for_exit(SOON).await?.success());
    assert!(server.log().contains("Webhook server stopped"));
    assert_eq!(events_taken(&story).await?, 3);
    Ok(())
}
