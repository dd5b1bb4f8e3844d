use std::collections::BTreeMap;

use url::Url;

use crate::{Endpoints, Error, FaultProxy, Result};

/// One proxy for each connection between two parts of a stack.
#[derive(Debug)]
pub struct FaultProxies {
    /// From the worker to PostgreSQL.
    pub database: FaultProxy,
    /// From the worker to the provider's API.
    pub provider: FaultProxy,
    /// From the provider to the webhook server.
    pub webhook: FaultProxy,
}

impl FaultProxies {
    pub async fn start(endpoints: &Endpoints) -> Result<Self> {
        Ok(Self {
            database: FaultProxy::start(port_of(&endpoints.database_url)?).await?,
            provider: FaultProxy::start(port_of(&endpoints.simulator_url)?).await?,
            webhook: FaultProxy::start(port_of(&endpoints.webhook_url)?).await?,
        })
    }

    /// The environment of a worker whose connections go through the proxies.
    pub fn worker_env(&self, endpoints: &Endpoints) -> Result<BTreeMap<String, String>> {
        let mut database = parse(&endpoints.database_url)?;
        // The proxy reads the messages, so they must not be encrypted.
        database.set_query(Some("sslmode=disable"));
        database.set_port(Some(self.database.port())).map_err(|()| no_port(database.as_str()))?;
        let [provider, webhook] = [&self.provider, &self.webhook]
            .map(|proxy| format!("http://127.0.0.1:{}", proxy.port()));
        let env = [
            ("DATABASE_URL", database.into()),
            ("ULTRAVOX_API_URL", provider.clone()),
            ("TELNYX_API_URL", provider),
            ("SERVICE_URL", webhook),
        ];
        Ok(env.map(|(name, value)| (name.to_owned(), value)).into())
    }
}

fn port_of(url: &str) -> Result<u16> {
    parse(url)?.port_or_known_default().ok_or_else(|| no_port(url))
}

fn parse(url: &str) -> Result<Url> {
    url.parse().map_err(|error| Error::Setting(format!("{url} is not a URL: {error}")))
}

fn no_port(url: &str) -> Error {
    Error::Setting(format!("{url} has no port"))
}
