//! How much is taken, and from whom.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result};
use devstack::HttpServer;

use crate::support::{
    EVENT, Signed, Story, Wire, door, events_taken, eventually, post, request, start_call,
};

const OUTCOME: &str = "/webhooks/outcome";
const SOON: Duration = Duration::from_secs(20);

/// One more server with these settings.
async fn server(story: &Story, name: &str, env: &[(&str, &str)]) -> Result<HttpServer> {
    let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Ok(story.stack.start_webhook(name, &env.collect::<BTreeMap<_, _>>()).await?)
}

/// Sends a genuine event, as if a proxy had passed it on for somebody; the status of the answer.
async fn for_somebody(server: &HttpServer, forwarded: &str) -> Result<u16> {
    let signed = Signed::now(EVENT);
    let mut headers = signed.headers().to_vec();
    headers.push(("X-Forwarded-For", forwarded));
    Ok(post(&format!("{}{OUTCOME}", server.url), EVENT, &headers).await?.status)
}

#[tokio::test]
async fn one_address_has_so_many_connections_and_no_more() -> Result<()> {
    let story = door(&[]).await?;
    let healthy = "GET /healthz HTTP/1.1\r\nhost: test\r\n\r\n";
    for limit in ["MAX_CONNECTIONS_PER_SOURCE", "MAX_CONNECTIONS"] {
        let server = server(&story, limit, &[(limit, "3")]).await?;
        // What asked whether the server is ready may hold a place for a moment.
        let mut open = Vec::new();
        eventually(SOON, "three connections are open", async || {
            let mut wire = Wire::to(&server.url).await?;
            if wire.ask(healthy).await?.status == 200 {
                open.push(wire);
            }
            Ok((open.len() == 3).then_some(()))
        })
        .await;
        let mut fourth = Wire::to(&server.url).await?;
        let _ = fourth.send(healthy).await;
        assert!(fourth.reply().await?.is_none(), "{limit}");
        // The others are served all the same, and a place that is left is free again.
        assert_eq!(open[0].ask(healthy).await?.status, 200);
        open.pop();
        eventually(SOON, "a place is free", async || {
            let mut wire = Wire::to(&server.url).await?;
            Ok((wire.ask(healthy).await?.status == 200).then_some(()))
        })
        .await;
    }
    Ok(())
}

#[tokio::test]
async fn one_address_makes_so_many_requests_and_no_more() -> Result<()> {
    let story = door(&[]).await?;
    let limit = [("MAX_REQUESTS_PER_SOURCE", "1"), ("TRUSTED_PROXIES", "127.0.0.0/8")];
    let server = server(&story, "limited", &limit).await?;
    let mut statuses = Vec::new();
    for _ in 0..20 {
        statuses.push(for_somebody(&server, "203.0.113.1").await?);
    }
    // Five in one go, and one for every second that this took.
    assert_eq!(statuses[..5], [204; 5]);
    let mut wire = Wire::to(&server.url).await?;
    let headers = [("X-Forwarded-For", "203.0.113.1")];
    let refused = eventually(SOON, "a request is one too many", async || {
        let reply = wire.ask(request(OUTCOME, &headers, EVENT)).await?;
        Ok(Some(reply).filter(|reply| reply.status == 429))
    })
    .await;
    assert_eq!(refused.headers["retry-after"], "5");
    // Others are not its fault, and neither is it ours whether we live.
    assert_eq!(for_somebody(&server, "203.0.113.2").await?, 204);
    for _ in 0..20 {
        let healthy = "GET /healthz HTTP/1.1\r\nhost: test\r\nx-forwarded-for: 203.0.113.1\r\n\r\n";
        assert_eq!(wire.ask(healthy).await?.status, 200);
    }
    Ok(())
}

