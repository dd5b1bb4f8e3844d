//! The connection to Temporal.

use std::error::Error;
use std::io::ErrorKind;
use std::time::Duration;

use anyhow::{Result, anyhow};
use temporalio_client::envconfig::LoadClientConfigProfileOptions;
use temporalio_client::tonic::Code;
use temporalio_client::{
    Client, ClientKeepAliveOptions, ClientOptions, Connection, errors::ClientConnectError,
};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How often the connection is probed: not more often than Temporal allows, which is every 10 s.
const PROBE_INTERVAL: Duration = Duration::from_secs(15);
/// A connection that does not answer a probe in this time is replaced.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);
/// The maximum time to connect.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The port of an address without one.
const DEFAULT_PORT: u16 = 7233;
/// The maximum time to find out why a connection failed.
const TCP_TIMEOUT: Duration = Duration::from_secs(3);

/// Connects with Temporal's own settings: `TEMPORAL_ADDRESS` and others, or `temporal.toml`.
///
/// # Errors
///
/// The settings can't be read, or the server can't be reached; the text says which setting to correct.
pub async fn connect() -> Result<Client> {
    let (mut connection, options) =
        ClientOptions::load_from_config(LoadClientConfigProfileOptions::default())
            .map_err(|error| anyhow!("reading Temporal's settings: {error}"))?;
    let probes = ClientKeepAliveOptions::builder().interval(PROBE_INTERVAL).timeout(PROBE_TIMEOUT);
    connection.keep_alive = Some(probes.build());
    let target = connection.target.clone();
    let has_tls = connection.tls_options.is_some();
    let connected = timeout(CONNECT_TIMEOUT, Connection::connect(connection)).await;
    let host = target.host_str().unwrap_or_default();
    let port = target.port_or_known_default().unwrap_or(DEFAULT_PORT);
    let (cause, advice) = match connected {
        Ok(Ok(connection)) => return Ok(Client::new(connection, options)?),
        Ok(Err(ClientConnectError::SystemInfoCallError(status))) if is_denied(status.code()) => {
            (status.message().to_owned(), "correct TEMPORAL_API_KEY or the client certificate")
        }
        Ok(Err(error)) => (root_cause(&error), advise(host, port, has_tls).await),
        Err(_) => {
            let cause = format!("no answer within {} s", CONNECT_TIMEOUT.as_secs());
            (
                cause,
                "the server hangs or is overloaded: look at its log, or for a firewall in between",
            )
        }
    };
    Err(anyhow!(
        "connecting to Temporal at {host}:{port}, from TEMPORAL_ADDRESS: {cause}; {advice}"
    ))
}

/// The innermost cause. The texts around it show the SDK's types.
fn root_cause(error: &ClientConnectError) -> String {
    if let ClientConnectError::SystemInfoCallError(status) = error {
        return status.message().to_owned();
    }
    let mut cause: &dyn Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

fn is_denied(code: Code) -> bool {
    matches!(code, Code::Unauthenticated | Code::PermissionDenied)
}

/// What to do about a server that can't be reached, by how far a plain TCP connection gets.
async fn advise(host: &str, port: u16, has_tls: bool) -> &'static str {
    let connected = timeout(TCP_TIMEOUT, TcpStream::connect((host, port))).await;
    match connected {
        Ok(Ok(_)) if has_tls => {
            "a server is there, but it does not speak TLS, or its certificate is not trusted for this \
            name: remove TEMPORAL_TLS, or correct the TEMPORAL_TLS_* settings"
        }
        Ok(Ok(_)) => {
            "a server is there, but it does not answer as Temporal does without TLS: look at its log, \
            correct TEMPORAL_ADDRESS, or set TEMPORAL_TLS=true"
        }
        Ok(Err(error)) if error.kind() == ErrorKind::ConnectionRefused => {
            "nothing listens there: start Temporal, or correct TEMPORAL_ADDRESS"
        }
        Ok(Err(_)) => "correct TEMPORAL_ADDRESS",
        Err(_) => {
            "the address does not answer: correct TEMPORAL_ADDRESS, or look for a firewall in between"
        }
    }
}
