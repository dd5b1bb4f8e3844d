//! Slow, malformed and oversized requests are rejected; valid ones are still accepted.

use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::Value;
use tokio::time::{interval, timeout};

use crate::support::{
    EVENT, RawConnection, Reply, Signed, TestSystem, count_signals, post_request, webhook_only,
};

const OUTCOME: &str = "/webhooks/outcome";
const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(60);

/// Starts a webhook server with a read timeout of one second.
async fn start_with_short_timeout() -> Result<TestSystem> {
    webhook_only(&[
        ("READ_TIMEOUT_SECS", "1"),
        ("MAX_BODY_BYTES", "4096"),
        ("MAX_REQUESTS_PER_SOURCE", "1000000"),
    ])
    .await
}

/// The head of an authenticated request with additional fields, without its end.
fn signed_head(fields: &str) -> String {
    let Signed { timestamp, signature } = Signed::now(EVENT);
    format!(
        "POST {OUTCOME} HTTP/1.1\r\nhost: test\r\nx-ultravox-webhook-timestamp: {timestamp}\r\n\
        x-ultravox-webhook-signature: {signature}\r\n{fields}"
    )
}

fn signed_request(fields: &str) -> String {
    signed_head(&format!("{fields}content-length: {}\r\n\r\n{EVENT}", EVENT.len()))
}

/// Checks that a rejection is a problem document (RFC 9457) with a detail.
fn assert_problem(reply: &Reply, status: u16) {
    let body: Value = serde_json::from_str(&reply.body).unwrap_or_default();
    assert_eq!(reply.status, status, "{reply:?}");
    assert_eq!(reply.headers["content-type"], "application/problem+json", "{reply:?}");
    assert_eq!(body["status"], status, "{reply:?}");
    assert!(body["detail"].as_str().is_some_and(|detail| detail.ends_with('.')), "{reply:?}");
    assert!(!reply.headers.contains_key("server"), "{reply:?}");
}

#[tokio::test]
async fn slow_clients_are_disconnected() -> Result<()> {
    let system = start_with_short_timeout().await?;
    let url = system.webhook("");

    // Sends nothing, stops in the head, or stops in the head of the second request.
    RawConnection::open(&url).await?.wait_until_closed().await?;
    let mut connection = RawConnection::open(&url).await?;
    connection.send("POST /webhooks/outcome HTT").await?;
    connection.wait_until_closed().await?;
    let mut connection = RawConnection::open(&url).await?;
    assert_eq!(connection.exchange(signed_request("")).await?.status, 204);
    connection.send("POST /webhooks/outcome HTTP/1.1\r\nhost").await?;
    connection.wait_until_closed().await?;

    // Sends a byte every 100 ms.
    let mut slow = RawConnection::open(&url).await?;
    let mut ticks = interval(Duration::from_millis(100));
    let head = "GET /healthz HTTP/1.1\r\nx-slow: ".bytes().chain(std::iter::repeat(b'x'));
    let mut sent = 0;
    for byte in head.take(600) {
        ticks.tick().await;
        if slow.send([byte]).await.is_err() {
            break;
        }
        sent += 1;
    }
    assert!(sent < 600, "a slow head is read for a minute");

    // Sends requests and reads no response.
    let mut unread = RawConnection::open(&url).await?;
    let requests = "GET /nothing HTTP/1.1\r\nhost: test\r\n\r\n".repeat(100);
    let sending =
        timeout(DISCONNECT_TIMEOUT, async { while unread.send(&requests).await.is_ok() {} });
    sending.await.context("a client that reads no response is not disconnected")?;

    // Sends only the start of the body.
    let mut connection = RawConnection::open(&url).await?;
    let reply = connection
        .exchange(signed_head(&format!("content-length: {}\r\n\r\n{{", EVENT.len())))
        .await?;
    assert_problem(&reply, 408);
    connection.wait_until_closed().await?;

    assert_eq!(RawConnection::open(&url).await?.exchange(signed_request("")).await?.status, 204);
    // Temporal keeps a repeated event once.
    assert_eq!(count_signals(&system).await?, 1);
    Ok(())
}

