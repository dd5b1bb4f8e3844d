//! The client of Ultravox's REST API: what it asks, and what its answers mean for a dial.

mod answer;
mod request;
mod transcript;
mod wire;

use std::time::Duration;

use chrono_tz::Tz;
use reqwest::{Client, Method, RequestBuilder, StatusCode, Url, redirect};
use secrecy::{ExposeSecret, SecretString};

pub use answer::{Created, retry_after};
pub use request::{CallRequest, OUTCOME_TOOL, Speech};
pub use transcript::Transcript;
pub use wire::Call;
use wire::{Message, Page};

/// Longest time for an answer; an activity that asks has more than twice as much.
const TIMEOUT: Duration = Duration::from_secs(25);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Pages of messages read of one call, 100 messages each.
const PAGES: usize = 50;

/// The provider did not answer, or refused.
#[derive(Debug, thiserror::Error)]
pub enum UltravoxError {
    /// The address can't be used.
    #[error("ULTRAVOX_API_URL {0:?} is not an http or https address")]
    Address(String),
    /// The API key was refused.
    #[error(
        "Ultravox refuses the API key with {status}: {words}; set ULTRAVOX_API_KEY to a valid key and restart the worker"
    )]
    KeyRefused {
        /// The status of the answer.
        status: u16,
        /// The provider's words.
        words: String,
    },
    /// The answer is not one that the contract knows.
    #[error("Ultravox answered {status}: {words}")]
    Answer {
        /// The status of the answer.
        status: u16,
        /// The provider's words.
        words: String,
    },
    /// It shows no call of a dial that it was asked for.
    #[error("Ultravox shows no call of dial {0} yet")]
    Missing(String),
    /// No answer came.
    #[error("Ultravox can't be reached: {0}")]
    Unreachable(String),
}

impl From<reqwest::Error> for UltravoxError {
    fn from(error: reqwest::Error) -> Self {
        // The address of a request holds ids only, but none of it helps here.
        Self::Unreachable(answer::chain(&error.without_url()))
    }
}

/// What became of a request to hang up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HungUp {
    /// The provider ends the call.
    Asked,
    /// Nobody had joined, or the call was over.
    NotActive,
}

/// A client of one account.
#[derive(Clone, Debug)]
pub struct Ultravox {
    http: Client,
    base: Url,
    key: SecretString,
}

impl Ultravox {
    /// A client of the account of that key at that address.
    pub fn new(base: &str, key: SecretString) -> Result<Self, UltravoxError> {
        let address = || UltravoxError::Address(base.to_owned());
        let mut url = Url::parse(base).map_err(|_| address())?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(address());
        }
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&path);
        let http = Client::builder()
            .timeout(TIMEOUT)
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(redirect::Policy::none())
            .build()?;
        Ok(Self { http, base: url, key })
    }

    /// Asks for a call. The answer says whether the provider has it; where that can't be known,
    /// it says so and must not be followed by another request.
    pub async fn create(&self, request: &CallRequest<'_>) -> Created {
        let sent = self.request(Method::POST, &["calls"]).json(&request.body()).send().await;
        answer::classify(sent).await
    }

    /// Reads a call; nothing if the provider does not know it.
    pub async fn get(&self, call_id: &str) -> Result<Option<Call>, UltravoxError> {
        let response = self.request(Method::GET, &["calls", call_id]).send().await?;
        if response.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        Ok(Some(answer::checked(response).await?.json().await?))
    }

    /// Finds the call of a dial by its metadata.
    pub async fn find(&self, dial_id: &str) -> Result<Option<Call>, UltravoxError> {
        let filter = format!("metadata.{}", request::DIAL_KEY);
        let request = self.request(Method::GET, &["calls"]).query(&[(filter.as_str(), dial_id)]);
        let page: Page<Call> = answer::checked(request.send().await?).await?.json().await?;
        // The filter is the provider's; what it gives is checked here.
        Ok(page.results.into_iter().find(|call| call.dial_id() == Some(dial_id)))
    }

    /// Reads what was said in a call with somebody in that zone.
    pub async fn transcript(
        &self,
        call_id: &str,
        zone: Option<Tz>,
    ) -> Result<Transcript, UltravoxError> {
        let mut messages = Vec::new();
        let mut cursor: Option<String> = None;
        for _ in 0..PAGES {
            let mut query = vec![("pageSize", "100".to_owned()), ("mode", "in_call".to_owned())];
            query.extend(cursor.take().map(|cursor| ("cursor", cursor)));
            let request = self.request(Method::GET, &["calls", call_id, "messages"]).query(&query);
            let page: Page<Message> = answer::checked(request.send().await?).await?.json().await?;
            messages.extend(page.results);
            cursor = page.next.as_deref().and_then(cursor_of);
            if cursor.is_none() {
                break;
            }
        }
        Ok(Transcript::of(&messages, zone))
    }

    /// Asks the provider to end a call that somebody has joined.
    pub async fn hang_up(&self, call_id: &str) -> Result<HungUp, UltravoxError> {
        let body = serde_json::json!({ "type": "hang_up" });
        let path = ["calls", call_id, "send_data_message"];
        let response = self.request(Method::POST, &path).json(&body).send().await?;
        match response.status() {
            StatusCode::UNPROCESSABLE_ENTITY | StatusCode::NOT_FOUND => Ok(HungUp::NotActive),
            _ => answer::checked(response).await.map(|_| HungUp::Asked),
        }
    }

    fn request(&self, method: Method, path: &[&str]) -> RequestBuilder {
        let mut url = self.base.clone();
        url.path_segments_mut()
            .expect("an http address has a path")
            .pop_if_empty()
            .push("api")
            .extend(path);
        self.http.request(method, url).header("X-API-Key", self.key.expose_secret())
    }
}

/// The cursor within the address of the next page.
fn cursor_of(next: &str) -> Option<String> {
    let url = Url::parse(next).ok()?;
    url.query_pairs().find(|(key, _)| key == "cursor").map(|(_, value)| value.into_owned())
}
