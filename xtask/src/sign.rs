//! `cargo xtask sign`: the headers of a signed webhook.

use chrono::{SecondsFormat, Utc};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use stack::development;

/// Signs a body as Ultravox does, now.
#[derive(Debug, clap::Args)]
pub struct Sign {
    /// The body, byte by byte as it will be sent
    body: String,

    /// The secret [default: that of the stack of `cargo xtask up`]
    #[arg(long, env = "WEBHOOK_SECRET", hide_env_values = true, default_value = development::WEBHOOK_SECRET)]
    #[arg(hide_default_value = true)]
    secret: String,
}

impl Sign {
    /// Prints the headers, as `curl -H @-` reads them.
    pub fn run(self) -> anyhow::Result<()> {
        let time = Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true);
        print!("{}", headers(&self.secret, &self.body, &time)?);
        Ok(())
    }
}

/// The signature is the hexadecimal HMAC-SHA256 of the body followed by the time.
fn headers(secret: &str, body: &str, time: &str) -> anyhow::Result<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes())?;
    mac.update(body.as_bytes());
    mac.update(time.as_bytes());
    let signature: String =
        mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("X-Ultravox-Webhook-Timestamp: {time}\nX-Ultravox-Webhook-Signature: {signature}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_signed_as_the_provider_signs_it() {
        let body =
            r#"{"event":"call.ended","call":{"callId":"3c90c3cc-0d44-4b50-8888-8dd25736052a"}}"#;
        let headers = headers("whsec_test_0123456789abcdef", body, "2026-05-01T12:00:00Z").unwrap();
        let signature = "575a43344148e2b6049975c345afe59cbff6420ecfbe7974cfc2f7792333a040";
        assert!(headers.ends_with(&format!("Signature: {signature}\n")), "{headers}");
    }
}
