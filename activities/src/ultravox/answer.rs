//! What an answer to a request means.

use std::error::Error;
use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Response, StatusCode};
use serde_json::Value;

use super::UltravoxError;
use super::wire::Call;

/// Longest text of the provider that is kept, in characters.
const WORDS: usize = 500;
/// The wait where the provider does not say how long.
const DEFAULT_WAIT: Duration = Duration::from_secs(15);

/// What became of a request for a call.
#[derive(Debug)]
pub enum Created {
    /// The provider has the call under this id.
    Placed(String),
    /// The provider does not have the call: it has no room now.
    Busy(Duration),
    /// The provider does not have the call, and may have it once this is mended.
    NotPlaced(UltravoxError),
    /// The provider does not have the call and will not take it as it is.
    Refused(String),
    /// The provider may have the call. It must not be asked for again.
    Unknown(String),
}

/// Tells what became of a request for a call. Whatever is not plainly a refusal is unknown.
pub(super) async fn classify(sent: Result<Response, reqwest::Error>) -> Created {
    let response = match sent {
        Ok(response) => response,
        Err(error) if error.is_connect() || error.is_builder() => {
            return Created::NotPlaced(error.into());
        }
        Err(error) => return Created::Unknown(chain(&error.without_url())),
    };
    let status = response.status();
    match status.as_u16() {
        201 | 200 => match response.json::<Call>().await {
            Ok(call) => Created::Placed(call.call_id),
            Err(error) => Created::Unknown(chain(&error.without_url())),
        },
        401 | 403 => Created::NotPlaced(UltravoxError::KeyRefused {
            status: status.as_u16(),
            words: words(response).await,
        }),
        // These concern the account or the address, not the call: an operator mends them.
        402 | 404 => Created::NotPlaced(UltravoxError::Answer {
            status: status.as_u16(),
            words: words(response).await,
        }),
        429 => Created::Busy(retry_after(response.headers(), Utc::now()).unwrap_or(DEFAULT_WAIT)),
        // The provider's own says when to come back. One that does not may be a gateway's, behind
        // which the call was made.
        503 => match retry_after(response.headers(), Utc::now()) {
            Some(wait) => Created::Busy(wait),
            None => Created::Unknown("answered 503 without Retry-After".to_owned()),
        },
        400 | 422 => Created::Refused(words(response).await),
        _ => Created::Unknown(format!("answered {status}")),
    }
}

/// The answer, if it is a success.
pub(super) async fn checked(response: Response) -> Result<Response, UltravoxError> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let words = words(response).await;
    let status = status.as_u16();
    Err(match StatusCode::from_u16(status) {
        Ok(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
            UltravoxError::KeyRefused { status, words }
        }
        _ => UltravoxError::Answer { status, words },
    })
}

/// How long to wait, by the header `Retry-After`: seconds or a date (RFC 9110, 10.2.3).
pub fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(secs) = text.parse::<u64>() {
        return Some(Duration::from_secs(secs));
    }
    let date = DateTime::parse_from_rfc2822(text).ok()?;
    Some((date.to_utc() - now).to_std().unwrap_or_default())
}

/// The provider's words: `detail`, else the first text in the JSON, else the body as it is.
async fn words(response: Response) -> String {
    let body = response.text().await.unwrap_or_default();
    let said = serde_json::from_str::<Value>(&body).ok().and_then(|json| {
        json.get("detail").and_then(Value::as_str).map(str::to_owned).or_else(|| first_text(&json))
    });
    said.unwrap_or(body).chars().filter(|c| *c != '\0').take(WORDS).collect()
}

fn first_text(json: &Value) -> Option<String> {
    match json {
        Value::String(text) => Some(text.clone()),
        Value::Array(items) => items.iter().find_map(first_text),
        Value::Object(fields) => fields.values().find_map(first_text),
        _ => None,
    }
}

/// An error with all that caused it, in one line.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_may_be_seconds_or_a_date() {
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
