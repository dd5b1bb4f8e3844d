//! Keys are replaced at run time without rejecting an authenticated request.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use devstack::development::{TELNYX_PUBLIC_KEY, WEBHOOK_SECRET};
use devstack::{Process, StackOptions, TempDir, workspace};

use crate::support::{
    DIAL, EVENT, Plan, Prospect, Signed, TestSystem, User, clock_offset_to, count_signals, env,
    eventually, post, post_as_carrier, run_plan, run_plan_as, wait_for_state, wait_until_recorded,
    webhook_only,
};

const OUTCOME: &str = "/webhooks/outcome";
const RELOAD_TIMEOUT: Duration = Duration::from_secs(20);
const NEW_SECRET: &str = "the-new-secret-after-the-rotation";

/// A file of keys in a temporary folder.
struct KeyFile {
    path: PathBuf,
    _temp_dir: TempDir,
}

impl KeyFile {
    fn with(lines: &[&str]) -> Result<Self> {
        let temp_dir = workspace::temp_dir()?;
        let file = Self { path: temp_dir.path().join("keys"), _temp_dir: temp_dir };
        file.write(lines)?;
        Ok(file)
    }

    fn write(&self, lines: &[&str]) -> Result<()> {
        std::fs::write(&self.path, lines.join("\n") + "\n").context("writing keys")
    }

    fn path(&self) -> &str {
        self.path.to_str().expect("the path is not UTF-8")
    }
}

fn send_sighup(process: &Process) -> Result<()> {
    let sent = Command::new("kill").args(["-HUP", &process.pid().to_string()]).status()?;
    ensure!(sent.success(), "can't send SIGHUP to {}", process.name());
    Ok(())
}

/// Whether the server accepts an event signed with this secret.
async fn is_accepted(url: &str, secret: &str) -> Result<bool> {
    let status = post(url, EVENT, &Signed::with(secret, EVENT).headers()).await?.status;
    ensure!([204, 401].contains(&status), "{status}");
    Ok(status == 204)
}

async fn wait_until_accepted(url: &str, secret: &str) {
    eventually(RELOAD_TIMEOUT, &format!("{secret} is accepted"), async || {
        Ok(is_accepted(url, secret).await?.then_some(()))
    })
    .await;
}

async fn wait_until_rejected(url: &str, secret: &str) {
    eventually(RELOAD_TIMEOUT, &format!("{secret} is rejected"), async || {
        Ok((!is_accepted(url, secret).await?).then_some(()))
    })
    .await;
}

/// Sends events signed with one secret, one at a time, until it is stopped.
struct Sender {
    stopped: Arc<AtomicBool>,
    sent: Arc<AtomicUsize>,
    sending: tokio::task::JoinHandle<Result<()>>,
}

impl Sender {
    fn start(url: &str, secret: &'static str) -> Self {
        let (stopped, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (stop, count, url) = (stopped.clone(), sent.clone(), url.to_owned());
        let sending = tokio::spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                ensure!(
                    is_accepted(&url, secret).await?,
                    "an event signed with {secret} is rejected"
                );
                count.fetch_add(1, Ordering::Relaxed);
            }
            Ok(())
        });
        Self { stopped, sent, sending }
    }

    /// Waits until the server has accepted more events.
    async fn wait_for_progress(&self) {
        let before = self.sent.load(Ordering::Relaxed);
        eventually(RELOAD_TIMEOUT, "more events are accepted", async || {
            Ok((self.sent.load(Ordering::Relaxed) > before + 3).then_some(()))
        })
        .await;
    }

    async fn stop(self) -> Result<()> {
        self.stopped.store(true, Ordering::Relaxed);
        self.sending.await?
    }
}