#[tokio::test]
async fn bodies_of_every_transfer_encoding_are_limited() -> Result<()> {
    let system = webhook_only(&[("MAX_BODY_BYTES", "4096")]).await?;
    let url = system.webhook("");
    let long = "x".repeat(5_000);

    // Content-Length above the limit: rejected before the body.
    let mut connection = RawConnection::open(&url).await?;
    let announced = "expect: 100-continue\r\ncontent-length: 99999999999\r\n\r\n";
    assert_problem(&connection.exchange(signed_head(announced)).await?, 413);
    connection.wait_until_closed().await?;
    // Chunks above the limit.
    let mut connection = RawConnection::open(&url).await?;
    let chunked =
        format!("transfer-encoding: chunked\r\n\r\n{:x}\r\n{long}\r\n0\r\n\r\n", long.len());
    assert_problem(&connection.exchange(signed_head(&chunked)).await?, 413);
    // Chunks with an extension and a trailer.
    let mut connection = RawConnection::open(&url).await?;
    let (one, two) = EVENT.split_at(10);
    let chunked = format!(
        "transfer-encoding: chunked\r\n\r\na\r\n{one}\r\n{:x};ext=1\r\n{two}\r\n0\r\nx-trailer: 1\r\n\r\n",
        two.len()
    );
    assert_eq!(connection.exchange(signed_head(&chunked)).await?.status, 204);
    // Invalid chunks.
    let mut connection = RawConnection::open(&url).await?;
    let reply = connection
        .exchange(signed_head("transfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n"))
        .await?;
    assert_problem(&reply, 400);
    // Expect: 100-continue.
    let mut connection = RawConnection::open(&url).await?;
    let expecting = format!("expect: 100-continue\r\ncontent-length: {}\r\n\r\n", EVENT.len());
    assert_eq!(connection.exchange(signed_head(&expecting)).await?.status, 100);
    assert_eq!(connection.exchange(EVENT).await?.status, 204);
    // Content-Encoding.
    for encoding in ["gzip", "br", "deflate, gzip", "nonsense"] {
        let request = signed_request(&format!("content-encoding: {encoding}\r\n"));
        let reply = RawConnection::open(&url).await?.exchange(request).await?;
        assert_problem(&reply, 415);
        assert_eq!(reply.headers["accept-encoding"], "identity");
    }
    // Any Content-Type: the signature decides.
    for content_type in
        ["application/json", "text/plain; charset=latin1", "multipart/form-data", "//"]
    {
        let fields = format!("content-type: {content_type}\r\n");
        assert_eq!(
            RawConnection::open(&url).await?.exchange(signed_request(&fields)).await?.status,
            204
        );
    }
    // A body shorter than Content-Length.
    let mut connection = RawConnection::open(&url).await?;
    connection
        .send(signed_head(&format!("content-length: {}\r\n\r\n{EVENT}", EVENT.len() + 1)))
        .await?;
    connection.shut_down_write().await?;
    assert_problem(&connection.read_reply().await?.context("no response")?, 400);
    // Temporal keeps a repeated event once.
    assert_eq!(count_signals(&system).await?, 1);
    Ok(())
}

