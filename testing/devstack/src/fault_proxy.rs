//! A TCP proxy that holds a connection at a breakpoint.
//!
//! Tests use it to inject a crash, a lost connection or an operator's command at an exact step: before the server
//! receives a request, or after it has processed the request and before the client receives the response. It can also
//! silence connections, as a network does that loses them without a word.

use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::{Error, Result};

/// The messages with which a PostgreSQL client begins and commits a transaction: simple queries.
const BEGIN: &[u8] = b"Q\0\0\0\x0aBEGIN\0";
const COMMIT: &[u8] = b"Q\0\0\0\x0bCOMMIT\0";

/// The HTTP/1.1 methods that the programs of this workspace use.
const METHODS: [&str; 4] = ["GET ", "POST ", "PATCH ", "DELETE "];

/// What a breakpoint can be set on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The begin of a PostgreSQL transaction that may write.
    Begin,
    /// A PostgreSQL commit.
    Commit,
    /// An HTTP/1.1 request that starts with this prefix of "METHOD /path". An empty prefix matches any request.
    Request(&'static str),
}

/// On which side of the server to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The server has not received the request.
    Before,
    /// The server has responded; the client has not received the response.
    After,
}

#[derive(Clone, Copy, Debug)]
pub struct Breakpoint {
    pub step: Step,
    /// 1-based count of such steps from the time the breakpoint is set.
    pub nth: usize,
    pub side: Side,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// All data is forwarded.
    Open,
    /// One connection is held.
    Held,
    /// The held connection continues.
    Resumed,
    /// The held data was forwarded, as far as the connection was still open.
    Forwarded,
    /// The held connection is closed and its data is lost.
    Cut,
}

#[derive(Debug)]
struct Shared {
    target: SocketAddr,
    /// The breakpoint and the number of its steps so far.
    breakpoint: Mutex<(Option<Breakpoint>, usize)>,
    state: watch::Sender<State>,
    silence: watch::Sender<()>,
}

/// A proxy on 127.0.0.1 in front of a server on 127.0.0.1. It stops listening when it is dropped.
#[derive(Debug)]
pub struct FaultProxy {
    port: u16,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

impl FaultProxy {
    /// Starts a proxy to a port of 127.0.0.1.
    pub async fn start(port: u16) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.map_err(Error::io("start a fault proxy"))?;
        let own = listener.local_addr().map_err(Error::io("start a fault proxy"))?.port();
        let shared = Arc::new(Shared {
            target: (Ipv4Addr::LOCALHOST, port).into(),
            breakpoint: Mutex::default(),
            state: watch::Sender::new(State::Open),
            silence: watch::Sender::default(),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self { port: own, shared, accepting })
    }

    /// The port on which the proxy listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Sets a breakpoint that is hit once, and starts to count its steps from 0.
    pub fn set_breakpoint(&self, breakpoint: Breakpoint) {
        *self.shared.breakpoint() = (Some(breakpoint), 0);
        self.shared.state.send_replace(State::Open);
    }

    /// Removes the breakpoint and forwards what is held.
    pub fn clear_breakpoint(&self) {
        *self.shared.breakpoint() = (None, 0);
        self.shared.state.send_replace(State::Open);
    }

    /// Counts steps without holding any.
    pub fn count_steps(&self, step: Step) {
        self.set_breakpoint(Breakpoint { step, nth: usize::MAX, side: Side::Before });
    }

    /// The steps since [`FaultProxy::set_breakpoint`] or [`FaultProxy::count_steps`].
    pub fn step_count(&self) -> usize {
        self.shared.breakpoint().1
    }

    /// Waits until a connection is held at the breakpoint, or was.
    pub async fn wait_until_hit(&self) {
        let mut state = self.shared.state.subscribe();
        // The sender lives as long as `self`.
        let _ = state.wait_for(|state| *state != State::Open).await;
    }