#[tokio::test]
async fn webhook_secret_is_replaced_without_rejecting_an_event() -> Result<()> {
    let file = KeyFile::with(&[WEBHOOK_SECRET])?;
    let system = webhook_only(&[("WEBHOOK_SECRETS_FILE", file.path())]).await?;
    let url = system.webhook(OUTCOME);
    assert!(!is_accepted(&url, NEW_SECRET).await?);
    let old = Sender::start(&url, WEBHOOK_SECRET);

    file.write(&["# both", WEBHOOK_SECRET, NEW_SECRET])?;
    wait_until_accepted(&url, NEW_SECRET).await;
    let new = Sender::start(&url, NEW_SECRET);
    old.wait_for_progress().await;
    file.write(&[NEW_SECRET, WEBHOOK_SECRET])?;
    send_sighup(
        &system.stack.webhook.as_ref().context("the system has no webhook server")?.process,
    )?;
    old.wait_for_progress().await;
    new.wait_for_progress().await;
    old.stop().await?;
    file.write(&[NEW_SECRET])?;
    wait_until_rejected(&url, WEBHOOK_SECRET).await;
    new.wait_for_progress().await;

    // An invalid file changes nothing.
    let webhook = system.stack.webhook.as_ref().context("the system has no webhook server")?;
    for (content, text) in [(Some(""), "no secret"), (Some("short\n"), "line 1"), (None, "reading")]
    {
        match content {
            Some(content) => std::fs::write(&file.path, content)?,
            None => std::fs::remove_file(&file.path)?,
        }
        eventually(RELOAD_TIMEOUT, "the log contains the error", async || {
            let log = webhook.process.log();
            let line =
                log.lines().find(|line| line.contains(r#""level":"error""#) && line.contains(text));
            Ok(line.map(drop))
        })
        .await;
        new.wait_for_progress().await;
    }
    assert!(!is_accepted(&url, WEBHOOK_SECRET).await?);
    new.stop().await?;
    let log = webhook.process.log();
    assert!(!log.contains(NEW_SECRET) && !log.contains("short\\n"), "{log}");
    Ok(())
}

#[tokio::test]
async fn calls_continue_while_the_secret_of_worker_and_webhook_server_is_replaced() -> Result<()> {
    let file = KeyFile::with(&[WEBHOOK_SECRET])?;
    let secrets = env(&[("WEBHOOK_SECRETS_FILE", file.path())]);
    let system = TestSystem::start(StackOptions {
        clock_offset_secs: clock_offset_to("2025-02-25T15:00:00Z"),
        speed: 10.0,
        worker_env: secrets.clone(),
        webhook_env: secrets,
        ..StackOptions::default()
    })
    .await?;
    let url = system.webhook(OUTCOME);
    User::new("user1-id").insert(&system.database).await?;
    Prospect::new("p1-id").phone_ending(212, 20).insert(&system.database).await?;
    run_plan(&system, Plan::at(system.now())).await?;
    wait_for_state(&system, "call/p1-id-1", "talking").await;

    file.write(&[NEW_SECRET, WEBHOOK_SECRET])?;
    wait_until_accepted(&url, NEW_SECRET).await;
    let worker = system.stack.worker.as_ref().context("the system has no worker")?;
    send_sighup(worker)?;
    eventually(RELOAD_TIMEOUT, "the worker uses the new file", async || {
        Ok(worker.log().contains("A changed file is in use").then_some(()))
    })
    .await;
    // The tokens of this call are made with the old secret.
    let call = wait_until_recorded(&system, "p1-id-1").await;
    assert_eq!(call.summary(), ("COMPLETED", Some("NOT_INTERESTED"), None));
    eventually(RELOAD_TIMEOUT, "no delivery signed with the old secret is pending", async || {
        Ok((system.stack.ledger().await?["deliveries"]["pending"] == 0).then_some(()))
    })
    .await;
    file.write(&[NEW_SECRET])?;
    wait_until_rejected(&url, WEBHOOK_SECRET).await;

    Prospect::new("p2-id").phone_ending(212, 0).insert(&system.database).await?;
    run_plan_as(&system, "plan-calls-after", Plan::at(system.now())).await?;
    let call = wait_until_recorded(&system, "p2-id-1").await;
    assert_eq!(call.summary(), ("COMPLETED", Some("APPOINTMENT_SET"), None));
    // Every webhook was accepted at the first attempt.
    let deliveries = &system.stack.ledger().await?["deliveries"];
    assert_eq!(deliveries["failed"], 0, "{deliveries}");
    Ok(())
}

#[tokio::test]
async fn carrier_key_is_replaced_when_its_file_changes() -> Result<()> {
    // The public key for the seed of 32 bytes 0x01.
    let other = "iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w=";
    let file = KeyFile::with(&[other])?;
    let system = webhook_only(&[("TELNYX_PUBLIC_KEY_FILE", file.path())]).await?;
    let body = "CallSid=v3%3Aabc&CallStatus=initiated";
    assert_eq!(post_as_carrier(&system, DIAL, body).await?.status, 401);
    file.write(&[other, TELNYX_PUBLIC_KEY])?;
    eventually(RELOAD_TIMEOUT, "the carrier's key is accepted", async || {
        Ok((post_as_carrier(&system, DIAL, body).await?.status == 204).then_some(()))
    })
    .await;
    assert_eq!(count_signals(&system).await?, 1);
    Ok(())
}

#[tokio::test]
async fn secrets_from_the_environment_stay_after_sighup() -> Result<()> {
    let system = webhook_only(&[]).await?;
    let url = system.webhook(OUTCOME);
    let process =
        &system.stack.webhook.as_ref().context("the system has no webhook server")?.process;
    send_sighup(process)?;
    eventually(RELOAD_TIMEOUT, "the server has handled SIGHUP", async || {
        Ok(process.log().contains("SIGHUP received, reloading files").then_some(()))
    })
    .await;
    assert!(is_accepted(&url, WEBHOOK_SECRET).await?);
    Ok(())
}
