use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use temporalio_client::envconfig::LoadClientConfigProfileOptions;
use temporalio_client::{Client, ClientKeepAliveOptions, ClientOptions, Connection};

/// How often the connection is probed: not more often than Temporal allows, which is every 10 s.
const PROBE_INTERVAL: Duration = Duration::from_secs(15);
/// A connection that does not answer a probe in this time is replaced.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

/// Connects with Temporal's own settings: `TEMPORAL_ADDRESS` and others, or `temporal.toml`.
pub async fn connect() -> Result<Client> {
    let (mut connection, options) =
        ClientOptions::load_from_config(LoadClientConfigProfileOptions::default())
            .map_err(|error| anyhow!("reading Temporal's settings: {error}"))?;
    let probes = ClientKeepAliveOptions::builder().interval(PROBE_INTERVAL).timeout(PROBE_TIMEOUT);
    connection.keep_alive = Some(probes.build());
    let target = connection.target.to_string();
    let connection = Connection::connect(connection).await.with_context(|| {
        format!("connecting to Temporal at {target}; set TEMPORAL_ADDRESS to its address")
    })?;
    Ok(Client::new(connection, options)?)
}
