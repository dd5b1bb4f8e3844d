//! Sends requests sequentially on one connection.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use chrono::{SecondsFormat, TimeDelta, Utc};
use devstack::development::WEBHOOK_SECRET;
use devstack::sign;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

const TIME: &str = "x-ultravox-webhook-timestamp";
const SIGNATURE: &str = "x-ultravox-webhook-signature";
const OUTCOME: &str = "/webhooks/outcome";
/// Body of forged requests; authenticated it would book an appointment.
const FORGED: &str = r#"{"eventType":"call.completed","conversationId":"w1-1","duration":240,"outcome":{"type":"APPOINTMENT_SET","appointmentTime":"2035-02-26T15:00:00Z"}}"#;

/// Why a forged request is rejected.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Forged {
    Unsigned,
    WrongSignature,
    Expired,
    UnknownUser,
}

impl Forged {
    pub const ALL: [Self; 4] =
        [Self::Unsigned, Self::WrongSignature, Self::Expired, Self::UnknownUser];

    pub fn name(self) -> &'static str {
        match self {
            Self::Unsigned => "rejection without signature, median",
            Self::WrongSignature => "rejection of a wrong signature, median",
            Self::Expired => "rejection of an expired signature, median",
            Self::UnknownUser => "rejection of an unknown user, median",
        }
    }
}

pub struct Sender {
    connection: SendRequest<Full<Bytes>>,
}

impl Sender {
    pub async fn connect(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (connection, driver) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(driver);
        Ok(Self { connection })
    }

    /// Sends a signed event and returns its latency.
    pub async fn send_signed(&mut self, body: &str, status: u16) -> Result<Duration> {
        let time = Utc::now().to_rfc3339_opts(SecondsFormat::Micros, false);
        let signature = sign::webhook_signature(WEBHOOK_SECRET, body.as_bytes(), time.as_bytes());
        let headers = [(TIME, time.as_str()), (SIGNATURE, signature.as_str())];
        self.send(OUTCOME, &headers, body, status).await
    }

    /// Sends an agent report for a dial and returns its latency.
    pub async fn send_report(&mut self, dial: &str) -> Result<Duration> {
        let token = format!("Bearer {}", sign::agent_token(WEBHOOK_SECRET, dial));
        let body = r#"{"outcome":"NOT_INTERESTED"}"#;
        self.send("/tools/report_outcome", &[("authorization", &token)], body, 200).await
    }

    /// Sends a forged event and returns its latency.
    pub async fn send_forged(&mut self, kind: Forged) -> Result<Duration> {
        let age = if kind == Forged::Expired { TimeDelta::hours(1) } else { TimeDelta::zero() };
        let time = (Utc::now() - age).to_rfc3339_opts(SecondsFormat::Micros, false);
        let secret = if kind == Forged::Expired { WEBHOOK_SECRET } else { "a forger's guess" };
        let signature = sign::webhook_signature(secret, FORGED.as_bytes(), time.as_bytes());
        let headers = [(TIME, time.as_str()), (SIGNATURE, signature.as_str())];
        let headers = if kind == Forged::Unsigned { &headers[..0] } else { &headers[..] };
        let path =
            if kind == Forged::UnknownUser { "/webhooks/outcome?userId=nobody" } else { OUTCOME };
        self.send(path, headers, FORGED, 401).await
    }

    async fn send(
        &mut self,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
        status: u16,
    ) -> Result<Duration> {
        let mut request = Request::post(path).header("host", "bench");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::from(body.to_owned()))?;
        let began = Instant::now();
        self.connection.ready().await?;
        let response = self.connection.send_request(request).await?;
        let actual = response.status().as_u16();
        let body = response.into_body().collect().await?.to_bytes();
        let latency = began.elapsed();
        if actual != status {
            let body = String::from_utf8_lossy(&body);
            bail!("{path} returned {actual} instead of {status}: {body}");
        }
        Ok(latency)
    }
}
