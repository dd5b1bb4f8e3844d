//! Requests with invalid signatures and tokens are rejected without a reason and have no effect.

use std::time::Duration;

use anyhow::Result;
use chrono::{TimeDelta, Utc};
use devstack::development::WEBHOOK_SECRET;
use devstack::sign::{self, agent_token, carrier_token};
use serde_json::Value;

use crate::support::{
    CALL, DIAL, EVENT, HEADERS, RawConnection, Signed, count_signals, eventually, post,
    post_request, webhook_only,
};

const OUTCOME: &str = "/webhooks/outcome";
const SIGNAL_TIMEOUT: Duration = Duration::from_secs(30);

type Header<'h> = (&'h str, &'h str);

/// Whether a response is the one rejection for all invalid signatures and tokens.
fn is_unauthorized(status: u16, body: &str) -> bool {
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    status == 401
        && body["title"] == "Unauthorized"
        && body["detail"] == "The signature or token is missing, invalid or expired."
        && body.as_object().is_some_and(|fields| fields.len() == 3)
}

#[tokio::test]
async fn request_with_any_changed_byte_is_rejected() -> Result<()> {
    // All requests come from one source.
    let system = webhook_only(&[("MAX_REQUESTS_PER_SOURCE", "1000000")]).await?;
    let signed = Signed::now(EVENT);
    let mut connection = RawConnection::open(&system.webhook("")).await?;
    let unchanged = connection.exchange(post_request(OUTCOME, &signed.headers(), EVENT)).await?;
    assert_eq!(unchanged.status, 204);

    let mut tried = 0;
    for part in 0..3 {
        let original = [EVENT, &signed.timestamp, &signed.signature][part].as_bytes();
        for index in 0..original.len() {
            // Header fields must not contain control characters.
            let others = if part == 0 { 0..=255_u8 } else { 0x20..=0x7e };
            for other in others.filter(|other| *other != original[index]) {
                let mut changed = original.to_vec();
                changed[index] = other;
                let mut parts = [EVENT, &signed.timestamp, &signed.signature].map(str::as_bytes);
                parts[part] = &changed;
                let [body, timestamp, signature] = parts;
                let head = format!("POST {OUTCOME} HTTP/1.1\r\nhost: test\r\n{}: ", HEADERS[0]);
                let length = format!("\r\ncontent-length: {}\r\n\r\n", body.len());
                let name = format!("\r\n{}: ", HEADERS[1]);
                let pieces = [
                    head.as_bytes(),
                    timestamp,
                    name.as_bytes(),
                    signature,
                    length.as_bytes(),
                    body,
                ];
                let reply = connection.exchange(pieces.concat()).await?;
                let what = String::from_utf8_lossy(&changed).into_owned();
                assert!(is_unauthorized(reply.status, &reply.body), "{what}: {reply:?}");
                tried += 1;
            }
        }
    }
    assert!(tried > 20_000, "{tried}");
    // The signature is still valid.
    assert_eq!(
        connection.exchange(post_request(OUTCOME, &signed.headers(), EVENT)).await?.status,
        204
    );
    // Temporal keeps a repeated event once.
    assert_eq!(count_signals(&system).await?, 1);
    Ok(())
}

