//! The client of Ultravox's REST API, and what its answers mean for a dial.

mod account;
mod answer;
mod error;
mod request;
mod transcript;
mod wire;

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use chrono_tz::Tz;
use domain::hours::REQUEST_TIMEOUT_SECS;
use domain::ids::DialId;
use reqwest::{Client, Method, RequestBuilder, StatusCode, Url, redirect};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;

pub use account::{Account, CarrierAccount, read_date};
pub use answer::{Created, retry_after};
pub use error::UltravoxError;
pub use request::{AgentScript, CARRIER_PATH, CallRequest, OUTCOME_TOOL};
pub use transcript::Transcript;
pub use wire::Call;
use wire::{Message, Page};

/// The maximum time for an answer, below the start-to-close timeout of the activities.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(REQUEST_TIMEOUT_SECS as u64);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How often a connection in use is probed.
const PROBE_INTERVAL: Duration = Duration::from_secs(10);
/// The maximum number of pages of one list, and their size.
const MAX_PAGES: usize = 50;
const PAGE_SIZE: usize = 100;
/// By how much the provider's clock may be behind ours.
const CLOCK_DIFFERENCE: TimeDelta = TimeDelta::minutes(5);

/// The result of a request to hang up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HungUp {
    /// The provider ends the call.
    Requested,
    /// The call was not answered, or is over.
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
    /// `base`: the http or https address of the API.
    pub fn new(base: Url, key: SecretString) -> Result<Self, UltravoxError> {
        let http = Client::builder()
            .timeout(REQUEST_TIMEOUT)
            .connect_timeout(CONNECT_TIMEOUT)
            // A connection that the network has lost is replaced.
            .http2_keep_alive_interval(PROBE_INTERVAL)
            .http2_keep_alive_timeout(CONNECT_TIMEOUT)
            .redirect(redirect::Policy::none())
            .build()?;
        Ok(Self { http, base, key })
    }

    /// Requests a call. After [`Created::Unknown`] the request must not be repeated.
    pub async fn create_call(&self, request: &CallRequest<'_>) -> Created {
        let sent = self.request(Method::POST, &["calls"]).json(&request.body()).send().await;
        answer::classify(sent).await
    }

    /// Reads a call; `None` if the provider does not have it.
    pub async fn get_call(&self, call_id: &str) -> Result<Option<Call>, UltravoxError> {
        let response = self.request(Method::GET, &["calls", call_id]).send().await?;
        if response.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        Ok(Some(answer::read_json(answer::check_status(response).await?).await?))
    }

    /// Finds the call of a dial by its metadata. Calls that were created before the request are ignored: ids may recur
    /// after the database was set up anew.
    pub async fn find_call(
        &self,
        dial_id: &DialId,
        sent_at: DateTime<Utc>,
    ) -> Result<Option<Call>, UltravoxError> {
        let created_after = sent_at - CLOCK_DIFFERENCE;
        let query = [
            (format!("metadata.{}", request::DIAL_KEY), dial_id.to_string()),
            ("fromDate".to_owned(), created_after.to_rfc3339_opts(SecondsFormat::Secs, true)),
            ("pageSize".to_owned(), PAGE_SIZE.to_string()),
        ];
        let calls: Vec<Call> = self.read_pages(&["calls"], &query).await?;
        // The provider filters; the result is checked here.
        Ok(calls.into_iter().find(|call| {
            call.dial_id() == Some(dial_id.as_str())
                && call.created.is_none_or(|created| created >= created_after)
        }))
    }

    /// Reads the transcript of a call. `zone`: the zone of times without an offset.
    pub async fn read_transcript(
        &self,
        call_id: &str,
        zone: Option<Tz>,
    ) -> Result<Transcript, UltravoxError> {
        let query = [
            ("pageSize".to_owned(), PAGE_SIZE.to_string()),
            ("mode".to_owned(), "in_call".to_owned()),
        ];
        let messages: Vec<Message> =
            self.read_pages(&["calls", call_id, "messages"], &query).await?;
        Ok(Transcript::parse(&messages, zone))
    }

    /// Reads all pages of a list.
    async fn read_pages<T: DeserializeOwned>(
        &self,
        path: &[&str],
        query: &[(String, String)],
    ) -> Result<Vec<T>, UltravoxError> {
        let (mut items, mut cursor) = (Vec::new(), None::<String>);
        for _ in 0..MAX_PAGES {
            let cursor_query = cursor.take().map(|cursor| ("cursor", cursor));
            let request =
                self.request(Method::GET, path).query(query).query(cursor_query.as_slice());
            let page = answer::check_status(request.send().await?).await?;
            let page: Page<T> = answer::read_json(page).await?;
            items.extend(page.results);
            cursor = page.next.as_deref().and_then(cursor_of);
            if cursor.is_none() {
                break;
            }
        }
        Ok(items)
    }

    /// Ends an answered call.
    pub async fn hang_up(&self, call_id: &str) -> Result<HungUp, UltravoxError> {
        let body = serde_json::json!({ "type": "hang_up" });
        let path = ["calls", call_id, "send_data_message"];
        let response = self.request(Method::POST, &path).json(&body).send().await?;
        match response.status() {
            StatusCode::UNPROCESSABLE_ENTITY | StatusCode::NOT_FOUND => Ok(HungUp::NotActive),
            _ => answer::check_status(response).await.map(|_| HungUp::Requested),
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

/// The cursor in the URL of the next page.
fn cursor_of(next: &str) -> Option<String> {
    let url = Url::parse(next).ok()?;
    url.query_pairs().find(|(key, _)| key == "cursor").map(|(_, value)| value.into_owned())
}
