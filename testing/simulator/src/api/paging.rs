//! Pages of lists: `{next, results, total}`.

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::header::HOST;
use axum::http::request::Parts;
use serde_json::{Value, json};
use url::Url;

use super::error::ApiError;

const DEFAULT_PAGE_SIZE: usize = 20;
const MAX_PAGE_SIZE: usize = 100;

/// The query of a list: which page, and the list's own parameters.
#[derive(Debug)]
pub struct PageQuery {
    url: Url,
    size: usize,
    /// The position of the last item of the page before.
    cursor: Option<u64>,
    /// All other parameters.
    pub filters: Vec<(String, String)>,
}

impl<S: Send + Sync> FromRequestParts<S> for PageQuery {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
        let url = format!("http://{}{}", host.unwrap_or("localhost"), parts.uri);
        let url = Url::parse(&url).map_err(ApiError::bad_request)?;
        let (mut size, mut cursor, mut filters) = (DEFAULT_PAGE_SIZE, None, Vec::new());
        for (name, value) in url.query_pairs().into_owned() {
            match name.as_str() {
                "pageSize" => {
                    size = value.parse().ok().filter(|size| *size > 0).ok_or_else(|| {
                        ApiError::bad_request("pageSize must be a positive integer")
                    })?;
                }
                "cursor" => {
                    let position = value
                        .parse()
                        .map_err(|_| ApiError::new(StatusCode::NOT_FOUND, "Invalid cursor"))?;
                    cursor = Some(position);
                }
                _ => filters.push((name, value)),
            }
        }
        Ok(Self { url, size: size.min(MAX_PAGE_SIZE), cursor, filters })
    }
}

impl PageQuery {
    /// The page of `items`, each with its position. `is_after` compares positions in the order of
    /// the list.
    pub fn page(&self, items: Vec<(u64, Value)>, is_after: fn(&u64, &u64) -> bool) -> Value {
        let total = items.len();
        let is_left = |(position, _): &(u64, Value)| {
            self.cursor.is_none_or(|cursor| is_after(position, &cursor))
        };
        let mut left: Vec<(u64, Value)> = items.into_iter().filter(is_left).collect();
        let has_next = left.len() > self.size;
        left.truncate(self.size);
        let last = left.last().filter(|_| has_next);
        let next = last.map(|(position, _)| self.url_of_page_after(*position));
        let results: Vec<Value> = left.into_iter().map(|(_, item)| item).collect();
        json!({"next": next, "results": results, "total": total})
    }

    fn url_of_page_after(&self, position: u64) -> String {
        let mut url = self.url.clone();
        url.query_pairs_mut()
            .clear()
            .extend_pairs(&self.filters)
            .append_pair("pageSize", &self.size.to_string())
            .append_pair("cursor", &position.to_string());
        url.into()
    }
}
