//! The tasks behind `cargo xtask`, one file each.

mod bench;
mod cargo;
mod chaos;
mod demo;
mod fuzz;
mod interrupt;
mod lint;
mod prepare;
mod running;
mod sign;
mod step;
mod test;
mod tool;
mod up;

use clap::{Parser, Subcommand};

/// Everything that is done with this workspace.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
pub struct Xtask {
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// One task.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start the whole stack and keep it running until Ctrl-C; its state stays for the next time
    Up(up::Up),
    /// Place a dozen simulated calls on a fresh stack and watch them
    Demo(demo::Demo),
    /// Run every test, the way CI does
    Test(test::Test),
    /// Run every check that needs no test: format, clippy, dependencies, documentation
    Lint(lint::Lint),
    /// Measure the service beside a reference in the same run
    Bench(bench::Bench),
    /// Disturb a stack at random while it makes calls, and check what must hold all the same
    Chaos(chaos::Chaos),
    /// Fuzz what the webhook server reads, until nothing new is covered
    Fuzz(fuzz::Fuzz),
    /// Describe the SQL of the sources in .sqlx/, so that they compile without a database
    Prepare(prepare::Prepare),
    /// Run the Temporal command line against the stack of `cargo xtask up`
    Temporal(running::Temporal),
    /// Run psql against the stack of `cargo xtask up`
    Psql(running::Psql),
    /// Print the headers that make a webhook genuine, for `curl -H @-`
    Sign(sign::Sign),
    /// Ask the worker's tools about the stack of `cargo xtask up`
    Worker(running::Worker),
}

impl Command {
    /// Does it; an error says what was wrong and what to do.
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
    fn the_command_line_is_consistent() {
        super::Xtask::command().debug_assert();
    }
}
