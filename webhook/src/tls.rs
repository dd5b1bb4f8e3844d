//! TLS with certificates that are reloaded while the server runs.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use bootstrap::reload::{self, Watched};
use secrecy::{ExposeSecret as _, SecretSlice};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Loads the certificates and the key and watches their files. While one of the two is being
/// replaced, they don't match, and the previous pair stays in use.
///
/// # Errors
///
/// A file can't be read, or its certificates or key are invalid.
pub(crate) async fn watch(certificates: PathBuf, key: PathBuf) -> Result<Watched<ServerConfig>> {
    reload::watch("TLS certificate", vec![certificates, key], |contents| match contents {
        [certificates, key] => server_config(certificates.expose_secret(), key),
        _ => anyhow::bail!("a certificate and a key are needed"),
    })
    .await
    .context("TLS_CERT_FILE and TLS_KEY_FILE can't be used")
}

fn server_config(certificates: &[u8], key: &SecretSlice<u8>) -> Result<ServerConfig> {
    let chain = CertificateDer::pem_slice_iter(certificates)
        .collect::<Result<Vec<_>, _>>()
        .context("TLS_CERT_FILE must contain certificates in PEM")?;
    let key = PrivateKeyDer::from_pem_slice(key.expose_secret())
        .context("TLS_KEY_FILE must contain a private key in PEM")?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .context("the certificate and the key don't match")?;
    // Webhooks need no HTTP/2, which would be one more protocol to attack.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
