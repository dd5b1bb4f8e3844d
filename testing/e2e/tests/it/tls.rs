//! TLS of the webhook server.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use devstack::workspace;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use reqwest::{Certificate, Client, Version};

use crate::support::{EVENT, RawConnection, Signed, count_signals, eventually, webhook_only};

const RELOAD_TIMEOUT: Duration = Duration::from_secs(20);

/// Writes a new certificate and its key.
fn write_pair(dir: &Path) -> Result<Certificate> {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(vec!["127.0.0.1".to_owned()])?;
    std::fs::write(dir.join("cert.pem"), cert.pem())?;
    std::fs::write(dir.join("key.pem"), signing_key.serialize_pem())?;
    Ok(Certificate::from_pem(cert.pem().as_bytes())?)
}

/// A client that trusts only this certificate.
fn client_for(certificate: &Certificate) -> Result<Client> {
    Ok(Client::builder().tls_certs_only([certificate.clone()]).build()?)
}

#[tokio::test]
async fn certificate_is_replaced_without_a_restart() -> Result<()> {
    let temp_dir = workspace::temp_dir()?;
    let first = write_pair(temp_dir.path())?;
    let [cert, key] = ["cert.pem", "key.pem"].map(|name| temp_dir.path().join(name));
    let system = webhook_only(&[]).await?;
    let env = [("TLS_CERT_FILE", &cert), ("TLS_KEY_FILE", &key)]
        .map(|(name, path)| (name.to_owned(), path.display().to_string()));
    let server = system.stack.start_webhook("tls", &env.into()).await?;
    let url = format!("{}/webhooks/outcome", server.url);
    assert!(url.starts_with("https://"), "{url}");
    let send = async |certificate: &Certificate| {
        let mut request = client_for(certificate)?.post(&url).body(EVENT);
        for (name, value) in Signed::now(EVENT).headers() {
            request = request.header(name, value);
        }
        Ok::<_, anyhow::Error>(request.send().await?)
    };
    let answer = send(&first).await?;
    assert_eq!((answer.status().as_u16(), answer.version()), (204, Version::HTTP_11));

    // A client without TLS gets no response, and a silent client is disconnected.
    let mut cleartext = RawConnection::open(&server.url).await?;
    cleartext.send("GET /healthz HTTP/1.1\r\nhost: test\r\n\r\n").await?;
    cleartext.wait_until_closed().await?;
    RawConnection::open(&server.url).await?.wait_until_closed().await?;

    // A certificate with another key changes nothing.
    let old_key = std::fs::read(&key)?;
    let second = write_pair(temp_dir.path())?;
    let new_key = std::fs::read(&key)?;
    std::fs::write(&key, old_key)?;
    eventually(RELOAD_TIMEOUT, "the log says that they don't match", async || {
        Ok(server.process.log().contains("don't match").then_some(()))
    })
    .await;
    assert_eq!(send(&first).await?.status(), 204);
    std::fs::write(&key, new_key)?;
    let answer = eventually(RELOAD_TIMEOUT, "the new certificate is used", async || {
        Ok(Some(send(&second).await?))
    })
    .await;
    assert_eq!(answer.status(), 204);
    assert!(send(&first).await.is_err());
    // Temporal keeps a repeated event once.
    assert_eq!(count_signals(&system).await?, 1);
    let found = server.process.log().lines().any(|line| line.contains("PRIVATE KEY"));
    assert!(!found, "the log contains the key");
    Ok(())
}

#[tokio::test]
async fn file_without_a_certificate_is_named() -> Result<()> {
    let temp_dir = workspace::temp_dir()?;
    let file = temp_dir.path().join("invalid.pem");
    std::fs::write(&file, "nothing")?;
    let path = file.display().to_string();
    let binary = devstack::workspace::bin_dir()?.join("webhook");
    let output = std::process::Command::new(binary)
        .env_clear()
        .envs([
            ("WEBHOOK_SECRETS", "0123456789abcdef"),
            ("TLS_CERT_FILE", &path),
            ("TLS_KEY_FILE", &path),
        ])
        .output()
        .context("running the webhook server")?;
    let error = String::from_utf8_lossy(&output.stdout);
    assert!(!output.status.success() && error.contains("TLS_CERT_FILE"), "{error}");
    Ok(())
}