    /// Forwards the held data, unless the connection has ended meanwhile.
    pub fn resume(&self) {
        self.shared.state.send_if_modified(|state| {
            let is_held = *state == State::Held;
            if is_held {
                *state = State::Resumed;
            }
            is_held
        });
    }

    /// Waits until the held data was forwarded, or could not be: the connection may have ended meanwhile.
    pub async fn wait_until_forwarded(&self) {
        let mut state = self.shared.state.subscribe();
        // The sender lives as long as `self`.
        let _ = state.wait_for(|state| *state == State::Forwarded).await;
    }

    /// Closes the held connection without forwarding its data.
    pub fn cut(&self) {
        self.shared.state.send_replace(State::Cut);
    }

    /// Silences the present connections for ever: nothing is forwarded any more, and neither side learns that the other
    /// one has closed. New connections work. Returns the number of silenced connections.
    pub fn silence(&self) -> usize {
        let silenced = self.shared.silence.receiver_count();
        self.shared.silence.send_replace(());
        silenced
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Shared {
    fn breakpoint(&self) -> std::sync::MutexGuard<'_, (Option<Breakpoint>, usize)> {
        self.breakpoint.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts the step in what a client sent. Returns the side on which to hold if this hits the breakpoint.
    fn check_breakpoint(&self, sent: &[u8]) -> Option<Side> {
        let mut current = self.breakpoint();
        let breakpoint = current.0.filter(|breakpoint| breakpoint.step.is_in(sent))?;
        current.1 += 1;
        (current.1 == breakpoint.nth).then_some(breakpoint.side)
    }

    /// Holds until the connection is resumed or cut. `None` if it is cut.
    async fn hold(&self) -> Option<Held<'_>> {
        let mut state = self.state.subscribe();
        self.state.send_replace(State::Held);
        let held = Held(&self.state);
        let decided = state.wait_for(|state| *state != State::Held).await;
        decided.is_ok_and(|state| *state != State::Cut).then_some(held)
    }
}

/// Data that is held, until it is forwarded or its connection ends.
struct Held<'a>(&'a watch::Sender<State>);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.send_if_modified(|state| {
            let ends = matches!(state, State::Held | State::Resumed);
            if ends {
                *state = State::Forwarded;
            }
            ends
        });
    }
}

impl Step {
    fn is_in(self, sent: &[u8]) -> bool {
        match self {
            Self::Begin => sent.windows(BEGIN.len()).any(|part| part == BEGIN),
            Self::Commit => sent.windows(COMMIT.len()).any(|part| part == COMMIT),
            Self::Request("") => METHODS.iter().any(|method| sent.starts_with(method.as_bytes())),
            Self::Request(beginning) => sent.starts_with(beginning.as_bytes()),
        }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((client, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        let silenced = shared.silence.subscribe();
        tokio::spawn(async move {
            let Ok(server) = TcpStream::connect(shared.target).await else { return };
            forward(&shared, client, server, silenced).await;
        });
    }
}

/// Forwards both ways until one direction ends, or holds both connections open once they are silenced.
async fn forward(
    shared: &Shared,
    client: TcpStream,
    server: TcpStream,
    mut silenced: watch::Receiver<()>,
) {
    let ((from_client, to_client), (from_server, to_server)) =
        (client.into_split(), server.into_split());
    let hold_response = watch::Sender::new(false);
    let mut upstream = pin!(upstream(shared, from_client, to_server, &hold_response));
    let mut downstream = pin!(downstream(shared, from_server, to_client, &hold_response));
    let is_silenced = tokio::select! {
        () = &mut upstream => false,
        () = &mut downstream => false,
        silenced = silenced.changed() => silenced.is_ok(),
    };
    drop(silenced);
    if is_silenced {
        std::future::pending::<()>().await;
    }
}

/// Forwards from the client to the server.
async fn upstream(
    shared: &Shared,
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    hold_response: &watch::Sender<bool>,
) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        let sent = &buffer[..length];
        let side = shared.check_breakpoint(sent);
        if side == Some(Side::After) {
            hold_response.send_replace(true);
        }
        let mut held = None;
        if side == Some(Side::Before) {
            held = shared.hold().await;
            if held.is_none() {
                return;
            }
        }
        if to.write_all(sent).await.is_err() {
            return;
        }
        drop(held);
    }
}

