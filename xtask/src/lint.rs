//! `cargo xtask lint`

use std::process::Command;

use devstack::workspace;

use crate::cargo::{command, run};
use crate::step::announced;
use crate::tool;

/// The version that CI has; another one may know other rules.
const CARGO_DENY: &str = "0.20.2";

/// Runs the checks.
#[derive(Debug, clap::Args)]
pub struct Lint {}

impl Lint {
    /// Runs one check after the other and stops at the first that fails.
    pub fn run(self) -> anyhow::Result<()> {
        announced("Format", || run(&mut command(["fmt", "--all", "--check"])))?;
        announced("Clippy", || {
            run(&mut command(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
        })?;
        let deny = tool::installed("cargo-deny", CARGO_DENY)?;
        announced("Dependencies", || {
            let mut check = Command::new(deny);
            // Advisories change from day to day; they are looked at elsewhere, so that a lint means one thing.
            run(check.args(["check", "bans", "licenses", "sources"]).current_dir(workspace::root()))
        })?;
        announced("Documentation", || {
            run(command(["doc", "--no-deps", "--workspace"]).env("RUSTDOCFLAGS", "-D warnings"))
        })
    }
}
