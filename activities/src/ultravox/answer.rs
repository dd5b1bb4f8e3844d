//! The meaning of the answers to a request for a call.

use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::error_chain::error_chain;
use domain::text::{repair_json, replace_nul};
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Response, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::UltravoxError;
use super::wire::Call;

/// The maximum length of an error text that is kept, in characters.
const MAX_DETAIL_CHARS: usize = 500;
/// The delay without `Retry-After`.
const DEFAULT_BUSY_DELAY: Duration = Duration::from_secs(15);

/// The result of a request for a call.
#[derive(Debug)]
pub enum Created {
    /// The provider has the call, with this id.
    Placed(String),
    /// The provider is at its limit and does not have the call; retry after this delay.
    Busy(Duration),
    /// The provider does not have the call; an operator must act before a retry succeeds.
    NotPlaced(UltravoxError),
    /// The provider has rejected the call for good, in these words.
    Rejected(String),
    /// The provider may have the call: the request must not be repeated.
    Unknown(String),
}

/// Classifies the answer. An answer that is not clearly a rejection is unknown.
pub(super) async fn classify(sent: Result<Response, reqwest::Error>) -> Created {
    let response = match sent {
        Ok(response) => response,
        Err(error) if error.is_connect() || error.is_builder() => {
            return Created::NotPlaced(error.into());
        }
        Err(error) => return Created::Unknown(error_chain(&error.without_url())),
    };
    let status = response.status();
    match status.as_u16() {
        201 | 200 => match read_json::<Call>(response).await {
            Ok(call) => Created::Placed(call.call_id),
            Err(error) => Created::Unknown(error.to_string()),
        },
        401 | 403 => Created::NotPlaced(UltravoxError::KeyRejected {
            status: status.as_u16(),
            detail: read_detail(response).await,
        }),
        // These concern the account or the URL, not the call.
        402 | 404 => Created::NotPlaced(UltravoxError::UnexpectedAnswer {
            status: status.as_u16(),
            detail: read_detail(response).await,
        }),
        429 => {
            Created::Busy(retry_after(response.headers(), Utc::now()).unwrap_or(DEFAULT_BUSY_DELAY))
        }
        // The provider sends Retry-After. Without it the answer may be from a gateway, and the call may exist.
        503 => match retry_after(response.headers(), Utc::now()) {
            Some(wait) => Created::Busy(wait),
            None => Created::Unknown("answered 503 without Retry-After".to_owned()),
        },
        400 | 422 => Created::Rejected(read_detail(response).await),
        _ => Created::Unknown(format!("answered {status}")),
    }
}

/// Parses the body of an answer. Its texts can be stored.
pub(super) async fn read_json<T: DeserializeOwned>(response: Response) -> Result<T, UltravoxError> {
    let body = response.bytes().await?;
    serde_json::from_str(&repair_json(&body)).map_err(UltravoxError::Undecodable)
}

/// Returns the answer if its status is a success.
pub(super) async fn check_status(response: Response) -> Result<Response, UltravoxError> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let detail = read_detail(response).await;
    let status = status.as_u16();
    Err(match StatusCode::from_u16(status) {
        Ok(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
            UltravoxError::KeyRejected { status, detail }
        }
        _ => UltravoxError::UnexpectedAnswer { status, detail },
    })
}

/// Parses `Retry-After`: seconds or a date (RFC 9110, 10.2.3).
pub fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(secs) = text.parse::<u64>() {
        return Some(Duration::from_secs(secs));
    }
    let date = DateTime::parse_from_rfc2822(text).ok()?;
    Some((date.to_utc() - now).to_std().unwrap_or_default())
}

/// Reads the error text: `detail`, otherwise the first string of the JSON, otherwise the body.
async fn read_detail(response: Response) -> String {
    let body = response.bytes().await.unwrap_or_default();
    let body = repair_json(&body);
    let detail = serde_json::from_str::<Value>(&body).ok().and_then(|json| {
        json.get("detail").and_then(Value::as_str).map(str::to_owned).or_else(|| first_text(&json))
    });
    let detail = detail.unwrap_or_else(|| replace_nul(&body).into_owned());
    detail.chars().take(MAX_DETAIL_CHARS).collect()
}

fn first_text(json: &Value) -> Option<String> {
    match json {
        Value::String(text) => Some(text.clone()),
        Value::Array(items) => items.iter().find_map(first_text),
        Value::Object(fields) => fields.values().find_map(first_text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = "2025-02-25T14:00:00Z".parse().unwrap();
        for (text, wait) in [
            ("7", Some(7)),
            (" 0 ", Some(0)),
            ("Tue, 25 Feb 2025 14:00:30 GMT", Some(30)),
            ("Tue, 25 Feb 2025 13:00:00 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, text.parse().unwrap());
            assert_eq!(retry_after(&headers, now), wait.map(Duration::from_secs), "{text}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }
}
