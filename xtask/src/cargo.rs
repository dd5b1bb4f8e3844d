//! Runs Cargo from a program that was started by Cargo.

use std::process::Command;

use anyhow::{Context, bail};
use devstack::workspace;

/// Prefixes of variables that Cargo sets for this package. Build scripts of other packages depend on them and would run
/// again whenever builds from here and from a shell alternate.
const PACKAGE_VARIABLES: [&str; 5] =
    ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_", "CARGO_PRIMARY_"];

/// `cargo <args>` in the root of the workspace.
pub fn command<'a>(args: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args).current_dir(workspace::root());
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if PACKAGE_VARIABLES.iter().any(|prefix| name.starts_with(prefix)) {
            command.env_remove(&*name);
        }
    }
    command
}

/// Builds all binaries in the profile of this program.
pub fn build_binaries() -> anyhow::Result<()> {
    let mut build = command(["build", "--workspace", "--bins"]);
    if workspace::bin_dir()?.ends_with("release") {
        build.arg("--release");
    }
    run(&mut build)
}

/// Runs a command with its output on the terminal.
///
/// # Errors
///
/// If the command fails.
pub fn run(command: &mut Command) -> anyhow::Result<()> {
    let line = command_line(command);
    let status = command.status().with_context(|| format!("could not run `{line}`"))?;
    if !status.success() {
        bail!("`{line}` failed ({status}); see its output above");
    }
    Ok(())
}

fn command_line(command: &Command) -> String {
    let program =
        std::path::Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let words = std::iter::once(program).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
