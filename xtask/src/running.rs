//! `cargo xtask temporal`, `cargo xtask psql` and `cargo xtask worker`: programs that connect to the running stack.

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;
use devstack::{Tools, workspace};

use crate::up::StackFile;

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
        let endpoints = self.stack.read()?.endpoints;
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
        let endpoints = self.stack.read()?.endpoints;
        let mut command = Command::new(&Tools::ensure_installed().await?.psql);
        command.arg(endpoints.database_url).args(self.args);
        exec(command)
    }
}

#[derive(Debug, clap::Args)]
pub struct Worker {
    #[command(flatten)]
    stack: RunningStack,

    /// Arguments of `worker`: `doctor`, `plan --dry-run`, `explain PROSPECT` or `import FILE --user ID`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    args: Vec<String>,
}

impl Worker {
    pub fn run(self) -> anyhow::Result<()> {
        let settings = self.stack.read()?.worker_settings;
        let mut command = Command::new(workspace::bin_dir()?.join("worker"));
        command.args(self.args).envs(settings);
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
    fn read(&self) -> anyhow::Result<StackFile> {
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
