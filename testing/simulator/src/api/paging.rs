//! Cursor pages: `{next, previous, results, total}`.

use axum::http::{HeaderMap, header};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use serde_json::{Value, json};
use url::form_urlencoded::Serializer;

use super::error::ApiError;
use super::query::Query;

const DEFAULT_SIZE: usize = 20;
const LARGEST_SIZE: usize = 100;

/// Which way the positions of a list go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    Rising,
    Falling,
}

/// One page of `items`, each with its position, which must follow the order strictly. A page goes
/// on behind the position in the cursor.
pub fn page(
    query: &Query,
    headers: &HeaderMap,
    path: &str,
    order: Order,
    items: Vec<(u64, Value)>,
) -> Result<Value, ApiError> {
    let size = page_size(query)?;
    let total = items.len();
    let start = match query.get("cursor") {
        Some(cursor) => behind(&items, order, decode(cursor)?),
        None => 0,
    };
    let shown: Vec<&(u64, Value)> = items.iter().skip(start).take(size).collect();
    let more = start + shown.len() < total;
    let next =
        shown.last().filter(|_| more).map(|(position, _)| link(query, headers, path, *position));
    // The page before starts at its first item, so its cursor is the position before that item.
    let previous = (start > 0).then(|| match start.checked_sub(size + 1) {
        Some(before) => link(query, headers, path, items[before].0),
        None => address(query, headers, path, None),
    });
    Ok(json!({
        "next": next,
        "previous": previous,
        "results": shown.iter().map(|(_, value)| value).collect::<Vec<_>>(),
        "total": total,
    }))
}

fn page_size(query: &Query) -> Result<usize, ApiError> {
    match query.get("pageSize") {
        None => Ok(DEFAULT_SIZE),
        Some(text) => match text.parse() {
            Ok(0) | Err(_) => Err(ApiError::bad_request("pageSize must be a positive integer")),
            Ok(size) => Ok(LARGEST_SIZE.min(size)),
        },
    }
}

fn behind(items: &[(u64, Value)], order: Order, position: u64) -> usize {
    let passed = |at: u64| match order {
        Order::Rising => at <= position,
        Order::Falling => at >= position,
    };
    items.iter().take_while(|(at, _)| passed(*at)).count()
}

fn decode(cursor: &str) -> Result<u64, ApiError> {
    let bytes = BASE64.decode(cursor).ok();
    bytes
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .and_then(|text| text.strip_prefix("p=")?.parse().ok())
        .ok_or_else(|| ApiError::new(404, "Invalid cursor"))
}

fn link(query: &Query, headers: &HeaderMap, path: &str, position: u64) -> String {
    let cursor = BASE64.encode(format!("p={position}"));
    address(query, headers, path, Some(&cursor))
}

fn address(query: &Query, headers: &HeaderMap, path: &str, cursor: Option<&str>) -> String {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let mut pairs = Serializer::new(String::new());
    pairs.extend_pairs(query.pairs().filter(|(name, _)| *name != "cursor"));
    if let Some(cursor) = cursor {
        pairs.append_pair("cursor", cursor);
    }
    let host = host.unwrap_or("localhost");
    format!("http://{host}{path}?{}", pairs.finish())
}
