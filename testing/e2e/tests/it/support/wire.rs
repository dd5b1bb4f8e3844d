//! HTTP by hand, for what no client library would send.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longest wait for an answer or for the end of a connection.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection on which any bytes are sent.
pub struct Wire {
    stream: TcpStream,
    read: Vec<u8>,
}

/// What came back.
#[derive(Debug)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The fields, by their names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: String,
}

impl Wire {
    /// Connects to the host of an address.
    pub async fn to(url: &str) -> Result<Self> {
        let host = url.split("://").nth(1).context("an address has a scheme")?;
        let host = host.split('/').next().unwrap_or(host);
        let stream = TcpStream::connect(host).await.with_context(|| format!("reaching {host}"))?;
        Ok(Self { stream, read: Vec::new() })
    }

    /// Sends bytes as they are.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) -> Result<()> {
        self.stream.write_all(bytes.as_ref()).await?;
        Ok(())
    }

    /// Says that nothing more will be sent.
    pub async fn finish(&mut self) -> Result<()> {
        self.stream.shutdown().await?;
        Ok(())
    }

    /// The next answer; none if the connection ends first.
    pub async fn reply(&mut self) -> Result<Option<Reply>> {
        timeout(PATIENCE, self.next_reply()).await.context("no answer came")?
    }

    /// Sends a request and returns its answer.
    pub async fn ask(&mut self, request: impl AsRef<[u8]>) -> Result<Reply> {
        self.send(request).await?;
        self.reply().await?.context("the connection was closed without an answer")
    }

    /// Waits until the other side closes the connection; what came before is passed over.
    pub async fn ended(&mut self) -> Result<()> {
        let rest = timeout(PATIENCE, async {
            let mut bytes = [0; 4096];
            // A reset ends it as well.
            while matches!(self.stream.read(&mut bytes).await, Ok(read) if read > 0) {}
        });
        rest.await.context("the connection was not closed")
    }

    async fn next_reply(&mut self) -> Result<Option<Reply>> {
        let Some(end) = self.read_until(|read| find(read, b"\r\n\r\n")).await? else {
            return Ok(None);
        };
        let head = String::from_utf8(self.read.drain(..end + 4).collect())?;
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
        let status = status.with_context(|| format!("no status: {head}"))?;
        let fields = lines.filter_map(|line| line.split_once(':'));
        let headers: BTreeMap<String, String> =
            fields.map(|(name, value)| (name.to_lowercase(), value.trim().to_owned())).collect();
        let length: usize = headers.get("content-length").map_or(Ok(0), |text| text.parse())?;
        if self.read_until(|read| (read.len() >= length).then_some(0)).await?.is_none() {
            bail!("the answer was cut off: {head}");
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

/// A request with these fields, as bytes. The length of the body is given with it.
pub fn request(path: &str, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
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
