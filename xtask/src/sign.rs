//! `cargo xtask sign`: prints the signature headers of a webhook.

use chrono::{SecondsFormat, Utc};
use devstack::{development, sign};

/// Sign a body as Ultravox does, with the current time
#[derive(Debug, clap::Args)]
pub struct Sign {
    /// The exact bytes of the body
    body: String,

    /// Webhook secret [default: the secret of `cargo xtask up`]
    #[arg(long, env = "WEBHOOK_SECRET", hide_env_values = true, default_value = development::WEBHOOK_SECRET)]
    #[arg(hide_default_value = true)]
    secret: String,
}

impl Sign {
    pub fn run(self) {
        let time = Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true);
        let signature =
            sign::webhook_signature(&self.secret, self.body.as_bytes(), time.as_bytes());
        println!("X-Ultravox-Webhook-Timestamp: {time}\nX-Ultravox-Webhook-Signature: {signature}");
    }
}
