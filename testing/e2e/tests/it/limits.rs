//! Limits of connections, requests, memory and networks.

use std::time::Duration;

use anyhow::{Context as _, Result};
use devstack::HttpServer;

use crate::support::{
    EVENT, RawConnection, Signed, TestSystem, count_signals, env, eventually, post, post_request,
    start_call, webhook_only, webhook_only_with_own_temporal,
};

const OUTCOME: &str = "/webhooks/outcome";
const LIMIT_TIMEOUT: Duration = Duration::from_secs(20);

/// Starts another webhook server with these settings.
async fn start_server(
    system: &TestSystem,
    name: &str,
    settings: &[(&str, &str)],
) -> Result<HttpServer> {
    Ok(system.stack.start_webhook(name, &env(settings)).await?)
}

/// Posts a signed event with `X-Forwarded-For`. Returns the status.
async fn post_forwarded(server: &HttpServer, forwarded: &str) -> Result<u16> {
    let signed = Signed::now(EVENT);
    let mut headers = signed.headers().to_vec();
    headers.push(("X-Forwarded-For", forwarded));
    Ok(post(&format!("{}{OUTCOME}", server.url), EVENT, &headers).await?.status)
}

#[tokio::test]
async fn connections_above_the_limits_are_closed() -> Result<()> {
    let system = webhook_only(&[]).await?;
    let healthy = "GET /healthz HTTP/1.1\r\nhost: test\r\n\r\n";
    for limit in ["MAX_CONNECTIONS_PER_SOURCE", "MAX_CONNECTIONS"] {
        let server = start_server(&system, limit, &[(limit, "3")]).await?;
        // The connection of the readiness check may still count.
        let mut open = Vec::new();
        eventually(LIMIT_TIMEOUT, "three connections are open", async || {
            let mut connection = RawConnection::open(&server.url).await?;
            if connection.exchange(healthy).await?.status == 200 {
                open.push(connection);
            }
            Ok((open.len() == 3).then_some(()))
        })
        .await;
        let mut fourth = RawConnection::open(&server.url).await?;
        let _ = fourth.send(healthy).await;
        assert!(fourth.read_reply().await?.is_none(), "{limit}");
        // The other connections work, and a closed connection frees its place.
        assert_eq!(open[0].exchange(healthy).await?.status, 200);
        open.pop();
        eventually(LIMIT_TIMEOUT, "another connection is accepted", async || {
            let mut connection = RawConnection::open(&server.url).await?;
            Ok((connection.exchange(healthy).await?.status == 200).then_some(()))
        })
        .await;
    }
    Ok(())
}

#[tokio::test]
async fn requests_of_one_source_above_the_rate_are_rejected() -> Result<()> {
    let system = webhook_only(&[]).await?;
    let limit = [("MAX_REQUESTS_PER_SOURCE", "1"), ("TRUSTED_PROXIES", "127.0.0.0/8")];
    let server = start_server(&system, "limited", &limit).await?;
    let mut statuses = Vec::new();
    for _ in 0..20 {
        statuses.push(post_forwarded(&server, "203.0.113.1").await?);
    }
    // A burst of five requests, then one per second.
    assert_eq!(statuses[..5], [204; 5]);
    let mut connection = RawConnection::open(&server.url).await?;
    let headers = [("X-Forwarded-For", "203.0.113.1")];
    let rejected = eventually(LIMIT_TIMEOUT, "a request is above the rate", async || {
        let reply = connection.exchange(post_request(OUTCOME, &headers, EVENT)).await?;
        Ok(Some(reply).filter(|reply| reply.status == 429))
    })
    .await;
    assert_eq!(rejected.headers["retry-after"], "5");
    // Other sources and health checks are not limited by it.
    assert_eq!(post_forwarded(&server, "203.0.113.2").await?, 204);
    for _ in 0..20 {
        let healthy = "GET /healthz HTTP/1.1\r\nhost: test\r\nx-forwarded-for: 203.0.113.1\r\n\r\n";
        assert_eq!(connection.exchange(healthy).await?.status, 200);
    }
    Ok(())
}

