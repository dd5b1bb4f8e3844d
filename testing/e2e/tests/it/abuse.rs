//! Whatever is sent to the public address gets a decided answer, and what is genuine still gets through.

use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::Value;
use tokio::time::{interval, timeout};

use crate::support::{EVENT, Reply, Signed, Story, Wire, door, events_taken, request};

const OUTCOME: &str = "/webhooks/outcome";
const SOON: Duration = Duration::from_secs(60);

/// A server that waits no longer than a second.
async fn impatient_door() -> Result<Story> {
    door(&[
        ("READ_TIMEOUT_SECS", "1"),
        ("MAX_BODY_BYTES", "4096"),
        ("MAX_REQUESTS_PER_SOURCE", "1000000"),
    ])
    .await
}

/// A genuine request with these fields beside, whose length is not given.
fn genuine(fields: &str) -> String {
    let Signed { timestamp, signature } = Signed::now(EVENT);
    format!(
        "POST {OUTCOME} HTTP/1.1\r\nhost: test\r\nx-ultravox-webhook-timestamp: {timestamp}\r\n\
        x-ultravox-webhook-signature: {signature}\r\n{fields}"
    )
}

fn genuine_request(fields: &str) -> String {
    genuine(&format!("{fields}content-length: {}\r\n\r\n{EVENT}", EVENT.len()))
}

/// Every refusal of ours says in a standard form what is wrong and what to do.
fn assert_problem(reply: &Reply, status: u16) {
    let body: Value = serde_json::from_str(&reply.body).unwrap_or_default();
    assert_eq!(reply.status, status, "{reply:?}");
    assert_eq!(reply.headers["content-type"], "application/problem+json", "{reply:?}");
    assert_eq!(body["status"], status, "{reply:?}");
    assert!(body["detail"].as_str().is_some_and(|detail| detail.ends_with('.')), "{reply:?}");
    assert!(!reply.headers.contains_key("server"), "{reply:?}");
}

#[tokio::test]
async fn who_is_slow_is_not_waited_for() -> Result<()> {
    let story = impatient_door().await?;
    let url = story.webhook("");

    // Says nothing, stops in the head, or stops in the next request.
    Wire::to(&url).await?.ended().await?;
    let mut wire = Wire::to(&url).await?;
    wire.send("POST /webhooks/outcome HTT").await?;
    wire.ended().await?;
    let mut wire = Wire::to(&url).await?;
    assert_eq!(wire.ask(genuine_request("")).await?.status, 204);
    wire.send("POST /webhooks/outcome HTTP/1.1\r\nhost").await?;
    wire.ended().await?;

    // Sends a byte now and then.
    let mut dripping = Wire::to(&url).await?;
    let mut drops = interval(Duration::from_millis(100));
    let head = "GET /healthz HTTP/1.1\r\nx-drip: ".bytes().chain(std::iter::repeat(b'x'));
    let mut sent = 0;
    for byte in head.take(600) {
        drops.tick().await;
        if dripping.send([byte]).await.is_err() {
            break;
        }
        sent += 1;
    }
    assert!(sent < 600, "a head may drip for a minute");

    // Asks and asks, and reads no answer.
    let mut deaf = Wire::to(&url).await?;
    let question = "GET /nothing HTTP/1.1\r\nhost: test\r\n\r\n".repeat(100);
    let asked = timeout(SOON, async { while deaf.send(&question).await.is_ok() {} });
    asked.await.context("who reads nothing is never turned away")?;

    // Announces a body that does not come.
    let mut wire = Wire::to(&url).await?;
    let reply = wire.ask(genuine(&format!("content-length: {}\r\n\r\n{{", EVENT.len()))).await?;
    assert_problem(&reply, 408);
    wire.ended().await?;

    assert_eq!(Wire::to(&url).await?.ask(genuine_request("")).await?.status, 204);
    assert_eq!(events_taken(&story).await?, 2);
    Ok(())
}

#[tokio::test]
async fn bodies_are_read_within_limits_however_they_come() -> Result<()> {
    let story = door(&[("MAX_BODY_BYTES", "4096")]).await?;
    let url = story.webhook("");
    let long = "x".repeat(5_000);

    // Too long by its own account: not a byte of it is asked for.
    let mut wire = Wire::to(&url).await?;
    let announced = "expect: 100-continue\r\ncontent-length: 99999999999\r\n\r\n";
    assert_problem(&wire.ask(genuine(announced)).await?, 413);
    wire.ended().await?;
    // Too long as it turns out.
    let mut wire = Wire::to(&url).await?;
    let chunked =
        format!("transfer-encoding: chunked\r\n\r\n{:x}\r\n{long}\r\n0\r\n\r\n", long.len());
    assert_problem(&wire.ask(genuine(&chunked)).await?, 413);
    // In pieces.
    let mut wire = Wire::to(&url).await?;
    let (one, two) = EVENT.split_at(10);
    let chunked = format!(
        "transfer-encoding: chunked\r\n\r\na\r\n{one}\r\n{:x};ext=1\r\n{two}\r\n0\r\nx-trailer: 1\r\n\r\n",
        two.len()
    );
    assert_eq!(wire.ask(genuine(&chunked)).await?.status, 204);
    // In pieces that are none.
    let mut wire = Wire::to(&url).await?;
    let reply =
        wire.ask(genuine("transfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n")).await?;
    assert_problem(&reply, 400);
    // Once it is asked for.
    let mut wire = Wire::to(&url).await?;
    let expecting = format!("expect: 100-continue\r\ncontent-length: {}\r\n\r\n", EVENT.len());
    assert_eq!(wire.ask(genuine(&expecting)).await?.status, 100);
    assert_eq!(wire.ask(EVENT).await?.status, 204);
    // Compressed, under whatever name.
    for encoding in ["gzip", "br", "deflate, gzip", "nonsense"] {
        let reply = Wire::to(&url).await?;
        let reply =
            { reply }.ask(genuine_request(&format!("content-encoding: {encoding}\r\n"))).await?;
        assert_problem(&reply, 415);
        assert_eq!(reply.headers["accept-encoding"], "identity");
    }
    // Under any type: what it is, its signature says.
    for kind in ["application/json", "text/plain; charset=latin1", "multipart/form-data", "//"] {
        let fields = format!("content-type: {kind}\r\n");
        assert_eq!(Wire::to(&url).await?.ask(genuine_request(&fields)).await?.status, 204);
    }
    // Shorter than announced.
    let mut wire = Wire::to(&url).await?;
    wire.send(genuine(&format!("content-length: {}\r\n\r\n{EVENT}", EVENT.len() + 1))).await?;
    wire.finish().await?;
    assert_problem(&wire.reply().await?.context("an answer")?, 400);
    assert_eq!(events_taken(&story).await?, 6);
    Ok(())
}

