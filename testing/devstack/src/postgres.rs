//! A local PostgreSQL server.

mod cluster;

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::sync::OnceCell;
use url::Url;

use crate::process::Process;
use crate::{Error, Program, Ready, Result, StopSignal, TempDir, Tools, ports, workspace};

const START_TIMEOUT: Duration = Duration::from_secs(60);

#[derive(Clone, Debug)]
pub struct PostgresOptions {
    /// Folder for cluster and log; created if missing. If this process is root and PostgreSQL's account can't reach
    /// the folder, the cluster is in the system's temporary folder.
    pub dir: PathBuf,
    /// Port on 127.0.0.1. `None` means any free port.
    pub port: Option<u16>,
    /// Whether to keep the cluster for the next start and to sync it to disk, which makes commits slower. Otherwise
    /// the server starts with an empty cluster.
    pub durable: bool,
}

/// A PostgreSQL server that listens on 127.0.0.1 without authentication.
#[derive(Debug)]
pub struct Postgres {
    url: Url,
    process: Option<Process>,
    _temp_dir: Option<TempDir>,
}

impl Postgres {
    /// Starts a server and waits until it accepts a connection.
    pub async fn start(options: PostgresOptions) -> Result<Self> {
        let tools = &Tools::ensure_installed().await?.postgres;
        let port = options.port.map_or_else(ports::find_free, Ok)?;
        let cluster = cluster::prepare(tools, &options).await?;
        let program = Program::new("postgres", tools.postgres(), &options.dir)
            .args(cluster.server_args(port, options.durable))
            .current_dir(&cluster.data)
            .account(cluster.account.as_ref())
            .stop_signal(StopSignal::Interrupt);
        let process = Process::start(program, Ready::Running).await?;
        let url = parse_url(&format!("postgres://postgres@127.0.0.1:{port}/postgres"))?;
        let mut postgres = Self { url, process: Some(process), _temp_dir: None };
        postgres.wait_until_ready().await?;
        Ok(postgres)
    }

    /// Starts a server on a new cluster. Drop removes the cluster.
    pub async fn start_temporary() -> Result<Self> {
        let temp_dir = workspace::temp_dir()?;
        let dir = temp_dir.path().to_path_buf();
        let postgres = Self::start(PostgresOptions { dir, port: None, durable: false }).await?;
        Ok(Self { _temp_dir: Some(temp_dir), ..postgres })
    }

    /// The server for all tests of this process: the one in `TEST_POSTGRES_URL`, otherwise one that the first call
    /// starts and that ends with the process. Each test creates its own database.
    pub async fn shared() -> Result<&'static Self> {
        static SHARED: OnceCell<Postgres> = OnceCell::const_new();
        SHARED
            .get_or_try_init(|| async {
                match std::env::var("TEST_POSTGRES_URL") {
                    Ok(url) => Self::external(&url),
                    Err(_) => Self::start_temporary().await,
                }
            })
            .await
    }

    /// A server that this process does not control. The role in `url` must be allowed to create databases.
    pub fn external(url: &str) -> Result<Self> {
        Ok(Self { url: parse_url(url)?, process: None, _temp_dir: None })
    }

    /// The URL of a database.
    pub fn url(&self, database: &str) -> String {
        let mut url = self.url.clone();
        url.set_path(database);
        url.into()
    }

    /// Creates a database unless it exists and returns its URL.
    pub async fn create_database(&self, name: &str) -> Result<String> {
        let mut server = self.connect().await?;
        let doing = format!("create the database {name}");
        let exists: bool =
            sqlx::query_scalar("select exists (select from pg_database where datname = $1)")
                .bind(name)
                .fetch_one(&mut server)
                .await
                .map_err(Error::sql(doing.clone()))?;
        if !exists {
            let statement = format!("create database {}", quoted(name));
            sqlx::raw_sql(AssertSqlSafe(statement))
                .execute(&mut server)
                .await
                .map_err(Error::sql(doing))?;
        }
        Ok(self.url(name))
    }

    /// Creates a copy of a database that has no open connections and returns its URL.
    pub async fn copy_database(&self, template: &str, name: &str) -> Result<String> {
        let statement = format!("create database {} template {}", quoted(name), quoted(template));
        sqlx::raw_sql(AssertSqlSafe(statement))
            .execute(&mut self.connect().await?)
            .await
            .map_err(Error::sql(format!("copy the database {template} to {name}")))?;
        Ok(self.url(name))
    }

    /// Creates an empty database with a unique name and returns its URL.
    pub async fn create_unique_database(&self, prefix: &str) -> Result<String> {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        // Process ids repeat during the lifetime of an external server.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
        self.create_database(&format!("{prefix}_{now}_{}_{number}", std::process::id())).await
    }

    /// Stops the server if it runs and starts it again on the same cluster and port.
    pub async fn restart(&mut self) -> Result<()> {
        let deadline = Instant::now() + START_TIMEOUT;
        loop {
            self.local_process()?.restart().await?;
            match self.wait_until_ready().await {
                // After SIGKILL the sessions of the old server end by themselves. Until then they hold its memory.
                Err(Error::EndedEarly { tail, .. })
                    if tail.contains("still in use") && Instant::now() < deadline => {}
                started => return started,
            }
        }
    }

    /// Stops the server without waiting for clients to disconnect.
    pub async fn stop(&mut self) -> Result<()> {
        self.local_process()?.stop().await
    }

    /// Sends SIGKILL and waits for the end.
    pub async fn kill9(&mut self) -> Result<()> {
        self.local_process()?.kill9().await
    }

    async fn wait_until_ready(&mut self) -> Result<()> {
        let options = connect_options(&self.url)?;
        let check = async || PgConnection::connect_with(&options).await.is_ok();
        self.local_process()?.wait_until("it accepts a connection", START_TIMEOUT, check).await
    }

    async fn connect(&self) -> Result<PgConnection> {
        let doing = format!(
            "connect to PostgreSQL at {}:{}",
            host(&self.url),
            self.url.port().unwrap_or(5432)
        );
        PgConnection::connect_with(&connect_options(&self.url)?).await.map_err(Error::sql(doing))
    }

    fn local_process(&mut self) -> Result<&mut Process> {
        let url = &self.url;
        self.process.as_mut().ok_or_else(|| {
            Error::Setting(format!("PostgreSQL at {} is not run by this process", host(url)))
        })
    }
}

fn quoted(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}

fn host(url: &Url) -> &str {
    url.host_str().unwrap_or("an unnamed host")
}

fn parse_url(url: &str) -> Result<Url> {
    // The URL may contain a password, so the error omits it.
    Url::parse(url).map_err(|error| {
        Error::Setting(format!(
            "the URL of PostgreSQL must look like postgres://user@host:port/database: {error}"
        ))
    })
}

fn connect_options(url: &Url) -> Result<PgConnectOptions> {
    PgConnectOptions::from_str(url.as_str()).map_err(Error::sql("parse the URL of PostgreSQL"))
}
