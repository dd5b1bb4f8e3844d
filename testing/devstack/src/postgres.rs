//! A PostgreSQL server of one's own.

mod cluster;

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::sync::OnceCell;
use url::Url;

use crate::process::Process;
use crate::{Error, Program, Ready, Result, Scratch, StopSignal, Tools, ports};

/// How a PostgreSQL server is started.
#[derive(Clone, Debug)]
pub struct PostgresOptions {
    /// Holds the cluster and the log; made when it is not there. Started as root, the cluster itself may have to
    /// lie under the system's temporary folder, where an unprivileged account can reach it.
    pub dir: PathBuf,
    /// The port on 127.0.0.1; any free one if none is given.
    pub port: Option<u16>,
    /// Whether the cluster is there for the next start, and survives a crash of the machine; costs time at every
    /// commit. Otherwise the server starts on an empty one.
    pub durable: bool,
}

/// A PostgreSQL server that listens on 127.0.0.1 and trusts everybody there.
#[derive(Debug)]
pub struct Postgres {
    url: Url,
    process: Option<Process>,
    _scratch: Option<Scratch>,
}

impl Postgres {
    /// Starts a server, on the cluster in the folder when that is durable; ready when a connection succeeds.
    pub async fn start(options: PostgresOptions) -> Result<Self> {
        let tools = &Tools::ensure().await?.postgres;
        let port = options.port.map_or_else(ports::free, Ok)?;
        let cluster = cluster::prepare(tools, &options).await?;
        let program = Program::new("postgres", tools.postgres(), &options.dir)
            .args(cluster.server_args(port, options.durable))
            .current_dir(&cluster.data)
            .account(cluster.account.as_ref())
            .stop_signal(StopSignal::Interrupt);
        let process = Process::start(program, Ready::Running).await?;
        let url = parse(&format!("postgres://postgres@127.0.0.1:{port}/postgres"))?;
        let mut postgres = Self { url, process: Some(process), _scratch: None };
        postgres.wait_until_ready().await?;
        Ok(postgres)
    }

    /// Starts a server on a new cluster that is removed when this is dropped.
    pub async fn throw_away() -> Result<Self> {
        let scratch = Scratch::new()?;
        let dir = scratch.path().to_path_buf();
        let postgres = Self::start(PostgresOptions { dir, port: None, durable: false }).await?;
        Ok(Self { _scratch: Some(scratch), ..postgres })
    }

    /// The server that all tests of this process share: the one that `TEST_POSTGRES_URL` names, otherwise one that is
    /// started by the first caller and ends with the process. Every test makes its own database there.
    pub async fn shared() -> Result<&'static Self> {
        static SHARED: OnceCell<Postgres> = OnceCell::const_new();
        SHARED
            .get_or_try_init(|| async {
                match std::env::var("TEST_POSTGRES_URL") {
                    Ok(url) => Self::at(&url),
                    Err(_) => Self::throw_away().await,
                }
            })
            .await
    }

    /// A server that somebody else runs, reached as a role that may create databases.
    pub fn at(url: &str) -> Result<Self> {
        Ok(Self { url: parse(url)?, process: None, _scratch: None })
    }

    /// The address of one of its databases.
    pub fn url(&self, database: &str) -> String {
        let mut url = self.url.clone();
        url.set_path(database);
        url.into()
    }

    /// Makes a database, unless it is there already, and returns its address.
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
            let statement = format!("create database \"{}\"", name.replace('"', "\"\""));
            sqlx::raw_sql(AssertSqlSafe(statement))
                .execute(&mut server)
                .await
                .map_err(Error::sql(doing))?;
        }
        Ok(self.url(name))
    }

    /// Makes an empty database with a name that nothing else uses, and returns its address.
    pub async fn fresh_database(&self, prefix: &str) -> Result<String> {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        // A server that lives for long sees the same process id again.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
        self.create_database(&format!("{prefix}_{now}_{}_{number}", std::process::id())).await
    }

    /// Stops the server if it runs and starts it again on the same cluster and port; also after [`Postgres::kill9`].
    pub async fn restart(&mut self) -> Result<()> {
        self.own_process()?.restart().await?;
        self.wait_until_ready().await
    }

    /// Stops the server without waiting for its clients.
    pub async fn stop(&mut self) -> Result<()> {
        self.own_process()?.stop().await
    }

    /// Kills the server without a warning.
    pub async fn kill9(&mut self) -> Result<()> {
        self.own_process()?.kill9().await
    }

    async fn wait_until_ready(&mut self) -> Result<()> {
        let options = connect_options(&self.url)?;
        let check = async || PgConnection::connect_with(&options).await.is_ok();
        self.own_process()?
            .wait_until("it accepts a connection", Duration::from_secs(60), check)
            .await
    }

    async fn connect(&self) -> Result<PgConnection> {
        let doing = format!(
            "connect to PostgreSQL at {}:{}",
            host(&self.url),
            self.url.port().unwrap_or(5432)
        );
        PgConnection::connect_with(&connect_options(&self.url)?).await.map_err(Error::sql(doing))
    }

    fn own_process(&mut self) -> Result<&mut Process> {
        let url = &self.url;
        self.process.as_mut().ok_or_else(|| {
            Error::Setting(format!("PostgreSQL at {} is run by somebody else", host(url)))
        })
    }
}

fn host(url: &Url) -> &str {
    url.host_str().unwrap_or("an unnamed host")
}

fn parse(url: &str) -> Result<Url> {
    // The address may hold a password, so it stays out of the error.
    Url::parse(url).map_err(|error| {
        Error::Setting(format!(
            "the address of PostgreSQL must look like postgres://user@host:port/database: {error}"
        ))
    })
}

fn connect_options(url: &Url) -> Result<PgConnectOptions> {
    PgConnectOptions::from_str(url.as_str()).map_err(Error::sql("read the address of PostgreSQL"))
}
