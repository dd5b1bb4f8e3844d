//! A server that stores the webhooks it receives.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use tokio::net::TcpListener;

use super::{TIMEOUT, eventually};

type Bodies = Arc<Mutex<Vec<String>>>;

pub struct Receiver {
    pub url: String,
    bodies: Bodies,
}

impl Receiver {
    /// Starts a server that answers every request with 200.
    pub async fn start() -> Self {
        let bodies = Bodies::default();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(keep).with_state(Arc::clone(&bodies));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, bodies }
    }

    /// Waits for the carrier's id of the ringing leg.
    pub async fn ringing_leg(&self) -> String {
        eventually(TIMEOUT, "the carrier reports that the phone rings", async || {
            let bodies = self.bodies.lock().unwrap().clone();
            let ringing = bodies.iter().find(|body| body.contains("CallStatus=ringing"));
            let sid = ringing
                .and_then(|body| body.split('&').find_map(|pair| pair.strip_prefix("CallSid=")));
            Ok(sid.map(|sid| sid.replace("%3A", ":")))
        })
        .await
    }
}

async fn keep(State(bodies): State<Bodies>, body: String) {
    bodies.lock().unwrap().push(body);
}
