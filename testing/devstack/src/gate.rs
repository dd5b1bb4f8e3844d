//! A gate in the way to a server: lets everything pass until it is told to stop at something.
//!
//! It shows what a system makes of a crash, a lost connection or an operator's command between two exact steps:
//! between its request and what the server makes of it, or between that and the answer.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::{Error, Result};

/// The message with which a client of PostgreSQL ends a transaction: a simple query.
const COMMIT: &[u8] = b"Q\0\0\0\x0bCOMMIT\0";

/// The methods of HTTP/1.1 with which our programs ask.
const METHODS: [&str; 4] = ["GET ", "POST ", "PATCH ", "DELETE "];

/// What a gate can stop at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The commit of a transaction in PostgreSQL.
    Commit,
    /// A request of HTTP/1.1 that begins with this: a method and a path, or the beginning of them; with nothing, any.
    Request(&'static str),
}

/// On which side of the server's work to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The server has not seen the request.
    Before,
    /// The server has done its work, and its answer is not seen.
    After,
}

/// Where to stop.
#[derive(Clone, Copy, Debug)]
pub struct Stop {
    /// At which kind of step.
    pub step: Step,
    /// At the how manieth of them, from now on.
    pub nth: usize,
    /// On which side.
    pub side: Side,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Position {
    /// Everything passes.
    Open,
    /// One connection is held.
    Reached,
    /// What is held passes.
    Passed,
    /// What is held is lost, and its connection with it.
    Cut,
}

#[derive(Debug)]
struct Shared {
    target: SocketAddr,
    /// Where to stop, and how many such steps there were.
    armed: Mutex<(Option<Stop>, usize)>,
    position: watch::Sender<Position>,
}

/// A gate on 127.0.0.1 in front of a server there. It is gone when this is dropped.
#[derive(Debug)]
pub struct Gate {
    port: u16,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

impl Gate {
    /// An open gate in front of a port of 127.0.0.1.
    pub async fn before(port: u16) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.map_err(Error::io("open a gate"))?;
        let own = listener.local_addr().map_err(Error::io("open a gate"))?.port();
        let shared = Arc::new(Shared {
            target: (Ipv4Addr::LOCALHOST, port).into(),
            armed: Mutex::default(),
            position: watch::Sender::new(Position::Open),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self { port: own, shared, accepting })
    }

    /// The port that leads through the gate.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Has the gate stop somewhere, once; steps are counted from now on.
    pub fn stop_at(&self, stop: Stop) {
        *self.shared.armed() = (Some(stop), 0);
        self.shared.position.send_replace(Position::Open);
    }

    /// Has the gate count the steps of a kind and stop at none.
    pub fn count(&self, step: Step) {
        self.stop_at(Stop { step, nth: usize::MAX, side: Side::Before });
    }

    /// How many steps of the kind there were since [`Gate::stop_at`] or [`Gate::count`].
    pub fn counted(&self) -> usize {
        self.shared.armed().1
    }

    /// Waits until it has stopped.
    pub async fn reached(&self) {
        let mut position = self.shared.position.subscribe();
        // The sender lives as long as we do.
        let _ = position.wait_for(|position| *position == Position::Reached).await;
    }

    /// Lets pass what is held.
    pub fn pass(&self) {
        self.shared.position.send_replace(Position::Passed);
    }

