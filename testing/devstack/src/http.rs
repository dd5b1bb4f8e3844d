//! A minimal HTTP GET for local servers. No HTTP client library, so that `cargo xtask` builds quickly.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const TIMEOUT: Duration = Duration::from_secs(5);

/// Sends `GET url`, for an `http://host:port/path` on this machine, and returns status and body.
///
/// Uses HTTP/1.0, so that the end of the connection is the end of the body.
pub async fn get(url: &str) -> std::io::Result<(u16, String)> {
    let invalid = |what: &str| {
        std::io::Error::new(std::io::ErrorKind::InvalidData, format!("{what} ({url})"))
    };
    let rest = url.strip_prefix("http://").ok_or_else(|| invalid("not an http:// URL"))?;
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let response = tokio::time::timeout(TIMEOUT, exchange(authority, path))
        .await
        .map_err(|_| std::io::Error::from(std::io::ErrorKind::TimedOut))??;
    let (head, body) = response
        .split_once("\r\n\r\n")
        .ok_or_else(|| invalid("the response has no end of headers"))?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Ok((status.ok_or_else(|| invalid("the response has no status"))?, body.to_owned()))
}

async fn exchange(authority: &str, path: &str) -> std::io::Result<String> {
    let mut connection = TcpStream::connect(authority).await?;
    let request = format!("GET /{path} HTTP/1.0\r\nhost: {authority}\r\naccept: */*\r\n\r\n");
    connection.write_all(request.as_bytes()).await?;
    let mut response = Vec::new();
    connection.read_to_end(&mut response).await?;
    Ok(String::from_utf8_lossy(&response).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn get_returns_status_and_body() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            let (mut connection, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            let read = connection.read(&mut request).await.unwrap();
            connection
                .write_all(b"HTTP/1.0 503 Service Unavailable\r\na: b\r\n\r\nnot yet")
                .await
                .unwrap();
            String::from_utf8_lossy(&request[..read]).into_owned()
        });
        assert_eq!(
            get(&format!("http://{address}/readyz")).await.unwrap(),
            (503, "not yet".to_owned())
        );
        assert!(server.await.unwrap().starts_with("GET /readyz HTTP/1.0\r\n"));
    }
}
