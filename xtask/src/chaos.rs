//! `cargo xtask chaos`: calls on a stack that is disturbed at random, and what must hold all the same.

use devstack::workspace;

use crate::cargo;

/// How many calls, and which faults: `cargo xtask chaos --calls 500 --seed 7`.
#[derive(Debug, clap::Args)]
pub struct Chaos {
    /// Its own arguments; `--help` lists them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

impl Chaos {
    pub fn run(self) -> anyhow::Result<()> {
        cargo::build_binaries()?;
        let program = workspace::bin_dir()?.join("chaos");
        cargo::run(std::process::Command::new(program).args(&self.args))
    }
}
