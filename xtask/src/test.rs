//! `cargo xtask test`

use devstack::{Postgres, Temporal, Tools};

use crate::{cargo, step};

const TEST_THREADS_PER_CORE: usize = 2;

#[derive(Debug, clap::Args)]
pub struct Test {
    /// Arguments of `cargo test`, such as `-p webhook` or `-- --nocapture`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

impl Test {
    /// Runs the tests with one PostgreSQL and one Temporal server for all crates. Each test creates its own database
    /// and namespace.
    pub async fn run(self) -> anyhow::Result<()> {
        Tools::ensure_installed().await?;
        let (mut postgres, mut temporal) =
            tokio::try_join!(Postgres::start_temporary(), Temporal::start_temporary())?;
        step::progress(&format!("PostgreSQL server of the tests: {}", postgres.url("postgres")));
        step::progress(&format!("Temporal server of the tests: {}", temporal.address()));
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
                .env("TEST_POSTGRES_URL", postgres.url("postgres"))
                .env("TEST_TEMPORAL_ADDRESS", temporal.address());
            if std::env::var_os("RUST_TEST_THREADS").is_none() {
                tests.env("RUST_TEST_THREADS", test_threads());
            }
            cargo::run(&mut tests)
        });
        temporal.stop().await?;
        postgres.stop().await?;
        tested
    }
}

/// More threads than cores: most tests wait for other processes.
fn test_threads() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    (cores * TEST_THREADS_PER_CORE).to_string()
}

/// Restores a leading `--`, which clap removes.
fn restore_separator(args: Vec<String>) -> Vec<String> {
    let given: Vec<String> = std::env::args().skip_while(|arg| arg != "test").skip(1).collect();
    if given.first().is_some_and(|first| first == "--") { given } else { args }
}
