//! `cargo xtask temporal`, `cargo xtask psql` and `cargo xtask worker`: programs against the stack that runs.

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;
use devstack::{Addresses, Tools, workspace};

/// The Temporal command line.
#[derive(Debug, clap::Args)]
pub struct Temporal {
    #[command(flatten)]
    stack: Running,

    /// Arguments of `temporal`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

impl Temporal {
    /// Becomes that program.
    pub async fn run(self) -> anyhow::Result<()> {
        let addresses = self.stack.addresses()?;
        let mut command = Command::new(&Tools::ensure().await?.temporal);
        command
            .args(self.args)
            .env("TEMPORAL_ADDRESS", addresses.temporal_address)
            .env("TEMPORAL_NAMESPACE", addresses.temporal_namespace);
        become_program(command)
    }
}

/// The client of PostgreSQL.
#[derive(Debug, clap::Args)]
pub struct Psql {
    #[command(flatten)]
    stack: Running,

    /// Arguments of `psql`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

impl Psql {
    /// Becomes that program.
    pub async fn run(self) -> anyhow::Result<()> {
        let addresses = self.stack.addresses()?;
        let mut command = Command::new(&Tools::ensure().await?.psql);
        command.arg(addresses.database_url).args(self.args);
        become_program(command)
    }
}

/// The tools of the worker.
#[derive(Debug, clap::Args)]
pub struct Worker {
    #[command(flatten)]
    stack: Running,

    /// Arguments of `worker`: `plan --dry-run`, `why PROSPECT` or `import FILE --user ID`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    args: Vec<String>,
}

impl Worker {
    /// Becomes that program.
    pub fn run(self) -> anyhow::Result<()> {
        let addresses = self.stack.addresses()?;
        let mut command = Command::new(workspace::bin_dir()?.join("worker"));
        command
            .args(self.args)
            .env("DATABASE_URL", addresses.database_url)
            .env("CLOCK_OFFSET_SECS", addresses.clock_offset_secs.to_string());
        become_program(command)
    }
}

/// The stack that is meant.
#[derive(Debug, clap::Args)]
struct Running {
    /// Where that stack keeps its state [default: .stack/up]
    #[arg(long)]
    dir: Option<PathBuf>,
}

impl Running {
    fn addresses(&self) -> anyhow::Result<Addresses> {
        let file =
            self.dir.clone().unwrap_or_else(|| workspace::state_dir("up")).join("stack.json");
        let text = std::fs::read_to_string(&file).with_context(|| {
            format!("no stack runs there ({}); start one with `cargo xtask up`", file.display())
        })?;
        serde_json::from_str(&text)
            .with_context(|| format!("{} is damaged; start the stack again", file.display()))
    }
}

fn become_program(mut command: Command) -> anyhow::Result<()> {
    let error = command.exec();
    Err(error).with_context(|| format!("could not run {}", command.get_program().to_string_lossy()))
}
