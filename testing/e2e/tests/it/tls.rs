//! TLS in the server itself.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use devstack::workspace;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use reqwest::{Certificate, Client, Version};

use crate::support::{EVENT, Signed, Wire, door, events_taken, eventually};

const SOON: Duration = Duration::from_secs(20);

fn write_pair(dir: &Path) -> Result<Certificate> {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(vec!["127.0.0.1".to_owned()])?;
    std::fs::write(dir.join("cert.pem"), cert.pem())?;
    std::fs::write(dir.join("key.pem"), signing_key.serialize_pem())?;
    Ok(Certificate::from_pem(cert.pem().as_bytes())?)
}

fn trusting(certificate: &Certificate) -> Result<Client> {
    Ok(Client::builder().tls_certs_only([certificate.clone()]).build()?)
}

#[tokio::test]
async fn a_certificate_is_used_and_replaced_without_a_restart() -> Result<()> {
    let scratch = workspace::temp_dir()?;
    let first = write_pair(scratch.path())?;
    let [cert, key] = ["cert.pem", "key.pem"].map(|name| scratch.path().join(name));
    let story = door(&[]).await?;
    let env = [("TLS_CERT_FILE", &cert), ("TLS_KEY_FILE", &key)]
        .map(|(name, path)| (name.to_owned(), path.display().to_string()));
    let server = story.stack.start_webhook("secured", &env.into()).await?;
    let url = format!("{}/webhooks/outcome", server.url);
    assert!(url.starts_with("https://"), "{url}");
    let send = async |certificate: &Certificate| {
        let mut request = trusting(certificate)?.post(&url).body(EVENT);
        for (name, value) in Signed::now(EVENT).headers() {
            request = request.header(name, value);
        }
        Ok::<_, anyhow::Error>(request.send().await?)
    };
    let answer = send(&first).await?;
    assert_eq!((answer.status().as_u16(), answer.version()), (204, Version::HTTP_11));

    // Who speaks in clear is not answered, and who says nothing is not waited for.
    let mut plain = Wire::to(&server.url).await?;
    plain.send("GET /healthz HTTP/1.1\r\nhost: test\r\n\r\n").await?;
    plain.ended().await?;
    Wire::to(&server.url).await?.ended().await?;

    // A certificate without its key changes nothing.
    let old_key = std::fs::read(&key)?;
    let second = write_pair(scratch.path())?;
    let new_key = std::fs::read(&key)?;
    std::fs::write(&key, old_key)?;
    eventually(SOON, "it is said that they do not fit", async || {
        Ok(server.process.log().contains("don't match").then_some(()))
    })
    .await;
    assert_eq!(send(&first).await?.status(), 204);
    std::fs::write(&key, new_key)?;
    let answer =
        eventually(SOON, "the new certificate is used", async || Ok(Some(send(&second).await?)))
            .await;
    assert_eq!(answer.status(), 204);
    assert!(send(&first).await.is_err());
    assert_eq!(events_taken(&story).await?, 3);
    let found = server.process.log().lines().any(|line| line.contains("PRIVATE KEY"));
    assert!(!found, "the key is in the log");
    Ok(())
}

#[tokio::test]
async fn files_that_hold_no_certificate_are_named() -> Result<()> {
    let scratch = workspace::temp_dir()?;
    let file = scratch.path().join("empty.pem");
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
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("TLS_CERT_FILE"), "{said}");
    Ok(())
}
