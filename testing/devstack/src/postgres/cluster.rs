//! The data folder of a PostgreSQL server and the account that owns it.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};

use super::PostgresOptions;
use crate::account::Account;
use crate::process::{self, Program};
use crate::tools::PostgresTools;
use crate::{Error, Result};

pub struct Cluster {
    pub data: PathBuf,
    /// The account that owns the data and runs the server. `None` means this process's account.
    pub account: Option<Account>,
}

impl Cluster {
    pub fn server_args(&self, port: u16, durable: bool) -> Vec<String> {
        let mut settings = vec![
            "listen_addresses=127.0.0.1".to_owned(),
            format!("port={port}"),
            "unix_socket_directories=".to_owned(),
            "max_connections=200".to_owned(),
            "shared_buffers=64MB".to_owned(),
            "timezone=UTC".to_owned(),
            "log_timezone=UTC".to_owned(),
        ];
        if !durable {
            // Commits still reach the operating system and survive a kill of the server.
            settings.extend(["fsync=off", "full_page_writes=off"].map(String::from));
        }
        let data = ["-D".to_owned(), self.data.display().to_string()];
        data.into_iter()
            .chain(settings.into_iter().flat_map(|setting| ["-c".to_owned(), setting]))
            .collect()
    }
}

/// Prepares the cluster in the folder. A new cluster uses UTF-8 and a collation that does not depend on the machine.
pub async fn prepare(tools: &PostgresTools, options: &PostgresOptions) -> Result<Cluster> {
    let account = Account::instead_of_root()?;
    create_dir(&options.dir)?;
    let dir = std::path::absolute(&options.dir).map_err(Error::io("find the current folder"))?;
    let data = data_dir(&dir, account.as_ref())?;
    if !options.durable && data.exists() {
        std::fs::remove_dir_all(&data).map_err(Error::io(format!("empty {}", data.display())))?;
    }
    if !data.join("PG_VERSION").is_file() {
        create_dir(&data)?;
        if let Some(account) = &account {
            account.take_ownership(&data)?;
        }
        let data_arg = data.to_string_lossy();
        let mut args = vec![
            "-D",
            &data_arg,
            "-U",
            "postgres",
            "--auth=trust",
            "--encoding=UTF8",
            "--no-locale",
            "--no-instructions",
        ];
        if !options.durable {
            args.push("--no-sync");
        }
        let initdb = Program::new("initdb", tools.initdb(), &options.dir).args(args);
        process::run(&initdb.current_dir(&data).account(account.as_ref())).await?;
    }
    Ok(Cluster { data, account })
}

/// A subfolder, or a temporary folder if the account can't reach `dir`.
fn data_dir(dir: &Path, account: Option<&Account>) -> Result<PathBuf> {
    match account {
        Some(account) if !account.can_reach(dir) => {
            let mut hasher = DefaultHasher::new();
            dir.hash(&mut hasher);
            Ok(std::env::temp_dir()
                .join(format!("devstack-postgres-data-{:016x}", hasher.finish())))
        }
        _ => Ok(dir.join("data")),
    }
}

fn create_dir(dir: &Path) -> Result<()> {
    std::fs::create_dir_all(dir).map_err(Error::io(format!("create {}", dir.display())))
}