/// Forwards from the server to the client.
async fn downstream(
    shared: &Shared,
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    hold_response: &watch::Sender<bool>,
) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        let mut held = None;
        if hold_response.send_replace(false) {
            held = shared.hold().await;
            if held.is_none() {
                return;
            }
        }
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
        drop(held);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Starts a server that responds with the length of each request. Returns its port and its request count.
    async fn start_server() -> (u16, watch::Receiver<usize>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (seen, count) = watch::channel(0);
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let seen = seen.clone();
                tokio::spawn(async move {
                    let mut buffer = [0; 1024];
                    while let Ok(length @ 1..) = client.read(&mut buffer).await {
                        seen.send_modify(|seen| *seen += 1);
                        let _ = client.write_all(&[u8::try_from(length).unwrap()]).await;
                    }
                });
            }
        });
        (port, count)
    }

    async fn send_request(client: &mut TcpStream) -> std::io::Result<u8> {
        client.write_all(b"GET /").await?;
        client.read_u8().await
    }

    #[tokio::test]
    async fn breakpoint_holds_nth_request_once_on_its_side() {
        for (side, seen_when_held) in [(Side::Before, 1), (Side::After, 2)] {
            let (port, seen) = start_server().await;
            let proxy = FaultProxy::start(port).await.unwrap();
            proxy.set_breakpoint(Breakpoint { step: Step::Request("GET "), nth: 2, side });
            let mut client = TcpStream::connect(("127.0.0.1", proxy.port())).await.unwrap();
            assert_eq!(send_request(&mut client).await.unwrap(), 5);
            let second = tokio::spawn(async move { (send_request(&mut client).await, client) });
            proxy.wait_until_hit().await;
            assert_eq!(*seen.borrow(), seen_when_held, "{side:?}");
            assert!(!second.is_finished());
            proxy.resume();
            proxy.wait_until_forwarded().await;
            let (answer, mut client) = second.await.unwrap();
            assert_eq!(answer.unwrap(), 5);
            assert_eq!(send_request(&mut client).await.unwrap(), 5);
            assert_eq!(proxy.step_count(), 3);
        }
    }

    #[tokio::test]
    async fn cut_connection_fails_and_next_connection_is_forwarded() {
        for side in [Side::Before, Side::After] {
            let (port, _seen) = start_server().await;
            let proxy = FaultProxy::start(port).await.unwrap();
            proxy.set_breakpoint(Breakpoint { step: Step::Request(""), nth: 1, side });
            let mut client = TcpStream::connect(("127.0.0.1", proxy.port())).await.unwrap();
            let first = tokio::spawn(async move { send_request(&mut client).await });
            proxy.wait_until_hit().await;
            proxy.cut();
            assert!(first.await.unwrap().is_err());
            let mut next = TcpStream::connect(("127.0.0.1", proxy.port())).await.unwrap();
            assert_eq!(send_request(&mut next).await.unwrap(), 5);
        }
    }
    #[tokio::test]
    async fn silenced_connection_gets_no_answer_and_next_connection_is_forwarded() {
        let (port, seen) = start_server().await;
        let proxy = FaultProxy::start(port).await.unwrap();
        let mut client = TcpStream::connect(("127.0.0.1", proxy.port())).await.unwrap();
        assert_eq!(send_request(&mut client).await.unwrap(), 5);
        assert_eq!(proxy.silence(), 1);
        let silent = tokio::spawn(async move { send_request(&mut client).await });
        let mut next = TcpStream::connect(("127.0.0.1", proxy.port())).await.unwrap();
        assert_eq!(send_request(&mut next).await.unwrap(), 5);
        assert!(!silent.is_finished(), "neither an answer nor an end");
        assert_eq!(*seen.borrow(), 2);
    }
}
