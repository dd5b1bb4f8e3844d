//! HTTP/1.1 as bytes, for requests that no client library sends.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// For a response, and for the end of a connection.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// A connection that sends any bytes.
pub struct RawConnection {
    stream: TcpStream,
    read: Vec<u8>,
}

/// A response.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    /// By name in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

impl RawConnection {
    /// Connects to the host of a URL.
    pub async fn open(url: &str) -> Result<Self> {
        let host = url.split("://").nth(1).context("the URL has no scheme")?;
        let host = host.split('/').next().unwrap_or(host);
        let stream =
            TcpStream::connect(host).await.with_context(|| format!("connecting to {host}"))?;
        Ok(Self { stream, read: Vec::new() })
    }

    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) -> Result<()> {
        self.stream.write_all(bytes.as_ref()).await?;
        Ok(())
    }

    /// Closes the sending half.
    pub async fn shut_down_write(&mut self) -> Result<()> {
        self.stream.shutdown().await?;
        Ok(())
    }

    /// Reads the next response. `None` if the connection ends first.
    pub async fn read_reply(&mut self) -> Result<Option<Reply>> {
        timeout(READ_TIMEOUT, self.parse_reply()).await.context("no response arrived")?
    }

    /// Sends a request and reads the response.
    pub async fn exchange(&mut self, request: impl AsRef<[u8]>) -> Result<Reply> {
        self.send(request).await?;
        self.read_reply().await?.context("the connection was closed without a response")
    }

    /// Waits until the server closes the connection and discards what it sends.
    pub async fn wait_until_closed(&mut self) -> Result<()> {
        let rest = timeout(READ_TIMEOUT, async {
            let mut bytes = [0; 4096];
            // An error means a reset.
            while matches!(self.stream.read(&mut bytes).await, Ok(read) if read > 0) {}
        });
        rest.await.context("the connection was not closed")
    }

    async fn parse_reply(&mut self) -> Result<Option<Reply>> {
        let Some(end) = self.read_until(|read| find(read, b"\r\n\r\n")).await? else {
            return Ok(None);
        };
        let head = String::from_utf8(self.read.drain(..end + 4).collect())?;
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
        let status = status.with_context(|| format!("the response has no status: {head}"))?;
        let fields = lines.filter_map(|line| line.split_once(':'));
        let headers: BTreeMap<String, String> =
            fields.map(|(name, value)| (name.to_lowercase(), value.trim().to_owned())).collect();
        let length: usize = headers.get("content-length").map_or(Ok(0), |text| text.parse())?;
        if self.read_until(|read| (read.len() >= length).then_some(0)).await?.is_none() {
            bail!("the response is incomplete: {head}");
        }
        let body = String::from_utf8(self.read.drain(..length).collect())?;
        Ok(Some(Reply { status, headers, body }))
    }

    async fn read_until(
        &mut self,
        found: impl Fn(&[u8]) -> Option<usize>,
    ) -> Result<Option<usize>> {
        loop {
            if let Some(at) = found(&self.read) {
                return Ok(Some(at));
            }
            let read = match self.stream.read_buf(&mut self.read).await {
                Ok(read) => read,
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => 0,
                Err(error) => return Err(error.into()),
            };
            if read == 0 {
                return Ok(None);
            }
        }
    }
}

/// A POST request with `Content-Length`.
pub fn post_request(path: &str, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
    let mut text = format!("POST {path} HTTP/1.1\r\nhost: test\r\n");
    for (name, value) in headers {
        text += &format!("{name}: {value}\r\n");
    }
    text += &format!("content-length: {}\r\n\r\n{body}", body.len());
    text.into_bytes()
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}
