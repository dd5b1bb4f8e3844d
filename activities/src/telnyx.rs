//! The client of Telnyx's TeXML API, which cancels a ringing leg.
//!
//! Ultravox can end a call only once it is answered; while the phone rings, only the carrier can.

use std::time::Duration;

use reqwest::{Client, StatusCode, Url, redirect};
use secrecy::{ExposeSecret, SecretString};

const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);
/// How often a connection in use is probed, and how long an answer may take.
const PROBE_INTERVAL: Duration = Duration::from_secs(10);
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Debug, thiserror::Error)]
pub enum TelnyxError {
    #[error("Telnyx can't be reached: {0}")]
    Unreachable(#[source] reqwest::Error),
    #[error(
        "Telnyx answered {0} to the request to cancel a leg; check TELNYX_API_KEY and TELNYX_ACCOUNT_SID"
    )]
    Rejected(StatusCode),
}

/// A client of one account.
#[derive(Clone, Debug)]
pub struct Telnyx {
    http: Client,
    base: Url,
    account_sid: String,
    key: SecretString,
}

impl Telnyx {
    /// `base`: the http or https address of the API.
    pub fn new(base: Url, account_sid: String, key: SecretString) -> Result<Self, TelnyxError> {
        let http = Client::builder()
            .timeout(REQUEST_TIMEOUT)
            .http2_keep_alive_interval(PROBE_INTERVAL)
            .http2_keep_alive_timeout(PROBE_TIMEOUT)
            .redirect(redirect::Policy::none())
            .build()
            .map_err(TelnyxError::Unreachable)?;
        Ok(Self { http, base, account_sid, key })
    }

    /// Ends a leg. A leg that is over or unknown is no error.
    pub async fn hang_up(&self, call_sid: &str) -> Result<(), TelnyxError> {
        let mut url = self.base.clone();
        url.path_segments_mut().expect("an http address has a path").pop_if_empty().extend([
            "v2",
            "texml",
            "Accounts",
            &self.account_sid,
            "Calls",
            call_sid,
        ]);
        let sent = self
            .http
            .post(url)
            .bearer_auth(self.key.expose_secret())
            .form(&[("Status", "completed")])
            .send()
            .await;
        let status = sent.map_err(|error| TelnyxError::Unreachable(error.without_url()))?.status();
        let over = [StatusCode::NOT_FOUND, StatusCode::UNPROCESSABLE_ENTITY];
        if status.is_success() || over.contains(&status) {
            Ok(())
        } else {
            Err(TelnyxError::Rejected(status))
        }
    }
}