    /// Loses what is held, and the connection on which it came.
    pub fn cut(&self) {
        self.shared.position.send_replace(Position::Cut);
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Shared {
    fn armed(&self) -> std::sync::MutexGuard<'_, (Option<Stop>, usize)> {
        self.armed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// On which side to stop at what a client sends, if at all.
    fn stops_at(&self, sent: &[u8]) -> Option<Side> {
        let mut armed = self.armed();
        let stop = armed.0.filter(|stop| stop.step.is_in(sent))?;
        armed.1 += 1;
        (armed.1 == stop.nth).then_some(stop.side)
    }

    /// Holds until it is decided what becomes of what is held: whether it passes.
    async fn hold(&self) -> bool {
        let mut position = self.position.subscribe();
        self.position.send_replace(Position::Reached);
        let decided = position.wait_for(|position| *position != Position::Reached).await;
        decided.is_ok_and(|position| *position != Position::Cut)
    }
}

impl Step {
    fn is_in(self, sent: &[u8]) -> bool {
        match self {
            Self::Commit => sent.windows(COMMIT.len()).any(|part| part == COMMIT),
            Self::Request("") => METHODS.iter().any(|method| sent.starts_with(method.as_bytes())),
            Self::Request(beginning) => sent.starts_with(beginning.as_bytes()),
        }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((client, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let Ok(server) = TcpStream::connect(shared.target).await else { return };
            let ((from_client, to_client), (from_server, to_server)) =
                (client.into_split(), server.into_split());
            // Whether the next thing that the server says is the answer to hold.
            let after = watch::Sender::new(false);
            // The end of either way ends the connection.
            tokio::select! {
                () = there(&shared, from_client, to_server, &after) => {}
                () = back(&shared, from_server, to_client, &after) => {}
            }
        });
    }
}

async fn there(
    shared: &Shared,
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    after: &watch::Sender<bool>,
) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        let sent = &buffer[..length];
        match shared.stops_at(sent) {
            Some(Side::Before) if !shared.hold().await => return,
            Some(Side::After) => {
                after.send_replace(true);
            }
            _ => {}
        }
        if to.write_all(sent).await.is_err() {
            return;
        }
    }
}

async fn back(
    shared: &Shared,
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    after: &watch::Sender<bool>,
) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        if after.send_replace(false) && !shared.hold().await {
            return;
        }
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that answers every request with its length, and how many it has seen.
    async fn server() -> (u16, watch::Receiver<usize>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (seen, sees) = watch::channel(0);
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
        (port, sees)
    }

    async fn ask(client: &mut TcpStream) -> std::io::Result<u8> {
        client.write_all(b"GET /").await?;
        client.read_u8().await
    }

    #[tokio::test]
    async fn it_stops_once_on_the_side_it_was_told_to() {
        for (side, seen_when_held) in [(Side::Before, 1), (Side::After, 2)] {
            let (port, seen) = server().await;
            let gate = Gate::before(port).await.unwrap();
            gate.stop_at(Stop { step: Step::Request("GET "), nth: 2, side });
            let mut client = TcpStream::connect(("127.0.0.1", gate.port())).await.unwrap();
            assert_eq!(ask(&mut client).await.unwrap(), 5);
            let second = tokio::spawn(async move { (ask(&mut client).await, client) });
            gate.reached().await;
            assert_eq!(*seen.borrow(), seen_when_held, "{side:?}");
            assert!(!second.is_finished());
            gate.pass();
            let (answer, mut client) = second.await.unwrap();
            assert_eq!(answer.unwrap(), 5);
            assert_eq!(ask(&mut client).await.unwrap(), 5);
            assert_eq!(gate.counted(), 3);
        }
    }

    #[tokio::test]
    async fn what_is_cut_is_lost_with_its_connection_and_the_next_one_passes() {
        for side in [Side::Before, Side::After] {
            let (port, _seen) = server().await;
            let gate = Gate::before(port).await.unwrap();
            gate.stop_at(Stop { step: Step::Request(""), nth: 1, side });
            let mut client = TcpStream::connect(("127.0.0.1", gate.port())).await.unwrap();
            let first = tokio::spawn(async move { ask(&mut client).await });
            gate.reached().await;
            gate.cut();
            assert!(first.await.unwrap().is_err());
            let mut next = TcpStream::connect(("127.0.0.1", gate.port())).await.unwrap();
            assert_eq!(ask(&mut next).await.unwrap(), 5);
        }
    }
}