#[tokio::test]
async fn memory_for_bodies_is_limited_per_source() -> Result<()> {
    let system = webhook_only(&[("TRUSTED_PROXIES", "127.0.0.0/8")]).await?;
    let server = system.stack.webhook.as_ref().context("the system has no webhook server")?;
    // Bodies of the maximum size without their last byte.
    let body = "x".repeat(262_144);
    let whole = post_request(OUTCOME, &[("X-Forwarded-For", "203.0.113.1")], &body);
    let mut held = Vec::new();
    for _ in 0..32 {
        let mut connection = RawConnection::open(&server.url).await?;
        connection.send(&whole[..whole.len() - 1]).await?;
        held.push(connection);
    }
    let small = post_request(OUTCOME, &[("X-Forwarded-For", "203.0.113.1")], &body[..1_000]);
    eventually(LIMIT_TIMEOUT, "another body of that source is rejected", async || {
        let mut connection = RawConnection::open(&server.url).await?;
        let reply = connection.exchange(&small).await?;
        Ok((reply.status == 503).then_some(()))
    })
    .await;
    assert_eq!(post_forwarded(server, "203.0.113.2").await?, 204);
    drop(held);
    eventually(LIMIT_TIMEOUT, "a body of that source is accepted", async || {
        Ok((post_forwarded(server, "203.0.113.1").await? == 204).then_some(()))
    })
    .await;
    Ok(())
}

#[tokio::test]
async fn forwarded_addresses_count_only_from_trusted_proxies() -> Result<()> {
    let system = webhook_only(&[]).await?;
    let allowed = ("ALLOWED_NETWORKS", "192.0.2.0/24, 2001:db8::/32");
    let behind =
        start_server(&system, "behind", &[allowed, ("TRUSTED_PROXIES", "127.0.0.1")]).await?;
    for (forwarded, status) in [
        ("192.0.2.7", 204),
        ("2001:db8::7", 204),
        ("203.0.113.9", 403),
        ("192.0.2.7, 203.0.113.9", 403),
        ("203.0.113.9, 192.0.2.7", 204),
        ("nonsense", 403),
    ] {
        assert_eq!(post_forwarded(&behind, forwarded).await?, status, "{forwarded}");
    }
    let exposed = start_server(&system, "exposed", &[allowed]).await?;
    assert_eq!(post_forwarded(&exposed, "192.0.2.7").await?, 403);
    // Health checks are allowed from every network.
    assert_eq!(devstack::get(&format!("{}/readyz", exposed.url)).await?.0, 200);
    Ok(())
}

#[tokio::test]
async fn events_are_rejected_while_temporal_hangs_and_accepted_afterwards() -> Result<()> {
    let mut system = webhook_only_with_own_temporal(&[("MAX_EVENTS_IN_FLIGHT", "1")]).await?;
    let url = system.webhook("");
    system.stack.temporal.process()?.pause();
    let signed = Signed::now(EVENT);
    // One of two events waits for Temporal; the other is rejected at once.
    let (mut first, mut second) =
        (RawConnection::open(&url).await?, RawConnection::open(&url).await?);
    let overloaded = eventually(LIMIT_TIMEOUT, "an event is rejected as overload", async || {
        let request = || post_request(OUTCOME, &signed.headers(), EVENT);
        let replies = tokio::try_join!(first.exchange(request()), second.exchange(request()))?;
        let mut replies = [replies.0, replies.1].into_iter();
        for reply in replies.as_slice() {
            assert_eq!((reply.status, reply.headers["retry-after"].as_str()), (503, "5"));
        }
        Ok(replies.find(|reply| reply.body.contains("Overloaded")))
    })
    .await;
    assert_eq!(overloaded.headers["content-type"], "application/problem+json");
    eventually(LIMIT_TIMEOUT, "the server is not ready", async || {
        Ok((devstack::get(&format!("{url}/readyz")).await?.0 == 503).then_some(()))
    })
    .await;
    assert_eq!(devstack::get(&format!("{url}/healthz")).await?.0, 200);

    system.stack.temporal.process()?.resume();
    eventually(LIMIT_TIMEOUT, "the server is ready again", async || {
        Ok((devstack::get(&format!("{url}/readyz")).await?.0 == 200).then_some(()))
    })
    .await;
    let accepted = post(&format!("{url}{OUTCOME}"), EVENT, &signed.headers()).await?;
    assert_eq!(accepted.status, 204);
    // Temporal may have received the event several times.
    assert!(count_signals(&system).await? >= 1);
    // A workflow that is started afterwards receives events.
    start_call(&system, "p2-id-1").await?;
    let event = EVENT.replace("p1-id-1", "p2-id-1");
    let response = post(&format!("{url}{OUTCOME}"), &event, &Signed::now(&event).headers()).await?;
    assert_eq!(response.status, 204);
    Ok(())
}
