//! The tasks behind `cargo xtask`, one file each.

mod bench;
mod cargo;
mod chaos;
mod demo;
mod fuzz;
mod interrupt;
mod lint;
mod prepare;
mod record_histories;
mod running;
mod sign;
mod step;
mod test;
mod tool;
mod up;

use clap::{Parser, Subcommand};

/// Tasks of this workspace
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
pub struct Xtask {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start a local stack and run it until Ctrl-C; its state is kept
    Up(up::Up),
    /// Place twelve simulated calls on a new stack and show their progress
    Demo(demo::Demo),
    /// Run all tests, as CI does
    Test(test::Test),
    /// Check format, clippy, dependencies and documentation, as CI does
    Lint(lint::Lint),
    /// Run a benchmark against a reference measured in the same run
    Bench(bench::Bench),
    /// Place calls while random faults are injected, then check the invariants
    Chaos(chaos::Chaos),
    /// Fuzz the webhook server's parsers until no new coverage is found
    Fuzz(fuzz::Fuzz),
    /// Update .sqlx/, so that the queries compile without a database
    Prepare(prepare::Prepare),
    /// Record the workflow histories that workflows/tests/replay.rs replays
    RecordHistories(record_histories::RecordHistories),
    /// Run `temporal` against the stack of `cargo xtask up`
    Temporal(running::Temporal),
    /// Run `psql` against the stack of `cargo xtask up`
    Psql(running::Psql),
    /// Print the signature headers of a webhook, for `curl -H @-`
    Sign(sign::Sign),
    /// Run a tool of the worker against the stack of `cargo xtask up`
    Worker(running::Worker),
}

impl Command {
    pub async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Up(task) => task.run().await,
            Self::Demo(task) => task.run().await,
            Self::Test(task) => task.run().await,
            Self::Lint(task) => task.run(),
            Self::Bench(task) => task.run(),
            Self::Chaos(task) => task.run(),
            Self::Fuzz(task) => task.run(),
            Self::Prepare(task) => task.run().await,
            Self::RecordHistories(task) => task.run().await,
            Self::Temporal(task) => task.run().await,
            Self::Psql(task) => task.run().await,
            Self::Sign(task) => {
                task.run();
                Ok(())
            }
            Self::Worker(task) => task.run(),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn command_line_definition_is_valid() {
        super::Xtask::command().debug_assert();
    }
}
