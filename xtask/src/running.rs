//! `cargo xtask temporal`, `cargo xtask psql` and `cargo xtask worker`: programs that connect to the running stack.

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;
use devstack::{Endpoints, Tools, workspace};

#[derive(Debug, clap::Args)]
pub struct Temporal {
    #[command(flatten)]
    stack: RunningStack,

    /// Arguments of `temporal`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

impl Temporal {
    pub async fn run(self) -> anyhow::Result<()> {
        let endpoints = self.stack.endpoints()?;
        let mut command = Command::new(&Tools::ensure_installed().await?.temporal);
        command
            .args(self.args)
            .env("TEMPORAL_ADDRESS", endpoints.temporal_address)
            .env("TEMPORAL_NAMESPACE", endpoints.temporal_namespace);
        exec(command)
    }
}

#[derive(Debug, clap::Args)]
pub struct Psql {
    #[command(flatten)]
    stack: RunningStack,

    /// Arguments of `psql`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

impl Psql {
    pub async fn run(self) -> anyhow::Result<()> {
        let endpoints = self.stack.endpoints()?;
        let mut command = Command::new(&Tools::ensure_installed().await?.psql);
        command.arg(endpoints.database_url).args(self.args);
        exec(command)
    }
}

#[derive(Debug, clap::Args)]
pub struct Worker {
    #[command(flatten)]
    stack: RunningStack,

    /// Arguments of `worker`: `plan --dry-run`, `explain PROSPECT` or `import FILE --user ID`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    args: Vec<String>,
}

impl Worker {
    pub fn run(self) -> anyhow::Result<()> {
        let endpoints = self.stack.endpoints()?;
        let mut command = Command::new(workspace::bin_dir()?.join("worker"));
        command
            .args(self.args)
            .env("DATABASE_URL", endpoints.database_url)
            .env("CLOCK_OFFSET_SECS", endpoints.clock_offset_secs.to_string());
        exec(command)
    }
}

#[derive(Debug, clap::Args)]
struct RunningStack {
    /// State folder of the stack [default: .stack/up]
    #[arg(long)]
    dir: Option<PathBuf>,
}

impl RunningStack {
    fn endpoints(&self) -> anyhow::Result<Endpoints> {
        let file =
            self.dir.clone().unwrap_or_else(|| workspace::state_dir("up")).join("stack.json");
        let text = std::fs::read_to_string(&file).with_context(|| {
            format!(
                "no running stack: could not read {}; start one with `cargo xtask up`",
                file.display()
            )
        })?;
        serde_json::from_str(&text)
            .with_context(|| format!("could not parse {}; restart the stack", file.display()))
    }
}

/// Replaces this process with the command.
fn exec(mut command: Command) -> anyhow::Result<()> {
    let error = command.exec();
    Err(error).with_context(|| format!("could not run {}", command.get_program().to_string_lossy()))
}
