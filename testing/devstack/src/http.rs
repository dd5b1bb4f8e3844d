//! Minimal HTTP requests to local servers. No HTTP client library, so that `cargo xtask` builds quickly.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const TIMEOUT: Duration = Duration::from_secs(5);

/// Sends `GET url`, for an `http://host:port/path` on this machine, and returns status and body.
///
/// Uses HTTP/1.0, so that the end of the connection is the end of the body.
pub async fn get(url: &str) -> std::io::Result<(u16, String)> {
    request("GET", url, &[], "").await
}

/// Sends `POST url` as [`get`] does, with a JSON body and additional headers.
pub async fn post(
    url: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> std::io::Result<(u16, String)> {
    let length = body.len().to_string();
    let own = [("content-type", "application/json"), ("content-length", length.as_str())];
    request("POST", url, &[&own, headers].concat(), body).await
}

/// Sends `DELETE url` as [`get`] does.
pub async fn delete(url: &str) -> std::io::Result<(u16, String)> {
    request("DELETE", url, &[], "").await
}

async fn request(
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> std::io::Result<(u16, String)> {
    let invalid = |what: &str| {
        std::io::Error::new(std::io::ErrorKind::InvalidData, format!("{what} ({url})"))
    };
    let rest = url.strip_prefix("http://").ok_or_else(|| invalid("not an http:// URL"))?;
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let headers: String =
        headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let request = format!(
        "{method} /{path} HTTP/1.0\r\nhost: {authority}\r\naccept: */*\r\n{headers}\r\n{body}"
    );
    let response = tokio::time::timeout(TIMEOUT, exchange(authority, &request))
        .await
        .map_err(|_| std::io::Error::from(std::io::ErrorKind::TimedOut))??;
    let (head, body) = response
        .split_once("\r\n\r\n")
        .ok_or_else(|| invalid("the response has no end of headers"))?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Ok((status.ok_or_else(|| invalid("the response has no status"))?, body.to_owned()))
}

async fn exchange(authority: &str, request: &str) -> std::io::Result<String> {
    let mut connection = TcpStream::connect(authority).await?;
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
