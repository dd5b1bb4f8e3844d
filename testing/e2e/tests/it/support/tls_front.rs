//! TLS in front of PostgreSQL: the portable builds of PostgreSQL have none.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use url::Url;

/// A client's request for TLS (PostgreSQL, "Message Formats", SSLRequest).
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// Takes connections with TLS only, and passes them on.
pub struct TlsFront {
    address: SocketAddr,
    certificate: PathBuf,
}

impl TlsFront {
    /// Starts in front of the server of `database_url`. The certificate is written to `dir`.
    pub async fn start(database_url: &str, dir: &Path) -> Result<Self> {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(vec!["127.0.0.1".to_owned()])?;
        let certificate = dir.join("postgres.pem");
        std::fs::write(&certificate, cert.pem())?;
        let key = PrivatePkcs8KeyDer::from(signing_key.serialize_der());
        let provider = Arc::new(ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key.into())?;
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let server = Url::parse(database_url)?.port().context("the URL has a port")?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                // An error ends one connection.
                tokio::spawn(forward(client, acceptor.clone(), server));
            }
        });
        Ok(Self { address, certificate })
    }

    /// The URL of a database behind the front, with these parameters; `CERT` stands for the certificate.
    pub fn url(&self, database_url: &str, parameters: &str) -> Result<String> {
        let mut url = Url::parse(database_url)?;
        url.set_port(Some(self.address.port())).ok().context("the URL takes a port")?;
        let certificate = self.certificate.display().to_string();
        url.set_query(Some(&parameters.replace("CERT", &certificate)));
        Ok(url.into())
    }
}

async fn forward(mut client: TcpStream, acceptor: TlsAcceptor, server: u16) -> Result<()> {
    let mut request = [0; 8];
    client.read_exact(&mut request).await?;
    ensure!(request == SSL_REQUEST, "a client without TLS");
    client.write_all(b"S").await?;
    let mut client = acceptor.accept(client).await?;
    let mut server = TcpStream::connect(("127.0.0.1", server)).await?;
    copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}
