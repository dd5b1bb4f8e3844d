//! Cargo, run from within a program that Cargo runs.

use std::process::Command;

use anyhow::{Context, bail};
use devstack::workspace;

/// Variables that Cargo sets for the package that it runs. Build scripts of others watch them, and would run again
/// each time a build is started from here instead of from a shell.
const OF_THIS_PACKAGE: [&str; 5] =
    ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_", "CARGO_PRIMARY_"];

/// `cargo <args>` at the root of the workspace.
pub fn command<'a>(args: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args).current_dir(workspace::root());
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if OF_THIS_PACKAGE.iter().any(|prefix| name.starts_with(prefix)) {
            command.env_remove(&*name);
        }
    }
    command
}

/// Builds all binaries, with Cargo's own output.
pub fn build_binaries() -> anyhow::Result<()> {
    let mut build = command(["build", "--workspace", "--bins"]);
    if workspace::bin_dir()?.ends_with("release") {
        build.arg("--release");
    }
    run(&mut build)
}

/// Runs a command that prints for itself; an error when it fails.
pub fn run(command: &mut Command) -> anyhow::Result<()> {
    let line = line(command);
    let status = command.status().with_context(|| format!("could not run `{line}`"))?;
    if !status.success() {
        bail!("`{line}` failed ({status}); what it printed above says why");
    }
    Ok(())
}

fn line(command: &Command) -> String {
    let program =
        std::path::Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let words = std::iter::once(program).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
