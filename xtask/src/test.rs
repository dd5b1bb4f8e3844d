//! `cargo xtask test`

use devstack::{Postgres, Tools};

use crate::{cargo, step};

/// Runs every test.
#[derive(Debug, clap::Args)]
pub struct Test {
    /// Arguments of `cargo test`, such as `-p webhook`, or `-- --nocapture`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

impl Test {
    /// Runs them against one PostgreSQL server that all crates share, in which every test makes its own database.
    pub async fn run(self) -> anyhow::Result<()> {
        Tools::ensure().await?;
        let mut postgres = Postgres::throw_away().await?;
        step::progress(&format!(
            "The tests share the PostgreSQL server at {}",
            postgres.url("postgres")
        ));
        step::announced(
            "Build the binaries that the tests of the whole system start",
            cargo::build_binaries,
        )?;
        let tested = step::announced("Test the workspace", || {
            let mut tests = cargo::command(["test"]);
            if !self.args.iter().any(|arg| arg == "-p" || arg.starts_with("--package")) {
                tests.arg("--workspace");
            }
            tests.args(split(self.args)).env("TEST_POSTGRES_URL", postgres.url("postgres"));
            cargo::run(&mut tests)
        });
        postgres.stop().await?;
        tested
    }
}

/// Puts back the `--` before the arguments of the test programs, which the command line parser takes for its own.
fn split(args: Vec<String>) -> Vec<String> {
    let given: Vec<String> = std::env::args().skip_while(|arg| arg != "test").skip(1).collect();
    if given.first().is_some_and(|first| first == "--") { given } else { args }
}
