//! Checks of the webhook server, as its senders reach it.

use std::time::Duration;

use activities::ultravox::read_date;
use bootstrap::webhook_signature::{SIGNATURE, TIMESTAMP, sign};
use chrono::{SecondsFormat, Utc};
use domain::error_chain::error_chain;
use reqwest::{Client, StatusCode, redirect};
use secrecy::{ExposeSecret as _, SecretString};

use super::groups::Groups;
use super::{Finding, Part, Report};

const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// An event of no call: the server accepts it with a valid signature, and forwards nothing.
const EVENT: &str = r#"{"event":"doctor","call":{"callId":"doctor","metadata":{}}}"#;

pub(super) async fn check(groups: &Groups) -> Vec<Finding> {
    let mut report = Report::new(Part::Webhook);
    let Some(config) = &groups.webhook else {
        return report.skip("SERVICE_URL and WEBHOOK_SECRETS");
    };
    let address = config.service_url.as_str().trim_end_matches('/');
    let url = format!("{address}/webhooks/outcome");
    let checked = match config.secrets.watch().await {
        Ok(secrets) => {
            let secrets = secrets.borrow().clone();
            check_answers(&url, &secrets, &mut report).await
        }
        // Named with the settings.
        Err(_) => return report.skip("WEBHOOK_SECRETS_FILE"),
    };
    if let Err(error) = checked {
        report.fail(format!(
            "SERVICE_URL, {address}, can't be reached from here: {}; start the webhook server, or \
            correct SERVICE_URL, the DNS record, the certificate or the proxy in front",
            error_chain(&error.without_url())
        ));
    }
    if report.findings.is_empty() {
        report.ok(format!("{address} answers, and has the same secrets"));
    }
    report.findings
}

async fn check_answers(
    url: &str,
    secrets: &[SecretString],
    report: &mut Report,
) -> Result<(), reqwest::Error> {
    let client =
        Client::builder().timeout(REQUEST_TIMEOUT).redirect(redirect::Policy::none()).build()?;
    let answer = client.post(url).body(EVENT).send().await?;
    if let Some(now) = read_date(answer.headers()) {
        report.compare_clock("the webhook server", now, Utc::now());
    }
    match answer.status() {
        StatusCode::UNAUTHORIZED if secrets.is_empty() => {
            report.fail(
                "the webhook server demands signatures, but this worker has no secrets, so that reports \
                of agents are rejected; give both the same WEBHOOK_SECRETS",
            );
            return Ok(());
        }
        StatusCode::UNAUTHORIZED => {}
        StatusCode::FORBIDDEN => {
            report.warn(
                "the webhook server does not accept requests from this machine (ALLOWED_NETWORKS), so \
                its secrets can't be compared; Ultravox and Telnyx must be in its list",
            );
            return Ok(());
        }
        StatusCode::ACCEPTED if !secrets.is_empty() => {
            report.fail(
                "the webhook server accepts requests without a signature: anybody can forge the \
                outcome of a call; give it the worker's WEBHOOK_SECRETS, and restart it",
            );
            return Ok(());
        }
        StatusCode::ACCEPTED => {
            report.warn(
                "ALLOW_UNSIGNED_WEBHOOKS: anybody can forge the outcome of a call; set WEBHOOK_SECRETS",
            );
            return Ok(());
        }
        status => {
            report.fail(explain(status));
            return Ok(());
        }
    }
    for (number, secret) in (1..).zip(secrets) {
        let time = Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true);
        let signature = sign(secret.expose_secret().as_bytes(), EVENT.as_bytes(), time.as_bytes());
        let request = client.post(url).header(TIMESTAMP, &time).header(SIGNATURE, signature);
        match request.body(EVENT).send().await?.status() {
            StatusCode::ACCEPTED => {}
            StatusCode::UNAUTHORIZED => report.fail(format!(
                "the webhook server rejects the secret number {number} of this worker, so that \
                outcomes are lost; give both the same WEBHOOK_SECRETS, and set both clocks"
            )),
            status => report.fail(explain(status)),
        }
    }
    Ok(())
}

/// What an answer means that the webhook server does not give to this request.
fn explain(status: StatusCode) -> String {
    let meaning = match status.as_u16() {
        300..=399 => {
            "a redirect, which senders of webhooks do not follow; set SERVICE_URL to its target"
        }
        404 | 405 => {
            "no webhook server is at this address; correct SERVICE_URL or the proxy in front"
        }
        429 => "too many requests; try again in a minute",
        500..=599 => "the server, or the proxy in front of it, is not ready; look at its log",
        _ => "another server than ours, or a proxy that changes requests; correct SERVICE_URL",
    };
    format!("SERVICE_URL: POST /webhooks/outcome is answered {status}: {meaning}")
}
