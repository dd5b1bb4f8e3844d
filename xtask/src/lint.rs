//! `cargo xtask lint`

use std::path::PathBuf;
use std::process::Command;

use stack::workspace;

use crate::cargo::{command, run};
use crate::step::announced;

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
        let deny = announced("Install cargo-deny", cargo_deny)?;
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

/// The program in the pinned version, built from source once.
fn cargo_deny() -> anyhow::Result<PathBuf> {
    let root = workspace::tools_dir().join("cargo-deny");
    let program = root.join("bin").join("cargo-deny");
    let printed = Command::new(&program).arg("--version").output();
    let installed = printed
        .is_ok_and(|output| String::from_utf8_lossy(&output.stdout).trim().ends_with(CARGO_DENY));
    if !installed {
        let mut install =
            command(["install", "cargo-deny", "--version", CARGO_DENY, "--locked", "--debug"]);
        run(install.arg("--root").arg(root))?;
    }
    Ok(program)
}
