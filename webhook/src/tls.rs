//! TLS, with certificates that can be replaced while the server runs.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use bootstrap::live::{self, Live};
use secrecy::{ExposeSecret as _, SecretSlice};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Reads the certificates and the key, and follows their files. A pair that does not fit together,
/// as while one of the two is being replaced, changes nothing.
///
/// # Errors
///
/// A file can't be read or holds nothing usable.
pub async fn follow(certificates: PathBuf, key: PathBuf) -> Result<Live<ServerConfig>> {
    live::follow("TLS certificate", vec![certificates, key], |contents| match contents {
        [certificates, key] => config(certificates.expose_secret(), key),
        _ => anyhow::bail!("a certificate and a key are needed"),
    })
    .await
    .context("TLS_CERT_FILE and TLS_KEY_FILE can't be used")
}

fn config(certificates: &[u8], key: &SecretSlice<u8>) -> Result<ServerConfig> {
    let chain = CertificateDer::pem_slice_iter(certificates)
        .collect::<Result<Vec<_>, _>>()
        .context("TLS_CERT_FILE must hold certificates in PEM")?;
    let key = PrivateKeyDer::from_pem_slice(key.expose_secret())
        .context("TLS_KEY_FILE must hold a private key in PEM")?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .context("the certificate and the key do not fit together")?;
    // Nothing but HTTP/1.1: webhooks need no more, and what is not spoken can't be attacked.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
