//! What the account can do, for checks of an installation.

use chrono::{DateTime, Utc};
use reqwest::header::{DATE, HeaderMap};
use reqwest::{Method, Response, StatusCode};
use serde::Deserialize;

use super::answer::{check_status, read_json};
use super::wire::Page;
use super::{Ultravox, UltravoxError};

/// The account at the provider.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    #[serde(default)]
    pub name: String,
    /// Calls that may be in progress at once; `None` for no limit.
    #[serde(default)]
    pub allowed_concurrent_calls: Option<i64>,
    #[serde(default)]
    pub has_active_subscription: Option<bool>,
    /// The provider's clock when it answered.
    #[serde(skip)]
    pub now: Option<DateTime<Utc>>,
}

/// The provider's use of the carrier.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CarrierAccount {
    #[serde(default)]
    pub account_sid: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Voice {
    name: String,
    #[serde(default)]
    voice_id: Option<String>,
}

impl Ultravox {
    /// Reads the account of the key.
    pub async fn account(&self) -> Result<Account, UltravoxError> {
        let response = self.get(&["accounts", "me"]).await?;
        let response = check_status(response).await?;
        let now = read_date(response.headers());
        Ok(Account { now, ..read_json(response).await? })
    }

    /// Reads with which account of Telnyx calls are placed; `None` if there is none.
    pub async fn carrier_account(&self) -> Result<Option<CarrierAccount>, UltravoxError> {
        let response = self.get(&["telephony_configs", "telnyx"]).await?;
        if response.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        Ok(Some(read_json(check_status(response).await?).await?))
    }

    /// Whether the account has a voice of this name or id.
    pub async fn has_voice(&self, voice: &str) -> Result<bool, UltravoxError> {
        let request = self.request(Method::GET, &["voices"]).query(&[("search", voice)]);
        let page = check_status(request.send().await?).await?;
        let page: Page<Voice> = read_json(page).await?;
        let is_it = |found: &Voice| {
            found.name.eq_ignore_ascii_case(voice) || found.voice_id.as_deref() == Some(voice)
        };
        if page.results.iter().any(is_it) {
            return Ok(true);
        }
        // The search is by name; the id of a voice is a resource.
        let found = self.get(&["voices", voice]).await?;
        match found.status() {
            StatusCode::NOT_FOUND | StatusCode::BAD_REQUEST => Ok(false),
            _ => check_status(found).await.map(|_| true),
        }
    }

    async fn get(&self, path: &[&str]) -> Result<Response, UltravoxError> {
        Ok(self.request(Method::GET, path).send().await?)
    }
}

/// The time of an answer, in whole seconds.
pub fn read_date(headers: &HeaderMap) -> Option<DateTime<Utc>> {
    let text = headers.get(DATE)?.to_str().ok()?;
    Some(DateTime::parse_from_rfc2822(text).ok()?.to_utc())
}
