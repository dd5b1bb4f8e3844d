//! `cargo xtask lint`

use std::process::Command;

use devstack::{Tools, workspace};

use crate::cargo::{command, run};
use crate::step::announced;

#[derive(Debug, clap::Args)]
pub struct Lint {}

impl Lint {
    /// Runs the checks in order and stops at the first failure.
    pub fn run(self) -> anyhow::Result<()> {
        announced("Format", || run(&mut command(["fmt", "--all", "--check"])))?;
        announced("Clippy", || {
            run(&mut command(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
        })?;
        let deny = Tools::cargo_deny()?;
        announced("Dependencies", || {
            let mut check = Command::new(deny);
            // Without advisories: they change daily, and a lint must not fail without a change of the code.
            run(check.args(["check", "bans", "licenses", "sources"]).current_dir(workspace::root()))
        })?;
        announced("Documentation", || {
            run(command(["doc", "--no-deps", "--workspace"]).env("RUSTDOCFLAGS", "-D warnings"))
        })
    }
}
