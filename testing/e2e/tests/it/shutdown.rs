//! A webhook server on SIGTERM: first it is not ready, then it accepts no connections, then it exits.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::net::TcpStream;

use crate::support::{
    EVENT, RawConnection, Signed, count_signals, eventually, post_request, webhook_only,
};

const STOP_TIMEOUT: Duration = Duration::from_secs(20);

#[tokio::test]
async fn stopping_server_answers_begun_requests_before_it_exits() -> Result<()> {
    let mut system =
        webhook_only(&[("SHUTDOWN_DELAY_SECS", "3"), ("READ_TIMEOUT_SECS", "60")]).await?;
    let url = system.webhook("");
    let whole = post_request("/webhooks/outcome", &Signed::now(EVENT).headers(), EVENT);
    let (begun, rest) = whole.split_at(whole.len() - 5);
    let mut half_sent = RawConnection::open(&url).await?;
    half_sent.send(begun).await?;
    let mut idle = RawConnection::open(&url).await?;
    assert_eq!(idle.exchange(&whole).await?.status, 204);

    let server =
        &mut system.stack.webhook.as_mut().context("the system has no webhook server")?.process;
    Command::new("kill").args(["-TERM", &server.pid().to_string()]).status()?;
    eventually(STOP_TIMEOUT, "the server is no longer ready", async || {
        let (status, body) = devstack::get(&format!("{url}/readyz")).await?;
        Ok((status == 503 && body == "stopping\n").then_some(()))
    })
    .await;
    // The load balancer may still send requests.
    assert_eq!(RawConnection::open(&url).await?.exchange(&whole).await?.status, 204);
    idle.wait_until_closed().await?;
    eventually(STOP_TIMEOUT, "the server does not listen", async || {
        let host = url.trim_start_matches("http://");
        Ok(TcpStream::connect(host).await.is_err().then_some(()))
    })
    .await;
    assert!(server.is_running());
    assert_eq!(half_sent.exchange(rest).await?.status, 204);
    assert!(server.wait_for_exit(STOP_TIMEOUT).await?.success());
    assert!(server.log().contains("Webhook server stopped"));
    // Temporal keeps a repeated event once.
    assert_eq!(count_signals(&system).await?, 1);
    Ok(())
}
