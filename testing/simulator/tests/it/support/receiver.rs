//! An HTTP server that records its requests.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, Method, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use tokio::net::TcpListener;

use super::eventually;

/// A recorded request.
#[derive(Debug, Clone)]
pub struct Hit {
    pub method: String,
    pub path: String,
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl Hit {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub fn form(&self) -> BTreeMap<String, String> {
        url::form_urlencoded::parse(&self.body).into_owned().collect()
    }
}

type Hits = Arc<Mutex<Vec<Hit>>>;

/// A running receiver.
pub struct Receiver {
    pub url: String,
    hits: Hits,
}

impl Receiver {
    /// Answers everything with 200 and a short text.
    pub async fn start() -> Self {
        Self::answering(|_, _| "Recorded.".into_response()).await
    }

    /// Answers with this function; the number counts earlier hits on the same path.
    pub async fn answering(answer: fn(&Hit, usize) -> Response) -> Self {
        let hits = Hits::default();
        let seen = Arc::clone(&hits);
        let handler = move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| async move {
            let headers = headers.iter().map(|(name, value)| {
                (name.to_string(), value.to_str().unwrap_or_default().to_owned())
            });
            let hit = Hit {
                method: method.to_string(),
                path: uri.path().to_owned(),
                headers: headers.collect(),
                body: body.to_vec(),
            };
            let mut seen = seen.lock().unwrap();
            let earlier = seen.iter().filter(|other| other.path == hit.path).count();
            seen.push(hit.clone());
            answer(&hit, earlier)
        };
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(handler);
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, hits }
    }

    pub fn hits(&self) -> Vec<Hit> {
        self.hits.lock().unwrap().clone()
    }

    /// Hits on one path.
    pub fn on(&self, path: &str) -> Vec<Hit> {
        self.hits().into_iter().filter(|hit| hit.path == path).collect()
    }

    /// Waits for so many hits on one path.
    pub async fn expect(&self, path: &str, count: usize) -> Vec<Hit> {
        let what = format!("{count} hits on {path}");
        eventually(&what, async || {
            let hits = self.on(path);
            (hits.len() >= count).then_some(hits)
        })
        .await
    }

    /// Paths in order of arrival; webhooks show their event instead.
    pub fn order(&self) -> Vec<String> {
        let hits = self.hits();
        let names = hits.iter().map(|hit| match hit.path.as_str() {
            "/webhook" | "/callback" => hit.json()["event"].as_str().unwrap().to_owned(),
            path => path.to_owned(),
        });
        names.collect()
    }
}
