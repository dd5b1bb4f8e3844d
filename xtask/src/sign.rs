//! `cargo xtask sign`: the headers of a signed webhook.

use chrono::{SecondsFormat, Utc};
use devstack::{development, sign};

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
    pub fn run(self) {
        let time = Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true);
        let signature = sign::webhook(&self.secret, self.body.as_bytes(), time.as_bytes());
        println!("X-Ultravox-Webhook-Timestamp: {time}\nX-Ultravox-Webhook-Signature: {signature}");
    }
}
