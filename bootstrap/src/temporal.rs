use anyhow::{Context as _, Result, anyhow};
use temporalio_client::envconfig::LoadClientConfigProfileOptions;
use temporalio_client::{Client, ClientOptions, Connection};

/// Connects with Temporal's own settings: `TEMPORAL_ADDRESS` and others, or `temporal.toml`.
pub async fn connect() -> Result<Client> {
    let (connection, options) =
        ClientOptions::load_from_config(LoadClientConfigProfileOptions::default())
            .map_err(|error| anyhow!("reading Temporal's settings: {error}"))?;
    let target = connection.target.to_string();
    let connection = Connection::connect(connection).await.with_context(|| {
        format!("connecting to Temporal at {target}; set TEMPORAL_ADDRESS to its address")
    })?;
    Ok(Client::new(connection, options)?)
}
