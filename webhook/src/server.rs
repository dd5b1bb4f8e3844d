//! Connections: who gets one, how long it may be silent, and how all of them end.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use bootstrap::live::Live;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_io_timeout::TimeoutStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tower::ServiceExt as _;
use tracing::warn;

use crate::App;
use crate::admission::Peer;
use crate::config::LimitConfig;
use crate::deliver::PATIENT;
use crate::source::Source;

/// Longest head of a request, in bytes, and most fields in it. Senders of webhooks need a tenth.
const MAX_HEAD_BYTES: usize = 16 * 1024;
const MAX_HEADERS: usize = 64;
/// Longest life of a connection. Who would keep all places for ever loses them; who is cut off in
/// the middle of a request sends it again.
const LONGEST_LIFE: Duration = Duration::from_secs(600);
/// How long nothing is accepted after the system could not give us another connection.
const BREATH: Duration = Duration::from_millis(100);

/// Serves connections until told to stop; then finishes what was accepted.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: Option<Live<ServerConfig>>,
    router: Router,
    app: Arc<App>,
    limits: &LimitConfig,
    places: usize,
    stop: impl Future<Output = ()>,
) {
    let places = Arc::new(Places::new(limits, places));
    let opener = Opener { tls, router, read_timeout: limits.read_timeout() };
    let graceful = GracefulShutdown::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut stop => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok((stream, peer)) => (stream, peer.ip()),
            Err(error) => {
                if !is_passing(&error) {
                    app.refusals.count_connection();
                    sleep(BREATH).await;
                }
                continue;
            }
        };
        let place = match app.admission.admits_connection(peer) {
            true => places.take(peer, app.admission.is_proxy(peer)),
            false => None,
        };
        let Some(place) = place else {
            app.refusals.count_connection();
            continue;
        };
        let (opener, watcher) = (opener.clone(), graceful.watcher());
        tokio::spawn(async move {
            let _place = place;
            opener.serve(stream, peer, watcher).await;
        });
    }
    drop(listener);
    // For a head, for a body, and for an event that is handed over.
    let within = limits.read_timeout() * 2 + PATIENT;
    if timeout(within, graceful.shutdown()).await.is_err() {
        warn!("Some requests were not finished in {within:?} and are cut off");
    }
}

/// Whether a connection failed on its way to us, which is its sender's trouble. That there can be no
/// more of them is ours.
fn is_passing(error: &io::Error) -> bool {
    let passing = [
        io::ErrorKind::ConnectionAborted,
        io::ErrorKind::ConnectionReset,
        io::ErrorKind::ConnectionRefused,
    ];
    passing.contains(&error.kind())
}

/// How a connection is served.
#[derive(Clone)]
struct Opener {
    tls: Option<Live<ServerConfig>>,
    router: Router,
    read_timeout: Duration,
}

impl Opener {
    async fn serve(self, stream: TcpStream, peer: IpAddr, watcher: Watcher) {
        // Answers are small, and whoever sent the request waits for them.
        let _ = stream.set_nodelay(true);
        // Who does not read its answers would stay for ever: hyper waits for it without an end.
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(self.read_timeout));
        let stream = Box::pin(stream);
        let Some(tls) = &self.tls else { return self.speak(stream, peer, watcher).await };
        let acceptor = TlsAcceptor::from(tls.borrow().clone());
        // Who speaks no TLS, or does not finish its greeting, is not told so.
        if let Ok(Ok(stream)) = timeout(self.read_timeout, acceptor.accept(stream)).await {
            self.speak(stream, peer, watcher).await;
        }
    }

    async fn speak<S>(&self, stream: S, peer: IpAddr, watcher: Watcher)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let router = self.router.clone();
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(Peer(peer));
            router.clone().oneshot(request)
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.read_timeout)
            .max_buf_size(MAX_HEAD_BYTES)
            .max_headers(MAX_HEADERS)
            // Who has said everything may close that half and still read the answer.
            .half_close(true)
            .serve_connection(TokioIo::new(stream), service);
        // What goes wrong here is between the sender and the network.
        let _ = timeout(LONGEST_LIFE, watcher.watch(connection)).await;
    }
}

/// How many connections there may be.
struct Places {
    in_all: usize,
    of_one: usize,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    in_all: usize,
    by_source: HashMap<Source, usize>,
}

/// A connection's place, given back when it is dropped.
struct Place {
    places: Arc<Places>,
    source: Option<Source>,
}

impl Places {
    fn new(limits: &LimitConfig, in_all: usize) -> Self {
        Self { in_all, of_one: limits.max_connections_per_source as usize, taken: Mutex::default() }
    }

    /// A place for a connection of that peer, if there is one.
    fn take(self: &Arc<Self>, peer: IpAddr, is_proxy: bool) -> Option<Place> {
        let source = (!is_proxy).then(|| Source::from(peer));
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.in_all >= self.in_all {
            return None;
        }
        if let Some(source) = source {
            let of_one = taken.by_source.entry(source).or_default();
            if *of_one >= self.of_one {
                return None;
            }
            *of_one += 1;
        }
        taken.in_all += 1;
        Some(Place { places: self.clone(), source })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.in_all -= 1;
        let Some(source) = self.source else { return };
        if let Some(of_one) = taken.by_source.get_mut(&source) {
            *of_one -= 1;
            if *of_one == 0 {
                taken.by_source.remove(&source);
            }
        }
    }
}
