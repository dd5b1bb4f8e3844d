//! What is not genuine has no effect, and is not told why.

use anyhow::Result;
use chrono::{TimeDelta, Utc};
use devstack::development::WEBHOOK_SECRET;
use devstack::sign::{self, agent_token, carrier_token};
use serde_json::Value;

use crate::support::{CALL, DIAL, EVENT, HEADERS, Signed, Wire, door, events_taken, post, request};

const OUTCOME: &str = "/webhooks/outcome";

type Header<'h> = (&'h str, &'h str);

/// The one answer to all that is not genuine.
fn is_refusal(status: u16, body: &str) -> bool {
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    status == 401
        && body["title"] == "Unauthorized"
        && body["detail"] == "The signature or token is missing, invalid or expired."
        && body.as_object().is_some_and(|fields| fields.len() == 3)
}

#[tokio::test]
async fn every_other_byte_of_a_request_is_noticed() -> Result<()> {
    // One sender tries them all.
    let story = door(&[("MAX_REQUESTS_PER_SOURCE", "1000000")]).await?;
    let signed = Signed::now(EVENT);
    let mut wire = Wire::to(&story.webhook("")).await?;
    let genuine = wire.ask(request(OUTCOME, &signed.headers(), EVENT)).await?;
    assert_eq!(genuine.status, 204);

    let mut tried = 0;
    for part in 0..3 {
        let sound = [EVENT, &signed.timestamp, &signed.signature][part].as_bytes();
        for index in 0..sound.len() {
            // In a header field control characters would end the request, and others are not text.
            let others = if part == 0 { 0..=255_u8 } else { 0x20..=0x7e };
            for other in others.filter(|other| *other != sound[index]) {
                let mut changed = sound.to_vec();
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
                let reply = wire.ask(pieces.concat()).await?;
                let what = String::from_utf8_lossy(&changed).into_owned();
                assert!(is_refusal(reply.status, &reply.body), "{what}: {reply:?}");
                tried += 1;
            }
        }
    }
    assert!(tried > 20_000, "{tried}");
    // The signature was still good all the while.
    assert_eq!(wire.ask(request(OUTCOME, &signed.headers(), EVENT)).await?.status, 204);
    assert_eq!(events_taken(&story).await?, 2);
    Ok(())
}

#[tokio::test]
async fn a_signature_counts_for_its_body_its_time_and_its_secret() -> Result<()> {
    let story = door(&[]).await?;
    let url = story.webhook(OUTCOME);
    let now = Signed::now(EVENT);
    let apart = |secs| Signed::at(WEBHOOK_SECRET, EVENT, Utc::now() + TimeDelta::seconds(secs));
    let [old, early, just_old, just_early] = [-310, 310, -290, 290].map(apart);
    let naive = Utc::now().naive_utc().format("%Y-%m-%dT%H:%M:%S%.6f").to_string();
    let naive = Signed::stamped(WEBHOOK_SECRET, EVENT, &naive);
    let zulu = Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    let zulu = Signed::stamped(WEBHOOK_SECRET, EVENT, &zulu);
    let epoch = Signed::stamped(WEBHOOK_SECRET, EVENT, &Utc::now().timestamp().to_string());
    let of_another = Signed::with("another-secret-altogether", EVENT);
    let several = format!("{}, {}", of_another.signature, now.signature);
    let dotted = format!("{}.{EVENT}", now.timestamp);
    let dotted = sign::webhook_signature(WEBHOOK_SECRET, dotted.as_bytes(), b"");
    let upper = now.signature.to_uppercase();

    let stamp = (HEADERS[0], now.timestamp.as_str());
    let with = |signature| vec![stamp, (HEADERS[1], signature)];
    let cases: [(&str, Vec<Header>, u16); 18] = [
        ("sound", now.headers().to_vec(), 204),
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
        ("garbled signature", with("not hexadecimal"), 401),
        ("signature in capitals", with(&upper), 401),
        ("signature of time, dot, body", with(&dotted), 401),
        ("another secret", of_another.headers().to_vec(), 401),
        ("old", old.headers().to_vec(), 401),
        ("from the future", early.headers().to_vec(), 401),
        ("time in seconds", epoch.headers().to_vec(), 401),
    ];
    let genuine = cases.iter().filter(|(_, _, status)| *status == 204).count();
    for (what, headers, expected) in &cases {
        let answer = post(&url, EVENT, headers).await?;
        assert_eq!(answer.status, *expected, "{what}");
        if *expected == 401 {
            assert!(is_refusal(answer.status, &answer.body.to_string()), "{what}: {answer:?}");
        }
    }
    // The same JSON, written another way.
    let written_anew = EVENT.replace(':', ": ");
    assert_eq!(post(&url, &written_anew, &now.headers()).await?.status, 401);
    assert_eq!(events_taken(&story).await?, genuine);
    Ok(())
}

#[tokio::test]
async fn a_token_speaks_for_its_dial_and_its_purpose_alone() -> Result<()> {
    let story = door(&[]).await?;
    let url = story.webhook("/tools/report_outcome");
    let report = r#"{"outcome":"NOT_INTERESTED"}"#;
    let bearer = |token: &str| format!("Bearer {token}");
    let own = agent_token(WEBHOOK_SECRET, DIAL);
    for (what, authorization, status) in [
        ("none", String::new(), 401),
        ("of another secret", bearer(&agent_token("another-secret-altogether", DIAL)), 401),
        ("of the carrier", bearer(&carrier_token(WEBHOOK_SECRET, DIAL)), 401),
        ("another scheme", format!("Basic {own}"), 401),
        ("the proof alone", bearer(own.split_once('.').unwrap().1), 401),
        ("of this dial", bearer(&own), 200),
    ] {
        let answer = post(&url, report, &[("Authorization", &authorization)]).await?;
        assert_eq!(answer.status, status, "{what}");
    }
    assert_eq!(events_taken(&story).await?, 1);
    // That of another dial reports on that one, whatever the body says.
    let other = bearer(&agent_token(WEBHOOK_SECRET, "p2-id-1.1"));
    let named =
        format!(r#"{{"outcome":"NOT_INTERESTED","dialId":"{DIAL}","conversationId":"{CALL}"}}"#);
    assert_eq!(post(&url, &named, &[("Authorization", &other)]).await?.status, 200);
    assert_eq!(events_taken(&story).await?, 1);
    Ok(())
}