#[tokio::test]
async fn no_single_sender_takes_all_the_memory_for_bodies() -> Result<()> {
    let story = door(&[("TRUSTED_PROXIES", "127.0.0.0/8")]).await?;
    let server = story.stack.webhook.as_ref().context("a server")?;
    // Longest bodies, of which the last byte never comes.
    let body = "x".repeat(262_144);
    let whole = request(OUTCOME, &[("X-Forwarded-For", "203.0.113.1")], &body);
    let mut held = Vec::new();
    for _ in 0..32 {
        let mut wire = Wire::to(&server.url).await?;
        wire.send(&whole[..whole.len() - 1]).await?;
        held.push(wire);
    }
    let little = request(OUTCOME, &[("X-Forwarded-For", "203.0.113.1")], &body[..1_000]);
    eventually(SOON, "there is no room for one more of that sender", async || {
        let mut wire = Wire::to(&server.url).await?;
        let reply = wire.ask(&little).await?;
        Ok((reply.status == 503).then_some(()))
    })
    .await;
    assert_eq!(for_somebody(server, "203.0.113.2").await?, 204);
    drop(held);
    eventually(SOON, "there is room again", async || {
        Ok((for_somebody(server, "203.0.113.1").await? == 204).then_some(()))
    })
    .await;
    Ok(())
}

#[tokio::test]
async fn only_a_proxy_of_ours_says_where_a_request_comes_from() -> Result<()> {
    let story = door(&[]).await?;
    let allowed = ("ALLOWED_NETWORKS", "192.0.2.0/24, 2001:db8::/32");
    let behind = server(&story, "behind", &[allowed, ("TRUSTED_PROXIES", "127.0.0.1")]).await?;
    for (forwarded, status) in [
        ("192.0.2.7", 204),
        ("2001:db8::7", 204),
        ("203.0.113.9", 403),
        ("192.0.2.7, 203.0.113.9", 403),
        ("203.0.113.9, 192.0.2.7", 204),
        ("nonsense", 403),
    ] {
        assert_eq!(for_somebody(&behind, forwarded).await?, status, "{forwarded}");
    }
    let exposed = server(&story, "exposed", &[allowed]).await?;
    assert_eq!(for_somebody(&exposed, "192.0.2.7").await?, 403);
    // Whoever looks after the server still sees that it lives.
    assert_eq!(devstack::get(&format!("{}/readyz", exposed.url)).await?.0, 200);
    Ok(())
}

#[tokio::test]
async fn while_temporal_is_silent_events_are_refused_and_come_again() -> Result<()> {
    let mut story = door(&[("MAX_EVENTS_IN_FLIGHT", "1")]).await?;
    let url = story.webhook("");
    story.stack.temporal.process().pause();
    let mut first = Wire::to(&url).await?;
    let signed = Signed::now(EVENT);
    first.send(request(OUTCOME, &signed.headers(), EVENT)).await?;
    // The first one waits for Temporal. The second one does not wait for the first one.
    let mut second = Wire::to(&url).await?;
    let shed = eventually(SOON, "an event is shed", async || {
        let reply = second.ask(request(OUTCOME, &signed.headers(), EVENT)).await?;
        assert_eq!((reply.status, reply.headers["retry-after"].as_str()), (503, "5"));
        Ok(reply.body.contains("Overloaded").then_some(reply))
    })
    .await;
    assert_eq!(shed.headers["content-type"], "application/problem+json");
    let unanswered = first.reply().await?.context("an answer")?;
    assert_eq!(unanswered.status, 503);
    eventually(SOON, "the server says that it is not ready", async || {
        Ok((devstack::get(&format!("{url}/readyz")).await?.0 == 503).then_some(()))
    })
    .await;
    assert_eq!(devstack::get(&format!("{url}/healthz")).await?.0, 200);

    story.stack.temporal.process().resume();
    eventually(SOON, "the server is ready again", async || {
        Ok((devstack::get(&format!("{url}/readyz")).await?.0 == 200).then_some(()))
    })
    .await;
    let taken = post(&format!("{url}{OUTCOME}"), EVENT, &signed.headers()).await?;
    assert_eq!(taken.status, 204);
    // It was sent again and again; what got through has no other effect than once.
    assert!(events_taken(&story).await? >= 1);
    // A workflow that is started afterwards takes events as ever.
    start_call(&story, "p2-id-1").await?;
    let event = EVENT.replace("p1-id-1", "p2-id-1");
    let answer = post(&format!("{url}{OUTCOME}"), &event, &Signed::now(&event).headers()).await?;
    assert_eq!(answer.status, 204);
    Ok(())
}
