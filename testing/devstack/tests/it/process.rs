use std::process::Stdio;
use std::time::{Duration, Instant};

use devstack::{Error, Process, Program, Ready, Scratch};

const SHORTLY: Duration = Duration::from_secs(10);

#[tokio::test]
async fn an_early_end_shows_the_last_lines_of_the_log() {
    let scratch = Scratch::new().unwrap();
    let program = shell(&scratch, "echo warming up; echo the disk is on fire >&2; exit 3");
    let error = Process::start(program, Ready::Line("ready".to_owned())).await.unwrap_err();
    assert!(matches!(error, Error::EndedEarly { .. }));
    assert!(error.to_string().contains("the disk is on fire"), "{error}");
}

#[tokio::test]
async fn a_process_that_does_not_get_ready_is_given_up() {
    let scratch = Scratch::new().unwrap();
    let program =
        shell(&scratch, "echo warming up; exec sleep 100").start_within(Duration::from_millis(300));
    let error = Process::start(program, Ready::Line("ready".to_owned())).await.unwrap_err();
    assert!(matches!(error, Error::NotReady { .. }), "{error}");
}

#[tokio::test]
async fn a_process_that_ignores_the_request_to_stop_is_killed() {
    let scratch = Scratch::new().unwrap();
    let program = shell(&scratch, "trap '' TERM; echo ready; while :; do sleep 0.05; done");
    let program = program.grace(Duration::from_millis(200));
    let mut process = Process::start(program, Ready::Line("ready".to_owned())).await.unwrap();
    process.stop().await.unwrap();
    assert!(!process.is_running());
}

#[tokio::test]
async fn a_restarted_process_is_judged_by_its_new_log() {
    let scratch = Scratch::new().unwrap();
    let script = "echo run $$; exec sleep 100";
    let mut process =
        Process::start(shell(&scratch, script), Ready::Line("run".to_owned())).await.unwrap();
    let first = process.pid();
    process.restart().await.unwrap();
    assert_ne!(process.pid(), first);
    assert_eq!(process.log(), format!("run {}\n", process.pid()));
}

#[tokio::test]
async fn a_child_ends_when_its_parent_is_killed() {
    let scratch = Scratch::new().unwrap();
    let mut parent = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "process::parent_that_never_ends", "--nocapture"])
        .env("PARENT_DIR", scratch.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let log = scratch.path().join("child.log");
    let pid = until(|| {
        std::fs::read_to_string(&log).ok()?.strip_prefix("run ")?.trim().parse::<u32>().ok()
    })
    .await;
    assert!(runs(pid));

    parent.kill().unwrap();
    parent.wait().unwrap();

    until(|| (!runs(pid)).then_some(())).await;
}

/// Not a claim of its own: the parent in the test above, which runs it in another process.
#[tokio::test]
async fn parent_that_never_ends() {
    let Some(dir) = std::env::var_os("PARENT_DIR") else { return };
    let program =
        Program::new("child", "/bin/sh", dir).args(["-c", "echo run $$; exec sleep 1000"]);
    let _child = Process::start(program, Ready::Running).await.unwrap();
    std::future::pending::<()>().await;
}

fn shell(scratch: &Scratch, script: &str) -> Program {
    Program::new("child", "/bin/sh", scratch.path()).args(["-c", script])
}

/// Whether a process of this id runs; one that has ended and waits to be collected does not.
fn runs(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')')
        .next()
        .is_some_and(|rest| !rest.trim().is_empty() && !rest.trim().starts_with('Z'))
}

async fn until<T>(mut check: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + SHORTLY;
    loop {
        if let Some(found) = check() {
            return found;
        }
        assert!(Instant::now() < deadline, "the condition did not hold within {SHORTLY:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