#[tokio::test]
async fn signature_is_valid_only_for_its_body_time_and_secret() -> Result<()> {
    let system = webhook_only(&[]).await?;
    let url = system.webhook(OUTCOME);
    let now = Signed::now(EVENT);
    let shifted = |secs| Signed::at(WEBHOOK_SECRET, EVENT, Utc::now() + TimeDelta::seconds(secs));
    let [old, early, just_old, just_early] = [-310, 310, -290, 290].map(shifted);
    let naive = Utc::now().naive_utc().format("%Y-%m-%dT%H:%M:%S%.6f").to_string();
    let naive = Signed::with_timestamp(WEBHOOK_SECRET, EVENT, &naive);
    let zulu = Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    let zulu = Signed::with_timestamp(WEBHOOK_SECRET, EVENT, &zulu);
    let epoch = Signed::with_timestamp(WEBHOOK_SECRET, EVENT, &Utc::now().timestamp().to_string());
    let of_another = Signed::with("a-completely-different-secret", EVENT);
    let several = format!("{}, {}", of_another.signature, now.signature);
    let dotted = format!("{}.{EVENT}", now.timestamp);
    let dotted = sign::webhook_signature(WEBHOOK_SECRET, dotted.as_bytes(), b"");
    let upper = now.signature.to_uppercase();

    let stamp = (HEADERS[0], now.timestamp.as_str());
    let with = |signature| vec![stamp, (HEADERS[1], signature)];
    let cases: [(&str, Vec<Header>, u16); 18] = [
        ("valid", now.headers().to_vec(), 204),
        ("several signatures", with(&several), 204),
        ("naive time is UTC", naive.headers().to_vec(), 204),
        ("time with Z", zulu.headers().to_vec(), 204),
        ("a little old", just_old.headers().to_vec(), 204),
        ("a little early", just_early.headers().to_vec(), 204),
        ("no headers", vec![], 401),
        ("no signature", vec![stamp], 401),
        ("no time", vec![(HEADERS[1], &now.signature)], 401),
        ("empty signature", with(""), 401),
        ("half a signature", with(&now.signature[..32]), 401),
        ("signature that is not hexadecimal", with("not hexadecimal"), 401),
        ("signature in upper case", with(&upper), 401),
        ("signature of time, dot, body", with(&dotted), 401),
        ("another secret", of_another.headers().to_vec(), 401),
        ("old", old.headers().to_vec(), 401),
        ("from the future", early.headers().to_vec(), 401),
        ("time in seconds", epoch.headers().to_vec(), 401),
    ];
    for (what, headers, expected) in &cases {
        let response = post(&url, EVENT, headers).await?;
        assert_eq!(response.status, *expected, "{what}");
        if *expected == 401 {
            assert!(
                is_unauthorized(response.status, &response.body.to_string()),
                "{what}: {response:?}"
            );
        }
    }
    // The same JSON with other blanks.
    let reformatted = EVENT.replace(':', ": ");
    assert_eq!(post(&url, &reformatted, &now.headers()).await?.status, 401);
    // Temporal keeps a repeated event once.
    assert_eq!(count_signals(&system).await?, 1);
    Ok(())
}

#[tokio::test]
async fn token_is_valid_only_for_its_dial_and_purpose() -> Result<()> {
    let system = webhook_only(&[]).await?;
    let url = system.webhook("/tools/report_outcome");
    let report = r#"{"outcome":"NOT_INTERESTED"}"#;
    let bearer = |token: &str| format!("Bearer {token}");
    let own = agent_token(WEBHOOK_SECRET, DIAL);
    for (what, authorization) in [
        ("none", String::new()),
        ("of another secret", bearer(&agent_token("a-completely-different-secret", DIAL))),
        ("of the carrier", bearer(&carrier_token(WEBHOOK_SECRET, DIAL))),
        ("another scheme", format!("Basic {own}")),
        ("only the signature", bearer(own.split_once('.').unwrap().1)),
    ] {
        let response = post(&url, report, &[("Authorization", &authorization)]).await?;
        assert_eq!(response.status, 401, "{what}");
    }
    assert_eq!(count_signals(&system).await?, 0);
    // The server may answer that Temporal was too slow for the agent.
    let signals = eventually(SIGNAL_TIMEOUT, "the report is forwarded", async || {
        assert_eq!(post(&url, report, &[("Authorization", &bearer(&own))]).await?.status, 200);
        Ok(Some(count_signals(&system).await?).filter(|signals| *signals > 0))
    })
    .await;
    // The token decides which dial is meant, not the body.
    let other = bearer(&agent_token(WEBHOOK_SECRET, "p2-id-1.1"));
    let named =
        format!(r#"{{"outcome":"NOT_INTERESTED","dialId":"{DIAL}","conversationId":"{CALL}"}}"#);
    assert_eq!(post(&url, &named, &[("Authorization", &other)]).await?.status, 200);
    assert_eq!(count_signals(&system).await?, signals);
    Ok(())
}
