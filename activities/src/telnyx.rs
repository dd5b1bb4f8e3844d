//! The client of Telnyx's TeXML API, which cancels a ringing leg.
//!
//! Ultravox can end a call only once it is answered; while the phone rings, only the carrier can.

use std::time::Duration;

use domain::error_chain::error_chain;
use reqwest::{Client, RequestBuilder, StatusCode, Url, redirect};
use secrecy::{ExposeSecret, SecretString};

const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);
/// How often a connection in use is probed, and how long an answer may take.
const PROBE_INTERVAL: Duration = Duration::from_secs(10);
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Debug, thiserror::Error)]
pub enum TelnyxError {
    #[error("Telnyx can't be reached: {}", error_chain(.0))]
    Unreachable(#[source] reqwest::Error),
    #[error("Telnyx answered {0}; check TELNYX_API_KEY and TELNYX_ACCOUNT_SID")]
    Rejected(StatusCode),
    #[error(
        "Telnyx has no account TELNYX_ACCOUNT_SID for the key TELNYX_API_KEY; correct them and restart the worker"
    )]
    UnknownAccount,
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

    /// Ends a leg. A leg that is over or unknown to the account is no error.
    pub async fn hang_up(&self, call_sid: &str) -> Result<(), TelnyxError> {
        let request = self.http.post(self.calls_url(Some(call_sid)));
        let status = self.send(request.form(&[("Status", "completed")])).await?;
        match status {
            status if status.is_success() => Ok(()),
            StatusCode::UNPROCESSABLE_ENTITY => Ok(()),
            // The leg, or the account.
            StatusCode::NOT_FOUND => self.check_account().await,
            status => Err(TelnyxError::Rejected(status)),
        }
    }

    /// Checks that the key belongs to the account.
    pub async fn check_account(&self) -> Result<(), TelnyxError> {
        let request = self.http.get(self.calls_url(None));
        match self.send(request.query(&[("PageSize", "1")])).await? {
            status if status.is_success() => Ok(()),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => {
                Err(TelnyxError::UnknownAccount)
            }
            status => Err(TelnyxError::Rejected(status)),
        }
    }

    fn calls_url(&self, call_sid: Option<&str>) -> Url {
        let mut url = self.base.clone();
        let calls = ["v2", "texml", "Accounts", &self.account_sid, "Calls"];
        let mut path = url.path_segments_mut().expect("an http address has a path");
        path.pop_if_empty().extend(calls.into_iter().chain(call_sid));
        drop(path);
        url
    }

    async fn send(&self, request: RequestBuilder) -> Result<StatusCode, TelnyxError> {
        let sent = request.bearer_auth(self.key.expose_secret()).send().await;
        Ok(sent.map_err(|error| TelnyxError::Unreachable(error.without_url()))?.status())
    }
}
