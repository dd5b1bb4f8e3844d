//! `cargo xtask bench`: runs a benchmark against a reference measured in the same run.

use devstack::workspace;

use crate::{cargo, step};

/// Example: `cargo xtask bench lifecycle --calls 500`
#[derive(Debug, clap::Args)]
pub struct Bench {
    /// Measure a debug build, which takes less time to compile
    #[arg(long)]
    debug: bool,
    /// The benchmark and its arguments; `bench --help` lists them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    args: Vec<String>,
}

impl Bench {
    pub fn run(self) -> anyhow::Result<()> {
        let mut build = cargo::command(["build", "--workspace", "--bins"]);
        if !self.debug {
            build.arg("--release");
        }
        step::announced("Build", || cargo::run(&mut build))?;
        let profile = if self.debug { "debug" } else { "release" };
        let program = workspace::root().join("target").join(profile).join("bench");
        cargo::run(std::process::Command::new(program).args(&self.args))
    }
}