#[tokio::test]
async fn pipelined_half_closed_and_smuggled_requests_follow_rfc_9112() -> Result<()> {
    let system = webhook_only(&[("MAX_BODY_BYTES", "4096")]).await?;
    let url = system.webhook("");

    // Two pipelined requests.
    let mut connection = RawConnection::open(&url).await?;
    let unsigned = String::from_utf8(post_request(OUTCOME, &[], EVENT))?;
    let first = connection.exchange(signed_request("") + &unsigned).await?;
    assert_eq!(
        (first.status, connection.read_reply().await?.context("no second response")?.status),
        (204, 401)
    );
    // A half-closed connection.
    let mut connection = RawConnection::open(&url).await?;
    connection.send(signed_request("")).await?;
    connection.shut_down_write().await?;
    assert_eq!(connection.read_reply().await?.context("no response")?.status, 204);
    connection.wait_until_closed().await?;
    // HTTP/1.0.
    let mut connection = RawConnection::open(&url).await?;
    assert_eq!(
        connection.exchange(signed_request("").replace("HTTP/1.1", "HTTP/1.0")).await?.status,
        204
    );
    connection.wait_until_closed().await?;
    // With Content-Length and Transfer-Encoding the chunks count, and the server closes the connection. So bytes that a
    // proxy considers a part of the body don't become another request.
    let mut connection = RawConnection::open(&url).await?;
    let smuggled = format!("0\r\n\r\n{unsigned}");
    let fields =
        format!("content-length: {}\r\ntransfer-encoding: chunked\r\n\r\n", smuggled.len());
    let reply = connection.exchange(signed_head(&fields) + &smuggled).await?;
    assert_eq!(reply.status, 401, "{reply:?}");
    assert!(connection.read_reply().await?.is_none());
    // Temporal keeps a repeated event once.
    assert_eq!(count_signals(&system).await?, 1);
    Ok(())
}

#[tokio::test]
async fn unknown_and_malformed_requests_are_rejected() -> Result<()> {
    let system = webhook_only(&[("MAX_BODY_BYTES", "4096")]).await?;
    let url = system.webhook("");
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n");
    let field = |name: &str, length: usize| {
        format!("GET / HTTP/1.1\r\nhost: test\r\n{name}: {}\r\n\r\n", "x".repeat(length))
    };
    let many: String = (0..100).map(|n| format!("x-{n}: 1\r\n")).collect();
    for (what, sent, status) in [
        ("an unknown path", get("/"), 404),
        ("a path of other software", get("/.env"), 404),
        ("a path with ..", get("/webhooks/../healthz"), 404),
        ("a path with a slash at the end", get("/webhooks/outcome/"), 404),
        ("a long path", get(&format!("/{}", "a".repeat(8_000))), 404),
        ("another method", get(OUTCOME), 405),
        ("an unsupported method", get(OUTCOME).replace("GET", "DELETE"), 405),
        ("an unknown method", get(OUTCOME).replace("GET", "BREW"), 405),
    ] {
        let mut connection = RawConnection::open(&url).await?;
        let reply = connection.exchange(sent).await?;
        assert_problem(&reply, status);
        assert_eq!(reply.headers.contains_key("allow"), status == 405, "{what}: {reply:?}");
    }
    for (what, sent, status) in [
        ("a field that is too long", field("x-long", 20_000), 431),
        ("a path that is too long", get(&format!("/{}", "a".repeat(70_000))), 431),
        ("too many fields", format!("GET / HTTP/1.1\r\n{many}\r\n"), 431),
        ("a field with a zero byte", field("x-\0", 1), 400),
        ("two lengths", signed_head("content-length: 1\r\ncontent-length: 2\r\n\r\n{}"), 400),
        ("an invalid length", signed_head("content-length: -1\r\n\r\n{}"), 400),
        ("not HTTP", "\x16\x03\x01 hello\r\n\r\n".to_owned(), 400),
        ("another version of HTTP", get("/").replace("HTTP/1.1", "HTTP/3.0"), 400),
    ] {
        let mut connection = RawConnection::open(&url).await?;
        // The server may respond and close before everything is sent.
        let _ = connection.send(sent).await;
        let reply = connection.read_reply().await?.map(|reply| reply.status);
        assert_eq!(reply, Some(status), "{what}");
        connection.wait_until_closed().await?;
    }
    // HTTP/2 is not supported, so there is no rapid reset of streams.
    let mut connection = RawConnection::open(&url).await?;
    connection.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await?;
    assert!(connection.read_reply().await?.is_none());
    connection.wait_until_closed().await?;

    let healthy = RawConnection::open(&url).await?.exchange(get("/healthz")).await?;
    assert_eq!((healthy.status, healthy.headers.get("server")), (200, None));
    assert_eq!(RawConnection::open(&url).await?.exchange(signed_request("")).await?.status, 204);
    assert_eq!(count_signals(&system).await?, 1);
    Ok(())
}
