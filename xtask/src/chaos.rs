//! `cargo xtask chaos`: places calls while random faults are injected, then checks the invariants.

use devstack::workspace;

use crate::cargo;

/// Example: `cargo xtask chaos --calls 500 --seed 7`
#[derive(Debug, clap::Args)]
pub struct Chaos {
    /// Arguments; `chaos -- --help` lists them
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
