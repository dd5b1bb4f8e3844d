use std::process::Stdio;
use std::time::Duration;

use devstack::{Error, Process, Program, Ready, TempDir, eventually, workspace};

const TIMEOUT: Duration = Duration::from_secs(10);

#[tokio::test]
async fn process_that_ends_early_is_reported_with_its_log() {
    let dir = workspace::temp_dir().unwrap();
    let program = shell(&dir, "echo warming up; echo the disk is on fire >&2; exit 3");
    let error = Process::start(program, Ready::Line("ready".to_owned())).await.unwrap_err();
    assert!(matches!(error, Error::EndedEarly { .. }));
    assert!(error.to_string().contains("the disk is on fire"), "{error}");
}

#[tokio::test]
async fn process_that_is_never_ready_times_out() {
    let dir = workspace::temp_dir().unwrap();
    let program =
        shell(&dir, "echo warming up; exec sleep 100").ready_timeout(Duration::from_millis(300));
    let error = Process::start(program, Ready::Line("ready".to_owned())).await.unwrap_err();
    assert!(matches!(error, Error::NotReady { .. }), "{error}");
}

#[tokio::test]
async fn process_that_ignores_its_stop_signal_is_killed() {
    let dir = workspace::temp_dir().unwrap();
    let program = shell(&dir, "trap '' TERM; echo ready; while :; do sleep 0.05; done");
    let program = program.stop_timeout(Duration::from_millis(200));
    let mut process = Process::start(program, Ready::Line("ready".to_owned())).await.unwrap();
    process.stop().await.unwrap();
    assert!(!process.is_running());
}

#[tokio::test]
async fn log_of_restarted_process_starts_empty() {
    let dir = workspace::temp_dir().unwrap();
    let script = "echo run $$; exec sleep 100";
    let mut process =
        Process::start(shell(&dir, script), Ready::Line("run".to_owned())).await.unwrap();
    let first = process.pid();
    process.restart().await.unwrap();
    assert_ne!(process.pid(), first);
    assert_eq!(process.log(), format!("run {}\n", process.pid()));
}

#[tokio::test]
async fn child_of_killed_parent_ends() {
    let dir = workspace::temp_dir().unwrap();
    let mut parent = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "process::parent_that_never_ends", "--nocapture"])
        .env("PARENT_DIR", dir.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let log = dir.path().join("child.log");
    let pid = eventually(TIMEOUT, "the child writes its process id", async || {
        let text = std::fs::read_to_string(&log)?;
        Ok(text.strip_prefix("run ").and_then(|pid| pid.trim().parse::<u32>().ok()))
    })
    .await;
    assert!(is_running(pid));

    parent.kill().unwrap();
    parent.wait().unwrap();

    eventually(TIMEOUT, "the child ends", async || Ok((!is_running(pid)).then_some(()))).await;
}

/// The parent process of the test above; without PARENT_DIR it does nothing.
#[tokio::test]
async fn parent_that_never_ends() {
    let Some(dir) = std::env::var_os("PARENT_DIR") else { return };
    let program =
        Program::new("child", "/bin/sh", dir).args(["-c", "echo run $$; exec sleep 1000"]);
    let _child = Process::start(program, Ready::Running).await.unwrap();
    std::future::pending::<()>().await;
}

fn shell(dir: &TempDir, script: &str) -> Program {
    Program::new("child", "/bin/sh", dir.path()).args(["-c", script])
}

/// Whether the process runs and is not a zombie.
fn is_running(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')')
        .next()
        .is_some_and(|rest| !rest.trim().is_empty() && !rest.trim().starts_with('Z'))
}
