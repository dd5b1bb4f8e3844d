//! `cargo xtask test`

use devstack::{Postgres, Tools};

use crate::{cargo, step};

#[derive(Debug, clap::Args)]
pub struct Test {
    /// Arguments of `cargo test`, such as `-p webhook` or `-- --nocapture`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

impl Test {
    /// Runs the tests with one PostgreSQL server for all crates. Each test creates its own database.
    pub async fn run(self) -> anyhow::Result<()> {
        Tools::ensure_installed().await?;
        let mut postgres = Postgres::start_temporary().await?;
        step::progress(&format!("PostgreSQL server of the tests: {}", postgres.url("postgres")));
        step::announced(
            "Build the binaries that the end-to-end tests start",
            cargo::build_binaries,
        )?;
        let tested = step::announced("Run the tests", || {
            let mut tests = cargo::command(["test"]);
            if !self.args.iter().any(|arg| arg == "-p" || arg.starts_with("--package")) {
                tests.arg("--workspace");
            }
            tests
                .args(restore_separator(self.args))
                .env("TEST_POSTGRES_URL", postgres.url("postgres"));
            cargo::run(&mut tests)
        });
        postgres.stop().await?;
        tested
    }
}

/// Restores a leading `--`, which clap removes.
fn restore_separator(args: Vec<String>) -> Vec<String> {
    let given: Vec<String> = std::env::args().skip_while(|arg| arg != "test").skip(1).collect();
    if given.first().is_some_and(|first| first == "--") { given } else { args }
}
