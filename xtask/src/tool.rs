//! Cargo tools in a pinned version.

use std::path::PathBuf;
use std::process::Command;

use devstack::workspace;

use crate::cargo::{command, run};
use crate::step::announced;

/// Returns the path of a tool in `.tools/`, building it from source if that version is not installed.
pub fn installed(name: &str, version: &str) -> anyhow::Result<PathBuf> {
    let root = workspace::tools_dir().join(name);
    let program = root.join("bin").join(name);
    let printed = Command::new(&program).arg("--version").output();
    let installed = printed
        .is_ok_and(|output| String::from_utf8_lossy(&output.stdout).trim().ends_with(version));
    if !installed {
        announced(&format!("Install {name} {version}"), || {
            let mut install =
                command(["install", name, "--version", version, "--locked", "--debug"]);
            run(install.arg("--root").arg(root))
        })?;
    }
    Ok(program)
}
