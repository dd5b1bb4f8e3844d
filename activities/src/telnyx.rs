//! The client of Telnyx's TeXML API: it ends a leg that rings.
//!
//! Ultravox places the call and can end it once somebody has answered; while the phone rings only
//! the carrier can.

use std::time::Duration;

use reqwest::{Client, StatusCode, Url, redirect};
use secrecy::{ExposeSecret, SecretString};

const TIMEOUT: Duration = Duration::from_secs(15);

/// The carrier did not answer, or refused.
#[derive(Debug, thiserror::Error)]
pub enum TelnyxError {
    /// The address can't be used.
    #[error("TELNYX_API_URL {0:?} is not an http or https address")]
    Address(String),
    /// No answer came.
    #[error("Telnyx can't be reached: {0}")]
    Unreachable(reqwest::Error),
    /// The request was refused.
    #[error(
        "Telnyx answered {0} to the request to end a leg; check TELNYX_API_KEY and TELNYX_ACCOUNT_SID"
    )]
    Refused(StatusCode),
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
    /// A client of that account at that address.
    pub fn new(base: &str, account_sid: String, key: SecretString) -> Result<Self, TelnyxError> {
        let base = Url::parse(base)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https"))
            .ok_or_else(|| TelnyxError::Address(base.to_owned()))?;
        let http = Client::builder()
            .timeout(TIMEOUT)
            .redirect(redirect::Policy::none())
            .build()
            .map_err(TelnyxError::Unreachable)?;
        Ok(Self { http, base, account_sid, key })
    }

    /// Ends a leg. One that is over, or that the carrier does not know, is no error.
    pub async fn end(&self, call_sid: &str) -> Result<(), TelnyxError> {
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
            Err(TelnyxError::Refused(status))
        }
    }
}