#[tokio::test]
async fn connections_are_used_as_the_standard_says() -> Result<()> {
    let story = door(&[("MAX_BODY_BYTES", "4096")]).await?;
    let url = story.webhook("");

    // Two requests at once are answered in their order.
    let mut wire = Wire::to(&url).await?;
    let forged = String::from_utf8(request(OUTCOME, &[], EVENT))?;
    let both = wire.ask(genuine_request("") + &forged).await?;
    assert_eq!((both.status, wire.reply().await?.context("a second answer")?.status), (204, 401));
    // Who has said everything may close that half.
    let mut wire = Wire::to(&url).await?;
    wire.send(genuine_request("")).await?;
    wire.finish().await?;
    assert_eq!(wire.reply().await?.context("an answer")?.status, 204);
    wire.ended().await?;
    // Of an older client.
    let mut wire = Wire::to(&url).await?;
    assert_eq!(wire.ask(genuine_request("").replace("HTTP/1.1", "HTTP/1.0")).await?.status, 204);
    wire.ended().await?;
    // Where two lengths are given the pieces count, and the connection ends there: what a proxy took for the rest of
    // the body never becomes a request of its own.
    let mut wire = Wire::to(&url).await?;
    let smuggled = format!("0\r\n\r\n{forged}");
    let fields =
        format!("content-length: {}\r\ntransfer-encoding: chunked\r\n\r\n", smuggled.len());
    let reply = wire.ask(genuine(&fields) + &smuggled).await?;
    assert_eq!(reply.status, 401, "{reply:?}");
    assert!(wire.reply().await?.is_none());
    assert_eq!(events_taken(&story).await?, 3);
    Ok(())
}

#[tokio::test]
async fn what_is_no_request_of_ours_is_turned_away() -> Result<()> {
    let story = door(&[("MAX_BODY_BYTES", "4096")]).await?;
    let url = story.webhook("");
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n");
    let field = |name: &str, length: usize| {
        format!("GET / HTTP/1.1\r\nhost: test\r\n{name}: {}\r\n\r\n", "x".repeat(length))
    };
    let many: String = (0..100).map(|n| format!("x-{n}: 1\r\n")).collect();
    for (what, sent, status) in [
        ("an unknown path", get("/"), 404),
        ("a path of others", get("/.env"), 404),
        ("a path that climbs", get("/webhooks/../healthz"), 404),
        ("a path with a slash more", get("/webhooks/outcome/"), 404),
        ("a long path", get(&format!("/{}", "a".repeat(8_000))), 404),
        ("another method", get(OUTCOME), 405),
        ("no method of ours", get(OUTCOME).replace("GET", "DELETE"), 405),
        ("a method that nobody knows", get(OUTCOME).replace("GET", "BREW"), 405),
    ] {
        let mut wire = Wire::to(&url).await?;
        let reply = wire.ask(sent).await?;
        assert_problem(&reply, status);
        assert_eq!(reply.headers.contains_key("allow"), status == 405, "{what}: {reply:?}");
    }
    for (what, sent, status) in [
        ("a field that is too long", field("x-long", 20_000), 431),
        ("a path that is too long", get(&format!("/{}", "a".repeat(70_000))), 431),
        ("too many fields", format!("GET / HTTP/1.1\r\n{many}\r\n"), 431),
        ("a field with a zero byte", field("x-\0", 1), 400),
        ("two lengths", genuine("content-length: 1\r\ncontent-length: 2\r\n\r\n{}"), 400),
        ("a length that is none", genuine("content-length: -1\r\n\r\n{}"), 400),
        ("no HTTP", "\x16\x03\x01 hello\r\n\r\n".to_owned(), 400),
        ("another HTTP", get("/").replace("HTTP/1.1", "HTTP/3.0"), 400),
    ] {
        let mut wire = Wire::to(&url).await?;
        // Its sender may have been turned away before it had said everything.
        let _ = wire.send(sent).await;
        let reply = wire.reply().await?.map(|reply| reply.status);
        assert_eq!(reply, Some(status), "{what}");
        wire.ended().await?;
    }
    // HTTP/2 is not spoken: there are no streams that could be reset by the thousand.
    let mut wire = Wire::to(&url).await?;
    wire.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await?;
    assert!(wire.reply().await?.is_none());
    wire.ended().await?;

    let healthy = Wire::to(&url).await?.ask(get("/healthz")).await?;
    assert_eq!((healthy.status, healthy.headers.get("server")), (200, None));
    assert_eq!(Wire::to(&url).await?.ask(genuine_request("")).await?.status, 204);
    assert_eq!(events_taken(&story).await?, 1);
    Ok(())
}
