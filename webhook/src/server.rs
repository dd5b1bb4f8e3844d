//! Connections: limits, timeouts, TLS and graceful shutdown.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use bootstrap::reload::Watched;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_io_timeout::TimeoutStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tower::ServiceExt as _;
use tracing::warn;

use crate::config::LimitConfig;
use crate::forward::FORWARD_TIMEOUT;
use crate::per_source_limit::{PerSourceLimit, Permit};
use crate::rate_limit::RateLimit;
use crate::rejection_counts::RejectionCounts;
use crate::source::{Peer, Source};

/// Limits on the head of a request. Senders of webhooks need a tenth of them.
const MAX_HEAD_BYTES: usize = 16 * 1024;
const MAX_HEADERS: usize = 64;
/// So that idle clients can't hold all connections for ever. A sender whose request is cut off
/// retries it.
const MAX_CONNECTION_AGE: Duration = Duration::from_secs(600);
/// Pause in accepting after the system could not provide another connection.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);
/// Files that the process needs besides connections: logs, Temporal and others.
const RESERVED_FILES: u64 = 100;

pub(crate) struct Server {
    pub tls: Option<Watched<ServerConfig>>,
    pub router: Router,
    pub rate_limit: Arc<RateLimit>,
    pub rejections: Arc<RejectionCounts>,
    pub limits: LimitConfig,
}

impl Server {
    /// Serves connections until `shutdown` completes, then finishes the requests in progress.
    pub async fn serve(self, listener: TcpListener, shutdown: impl Future<Output = ()>) {
        let max_per_source = self.limits.max_connections_per_source as usize;
        let connections = PerSourceLimit::new(max_connections(&self.limits), max_per_source);
        let read_timeout = self.limits.read_timeout();
        let handler =
            ConnectionHandler { tls: self.tls.clone(), router: self.router.clone(), read_timeout };
        let graceful = GracefulShutdown::new();
        let mut shutdown = std::pin::pin!(shutdown);
        loop {
            let accepted = tokio::select! {
                biased;
                () = &mut shutdown => break,
                accepted = listener.accept() => accepted,
            };
            let (stream, peer) = match accepted {
                Ok((stream, peer)) => (stream, peer.ip()),
                Err(error) if is_caused_by_client(&error) => continue,
                Err(_) => {
                    self.rejections.count_connection();
                    sleep(ACCEPT_BACKOFF).await;
                    continue;
                }
            };
            let Some(permit) = self.admit_connection(&connections, peer) else {
                self.rejections.count_connection();
                continue;
            };
            let (handler, watcher) = (handler.clone(), graceful.watcher());
            tokio::spawn(async move {
                let _permit = permit;
                handler.handle(stream, peer, watcher).await;
            });
        }
        drop(listener);
        // For a head, a body and the forwarding of an event.
        let grace_period = read_timeout * 2 + FORWARD_TIMEOUT;
        if timeout(grace_period, graceful.shutdown()).await.is_err() {
            warn!("Requests cut off: not finished within {grace_period:?}");
        }
    }

    fn admit_connection(&self, connections: &Arc<PerSourceLimit>, peer: IpAddr) -> Option<Permit> {
        if !self.rate_limit.allows_connection(peer) {
            return None;
        }
        let is_proxy = self.rate_limit.is_trusted_proxy(peer);
        let mut permit = connections.permit((!is_proxy).then(|| Source::from(peer)));
        permit.acquire(1).ok()?;
        Some(permit)
    }
}

/// How many connections the process can have: each is an open file. Raises the soft limit on open
/// files if necessary.
fn max_connections(limits: &LimitConfig) -> usize {
    let configured = u64::from(limits.max_connections);
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else {
        return limits.max_connections as usize;
    };
    let requested = (configured + RESERVED_FILES).clamp(soft, hard.max(soft));
    let granted = match setrlimit(Resource::RLIMIT_NOFILE, requested, hard) {
        Ok(()) => requested,
        Err(_) => soft,
    };
    let connections = granted.saturating_sub(RESERVED_FILES).max(1).min(configured);
    if connections < configured {
        warn!(connections, "Fewer connections than MAX_CONNECTIONS: raise `ulimit -n`");
    }
    usize::try_from(connections).unwrap_or(usize::MAX)
}

/// Whether accepting failed because the client is gone, and not because of a lack of resources.
fn is_caused_by_client(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
    )
}

#[derive(Clone)]
struct ConnectionHandler {
    tls: Option<Watched<ServerConfig>>,
    router: Router,
    read_timeout: Duration,
}

impl ConnectionHandler {
    async fn handle(self, stream: TcpStream, peer: IpAddr, watcher: Watcher) {
        // Responses are small and must not be delayed.
        let _ = stream.set_nodelay(true);
        // hyper has no timeout for clients that don't read their responses.
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(self.read_timeout));
        let stream = Box::pin(stream);
        let Some(tls) = &self.tls else {
            return self.serve_requests(stream, peer, watcher).await;
        };
        let acceptor = TlsAcceptor::from(tls.borrow().clone());
        // A failed handshake closes the connection without an answer.
        if let Ok(Ok(stream)) = timeout(self.read_timeout, acceptor.accept(stream)).await {
            self.serve_requests(stream, peer, watcher).await;
        }
    }

    async fn serve_requests<S>(&self, stream: S, peer: IpAddr, watcher: Watcher)
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
            // A client may close its half after the request and still read the response.
            .half_close(true)
            .serve_connection(TokioIo::new(stream), service);
        // Connection errors are between the client and the network.
        let _ = timeout(MAX_CONNECTION_AGE, watcher.watch(connection)).await;
    }
}
